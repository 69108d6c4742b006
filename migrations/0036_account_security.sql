CREATE TABLE `account_security` (
	`account_id` integer PRIMARY KEY NOT NULL,
	`networks` text DEFAULT '' NOT NULL,
	`second_factor_from` integer,
	`session_time` integer,
	`idle_time` integer,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
ALTER TABLE `sessions` ADD `new_browser` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `longest_idle` integer DEFAULT 0 NOT NULL;