/** A free identifier similar to the one that is taken, by default acme-2, acme-3 … */
export function proposeIdentifier(
  taken: string,
  isTaken: (candidates: string[]) => string[],
  numberAt: (n: number) => number = (n) => n + 2,
): string {
  for (let from = 0; ; from += 20) {
    const candidates = Array.from({ length: 20 }, (_, step) => {
      const suffix = `-${numberAt(from + step)}`
      return taken.slice(0, 32 - suffix.length).replace(/-+$/, '') + suffix
    })
    const inUse = new Set(isTaken(candidates))
    const free = candidates.find((candidate) => !inUse.has(candidate))
    if (free) return free
  }
}
