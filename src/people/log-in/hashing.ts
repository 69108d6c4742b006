import { channel } from 'node:diagnostics_channel'
import { hash, verify } from '@node-rs/argon2'
import type { UserId } from '../../db/ids.ts'
import { Refusal } from '../../web/answer/errors.ts'
import { type Attempt, networkOf } from './throttle/data.ts'

// Hashing is slow on purpose, so a stranger could keep it busy. Nobody gets the whole queue.

/** Algorithm 2 is argon2id. The cost is that of OWASP’s Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane. */
export const cost = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Two at a time leave a core for everybody else; people who find a long queue are asked to come back. */
const atOnce = 2
const longestQueue = 32
const mostPerAccount = 4
/** Of all browsers and sessions of one user that are known: anybody has as many of those as they like. */
const mostPerOwner = 4
const mostPerNetwork = 8

/** Published when a hash begins, so that tests can act while it runs. */
const hashes = channel('meshpanel:hash')

type Job = { account: string; network: string | undefined; owner: UserId | undefined; run: () => Promise<void> }

/**
 * Those who are known (their attempts have a counter of their own, whatever their address) and strangers take turns:
 * however many strangers come, the others wait only a moment.
 */
const queues = { known: [] as Job[], strangers: [] as Job[] }
let running = 0
let turn: keyof typeof queues = 'known'

export function queueHash(password: string, asker: Attempt): Promise<string> {
  return queue(asker, () => hash(password, cost))
}

export function queueVerify(passwordHash: string, password: string, asker: Attempt): Promise<boolean> {
  return queue(asker, () => verify(passwordHash, password))
}

function queue<Result>({ account, address, owner }: Attempt, work: () => Promise<Result>): Promise<Result> {
  const network = address === undefined ? undefined : networkOf(address)
  const waiting = queues[network === undefined ? 'known' : 'strangers']
  if (
    waiting.length >= longestQueue ||
    waiting.filter((job) => job.account === account).length >= mostPerAccount ||
    (owner !== undefined && waiting.filter((job) => job.owner === owner).length >= mostPerOwner) ||
    (network !== undefined && waiting.filter((job) => job.network === network).length >= mostPerNetwork)
  )
    throw new Refusal(503, 'Too many logins at once', 'Wait a few seconds, then try again.')
  return new Promise((resolve, reject) => {
    waiting.push({
      account,
      network,
      owner,
      run: () => {
        hashes.publish(undefined)
        return work().then(resolve, reject)
      },
    })
    next()
  })
}

function next(): void {
  if (running >= atOnce) return
  const other = turn === 'known' ? 'strangers' : 'known'
  const first = queues[turn].length > 0 ? turn : other
  const job = queues[first].shift()
  if (!job) return
  turn = first === 'known' ? 'strangers' : 'known'
  running++
  job.run().finally(() => {
    running--
    next()
  })
}
