CREATE INDEX `accounts_reasons` ON `accounts` (`id`) WHERE suspended_reason is not null or support_suspended_reason is not null;--> statement-breakpoint
CREATE INDEX `invitation_tokens_by` ON `invitation_tokens` (`made_by`) WHERE made_by is not null;--> statement-breakpoint
CREATE INDEX `invitations_accepted` ON `invitations` (`accepted_by`) WHERE accepted_by is not null;--> statement-breakpoint
CREATE INDEX `invitations_by` ON `invitations` (`invited_by`);--> statement-breakpoint
CREATE INDEX `limits_remarks` ON `limits` (`id`) WHERE remark <> '';