CREATE TABLE `replication` (
	`id` integer PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`claim` text NOT NULL,
	CONSTRAINT "replication_one" CHECK(id = 1)
) STRICT;
--> statement-breakpoint
CREATE TABLE `troubles` (
	`kind` text PRIMARY KEY NOT NULL,
	`since` integer NOT NULL,
	`told_at` integer
) STRICT;
