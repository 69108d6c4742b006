ALTER TABLE `api_tokens` ADD `remind_at` integer;--> statement-breakpoint
CREATE INDEX `api_tokens_remind` ON `api_tokens` (`remind_at`) WHERE remind_at is not null;