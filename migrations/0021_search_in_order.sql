DROP INDEX `accounts_partner_created`;--> statement-breakpoint
CREATE INDEX `accounts_partner_created` ON `accounts` (`partner_id`,`created_at`,`id`,`search`) WHERE deleted_at is null;