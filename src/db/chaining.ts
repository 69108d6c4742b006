import Database from 'better-sqlite3'
import { type ChainedRecord, type ChainHead, chainHash } from '../records/chain.ts'

const slice = 5_000

const columns = `id, at, kind, account_id AS accountId, actor_id AS actorId, actor_account_id AS actorAccountId,
  by_support AS bySupport, user_id AS userId, invitation_id AS invitationId, project_id AS projectId, letter_id AS letterId,
  change, ip, request_id AS requestId, token_id AS tokenId`

type RawRow = Omit<ChainedRecord, 'bySupport'> & { bySupport: number }

/** Whether this database chains its records: those of versions before 0.3.0 do not. */
export function hasChain(sqlite: Database.Database): boolean {
  return sqlite.prepare("SELECT 1 FROM pragma_table_info('records') WHERE name = 'hash'").get() !== undefined
}

/** Chains the records of a version that did not, some thousands at a time: within its migration, while no trigger holds them. */
export function chainRecords(sqlite: Database.Database): void {
  const after = sqlite.prepare(`SELECT ${columns} FROM records WHERE id > ? ORDER BY id LIMIT ${slice}`)
  const put = sqlite.prepare('UPDATE records SET hash = ? WHERE id = ?')
  let before = { id: Number.MIN_SAFE_INTEGER, hash: '' }
  for (let rows = after.all(before.id) as RawRow[]; rows.length > 0; rows = after.all(before.id) as RawRow[])
    for (const row of rows) {
      before = { id: row.id, hash: chainHash({ ...row, bySupport: row.bySupport === 1 }, before.hash) }
      put.run(before.hash, row.id)
    }
}

/** The end of the history in a database file that nobody writes to. Undefined where its records are not chained. */
export function headOf(file: string): ChainHead | undefined {
  const sqlite = new Database(file, { readonly: true, fileMustExist: true })
  try {
    if (!hasChain(sqlite)) return undefined
    const last = sqlite.prepare('SELECT id AS record, hash FROM records ORDER BY id DESC LIMIT 1').get()
    return (last as ChainHead | undefined) ?? { record: 0, hash: '' }
  } finally {
    sqlite.close()
  }
}
