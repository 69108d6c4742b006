import type { Undo } from '../../../web/answer/notice.ts'
import type { TickedAct, Typed } from './acts.ts'

export const tickedBase = '/partner/ticked-customers'

/** A notice is a cookie, which browsers keep up to 4,096 bytes of, its signature and words included. */
const longest = 3_000

/**
 * Takes an act on customers, done at this time, back by the opposite one, on those that it changed. That leaves alone what is
 * no longer as this very act left it. Undefined where no act is the opposite, or more customers were changed than the notice can name.
 */
export function undoTicked(
  act: TickedAct,
  { changed, at }: { changed: string[]; at: number },
  typed: Typed,
  then: Record<string, string>,
) {
  const opposite = act.undo?.(typed)
  if (!opposite || changed.length === 0) return undefined
  const fields = { customers: changed.join(), since: String(at), ...opposite.fields, ...then }
  if (encodeURIComponent(JSON.stringify(fields)).length > longest) return undefined
  return { action: `${tickedBase}/${opposite.by}`, fields } satisfies Undo
}
