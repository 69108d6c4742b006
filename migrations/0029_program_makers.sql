ALTER TABLE `service_users` ADD `made_by` integer REFERENCES users(id);--> statement-breakpoint
ALTER TABLE `service_users` ADD `from_partner` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `api_tokens` ADD `made_by` integer REFERENCES users(id);--> statement-breakpoint
ALTER TABLE `api_tokens` ADD `from_partner` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `api_tokens_maker` ON `api_tokens` (`made_by`,`id`) WHERE ended_at is null;