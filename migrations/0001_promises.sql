-- What the panel promises, kept by the database itself.

-- A record of the history is never edited or deleted.
CREATE TRIGGER records_never_change BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are never edited'); END;
--> statement-breakpoint
CREATE TRIGGER records_never_go BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
--> statement-breakpoint

-- An identifier never changes, and is never given out again: its row stays.
CREATE TRIGGER account_identifier_never_changes BEFORE UPDATE OF identifier ON accounts
BEGIN SELECT RAISE(ABORT, 'an identifier never changes'); END;
--> statement-breakpoint
CREATE TRIGGER accounts_never_go BEFORE DELETE ON accounts
BEGIN SELECT RAISE(ABORT, 'an account keeps its row, and with it its identifier'); END;
--> statement-breakpoint
CREATE TRIGGER project_identifier_never_changes BEFORE UPDATE OF identifier, account_id ON projects
BEGIN SELECT RAISE(ABORT, 'an identifier never changes'); END;
--> statement-breakpoint
CREATE TRIGGER projects_never_go BEFORE DELETE ON projects
BEGIN SELECT RAISE(ABORT, 'a project keeps its row, and with it its identifier'); END;

--> statement-breakpoint

-- What can be limited: the keys of OpenStack’s unified limits. Support may change and extend it.
INSERT INTO resources (key, name, unit) VALUES
  ('projects', 'Projects', ''),
  ('instances', 'Instances', ''),
  ('cores', 'Cores', ''),
  ('ram', 'RAM', 'MiB'),
  ('volumes', 'Volumes', ''),
  ('gigabytes', 'Gigabytes', 'GB'),
  ('snapshots', 'Snapshots', ''),
  ('floating_ips', 'Floating IPs', '');
