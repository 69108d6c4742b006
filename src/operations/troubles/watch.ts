import type { FastifyInstance } from 'fastify'
import { backupsDue } from '../backups/folder.ts'
import { mailFailsSince } from '../health/data.ts'
import { noteTroubles, type Trouble } from './data.ts'

/** Milliseconds: after a start it takes less until workers have found out again what fails. */
const lookEvery = 10 * 60_000
const hour = 3_600_000

/** Looks for what fails, for Support to be told when that has lasted a day. Returns what ends it. */
export function watchTroubles(app: FastifyInstance): () => void {
  const { db, storage, now, mailContext, log } = app
  const timer = setInterval(() => {
    try {
      storage.attempt(() => noteTroubles(db, findTroubles(app), now(), mailContext))
    } catch (error) {
      log.error({ err: error }, 'looking for troubles failed')
    }
  }, lookEvery)
  timer.unref()
  return () => clearInterval(timer)
}

function findTroubles({ config, db, backups, copying, mailTrouble, replica, now }: FastifyInstance): Trouble[] {
  const current: Trouble[] = []
  const due = backupsDue(config.dataDir, config.backupEveryHours, now())
  if (due !== undefined) {
    const why = backups.failure ? ` The last attempt failed: ${backups.failure.words}` : ''
    current.push({ kind: 'backups', since: due, words: `The panel has made no good backup.${why}` })
  }
  const copies = copying.failure
  if (copies)
    current.push({ kind: 'copies', since: copies.since, words: `Copying to ${copying.where} fails: ${copies.words}` })
  const behind = replica()?.trouble
  if (behind) current.push({ kind: 'replica', ...behind })
  const mail = mailTrouble()
  const since = config.smtp && mailFailsSince(db)
  // Others fail alone and at once, and a new start has forgotten what the last one found.
  if (mail || (since !== undefined && now() - since > hour))
    current.push({
      kind: 'mail',
      since: Math.min(mail?.since ?? Number.POSITIVE_INFINITY, since ?? Number.POSITIVE_INFINITY),
      words: mail
        ? `The mail server took no e-mail: ${mail.words}.`
        : 'No e-mail was sent since then. Support Area → Mail says why each one failed.',
    })
  return current
}
