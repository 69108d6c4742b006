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

-- The name and e-mail that an account's users and a project's people are found by are the user's own.
CREATE TRIGGER memberships_named AFTER INSERT ON memberships
BEGIN UPDATE memberships SET search = (SELECT search FROM users WHERE id = new.user_id) WHERE rowid = new.rowid; END;
--> statement-breakpoint
CREATE TRIGGER project_access_named AFTER INSERT ON project_access
BEGIN UPDATE project_access SET search = (SELECT search FROM users WHERE id = new.user_id) WHERE rowid = new.rowid; END;
--> statement-breakpoint
CREATE TRIGGER users_renamed AFTER UPDATE OF search ON users BEGIN
  UPDATE memberships SET search = new.search WHERE user_id = new.id;
  UPDATE project_access SET search = new.search WHERE user_id = new.id;
END;
--> statement-breakpoint

-- What is searched has an index of its trigrams. The texts stay in their tables; they are folded already.
CREATE VIRTUAL TABLE accounts_index USING fts5(search, content='accounts', content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0);
--> statement-breakpoint
INSERT INTO accounts_index (accounts_index) VALUES ('rebuild');
--> statement-breakpoint
CREATE TRIGGER accounts_indexed AFTER INSERT ON accounts
BEGIN INSERT INTO accounts_index (rowid, search) VALUES (new.id, new.search); END;
--> statement-breakpoint
CREATE TRIGGER accounts_reindexed AFTER UPDATE OF search ON accounts BEGIN
  INSERT INTO accounts_index (accounts_index, rowid, search) VALUES ('delete', old.id, old.search);
  INSERT INTO accounts_index (rowid, search) VALUES (new.id, new.search);
END;
--> statement-breakpoint
CREATE VIRTUAL TABLE users_index USING fts5(search, content='users', content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0);
--> statement-breakpoint
INSERT INTO users_index (users_index) VALUES ('rebuild');
--> statement-breakpoint
CREATE TRIGGER users_indexed AFTER INSERT ON users
BEGIN INSERT INTO users_index (rowid, search) VALUES (new.id, new.search); END;
--> statement-breakpoint
CREATE TRIGGER users_reindexed AFTER UPDATE OF search ON users BEGIN
  INSERT INTO users_index (users_index, rowid, search) VALUES ('delete', old.id, old.search);
  INSERT INTO users_index (rowid, search) VALUES (new.id, new.search);
END;
--> statement-breakpoint
CREATE TRIGGER users_unindexed AFTER DELETE ON users
BEGIN INSERT INTO users_index (users_index, rowid, search) VALUES ('delete', old.id, old.search); END;
--> statement-breakpoint
CREATE VIRTUAL TABLE projects_index USING fts5(search, content='projects', content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0);
--> statement-breakpoint
INSERT INTO projects_index (projects_index) VALUES ('rebuild');
--> statement-breakpoint
CREATE TRIGGER projects_indexed AFTER INSERT ON projects
BEGIN INSERT INTO projects_index (rowid, search) VALUES (new.id, new.search); END;
--> statement-breakpoint
CREATE TRIGGER projects_reindexed AFTER UPDATE OF search ON projects BEGIN
  INSERT INTO projects_index (projects_index, rowid, search) VALUES ('delete', old.id, old.search);
  INSERT INTO projects_index (rowid, search) VALUES (new.id, new.search);
END;
--> statement-breakpoint
CREATE VIRTUAL TABLE invitations_index USING fts5(search, content='invitations', content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0);
--> statement-breakpoint
INSERT INTO invitations_index (invitations_index) VALUES ('rebuild');
--> statement-breakpoint
CREATE TRIGGER invitations_indexed AFTER INSERT ON invitations
BEGIN INSERT INTO invitations_index (rowid, search) VALUES (new.id, new.search); END;
--> statement-breakpoint
CREATE TRIGGER invitations_reindexed AFTER UPDATE OF search ON invitations BEGIN
  INSERT INTO invitations_index (invitations_index, rowid, search) VALUES ('delete', old.id, old.search);
  INSERT INTO invitations_index (rowid, search) VALUES (new.id, new.search);
END;
--> statement-breakpoint
CREATE TRIGGER invitations_unindexed AFTER DELETE ON invitations
BEGIN INSERT INTO invitations_index (invitations_index, rowid, search) VALUES ('delete', old.id, old.search); END;
--> statement-breakpoint
CREATE VIRTUAL TABLE letters_index USING fts5(search, content='letters', content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0);
--> statement-breakpoint
INSERT INTO letters_index (letters_index) VALUES ('rebuild');
--> statement-breakpoint
CREATE TRIGGER letters_indexed AFTER INSERT ON letters
BEGIN INSERT INTO letters_index (rowid, search) VALUES (new.id, new.search); END;
--> statement-breakpoint
CREATE TRIGGER letters_reindexed AFTER UPDATE OF search ON letters BEGIN
  INSERT INTO letters_index (letters_index, rowid, search) VALUES ('delete', old.id, old.search);
  INSERT INTO letters_index (rowid, search) VALUES (new.id, new.search);
END;
--> statement-breakpoint
CREATE TRIGGER letters_unindexed AFTER DELETE ON letters
BEGIN INSERT INTO letters_index (letters_index, rowid, search) VALUES ('delete', old.id, old.search); END;
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
