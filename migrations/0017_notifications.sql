CREATE TABLE `notification_choices` (
	`user_id` integer NOT NULL,
	`topic` text NOT NULL,
	`way` text NOT NULL,
	PRIMARY KEY(`user_id`, `topic`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "notification_choices_way" CHECK(way in ('now', 'daily', 'off'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `notifications` (
	`id` integer PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	`record_id` integer NOT NULL,
	`audience` text NOT NULL,
	`topic` text NOT NULL,
	`account_id` integer,
	`reader_of` integer,
	`created_at` integer NOT NULL,
	`read_at` integer,
	`mail` text NOT NULL,
	`letter_id` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`record_id`) REFERENCES `records`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`reader_of`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`letter_id`) REFERENCES `letters`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "notifications_audience" CHECK(audience in ('login', 'parted', 'person', 'sender', 'asker', 'admins', 'partner', 'support')),
	CONSTRAINT "notifications_mail" CHECK(mail in ('none', 'now', 'daily', 'written'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `notifications_user` ON `notifications` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `notifications_unread` ON `notifications` (`user_id`,`id`) WHERE read_at is null;--> statement-breakpoint
CREATE INDEX `notifications_waiting` ON `notifications` (`mail`,`user_id`,`id`) WHERE mail in ('now', 'daily');--> statement-breakpoint
CREATE INDEX `notifications_account` ON `notifications` (`account_id`,`user_id`) WHERE account_id is not null;--> statement-breakpoint
CREATE INDEX `notifications_reader` ON `notifications` (`reader_of`,`user_id`) WHERE reader_of is not null;--> statement-breakpoint
CREATE INDEX `notifications_letter` ON `notifications` (`letter_id`) WHERE letter_id is not null;--> statement-breakpoint
ALTER TABLE `invitations` ADD `told_expiry` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `invitations_expiring` ON `invitations` (`expires_at`) WHERE state = 'pending' and told_expiry <> expires_at;--> statement-breakpoint
ALTER TABLE `limits` ADD `told_use` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `users_operators` ON `users` (`id`) WHERE operator;