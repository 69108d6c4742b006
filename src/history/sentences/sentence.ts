import { type RecordKind, recordKinds } from '../../records/kinds.ts'
import { ofAccounts } from './accounts.ts'
import { ofLimitActs } from './limits.ts'
import { ofOthers } from './others.ts'
import { ofPeople } from './people.ts'
import { ofSso } from './sso.ts'
import { inside, Missing, only, type Piece, type Sentence, say, type Told, unreadableChange } from './told.ts'

/** How each kind of record is told. */
export const sentences: Record<RecordKind, (told: Told) => Sentence> = {
  ...ofAccounts,
  ...ofLimitActs,
  ...ofPeople,
  ...ofOthers,
  ...ofSso,
}

/** A record in a sentence. What a record of an older version lacks, or what was deleted since, is left out. */
export function sentenceOf(told: Told): Sentence {
  if (told.change === unreadableChange) return inGeneral(told)
  try {
    return (sentences[told.kind] ?? inGeneral)(told)
  } catch (error) {
    if (error instanceof Missing) return inGeneral(told)
    throw error
  }
}

/** The words of its kind, and whom and what it was done to. */
function inGeneral(told: Told): Sentence {
  const { kind, subject, project, invited, letter } = told
  const on = [subject, project, invited && { name: invited, now: null }, letter && { name: letter.subject, now: null }]
  const named: Piece[] = on.filter((one) => one !== null && one !== '').flatMap((one, n) => [n > 0 ? ', ' : ': ', one])
  const words = say`${recordKinds[kind] ?? 'changed something'}${inside(told)}${named}`
  return only(words, told.change === unreadableChange ? say`Its details cannot be read` : null)
}
