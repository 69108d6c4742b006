DROP INDEX `accounts_partner_name`;--> statement-breakpoint
DROP INDEX `accounts_name`;--> statement-breakpoint
DROP INDEX `accounts_deleted_name`;--> statement-breakpoint
ALTER TABLE `accounts` ADD `sort_key` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `accounts_partner_name` ON `accounts` (`partner_id`,`sort_key`,`id`,`search`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `accounts_name` ON `accounts` (`sort_key`,`id`,`search`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `accounts_deleted_name` ON `accounts` (`sort_key`,`id`,`search`) WHERE deleted_at is not null and purged_at is null;--> statement-breakpoint
DROP INDEX `memberships_name`;--> statement-breakpoint
ALTER TABLE `memberships` ADD `sort_key` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `memberships_name` ON `memberships` (`account_id`,`sort_key`,`user_id`,`search`);--> statement-breakpoint
DROP INDEX `project_access_name`;--> statement-breakpoint
ALTER TABLE `project_access` ADD `sort_key` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `project_access_name` ON `project_access` (`account_id`,`project_id`,`sort_key`,`user_id`,`search`);--> statement-breakpoint
DROP INDEX `projects_name`;--> statement-breakpoint
ALTER TABLE `projects` ADD `sort_key` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `projects_name` ON `projects` (`account_id`,`deleted_at`,`sort_key`,`id`,`search`);--> statement-breakpoint
DROP INDEX `users_name`;--> statement-breakpoint
ALTER TABLE `users` ADD `sort_key` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `users_name` ON `users` (`deleted_at`,`sort_key`,`id`,`search`);--> statement-breakpoint

-- Written by hand, from here on.

-- What rows of before are searched and sorted by. search_text and sort_key are functions of the panel's (migrate.ts).
UPDATE accounts SET search = search_text(name, identifier) WHERE search <> search_text(name, identifier);
--> statement-breakpoint
UPDATE projects SET search = search_text(name, identifier) WHERE search <> search_text(name, identifier);
--> statement-breakpoint
-- What was erased stays so: an empty text.
UPDATE users SET search = search_text(name, email) WHERE search NOT IN ('', search_text(name, email));
--> statement-breakpoint
UPDATE invitations SET search = search_text(name, email) WHERE search NOT IN ('', search_text(name, email));
--> statement-breakpoint
UPDATE letters SET search = search_text(name, email, subject) WHERE search NOT IN ('', search_text(name, email, subject));
--> statement-breakpoint
UPDATE accounts SET sort_key = sort_key(name);
--> statement-breakpoint
UPDATE projects SET sort_key = sort_key(name);
--> statement-breakpoint
UPDATE users SET sort_key = sort_key(name) WHERE deleted_at IS NULL;
--> statement-breakpoint
UPDATE memberships SET (search, sort_key) = (SELECT search, sort_key FROM users WHERE id = memberships.user_id);
--> statement-breakpoint
UPDATE project_access SET (search, sort_key) = (SELECT search, sort_key FROM users WHERE id = project_access.user_id);
