ALTER TABLE `users` ADD `theme` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `time_zone` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `numbers` text DEFAULT '' NOT NULL;