CREATE TABLE `identities` (
	`id` integer PRIMARY KEY NOT NULL,
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`user_id` integer NOT NULL,
	`created_at` integer NOT NULL,
	`last_used_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `identities_subject` ON `identities` (`issuer`,`subject`);--> statement-breakpoint
CREATE UNIQUE INDEX `identities_user` ON `identities` (`user_id`,`issuer`);--> statement-breakpoint
ALTER TABLE `sessions` ADD `identity_id` integer REFERENCES identities(id);--> statement-breakpoint
ALTER TABLE `sessions` ADD `sso_sid` text;--> statement-breakpoint
ALTER TABLE `sessions` ADD `sso_factors` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `sessions_identity` ON `sessions` (`identity_id`) WHERE identity_id is not null;--> statement-breakpoint
CREATE INDEX `sessions_sso_sid` ON `sessions` (`sso_sid`) WHERE sso_sid is not null;