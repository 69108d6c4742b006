import * as z from 'zod'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import type { Action, Role } from '../../../policy.ts'
import type { Plan } from '../../../quotas/plans/data/plans.ts'
import type { Person } from '../../../records/record.ts'
import type { Sender } from '../../invitations/data/sending.ts'
import type { Columns } from '../header.ts'

// What each kind of import brings in is in a file of its own: what becomes of a row is said when the file is checked,
// and again when it is carried out, because things change in between.

/** Why a row cannot be carried out. */
export class RowFailed extends Error {}

export type Checked = { subject: string } & (
  | { input: object; words: string }
  | { unchanged: string }
  | { wrong: string }
)

/** What the rows of a file have used up so far. */
export type Used = {
  /** Identifiers and e-mails, with their lines. */
  lines: Map<string, number>
  /** The projects left in the partner's pool: null without a number, undefined until a row asks. */
  poolAvailable?: number | null
  /** The plan that new customers get: null without one, undefined until a row asks. */
  plan?: Plan | null
}

/** A row of the file; `used` by it and those before it. */
export type ImportedRow = { accountId: AccountId; values: Record<string, string>; line: number; used: Used }

/** What a row has done; an invitation where it sent one. */
export type CarriedOut = { words: string; invitationId?: number }

export type Kind = {
  action: Action
  /** Of one and of several rows. */
  words: [string, string]
  columns: Columns
  /** The column with somebody’s e-mail. */
  emailColumn: string
  example: string
  check: (db: Db, row: ImportedRow, at: number) => Checked
  /** Throws a RowFailed, or a TooMany where it can be done later, and leaves nothing of the row then. */
  carryOut: (tx: Db, actor: Person, sender: Sender, row: { accountId: AccountId; input: object }) => CarriedOut
}

/** A field that may be left empty. */
export const optional = <Input extends z.ZodType>(schema: Input) =>
  z.union([z.literal('').transform(() => undefined), schema]).optional()

export const role = z
  .string()
  .transform((text) => text.toLowerCase().replace(/^customer |^partner /, ''))
  .pipe(
    z
      .enum(['', 'admin', 'member', 'user'], { error: 'The role is admin or user.' })
      .transform((text): Role | undefined => (text === '' ? undefined : text === 'admin' ? 'admin' : 'member')),
  )

/** The values of a row, with an empty one for each column that the file does not have. */
export const withEvery = ({ columns }: Kind, values: Record<string, string>) =>
  Object.fromEntries(columns.known.map((name) => [name, values[name] ?? '']))

export const wordsOf = (error: z.ZodError) => [...new Set(error.issues.map(({ message }) => message))].join(' ')

/** The line of the file that had the same before. */
export function usedBefore({ lines }: Used, key: string, line: number): number | undefined {
  const earlier = lines.get(key)
  if (earlier === undefined) lines.set(key, line)
  return earlier
}
