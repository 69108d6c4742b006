import type Database from 'better-sqlite3'
import { poolSumsAnew, poolTriggers } from './pool-sums.ts'

// Everything in the database that is neither a table nor an ordinary index: the triggers that keep what the panel
// promises, and the search indexes. No migration makes or drops any of it. All triggers are dropped before each
// migration, so that it may rebuild any table, and made again after the last one.

const promises = `
-- A record of the history is never edited or deleted.
CREATE TRIGGER records_never_change BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are never edited'); END;
CREATE TRIGGER records_never_go BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;

-- An identifier never changes, and is never given out again: its row stays.
CREATE TRIGGER account_identifier_never_changes BEFORE UPDATE OF identifier ON accounts
BEGIN SELECT RAISE(ABORT, 'an identifier never changes'); END;
CREATE TRIGGER accounts_never_go BEFORE DELETE ON accounts
BEGIN SELECT RAISE(ABORT, 'an account keeps its row, and with it its identifier'); END;
CREATE TRIGGER project_identifier_never_changes BEFORE UPDATE OF identifier, account_id ON projects
BEGIN SELECT RAISE(ABORT, 'an identifier never changes'); END;
CREATE TRIGGER projects_never_go BEFORE DELETE ON projects
BEGIN SELECT RAISE(ABORT, 'a project keeps its row, and with it its identifier'); END;

-- What was purged is never restored.
CREATE TRIGGER purged_accounts_stay BEFORE UPDATE OF deleted_at, purged_at ON accounts
WHEN old.purged_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a purged account is never restored'); END;
CREATE TRIGGER purged_projects_stay BEFORE UPDATE OF deleted_at, purged_at ON projects
WHEN old.purged_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a purged project is never restored'); END;

-- An account with living projects is not deleted, nor is a partner account, which may have customers.
CREATE TRIGGER accounts_with_projects_stay BEFORE UPDATE OF deleted_at ON accounts
WHEN new.deleted_at IS NOT NULL AND EXISTS (SELECT 1 FROM projects WHERE account_id = new.id AND deleted_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'an account with living projects is not deleted'); END;
CREATE TRIGGER partner_accounts_stay BEFORE UPDATE OF deleted_at, kind ON accounts
WHEN new.deleted_at IS NOT NULL AND new.kind = 'partner'
BEGIN SELECT RAISE(ABORT, 'a partner account is not deleted'); END;

-- Nobody joins a deleted account, and nothing is made in it.
CREATE TRIGGER deleted_accounts_take_nobody BEFORE INSERT ON memberships
WHEN (SELECT deleted_at FROM accounts WHERE id = new.account_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'nobody joins a deleted account'); END;
CREATE TRIGGER deleted_accounts_take_no_project BEFORE INSERT ON projects
WHEN (SELECT deleted_at FROM accounts WHERE id = new.account_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a deleted account takes no project'); END;
CREATE TRIGGER deleted_accounts_restore_no_project BEFORE UPDATE OF deleted_at ON projects
WHEN new.deleted_at IS NULL AND (SELECT deleted_at FROM accounts WHERE id = new.account_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a deleted account takes no project'); END;

-- A service user is no member of any account: it is in no count of people, and no admin (rule 7).
CREATE TRIGGER service_users_are_no_members BEFORE INSERT ON memberships
WHEN (SELECT service FROM users WHERE id = new.user_id)
BEGIN SELECT RAISE(ABORT, 'a service user is no member'); END;
CREATE TRIGGER members_are_no_service_users BEFORE INSERT ON service_users
WHEN NOT (SELECT service FROM users WHERE id = new.user_id)
BEGIN SELECT RAISE(ABORT, 'a person is no service user'); END;

-- What an account's users and a project's people are searched and sorted by is the user's own.
CREATE TRIGGER memberships_named AFTER INSERT ON memberships
BEGIN UPDATE memberships SET (search, sort_key) = (SELECT search, sort_key FROM users WHERE id = new.user_id) WHERE rowid = new.rowid; END;
CREATE TRIGGER project_access_named AFTER INSERT ON project_access
BEGIN UPDATE project_access SET (search, sort_key) = (SELECT search, sort_key FROM users WHERE id = new.user_id) WHERE rowid = new.rowid; END;
CREATE TRIGGER users_renamed AFTER UPDATE OF search, sort_key ON users BEGIN
  UPDATE memberships SET search = new.search, sort_key = new.sort_key WHERE user_id = new.id;
  UPDATE project_access SET search = new.search, sort_key = new.sort_key
    WHERE user_id = new.id AND account_id IN (SELECT account_id FROM memberships WHERE user_id = new.id);
END;
`

