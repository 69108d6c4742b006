CREATE TABLE `installation` (
	`id` integer PRIMARY KEY NOT NULL,
	`key_check` text NOT NULL,
	`last_seen_at` integer NOT NULL,
	`ahead_until` integer DEFAULT 0 NOT NULL,
	CONSTRAINT "installation_once" CHECK(id = 1)
) STRICT;
