import type { AccountId } from '../../../db/ids.ts'

/** What one customer has and needs, as far as it counts for its partner. */
export type Share = {
  id: AccountId
  /** Whether it is one of the partner’s living customers now; if not, it has no share. */
  here: boolean
  createdAt: number
  /** A bit for each need. */
  needs: number
  users: number
  projects: number
}

type Columns = Record<'ids' | 'users' | 'projects', Uint32Array> & { bits: Uint16Array }

/** Set for a customer that is here, beside the bits of its needs. */
const here = 1 << 15

const columnsOf = (size: number): Columns => ({
  ids: new Uint32Array(size),
  users: new Uint32Array(size),
  projects: new Uint32Array(size),
  bits: new Uint16Array(size),
})

/**
 * The sums over a partner’s customers, and each customer’s share in them, in order of their ids: a customer that is looked
 * at again changes the sums by the difference. 14 bytes a customer.
 */
export class Shares {
  readonly sums = { customers: 0, users: 0, projects: 0 }
  /** How many customers there were at each of these times. */
  readonly growth: { at: number; n: number }[]
  /** How many customers have each need. */
  readonly needs: number[]
  size = 0
  #columns = columnsOf(64)

  constructor(times: number[], needs: number) {
    this.growth = times.map((at) => ({ at, n: 0 }))
    this.needs = Array.from({ length: needs }, () => 0)
  }

  /** Puts a customer’s share in the place of the one it had. */
  put(share: Share): void {
    const place = this.#placeOf(share.id)
    const isKnown = place < this.size && this.#columns.ids[place] === share.id
    if (!isKnown && !share.here) return
    if (!isKnown) this.#makeRoom(place, share.id)
    const { users, projects, bits } = this.#columns
    const had = bits[place] ?? 0
    if (had & here) this.#add(had, { ...share, users: users[place] ?? 0, projects: projects[place] ?? 0 }, -1)
    users[place] = share.users
    projects[place] = share.projects
    bits[place] = share.here ? share.needs | here : 0
    if (share.here) this.#add(share.needs, share, 1)
  }

  /** Those with this need that have the highest ids: the newest first. */
  newest(need: number, most: number): AccountId[] {
    const { ids, bits } = this.#columns
    const wanted = Math.min(most, this.needs[need] ?? 0)
    const newest: AccountId[] = []
    for (let place = this.size - 1; place >= 0 && newest.length < wanted; place--)
      if (((bits[place] ?? 0) >> need) & 1) newest.push(ids[place] as AccountId)
    return newest
  }

  #add(needs: number, { users, projects, createdAt }: Share, sign: 1 | -1): void {
    this.sums.customers += sign
    this.sums.users += sign * users
    this.sums.projects += sign * projects
    for (const month of this.growth) if (createdAt <= month.at) month.n += sign
    for (let need = 0; need < this.needs.length; need++)
      if ((needs >> need) & 1) this.needs[need] = (this.needs[need] ?? 0) + sign
  }

  /** Where this id is, or would come. */
  #placeOf(id: AccountId): number {
    const { ids } = this.#columns
    let [from, to] = [0, this.size]
    if (to > 0 && id > (ids[to - 1] ?? 0)) return to
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((ids[middle] ?? 0) < id) from = middle + 1
      else to = middle
    }
    return from
  }

  #makeRoom(place: number, id: AccountId): void {
    const old = this.#columns
    const grows = this.size === old.ids.length
    const to = grows ? columnsOf(Math.ceil(this.size * 1.5)) : old
    for (const name of ['ids', 'users', 'projects', 'bits'] as const) {
      if (grows) to[name].set(old[name].subarray(0, this.size))
      to[name].copyWithin(place + 1, place, this.size)
    }
    to.ids[place] = id
    to.bits[place] = 0
    this.#columns = to
    this.size += 1
  }
}
