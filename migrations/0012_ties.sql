CREATE TABLE `tie_tags` (
	`tie_id` integer NOT NULL,
	`partner_id` integer NOT NULL,
	`tag` text NOT NULL,
	`tag_key` text NOT NULL,
	PRIMARY KEY(`tie_id`, `tag_key`),
	FOREIGN KEY (`tie_id`) REFERENCES `ties`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX `tie_tags_partner` ON `tie_tags` (`partner_id`,`tag_key`,`tie_id`);--> statement-breakpoint
CREATE TABLE `ties` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`partner_id` integer NOT NULL,
	`contact_name` text NOT NULL,
	`contact_email` text NOT NULL,
	`contact_phone` text NOT NULL,
	`contact_address` text NOT NULL,
	`reference` text NOT NULL,
	`reference_key` text NOT NULL,
	`note` text NOT NULL,
	`search` text NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`partner_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `ties_account_id_unique` ON `ties` (`account_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `ties_reference` ON `ties` (`partner_id`,`reference_key`) WHERE reference_key <> '';