CREATE TABLE `account_domains` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`domain` text NOT NULL,
	`token` text NOT NULL,
	`proved_at` integer,
	`checked_at` integer,
	`failing_since` integer,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `account_domains_account` ON `account_domains` (`account_id`,`domain`);--> statement-breakpoint
CREATE UNIQUE INDEX `account_domains_proved` ON `account_domains` (`domain`) WHERE proved_at is not null;--> statement-breakpoint
CREATE INDEX `account_domains_checked` ON `account_domains` (`checked_at`,`id`) WHERE proved_at is not null;--> statement-breakpoint
CREATE TABLE `account_providers` (
	`account_id` integer PRIMARY KEY NOT NULL,
	`issuer` text NOT NULL,
	`client_id` text NOT NULL,
	`client_secret` text NOT NULL,
	`email_trusted` integer DEFAULT false NOT NULL,
	`new_people` text DEFAULT 'off' NOT NULL,
	`group_claim` text,
	`required_from` integer,
	`exempt_user_id` integer,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`exempt_user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "account_providers_new_people" CHECK(new_people in ('off', 'user', 'groups'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `account_providers_client` ON `account_providers` (`issuer`,`client_id`);--> statement-breakpoint
CREATE INDEX `account_providers_exempt` ON `account_providers` (`exempt_user_id`) WHERE exempt_user_id is not null;--> statement-breakpoint
CREATE TABLE `provider_groups` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`value` text NOT NULL,
	`role` text NOT NULL,
	`project_id` integer,
	`project_role` text,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`,`project_id`) REFERENCES `projects`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "provider_groups_role" CHECK(role in ('admin', 'member')),
	CONSTRAINT "provider_groups_project_role" CHECK(project_role in ('admin', 'user', 'reader')),
	CONSTRAINT "provider_groups_both" CHECK((project_id is null) = (project_role is null))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `provider_groups_account` ON `provider_groups` (`account_id`,`value`) WHERE project_id is null;--> statement-breakpoint
CREATE UNIQUE INDEX `provider_groups_project` ON `provider_groups` (`account_id`,`value`,`project_id`) WHERE project_id is not null;--> statement-breakpoint
CREATE INDEX `provider_groups_of_project` ON `provider_groups` (`project_id`) WHERE project_id is not null;--> statement-breakpoint
ALTER TABLE `memberships` ADD `mapped` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `sso_account_id` integer REFERENCES accounts(id);--> statement-breakpoint
CREATE INDEX `sessions_sso_account` ON `sessions` (`sso_account_id`) WHERE sso_account_id is not null;--> statement-breakpoint
ALTER TABLE `kept_access` ADD `mapped` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `project_access` ADD `mapped` integer DEFAULT false NOT NULL;