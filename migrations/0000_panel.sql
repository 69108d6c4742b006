CREATE TABLE `accounts` (
	`id` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`identifier` text NOT NULL,
	`search` text NOT NULL,
	`partner_id` integer,
	`partner_kind` text DEFAULT 'partner' NOT NULL,
	`automatic_share` integer,
	`created_at` integer NOT NULL,
	`suspended_at` integer,
	`suspended_reason` text,
	`suspended_by_support` integer,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`partner_id`,`partner_kind`) REFERENCES `accounts`(`id`,`kind`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "accounts_kind" CHECK(kind in ('customer', 'partner')),
	CONSTRAINT "accounts_partner_kind" CHECK(partner_kind = 'partner'),
	CONSTRAINT "accounts_partners_never_nest" CHECK(kind = 'customer' or partner_id is null),
	CONSTRAINT "accounts_automatic_share" CHECK(automatic_share between 1 and 100)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `accounts_identifier_unique` ON `accounts` (`identifier`);--> statement-breakpoint
CREATE INDEX `accounts_partner` ON `accounts` (`partner_id`,`id`);--> statement-breakpoint
CREATE INDEX `accounts_partner_created` ON `accounts` (`partner_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `accounts_partner_name` ON `accounts` (`partner_id`,`search`);--> statement-breakpoint
CREATE INDEX `accounts_partner_identifier` ON `accounts` (`partner_id`,`identifier`);--> statement-breakpoint
CREATE INDEX `accounts_name` ON `accounts` (`search`);--> statement-breakpoint
CREATE INDEX `accounts_created` ON `accounts` (`created_at`);--> statement-breakpoint
CREATE UNIQUE INDEX `accounts_id_kind` ON `accounts` (`id`,`kind`);--> statement-breakpoint
CREATE TABLE `email_changes` (
	`hash` text PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	`email` text NOT NULL,
	`expires_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX `email_changes_user` ON `email_changes` (`user_id`);--> statement-breakpoint
CREATE TABLE `import_rows` (
	`import_id` integer NOT NULL,
	`line` integer NOT NULL,
	`input` text NOT NULL,
	`subject` text NOT NULL,
	`state` text NOT NULL,
	`words` text NOT NULL,
	PRIMARY KEY(`import_id`, `line`),
	FOREIGN KEY (`import_id`) REFERENCES `imports`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "import_rows_state_known" CHECK(state in ('ready', 'wrong', 'done', 'failed'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `import_rows_state` ON `import_rows` (`import_id`,`state`,`line`);--> statement-breakpoint
CREATE TABLE `imports` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`kind` text NOT NULL,
	`file_name` text NOT NULL,
	`state` text DEFAULT 'checking' NOT NULL,
	`created_by` integer NOT NULL,
	`created_at` integer NOT NULL,
	`ended_at` integer,
	`ip` text,
	`request_id` text,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`created_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "imports_kind" CHECK(kind in ('customers', 'users')),
	CONSTRAINT "imports_state_known" CHECK(state in ('checking', 'ready', 'running', 'done', 'stopped'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `imports_account` ON `imports` (`account_id`,`kind`,`id`);--> statement-breakpoint
CREATE INDEX `imports_state` ON `imports` (`state`,`id`);--> statement-breakpoint
CREATE INDEX `imports_creator` ON `imports` (`created_by`);--> statement-breakpoint
CREATE TABLE `invitation_projects` (
	`account_id` integer NOT NULL,
	`invitation_id` integer NOT NULL,
	`project_id` integer NOT NULL,
	`role` text NOT NULL,
	PRIMARY KEY(`invitation_id`, `project_id`),
	FOREIGN KEY (`account_id`,`invitation_id`) REFERENCES `invitations`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`,`project_id`) REFERENCES `projects`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "invitation_projects_role" CHECK(role in ('admin', 'user', 'reader'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `invitation_tokens` (
	`hash` text PRIMARY KEY NOT NULL,
	`invitation_id` integer NOT NULL,
	`created_at` integer NOT NULL,
	`superseded_at` integer,
	FOREIGN KEY (`invitation_id`) REFERENCES `invitations`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX `invitation_tokens_invitation` ON `invitation_tokens` (`invitation_id`);--> statement-breakpoint
CREATE TABLE `invitations` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`email` text NOT NULL,
	`email_key` text NOT NULL,
	`name` text NOT NULL,
	`search` text NOT NULL,
	`role` text NOT NULL,
	`invited_by` integer NOT NULL,
	`state` text DEFAULT 'pending' NOT NULL,
	`created_at` integer NOT NULL,
	`sent_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`ended_at` integer,
	`accepted_by` integer,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`invited_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`accepted_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "invitations_role" CHECK(role in ('admin', 'member')),
	CONSTRAINT "invitations_state" CHECK(state in ('pending', 'accepted', 'cancelled', 'expired'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `invitations_one_pending` ON `invitations` (`account_id`,`email_key`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `invitations_pending` ON `invitations` (`account_id`,`state`,`id`);--> statement-breakpoint
CREATE INDEX `invitations_to` ON `invitations` (`email_key`,`state`);--> statement-breakpoint
CREATE UNIQUE INDEX `invitations_account_id` ON `invitations` (`account_id`,`id`);--> statement-breakpoint
CREATE TABLE `letters` (
	`id` integer PRIMARY KEY NOT NULL,
	`message_id` text NOT NULL,
	`email` text NOT NULL,
	`name` text NOT NULL,
	`subject` text NOT NULL,
	`search` text NOT NULL,
	`body` text,
	`invitation_id` integer,
	`user_id` integer,
	`state` text DEFAULT 'waiting' NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`error` text,
	`created_at` integer NOT NULL,
	`due_at` integer NOT NULL,
	`give_up_at` integer NOT NULL,
	`done_at` integer,
	FOREIGN KEY (`invitation_id`) REFERENCES `invitations`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "letters_state" CHECK(state in ('waiting', 'sent', 'kept', 'failed', 'withdrawn'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `letters_message_id_unique` ON `letters` (`message_id`);--> statement-breakpoint
CREATE INDEX `letters_due` ON `letters` (`state`,`due_at`);--> statement-breakpoint
CREATE INDEX `letters_state` ON `letters` (`state`,`created_at`);--> statement-breakpoint
CREATE INDEX `letters_created` ON `letters` (`created_at`);--> statement-breakpoint
CREATE INDEX `letters_invitation` ON `letters` (`invitation_id`);--> statement-breakpoint
CREATE INDEX `letters_email` ON `letters` (`email`);--> statement-breakpoint
CREATE INDEX `letters_user` ON `letters` (`user_id`);--> statement-breakpoint
CREATE TABLE `limits` (
	`id` integer PRIMARY KEY NOT NULL,
	`level` text NOT NULL,
	`account_id` integer NOT NULL,
	`project_id` integer,
	`resource_id` integer NOT NULL,
	`amount` integer,
	`remark` text NOT NULL,
	`set_by` integer,
	`set_from` integer,
	`set_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`resource_id`) REFERENCES `resources`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`set_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`set_from`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`,`project_id`) REFERENCES `projects`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "limits_level" CHECK(level in ('pool', 'account', 'project')),
	CONSTRAINT "limits_level_of_project" CHECK((level = 'project') = (project_id is not null)),
	CONSTRAINT "limits_amount" CHECK(amount >= 0)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `limits_of_account` ON `limits` (`account_id`,`level`,`resource_id`) WHERE project_id is null;--> statement-breakpoint
CREATE UNIQUE INDEX `limits_of_project` ON `limits` (`project_id`,`resource_id`);--> statement-breakpoint
CREATE INDEX `limits_given` ON `limits` (`account_id`,`level`,`resource_id`,`amount`);--> statement-breakpoint
CREATE INDEX `limits_resource` ON `limits` (`resource_id`);--> statement-breakpoint
CREATE TABLE `memberships` (
	`account_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`role` text NOT NULL,
	`search` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL,
	`last_used_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	PRIMARY KEY(`account_id`, `user_id`),
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "memberships_role_known" CHECK(role in ('admin', 'member'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `memberships_user` ON `memberships` (`user_id`,`last_used_at`,`account_id`);--> statement-breakpoint
CREATE INDEX `memberships_name` ON `memberships` (`account_id`,`search`,`user_id`);--> statement-breakpoint
CREATE INDEX `memberships_joined` ON `memberships` (`account_id`,`created_at`,`user_id`);--> statement-breakpoint
CREATE INDEX `memberships_role` ON `memberships` (`account_id`,`role`);--> statement-breakpoint
CREATE TABLE `partner_requests` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`requested_by` integer NOT NULL,
	`state` text DEFAULT 'pending' NOT NULL,
	`created_at` integer NOT NULL,
	`decided_at` integer,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`requested_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "partner_requests_state_known" CHECK(state in ('pending', 'granted', 'declined'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `partner_requests_one_pending` ON `partner_requests` (`account_id`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `partner_requests_state` ON `partner_requests` (`state`,`id`);--> statement-breakpoint
CREATE TABLE `password_resets` (
	`hash` text PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX `password_resets_user` ON `password_resets` (`user_id`);--> statement-breakpoint
CREATE TABLE `personal_changes` (
	`record_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`field` text NOT NULL,
	`before` text NOT NULL,
	`after` text NOT NULL,
	PRIMARY KEY(`record_id`, `field`),
	FOREIGN KEY (`record_id`) REFERENCES `records`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX `personal_changes_user` ON `personal_changes` (`user_id`);--> statement-breakpoint
CREATE TABLE `project_access` (
	`account_id` integer NOT NULL,
	`project_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`role` text NOT NULL,
	`search` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	PRIMARY KEY(`project_id`, `user_id`),
	FOREIGN KEY (`account_id`,`project_id`) REFERENCES `projects`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`,`user_id`) REFERENCES `memberships`(`account_id`,`user_id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "project_access_role" CHECK(role in ('admin', 'user', 'reader'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `project_access_name` ON `project_access` (`account_id`,`project_id`,`search`,`user_id`);--> statement-breakpoint
CREATE INDEX `project_access_member` ON `project_access` (`account_id`,`user_id`);--> statement-breakpoint
CREATE TABLE `projects` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`name` text NOT NULL,
	`identifier` text NOT NULL,
	`search` text NOT NULL,
	`created_at` integer NOT NULL,
	`deleted_at` integer,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX `projects_alive` ON `projects` (`account_id`,`deleted_at`,`id`);--> statement-breakpoint
CREATE INDEX `projects_name` ON `projects` (`account_id`,`deleted_at`,`search`);--> statement-breakpoint
CREATE UNIQUE INDEX `projects_account_identifier` ON `projects` (`account_id`,`identifier`);--> statement-breakpoint
CREATE UNIQUE INDEX `projects_account_id` ON `projects` (`account_id`,`id`);--> statement-breakpoint
CREATE TABLE `quota_request_amounts` (
	`request_id` integer NOT NULL,
	`resource_id` integer NOT NULL,
	`asked` integer NOT NULL,
	`granted` integer,
	PRIMARY KEY(`request_id`, `resource_id`),
	FOREIGN KEY (`request_id`) REFERENCES `quota_requests`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`resource_id`) REFERENCES `resources`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "quota_request_amounts_asked" CHECK(asked >= 0),
	CONSTRAINT "quota_request_amounts_granted" CHECK(granted >= 0)
) STRICT;
--> statement-breakpoint
CREATE INDEX `quota_request_amounts_resource` ON `quota_request_amounts` (`resource_id`);--> statement-breakpoint
CREATE TABLE `quota_requests` (
	`id` integer PRIMARY KEY NOT NULL,
	`account_id` integer NOT NULL,
	`project_id` integer,
	`requested_by` integer NOT NULL,
	`reason` text NOT NULL,
	`state` text DEFAULT 'open' NOT NULL,
	`created_at` integer NOT NULL,
	`ended_at` integer,
	`ended_by` integer,
	`comment` text DEFAULT '' NOT NULL,
	`automatic` integer DEFAULT false NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`requested_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`ended_by`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`,`project_id`) REFERENCES `projects`(`account_id`,`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "quota_requests_state" CHECK(state in ('open', 'approved', 'declined', 'cancelled'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `quota_requests_one_open` ON `quota_requests` (`account_id`) WHERE state = 'open';--> statement-breakpoint
CREATE INDEX `quota_requests_account` ON `quota_requests` (`account_id`,`id`);--> statement-breakpoint
CREATE INDEX `quota_requests_requester` ON `quota_requests` (`requested_by`);--> statement-breakpoint
CREATE TABLE `records` (
	`id` integer PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`account_id` integer,
	`actor_id` integer,
	`actor_account_id` integer,
	`by_support` integer NOT NULL,
	`user_id` integer,
	`invitation_id` integer,
	`project_id` integer,
	`letter_id` integer,
	`change` text NOT NULL,
	`ip` text,
	`request_id` text
) STRICT;
--> statement-breakpoint
CREATE INDEX `records_account` ON `records` (`account_id`,`id`);--> statement-breakpoint
CREATE INDEX `records_actor_account` ON `records` (`actor_account_id`,`id`);--> statement-breakpoint
CREATE INDEX `records_actor` ON `records` (`actor_id`,`id`);--> statement-breakpoint
CREATE INDEX `records_user` ON `records` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `records_project` ON `records` (`project_id`);--> statement-breakpoint
CREATE INDEX `records_invitation` ON `records` (`invitation_id`);--> statement-breakpoint
CREATE INDEX `records_letter` ON `records` (`letter_id`);--> statement-breakpoint
CREATE TABLE `recovery_codes` (
	`user_id` integer NOT NULL,
	`hash` text NOT NULL,
	PRIMARY KEY(`user_id`, `hash`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE TABLE `resources` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`name` text NOT NULL,
	`unit` text NOT NULL,
	`version` integer DEFAULT 1 NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `resources_key_unique` ON `resources` (`key`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` integer PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`user_id` integer NOT NULL,
	`active_account_id` integer,
	`created_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL,
	`second_factor` integer NOT NULL,
	`proved_at` integer NOT NULL,
	`ip` text NOT NULL,
	`browser` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`active_account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_hash_unique` ON `sessions` (`hash`);--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `sessions_last_seen` ON `sessions` (`last_seen_at`);--> statement-breakpoint
CREATE INDEX `sessions_created` ON `sessions` (`created_at`);--> statement-breakpoint
CREATE TABLE `throttles` (
	`key` text PRIMARY KEY NOT NULL,
	`tries` integer NOT NULL,
	`at` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `throttles_at` ON `throttles` (`at`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` integer PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`email_key` text NOT NULL,
	`name` text NOT NULL,
	`search` text NOT NULL,
	`password_hash` text NOT NULL,
	`operator` integer DEFAULT false NOT NULL,
	`created_at` integer NOT NULL,
	`last_log_in_at` integer,
	`disabled_at` integer,
	`deleted_at` integer,
	`totp_secret` text,
	`totp_step` integer,
	`version` integer DEFAULT 1 NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `users_email_key_unique` ON `users` (`email_key`);--> statement-breakpoint
CREATE INDEX `users_living` ON `users` (`deleted_at`,`created_at`);--> statement-breakpoint
CREATE INDEX `users_name` ON `users` (`deleted_at`,`search`);