/** The tables with an index of their `search` texts, and whether their rows can go. */
const searched = { accounts: false, users: true, projects: false, invitations: true, letters: true, ties: true }

export type Searched = keyof typeof searched

/** The texts stay in their tables; they are folded already (fold.ts). Its trigrams alone are indexed. */
const indexOf = (table: string) =>
  `CREATE VIRTUAL TABLE ${table}_index USING fts5(search, content='${table}', content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0)`

const indexTriggers = (table: string, rowsGo: boolean) => `
CREATE TRIGGER ${table}_indexed AFTER INSERT ON ${table}
BEGIN INSERT INTO ${table}_index (rowid, search) VALUES (new.id, new.search); END;
CREATE TRIGGER ${table}_reindexed AFTER UPDATE OF search ON ${table} BEGIN
  INSERT INTO ${table}_index (${table}_index, rowid, search) VALUES ('delete', old.id, old.search);
  INSERT INTO ${table}_index (rowid, search) VALUES (new.id, new.search);
END;
${
  rowsGo
    ? `CREATE TRIGGER ${table}_unindexed AFTER DELETE ON ${table}
BEGIN INSERT INTO ${table}_index (${table}_index, rowid, search) VALUES ('delete', old.id, old.search); END;`
    : ''
}`

/** Every trigger as SQLite keeps it, by its name. */
const triggers = named(
  [promises, poolTriggers, ...Object.entries(searched).map(([table, rowsGo]) => indexTriggers(table, rowsGo))].join(
    '\n',
  ),
)

/** Every search index as SQLite keeps it, by its name. */
const indexes = new Map(Object.keys(searched).map((table) => [`${table}_index`, indexOf(table)]))

/** The names of the tables of the search indexes. */
export const searchIndexes = [...indexes.keys()]

function named(source: string): Map<string, string> {
  const statements = source.replaceAll(/^--.*$/gm, '').match(/^CREATE TRIGGER[\s\S]*?\bEND(?=;$)/gm) ?? []
  return new Map(statements.map((statement) => [/^CREATE TRIGGER (\w+)/.exec(statement)?.[1] ?? '', statement]))
}

/** Lets a migration rebuild any table: a trigger that names a missing table would stop it. */
export function dropTriggers(sqlite: Database.Database): void {
  for (const name of madeOf(sqlite, 'trigger').keys()) sqlite.exec(`DROP TRIGGER ${name}`)
}

/** Makes all triggers and search indexes as they are written here, and fills the indexes and the sums of pools from the tables. */
export function makeTriggers(sqlite: Database.Database): void {
  dropTriggers(sqlite)
  const made = madeOf(sqlite, 'index')
  for (const name of made.keys()) if (made.get(name) !== indexes.get(name)) sqlite.exec(`DROP TABLE ${name}`)
  for (const [name, source] of indexes) {
    if (made.get(name) !== source) sqlite.exec(source)
    // A migration may have written columns that are searched.
    for (const command of ["'rebuild'", "'optimize'"]) sqlite.exec(`INSERT INTO ${name} (${name}) VALUES (${command})`)
    leaveMerging(sqlite, name)
  }
  sqlite.exec(`DELETE FROM pool_sums; INSERT INTO pool_sums (partner_id, resource_id, amount) ${poolSumsAnew}`)
  for (const source of triggers.values()) sqlite.exec(source)
}

/**
 * An index is a row of segments, which FTS5 merges within the write that adds one too many: of a large index some hundred
 * pages at once, or all of several segments. It merges small ones alone; all others are merged between requests (merging.ts).
 */
function leaveMerging(sqlite: Database.Database, index: string): void {
  for (const [setting, value] of Object.entries({ automerge: 0, crisismerge: 64 }))
    sqlite.exec(`INSERT INTO ${index} (${index}, rank) VALUES ('${setting}', ${value})`)
}

/** The names of triggers and search indexes that are missing, differ from this file, or are not in it. */
export function findWrongTriggers(sqlite: Database.Database): string[] {
  const wanted = new Map([...triggers, ...indexes])
  const made = new Map([...madeOf(sqlite, 'trigger'), ...madeOf(sqlite, 'index')])
  return [...new Set([...wanted.keys(), ...made.keys()])].filter((name) => wanted.get(name) !== made.get(name))
}

function madeOf(sqlite: Database.Database, what: 'trigger' | 'index'): Map<string, string> {
  const which = what === 'trigger' ? "type = 'trigger'" : "type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'"
  const rows = sqlite.prepare(`SELECT name, sql FROM sqlite_master WHERE ${which} ORDER BY name`).all()
  return new Map((rows as { name: string; sql: string }[]).map(({ name, sql }) => [name, sql]))
}
