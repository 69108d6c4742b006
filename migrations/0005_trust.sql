-- Addresses are proved by their owners, memberships know their side, e-mails their reason.

ALTER TABLE users ADD email_proved_at integer;
--> statement-breakpoint
ALTER TABLE users RENAME COLUMN last_log_in_at TO last_seen_at;
--> statement-breakpoint
ALTER TABLE accounts ADD support_suspended_at integer;
--> statement-breakpoint
ALTER TABLE accounts ADD support_suspended_reason text;
--> statement-breakpoint
ALTER TABLE memberships ADD from_partner integer DEFAULT false NOT NULL;
--> statement-breakpoint
ALTER TABLE invitations ADD invited_from integer REFERENCES accounts(id);
--> statement-breakpoint
ALTER TABLE invitation_tokens ADD kind text DEFAULT 'mailed' NOT NULL CONSTRAINT invitation_tokens_kind CHECK (kind in ('mailed', 'copied'));
--> statement-breakpoint
ALTER TABLE invitation_tokens ADD made_by integer REFERENCES users(id);
--> statement-breakpoint
ALTER TABLE invitation_tokens ADD made_from integer REFERENCES accounts(id);
--> statement-breakpoint
ALTER TABLE letters ADD reason text DEFAULT 'none' NOT NULL CONSTRAINT letters_reason CHECK (reason in ('none', 'invitation', 'token', 'member', 'admin', 'user', 'support'));
--> statement-breakpoint
ALTER TABLE letters ADD reader_of integer REFERENCES accounts(id);
--> statement-breakpoint
ALTER TABLE letters ADD token_hash text;
--> statement-breakpoint
ALTER TABLE import_rows ADD email_key text;
--> statement-breakpoint
CREATE TABLE letter_people (
	letter_id integer NOT NULL,
	user_id integer NOT NULL,
	PRIMARY KEY(letter_id, user_id),
	FOREIGN KEY (letter_id) REFERENCES letters(id) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (user_id) REFERENCES users(id) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE INDEX letter_people_user ON letter_people (user_id);
--> statement-breakpoint
CREATE INDEX import_rows_email ON import_rows (email_key) WHERE email_key is not null;
--> statement-breakpoint
CREATE INDEX invitations_from ON invitations (invited_by, invited_from) WHERE state = 'pending';
--> statement-breakpoint
CREATE INDEX invitation_tokens_maker ON invitation_tokens (made_by, made_from) WHERE superseded_at is null;
--> statement-breakpoint

-- A suspension by Support becomes Support’s own.
UPDATE accounts SET support_suspended_at = suspended_at, support_suspended_reason = suspended_reason,
  suspended_at = NULL, suspended_reason = NULL
WHERE suspended_by_support;
--> statement-breakpoint
ALTER TABLE accounts DROP COLUMN suspended_by_support;
--> statement-breakpoint

-- Who sent an invitation, from where, and which links were copied: the history says so.
UPDATE invitations SET invited_from = (
  SELECT actor_account_id FROM records WHERE records.invitation_id = invitations.id AND kind = 'invitation.sent' LIMIT 1
);
--> statement-breakpoint
UPDATE invitation_tokens SET kind = 'copied' WHERE EXISTS (
  SELECT 1 FROM records WHERE records.invitation_id = invitation_tokens.invitation_id
  AND records.at = invitation_tokens.created_at AND records.kind = 'invitation.link-copied'
);
--> statement-breakpoint
UPDATE invitation_tokens SET (made_by, made_from) = (
  SELECT actor_id, actor_account_id FROM records WHERE records.invitation_id = invitation_tokens.invitation_id
  AND records.at = invitation_tokens.created_at
  AND records.kind IN ('invitation.sent', 'invitation.resent', 'invitation.link-copied')
  ORDER BY id DESC LIMIT 1
);
--> statement-breakpoint

-- Who came through an invitation of which a link was copied may have come through that link. A later reset of the
-- password (nobody was logged in) or change of e-mail was by a mailed one.
UPDATE users SET email_proved_at = created_at WHERE deleted_at IS NULL AND (
  NOT EXISTS (
    SELECT 1 FROM invitations JOIN invitation_tokens ON invitation_tokens.invitation_id = invitations.id
    WHERE invitations.accepted_by = users.id AND invitations.ended_at = users.created_at AND invitation_tokens.kind = 'copied'
  )
  OR EXISTS (SELECT 1 FROM password_resets WHERE password_resets.user_id = users.id AND used_at IS NOT NULL)
  OR EXISTS (SELECT 1 FROM records WHERE records.user_id = users.id AND kind = 'user.email-changed')
);
--> statement-breakpoint

-- The partner’s people in its customers: who added themselves, and whom it invited of its own.
UPDATE memberships SET from_partner = true WHERE EXISTS (
  SELECT 1 FROM accounts WHERE accounts.id = memberships.account_id AND accounts.partner_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM records AS came WHERE came.id = (
      SELECT max(last.id) FROM records AS last WHERE last.user_id = memberships.user_id
      AND last.account_id = memberships.account_id AND last.kind IN ('member.added-self', 'member.joined')
    ) AND (
      (came.kind = 'member.added-self' AND came.actor_account_id = accounts.partner_id)
      OR (
        EXISTS (SELECT 1 FROM memberships AS theirs WHERE theirs.account_id = accounts.partner_id AND theirs.user_id = memberships.user_id)
        AND EXISTS (
          SELECT 1 FROM records AS accepted JOIN invitations ON invitations.id = accepted.invitation_id
          WHERE accepted.user_id = memberships.user_id AND accepted.account_id = memberships.account_id
          AND accepted.kind = 'invitation.accepted' AND accepted.id > came.id AND invitations.invited_from = accounts.partner_id
        )
      )
    )
  )
);
--> statement-breakpoint
UPDATE letters SET reason = 'invitation' WHERE invitation_id IS NOT NULL;
--> statement-breakpoint
UPDATE letters SET reason = 'user' WHERE invitation_id IS NULL AND user_id IS NOT NULL;
