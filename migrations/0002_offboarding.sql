CREATE TABLE `kept_access` (
	`account_id` integer NOT NULL,
	`project_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`role` text NOT NULL,
	PRIMARY KEY(`project_id`, `user_id`),
	FOREIGN KEY (`account_id`,`project_id`) REFERENCES `projects`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`,`user_id`) REFERENCES `memberships`(`account_id`,`user_id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "kept_access_role" CHECK(role in ('admin', 'user', 'reader'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `kept_access_member` ON `kept_access` (`account_id`,`user_id`);--> statement-breakpoint
CREATE TABLE `kept_limits` (
	`account_id` integer NOT NULL,
	`project_id` integer NOT NULL,
	`resource_id` integer NOT NULL,
	`amount` integer NOT NULL,
	PRIMARY KEY(`project_id`, `resource_id`),
	FOREIGN KEY (`resource_id`) REFERENCES `resources`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`,`project_id`) REFERENCES `projects`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "kept_limits_amount" CHECK(amount >= 0)
) STRICT;
--> statement-breakpoint
CREATE INDEX `kept_limits_resource` ON `kept_limits` (`resource_id`);--> statement-breakpoint
DROP INDEX `accounts_partner_created`;--> statement-breakpoint
DROP INDEX `accounts_partner_name`;--> statement-breakpoint
DROP INDEX `accounts_partner_identifier`;--> statement-breakpoint
DROP INDEX `accounts_name`;--> statement-breakpoint
DROP INDEX `accounts_created`;--> statement-breakpoint
ALTER TABLE `accounts` ADD `deleted_at` integer;--> statement-breakpoint
ALTER TABLE `accounts` ADD `deleted_by` integer REFERENCES users(id);--> statement-breakpoint
ALTER TABLE `accounts` ADD `purged_at` integer;--> statement-breakpoint
CREATE INDEX `accounts_identifier` ON `accounts` (`identifier`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `accounts_deleted` ON `accounts` (`partner_id`,`deleted_at`,`id`) WHERE deleted_at is not null and purged_at is null;--> statement-breakpoint
CREATE INDEX `accounts_deleted_name` ON `accounts` (`search`) WHERE deleted_at is not null and purged_at is null;--> statement-breakpoint
CREATE INDEX `accounts_deleted_created` ON `accounts` (`created_at`) WHERE deleted_at is not null and purged_at is null;--> statement-breakpoint
CREATE INDEX `accounts_deleted_identifier` ON `accounts` (`identifier`) WHERE deleted_at is not null and purged_at is null;--> statement-breakpoint
CREATE INDEX `accounts_partner_created` ON `accounts` (`partner_id`,`created_at`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `accounts_partner_name` ON `accounts` (`partner_id`,`search`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `accounts_partner_identifier` ON `accounts` (`partner_id`,`identifier`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `accounts_name` ON `accounts` (`search`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `accounts_created` ON `accounts` (`created_at`) WHERE deleted_at is null;--> statement-breakpoint
ALTER TABLE `letters` ADD `account_id` integer REFERENCES accounts(id);--> statement-breakpoint
CREATE INDEX `letters_account` ON `letters` (`account_id`);--> statement-breakpoint
ALTER TABLE `projects` ADD `deleted_by` integer REFERENCES users(id);--> statement-breakpoint
ALTER TABLE `projects` ADD `purged_at` integer;--> statement-breakpoint
CREATE INDEX `projects_deleted` ON `projects` (`account_id`,`deleted_at`,`id`) WHERE deleted_at is not null and purged_at is null;