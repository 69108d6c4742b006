import { apart } from '../../db/apart.ts'
import type { Suspension } from '../../db/suspension.ts'

/** What a resumption did, for the notice. */
export function resumedWords(name: string, { done, other }: { done: 'resumed' | 'nothing'; other: Suspension | null }) {
  const still =
    other &&
    (other.by === 'support'
      ? apart`Support has suspended ${name} too, and only Support can resume that.`
      : apart`${name} stays suspended by its partner, and only the partner can resume that. Moving it to another partner, or to none, ends that suspension.`)
  if (done === 'nothing') return still ?? apart`${name} was not suspended. Nothing was changed.`
  return still
    ? apart`Your suspension of ${name} was lifted. ${still.replace(' too,', ',')}`
    : apart`${name} is active again.`
}
