import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Failure } from '../../db/failure.ts'
import type { Db } from '../../db/open.ts'
import { dateTime } from '../../web/format.ts'
import { type Place, placeWords } from '../elsewhere/place.ts'
import { openStore } from '../elsewhere/store.ts'
import { type Claim, readClaim, saveClaim } from './data.ts'

/** The file next to a replica: who writes to it. */
const claimFile = 'epoch.json'

type Held = Claim & { host: string; at: string }

/** Another machine has taken over: this one must not go on. */
export class TakenOver extends Error {
  constructor(place: Place, { epoch, host, at }: Held) {
    super(
      `Another machine (${host}) has taken over: it claimed epoch ${epoch} in ${placeWords(place)} on ${dateTime(Date.parse(at))}. ` +
        `Leave this one stopped. If this one is to go on instead, stop the other, remove ${claimFile} there, and start again.`,
    )
  }
}

/** Reads who holds a replica; undefined where nobody does yet. Rejects with a Failure when it cannot be read. */
export async function readHeld(place: Place, signal?: AbortSignal): Promise<Held | undefined> {
  const text = await openStore(place, signal).read(claimFile)
  if (text === undefined) return undefined
  try {
    const held = JSON.parse(text) as Held
    if (Number.isSafeInteger(held.epoch) && typeof held.claim === 'string') return held
  } catch {
    // Said below.
  }
  throw new Failure(
    `${placeWords(place)}/${claimFile} is damaged. Stop all panels that use it, remove it, and start one.`,
  )
}

/** Throws TakenOver when a newer epoch, or another one's of the same number, is held than the one given. */
export function refuseNewer(place: Place, held: Held | undefined, mine: Claim): void {
  if (held && (held.epoch > mine.epoch || (held.epoch === mine.epoch && held.claim !== mine.claim)))
    throw new TakenOver(place, held)
}

/** Claims the next epoch. Rejects with TakenOver, or a Failure when the place cannot be reached. */
export async function claimEpoch(db: Db, place: Place, signal?: AbortSignal): Promise<Claim> {
  const mine = readClaim(db)
  refuseNewer(place, await readHeld(place, signal), mine)
  const next = { epoch: mine.epoch + 1, claim: randomUUID() }
  // The database first: after a crash in between it is ahead of the place, and may go on.
  saveClaim(db, next)
  const held: Held = { ...next, host: hostname(), at: new Date().toISOString() }
  await openStore(place, signal).write(claimFile, `${JSON.stringify(held, null, 2)}\n`)
  await stillHeld(place, next, signal)
  return next
}

/** Rejects with TakenOver when somebody else has claimed the replica since. */
async function stillHeld(place: Place, mine: Claim, signal?: AbortSignal): Promise<void> {
  refuseNewer(place, await readHeld(place, signal), mine)
}

/** Lets a restored database continue the replica that another machine holds: its next start takes over. */
export async function adoptEpoch(db: Db, place: Place): Promise<void> {
  const held = await readHeld(place)
  if (held && held.epoch >= readClaim(db).epoch) saveClaim(db, held)
}

/** What a panel writes at most so often to give the replica something to send, in milliseconds. */
const touchEvery = 3_000

/** The replica’s claim of this start, and whether it still holds. */
export function holdClaim(db: Db, place: Place, begun: Claim | undefined, signal: AbortSignal) {
  let mine = begun
  let lost = false
  let touchedAt = 0
  return {
    get epoch() {
      return mine?.epoch
    },
    get lost() {
      return lost
    },
    lose: () => {
      lost = true
    },
    /** Claims the next epoch, unless this start has one. Rejects as claimEpoch does. */
    claim: async () => {
      mine ??= await claimEpoch(db, place, signal)
    },
    /** Rejects with TakenOver when somebody else holds it; what cannot be reached is Litestream’s trouble as well. */
    check: async () => {
      if (!mine || lost) return
      await stillHeld(place, mine, signal).catch((error) => {
        if (error instanceof TakenOver) throw error
      })
    },
    /** Writes something small. */
    touch: () => {
      const at = Date.now()
      if (!mine || lost || at - touchedAt < touchEvery) return
      touchedAt = at
      try {
        saveClaim(db, mine)
      } catch {
        // A failed save is reported elsewhere.
      }
    },
  }
}
