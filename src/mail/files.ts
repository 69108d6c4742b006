import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { and, isNotNull } from 'drizzle-orm'
import { giveToOwnerOf, privateFolder } from '../db/files.ts'
import type { Db } from '../db/open.ts'
import { letters } from '../db/schema.ts'
import { isOneOf } from '../db/search.ts'
import type { LetterRow } from './outbox.ts'

/** Without a mail server the letter is a file that any mail program opens. */
export function keepAsFile(dataDir: string, letter: LetterRow, message: Buffer): void {
  const file = join(privateFolder(dataDir, 'mail'), `${letter.id}.eml`)
  writeFileSync(file, message, { mode: 0o600 })
  giveToOwnerOf(dataDir, file)
}

/** Removes the files of letters whose text is gone: what a file says does not outlive what Support can read. */
export function removeStaleFiles(db: Db, dataDir: string): void {
  const folder = join(dataDir, 'mail')
  if (!existsSync(folder)) return
  const ids = readdirSync(folder).flatMap((name) => (/^\d+\.eml$/.test(name) ? [Number.parseInt(name, 10)] : []))
  const legible = db
    .select({ id: letters.id })
    .from(letters)
    .where(and(isNotNull(letters.body), isOneOf(letters.id, ids)))
    .all()
  const legibleIds = new Set(legible.map(({ id }) => id))
  removeLetterFiles(
    dataDir,
    ids.filter((id) => !legibleIds.has(id)),
  )
}

/** E-mails kept as files are deleted with the person they were for. */
export function removeLetterFiles(dataDir: string, letterIds: number[]): void {
  for (const id of letterIds) rmSync(join(dataDir, 'mail', `${id}.eml`), { force: true })
}
