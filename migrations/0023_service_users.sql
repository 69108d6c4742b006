CREATE TABLE `service_users` (
	`user_id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`role` text NOT NULL,
	`search` text NOT NULL,
	`sort_key` text NOT NULL,
	`created_at` integer NOT NULL,
	`removed_at` integer,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "service_users_role_known" CHECK(role in ('admin', 'member'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `service_users_name` ON `service_users` (`account_id`,`sort_key`,`user_id`,`search`) WHERE removed_at is null;--> statement-breakpoint
CREATE INDEX `service_users_created` ON `service_users` (`account_id`,`created_at`,`user_id`) WHERE removed_at is null;--> statement-breakpoint
CREATE INDEX `service_users_account` ON `service_users` (`account_id`);--> statement-breakpoint
DROP INDEX `users_living`;--> statement-breakpoint
DROP INDEX `users_name`;--> statement-breakpoint
ALTER TABLE `users` ADD `service` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `users_living` ON `users` (`deleted_at`,`service`,`created_at`);--> statement-breakpoint
CREATE INDEX `users_name` ON `users` (`deleted_at`,`service`,`sort_key`,`id`,`search`);