/** What is deleted can be restored for so long, in milliseconds: then the purge takes it. */
export const keptFor = 30 * 24 * 3_600_000

/** Until when what was deleted at this time can be restored. */
export function restorableUntil(deletedAt: number): number {
  return deletedAt + keptFor
}
