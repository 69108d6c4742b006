DROP INDEX `accounts_identifier`;--> statement-breakpoint
DROP INDEX `records_user`;--> statement-breakpoint
DROP INDEX `records_project`;--> statement-breakpoint
DROP INDEX `records_invitation`;--> statement-breakpoint
DROP INDEX `records_letter`;--> statement-breakpoint
CREATE INDEX `records_user` ON `records` (`user_id`,`id`) WHERE user_id is not null;--> statement-breakpoint
CREATE INDEX `records_project` ON `records` (`project_id`) WHERE project_id is not null;--> statement-breakpoint
CREATE INDEX `records_invitation` ON `records` (`invitation_id`) WHERE invitation_id is not null;--> statement-breakpoint
CREATE INDEX `records_letter` ON `records` (`letter_id`) WHERE letter_id is not null;--> statement-breakpoint
CREATE INDEX `invitation_projects_project` ON `invitation_projects` (`project_id`);