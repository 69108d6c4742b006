import { desc, isNotNull, max } from 'drizzle-orm'
import { type Db, writeUnchecked } from '../../db/open.ts'
import { installation, letters, records, users } from '../../db/schema.ts'
import { type Secrets, seal, unsealed } from '../../secrets.ts'

export type Installation = typeof installation.$inferSelect

/** What is sealed for a key to open. */
const known = 'meshpanel'

/** Undefined in a database that no start has tied to its secrets yet. */
export function findInstallation(db: Db): Installation | undefined {
  return db.select().from(installation).get()
}

/** Ties a database to its secrets, or to new ones. */
export function tie(db: Db, secrets: Secrets, at: number): void {
  const keyCheck = seal(secrets, known)
  writeUnchecked(db, (tx) => {
    tx.insert(installation)
      .values({ id: 1, keyCheck, lastSeenAt: newestTrace(tx) ?? at })
      .onConflictDoUpdate({ target: installation.id, set: { keyCheck } })
      .run()
  })
}

/** Whether one of the keys is the one that this database is tied to. */
export function fits(secrets: Secrets, { keyCheck }: Installation): boolean {
  return opens(secrets, keyCheck)
}

/** Whether the keys open anything that an earlier version sealed. True where there is nothing. */
export function opensAnything(db: Db, secrets: Secrets): boolean {
  const values = sealedValues(db)
  return values.length === 0 || values.some((sealed) => opens(secrets, sealed))
}

/** Whether a database depends on the secrets next to it: something is sealed, or somebody has logged in. */
export function needsItsSecrets(db: Db): boolean {
  const used = db.select({ id: users.id }).from(users).where(isNotNull(users.lastSeenAt)).limit(1).get()
  return used !== undefined || sealedValues(db).length > 0
}

const mostTried = 100

function sealedValues(db: Db): string[] {
  const factors = db
    .select({ sealed: users.totpSecret })
    .from(users)
    .where(isNotNull(users.totpSecret))
    .limit(mostTried)
    .all()
  const bodies = db
    .select({ sealed: letters.body })
    .from(letters)
    .where(isNotNull(letters.body))
    .orderBy(desc(letters.id))
    .limit(mostTried)
    .all()
  return [...factors, ...bodies].flatMap(({ sealed }) => sealed ?? [])
}

const opens = (secrets: Secrets, sealed: string) => unsealed(secrets, sealed) !== undefined

/** When something was last done in a database that does not say yet when it was last seen. */
function newestTrace(db: Db): number | undefined {
  const newest = db
    .select({ at: max(users.lastSeenAt) })
    .from(users)
    .get()?.at
  const recorded = newestRecordTime(db)
  return newest || recorded ? Math.max(newest ?? 0, recorded) : undefined
}

/** So many of the last records are looked at: those that a wrong clock dated are among them. */
const mostRecords = 10_000

/** The latest time among the last records, in milliseconds since 1970; 0 without any. */
export function newestRecordTime(db: Db): number {
  const last = db.select({ at: records.at }).from(records).orderBy(desc(records.id)).limit(mostRecords).as('last')
  return (
    db
      .select({ at: max(last.at) })
      .from(last)
      .get()?.at ?? 0
  )
}
