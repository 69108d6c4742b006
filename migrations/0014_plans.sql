CREATE TABLE `plan_limits` (
	`plan_id` integer NOT NULL,
	`resource_id` integer NOT NULL,
	`amount` integer NOT NULL,
	PRIMARY KEY(`plan_id`, `resource_id`),
	FOREIGN KEY (`plan_id`) REFERENCES `plans`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`resource_id`) REFERENCES `resources`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "plan_limits_amount" CHECK(amount >= 0)
) STRICT;
--> statement-breakpoint
CREATE INDEX `plan_limits_resource` ON `plan_limits` (`resource_id`);--> statement-breakpoint
CREATE TABLE `plans` (
	`id` integer PRIMARY KEY NOT NULL,
	`partner_id` integer NOT NULL,
	`name` text NOT NULL,
	`name_key` text NOT NULL,
	`is_default` integer DEFAULT false NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`partner_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX `plans_partner` ON `plans` (`partner_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `plans_name` ON `plans` (`partner_id`,`name_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `plans_one_default` ON `plans` (`partner_id`) WHERE is_default;