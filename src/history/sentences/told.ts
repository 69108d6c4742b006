import type { RecordKind } from '../../records/kinds.ts'
import type { Change } from '../../records/record.ts'
import type { Named } from '../names/data.ts'

/** A part of a sentence. Names and values are set off from its words; times, numbers and amounts are as the reader writes them. */
export type Piece =
  | string
  | Named
  | { value: string }
  | { time: number }
  | { count: number; one: string; many?: string }
  | { amount: number; unit: string }

/** What happened, after the name of the person who did it, and what is said about it in lines under it. */
export type Sentence = { words: Piece[]; under: Piece[][] }

export type ResourceWords = { key: string; name: string; unit: string }

/** A record, as sentences are made of it. */
export type Told = {
  kind: RecordKind
  /** Of whose history it is: whether the account has to be said, and whether it is another one, which was renamed. */
  account: Named | null
  shown: boolean
  elsewhere: boolean
  /** The person that it was done to; null where people did it to themselves. */
  subject: Named | null
  project: Named | null
  invited: string | null
  letter: { subject: string; to: string } | null
  change: Change
  resource: (key: string) => ResourceWords | undefined
}

/** Stands for a change that can no longer be read. */
export const unreadableChange: Change = { details: [null, 'cannot be read'] }

/** Thrown where a record lacks something that its sentence says: it is told in general words then. */
export class Missing extends Error {}

/** Words with names and values between them. */
export function say(words: TemplateStringsArray, ...between: (Piece | Piece[])[]): Piece[] {
  return words.flatMap((text, n) => [...(text ? [text] : []), ...(n < between.length ? [between[n] ?? ''].flat() : [])])
}

export const only = (words: Piece[], ...under: (Piece[] | null)[]): Sentence => ({
  words,
  under: under.filter((line) => line !== null),
})

const sides = ['before', 'after'] as const

/** What a field was, or became. Undefined where the record does not say. */
export function side({ change }: Told, field: string, which: (typeof sides)[number]): string | number | undefined {
  return change[field]?.[sides.indexOf(which)] ?? undefined
}

function text(told: Told, field: string, which: (typeof sides)[number]): Piece {
  const value = side(told, field, which)
  if (value === undefined) throw new Missing()
  return { value: String(value) }
}

export const was = (told: Told, field: string) => text(told, field, 'before')
export const now = (told: Told, field: string) => text(told, field, 'after')

/** “Reason: …”, where there is one. */
export function typed(told: Told, field: string, label: string, which: (typeof sides)[number] = 'after') {
  const value = side(told, field, which)
  return value ? say`${label}: ${{ value: String(value) }}` : null
}

/** “3 users …”, where there are any. */
export function counted(
  told: Told,
  field: string,
  which: (typeof sides)[number],
  { one, many, does }: { one: string; many?: string; does: string },
) {
  const count = Number(side(told, field, which) ?? 0)
  return count > 0 ? say`${{ count, one, ...(many ? { many } : {}) }} ${does}` : null
}

/** The account, where it has to be said; else these words. */
export const place = ({ shown, account }: Told, words = 'the account'): Piece => (shown && account ? account : words)

/** “ in Acme”, where it has to be said. */
export const inside = ({ shown, account }: Told, word = 'in'): Piece[] =>
  shown && account ? say` ${word} ${account}` : []

/** Who it was done to. */
export const whom = ({ subject }: Told): Piece => subject ?? 'themselves'
export const whose = ({ subject }: Told): Piece[] => (subject ? say`of ${subject}` : [])

export function toldProject({ project }: Told): Named {
  if (!project) throw new Missing()
  return project
}

export function invitee({ invited }: Told): Piece {
  if (invited === null) throw new Missing()
  return { name: invited, now: null }
}
