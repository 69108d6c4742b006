/** What a worker could not do, for Support to read until the panel is started again. */
export type SetAside = {
  /** `what` begins a sentence: “An import of Acme”. */
  add: (key: string, what: string, error: unknown) => void
  words: () => string[]
  readonly count: number
}

/** So many are named. */
const mostNamed = 5

export function newSetAside(): SetAside {
  const aside = new Map<string, string>()
  return {
    add: (key, what, error) => aside.set(key, `${what} was set aside: ${(error as Error).message}.`),
    words: () => {
      const first = [...aside.values()].slice(0, mostNamed)
      const more = aside.size - first.length
      return more > 0 ? [...first, `${more} more were set aside: the log names them.`] : first
    },
    get count() {
      return aside.size
    },
  }
}
