CREATE TABLE `deliveries` (
	`id` integer PRIMARY KEY NOT NULL,
	`webhook_id` integer NOT NULL,
	`account_id` integer,
	`record_id` integer,
	`message_id` text NOT NULL,
	`type` text NOT NULL,
	`body` text,
	`state` text DEFAULT 'waiting' NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`status` integer,
	`error` text,
	`duration` integer,
	`created_at` integer NOT NULL,
	`due_at` integer NOT NULL,
	`tried_at` integer,
	FOREIGN KEY (`webhook_id`) REFERENCES `webhooks`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`record_id`) REFERENCES `records`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "deliveries_state_known" CHECK(state in ('waiting', 'delivered', 'failed', 'withdrawn'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`webhook_id`,`due_at`) WHERE state = 'waiting';--> statement-breakpoint
CREATE INDEX `deliveries_webhook` ON `deliveries` (`webhook_id`,`id`);--> statement-breakpoint
CREATE INDEX `deliveries_state` ON `deliveries` (`webhook_id`,`state`,`id`);--> statement-breakpoint
CREATE INDEX `deliveries_account` ON `deliveries` (`account_id`) WHERE account_id is not null;--> statement-breakpoint
CREATE INDEX `deliveries_created` ON `deliveries` (`created_at`);--> statement-breakpoint
CREATE TABLE `webhooks` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer,
	`url` text NOT NULL,
	`events` text NOT NULL,
	`secret` text NOT NULL,
	`earlier_secret` text,
	`earlier_until` integer,
	`created_at` integer NOT NULL,
	`off_at` integer,
	`off_because` text,
	`removed_at` integer,
	`succeeded_at` integer,
	`failures` integer DEFAULT 0 NOT NULL,
	`failing_since` integer,
	`held_until` integer DEFAULT 0 NOT NULL,
	`next_at` integer,
	`retry_from` integer,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "webhooks_off" CHECK(off_because in ('person', 'gone', 'failing'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `webhooks_account` ON `webhooks` (`account_id`,`id`) WHERE removed_at is null;--> statement-breakpoint
CREATE INDEX `webhooks_next` ON `webhooks` (`next_at`) WHERE next_at is not null;