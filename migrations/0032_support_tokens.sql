PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_api_tokens` (
	`id` integer PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`last_four` text NOT NULL,
	`user_id` integer NOT NULL,
	`account_id` integer,
	`made_by` integer,
	`from_partner` integer DEFAULT false NOT NULL,
	`name` text NOT NULL,
	`scopes` text NOT NULL,
	`networks` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`ended_at` integer,
	`remind_at` integer,
	`last_used_at` integer,
	`last_used_ip` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`made_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
INSERT INTO `__new_api_tokens`("id", "hash", "last_four", "user_id", "account_id", "made_by", "from_partner", "name", "scopes", "networks", "created_at", "expires_at", "ended_at", "remind_at", "last_used_at", "last_used_ip") SELECT "id", "hash", "last_four", "user_id", "account_id", "made_by", "from_partner", "name", "scopes", "networks", "created_at", "expires_at", "ended_at", "remind_at", "last_used_at", "last_used_ip" FROM `api_tokens`;--> statement-breakpoint
DROP TABLE `api_tokens`;--> statement-breakpoint
ALTER TABLE `__new_api_tokens` RENAME TO `api_tokens`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX `api_tokens_hash_unique` ON `api_tokens` (`hash`);--> statement-breakpoint
CREATE INDEX `api_tokens_user` ON `api_tokens` (`user_id`,`id`) WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX `api_tokens_maker` ON `api_tokens` (`made_by`,`id`) WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX `api_tokens_account` ON `api_tokens` (`account_id`,`user_id`);--> statement-breakpoint
CREATE INDEX `api_tokens_remind` ON `api_tokens` (`remind_at`) WHERE remind_at is not null;