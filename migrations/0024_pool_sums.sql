CREATE TABLE `pool_sums` (
	`partner_id` integer NOT NULL,
	`resource_id` integer NOT NULL,
	`amount` integer NOT NULL,
	PRIMARY KEY(`partner_id`, `resource_id`),
	FOREIGN KEY (`partner_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
