-- What deleting promises, kept by the database itself.

-- What was purged is never restored.
CREATE TRIGGER purged_accounts_stay BEFORE UPDATE OF deleted_at, purged_at ON accounts
WHEN old.purged_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a purged account is never restored'); END;
--> statement-breakpoint
CREATE TRIGGER purged_projects_stay BEFORE UPDATE OF deleted_at, purged_at ON projects
WHEN old.purged_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a purged project is never restored'); END;
--> statement-breakpoint

-- An account with living projects is not deleted, nor is a partner account, which may have customers.
CREATE TRIGGER accounts_with_projects_stay BEFORE UPDATE OF deleted_at ON accounts
WHEN new.deleted_at IS NOT NULL AND EXISTS (SELECT 1 FROM projects WHERE account_id = new.id AND deleted_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'an account with living projects is not deleted'); END;
--> statement-breakpoint
CREATE TRIGGER partner_accounts_stay BEFORE UPDATE OF deleted_at, kind ON accounts
WHEN new.deleted_at IS NOT NULL AND new.kind = 'partner'
BEGIN SELECT RAISE(ABORT, 'a partner account is not deleted'); END;
--> statement-breakpoint

-- Nobody joins a deleted account, and nothing is made in it.
CREATE TRIGGER deleted_accounts_take_nobody BEFORE INSERT ON memberships
WHEN (SELECT deleted_at FROM accounts WHERE id = new.account_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'nobody joins a deleted account'); END;
--> statement-breakpoint
CREATE TRIGGER deleted_accounts_take_no_project BEFORE INSERT ON projects
WHEN (SELECT deleted_at FROM accounts WHERE id = new.account_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a deleted account takes no project'); END;
--> statement-breakpoint
CREATE TRIGGER deleted_accounts_restore_no_project BEFORE UPDATE OF deleted_at ON projects
WHEN new.deleted_at IS NULL AND (SELECT deleted_at FROM accounts WHERE id = new.account_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a deleted account takes no project'); END;
--> statement-breakpoint

-- What was there before: letters of invitations tell about their account, and the history says who
-- deleted a project.
UPDATE letters SET account_id = (SELECT account_id FROM invitations WHERE invitations.id = letters.invitation_id)
WHERE invitation_id IS NOT NULL;
--> statement-breakpoint
UPDATE projects SET deleted_by = (
  SELECT actor_id FROM records WHERE project_id = projects.id AND kind = 'project.deleted' ORDER BY id DESC LIMIT 1
) WHERE deleted_at IS NOT NULL;
