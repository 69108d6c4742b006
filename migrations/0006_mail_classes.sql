DROP INDEX `letters_due`;--> statement-breakpoint
ALTER TABLE `letters` ADD `priority` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
CREATE INDEX `letters_due` ON `letters` (`priority`,`due_at`) WHERE state = 'waiting';