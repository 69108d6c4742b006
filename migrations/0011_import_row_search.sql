ALTER TABLE `import_rows` ADD `search` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `import_rows_search` ON `import_rows` (`import_id`,`line`,`search`);--> statement-breakpoint
-- Written by hand: what rows of before are found by. search_text is a function of the panel's (migrate.ts).
UPDATE import_rows SET search = search_text(subject);
