/** Why, since when and until when nothing of an import, or of one of its rows, can be done. */
export type Waits = { since: number; until: number; why: string }

/** What has to wait, by its number. */
export type WaitingList = {
  /** Lets one wait for so many milliseconds. */
  add: (key: number, time: number, why: string) => void
  /** Lets one wait for as long as another. */
  put: (key: number, waits: Waits) => void
  /** Undefined also where it has waited long enough. */
  get: (key: number) => Waits | undefined
  /** What still has to wait; what has waited long enough is forgotten. */
  keys: () => number[]
  /** What has to wait for the shortest time. */
  first: () => Waits | undefined
}

/** A list that is not kept: after a restart it is found out again. */
export function newWaitingList(now: () => number): WaitingList {
  const waits = new Map<number, Waits>()
  /** A clock that was ahead, and is back, makes nothing wait for longer. */
  const isOver = ({ since, until }: Waits) => until <= now() || now() < since
  return {
    add: (key, time, why) => waits.set(key, { since: now(), until: now() + time, why }),
    put: (key, one) => waits.set(key, one),
    get: (key) => {
      const one = waits.get(key)
      return one && !isOver(one) ? one : undefined
    },
    keys: () => {
      for (const [key, one] of waits) if (isOver(one)) waits.delete(key)
      return [...waits.keys()]
    },
    first: () => [...waits.values()].sort((one, other) => one.until - other.until)[0],
  }
}
