ALTER TABLE `import_rows` ADD `cells` text;--> statement-breakpoint
ALTER TABLE `import_rows` ADD `unchanged` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `import_rows` ADD `invitation_id` integer REFERENCES invitations(id);--> statement-breakpoint
CREATE INDEX `import_rows_unchanged` ON `import_rows` (`import_id`,`line`) WHERE unchanged;--> statement-breakpoint
CREATE INDEX `import_rows_invitation` ON `import_rows` (`invitation_id`) WHERE invitation_id is not null;--> statement-breakpoint
CREATE INDEX `import_rows_invited` ON `import_rows` (`import_id`,`invitation_id`) WHERE invitation_id is not null;--> statement-breakpoint
ALTER TABLE `imports` ADD `header` text;--> statement-breakpoint
ALTER TABLE `imports` ADD `left_out` text;--> statement-breakpoint
ALTER TABLE `imports` ADD `unread_after` integer;--> statement-breakpoint
ALTER TABLE `imports` ADD `discarded_at` integer;--> statement-breakpoint
ALTER TABLE `imports` ADD `stopped_by` integer REFERENCES users(id);--> statement-breakpoint
CREATE INDEX `imports_discarded` ON `imports` (`discarded_at`) WHERE discarded_at is not null;