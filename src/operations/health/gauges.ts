import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Gauge, type Registry } from 'prom-client'
import type { Db } from '../../db/open.ts'
import { freeBytes, type Storage } from '../../db/storage.ts'
import type { MailTrouble } from '../../mail/hold.ts'
import type { Copying } from '../backups/copying.ts'
import { listBackupFiles, newestGood } from '../backups/folder.ts'
import type { Clock } from '../clock/watch.ts'
import type { ReplicaState } from '../replica/replica.ts'
import { countLetters, countSessions, oldestWaitingLetter } from './data.ts'
import type { SetAside } from './set-aside.ts'

/** Milliseconds for which a count is reused, so that frequent requests cost no more. */
const countedEvery = 15_000
const lastHours = 8 * 3_600_000

type Sources = {
  metrics: Registry
  db: Db
  dataDir: string
  storage: Storage
  now: () => number
  mailTrouble: () => MailTrouble | undefined
  clock: Clock
  copying: Copying
  setAside: SetAside
  replica: () => ReplicaState | undefined
}

/** What is looked up when the metrics are read. */
export function addGauges(sources: Sources): void {
  const counts = remembered(sources.now, () => count(sources))
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `meshpanel_${name}`,
      help,
      registers: [sources.metrics],
      collect() {
        this.set(value())
      },
    })
  addStorageGauges(gauge, sources)
  addMailGauges(gauge, sources, counts)
  addBackupGauges(gauge, sources, counts)
  addReplicaGauges(gauge, sources)
  gauge('sessions', 'Sessions used in the last 8 hours (at most 100,000 are counted).', () => counts().sessions)
  gauge(
    'set_aside',
    'E-mails, imports and other items that failed unexpectedly and were set aside since the last start.',
    () => sources.setAside.count,
  )
  gauge('clock_right', '1 while the clock can be right, 0 while it cannot.', () => (sources.clock.trouble ? 0 : 1))
}

type Gauges = (name: string, help: string, value: () => number) => unknown
type Counts = () => ReturnType<typeof count>

function count({ db, dataDir, storage, now }: Sources) {
  try {
    return {
      letters: countLetters(db),
      oldest: oldestWaitingLetter(db),
      sessions: countSessions(db, now() - lastHours),
      backup: newestGood(listBackupFiles(dataDir), now()),
    }
  } catch (error) {
    // A damaged database: the other metrics say so.
    if (!storage.note(error)) throw error
    return { letters: [], oldest: undefined, sessions: Number.NaN, backup: undefined }
  }
}

function addStorageGauges(gauge: Gauges, { dataDir, storage }: Sources): void {
  const sizeOf = (file: string) => statSync(join(dataDir, file), { throwIfNoEntry: false })?.size ?? 0
  gauge('database_bytes', 'Size of the database file.', () => sizeOf('panel.db'))
  gauge('database_wal_bytes', 'Size of the write-ahead log beside it.', () => sizeOf('panel.db-wal'))
  gauge('disk_free_bytes', 'What is free on the disk of DATA_DIR.', () => freeBytesWherePossible(dataDir))
  gauge(
    'writable',
    '1 while things can be saved, 0 while the disk is full or the database read-only, locked, moved or damaged.',
    () => (storage.problem ? 0 : 1),
  )
}

function addMailGauges(gauge: Gauges, { metrics, now, mailTrouble }: Sources, counts: Counts): void {
  gauge('oldest_waiting_letter_seconds', 'How long the oldest e-mail to be sent has waited.', () =>
    Math.max(0, (now() - (counts().oldest ?? now())) / 1_000),
  )
  gauge('mail_server_working', '1 while the mail server takes e-mails, 0 while all of them wait for it.', () =>
    mailTrouble() ? 0 : 1,
  )
  new Gauge({
    name: 'meshpanel_letters',
    help: 'E-mails of the outbox by state (at most 100,000 each are counted).',
    labelNames: ['state'],
    registers: [metrics],
    collect() {
      for (const { state, letters } of counts().letters) this.set({ state }, letters)
    },
  })
}

function addBackupGauges(gauge: Gauges, { copying }: Sources, counts: Counts): void {
  gauge('last_backup_timestamp_seconds', 'When the newest good backup was made; 0 without one.', () =>
    Math.floor((counts().backup?.at ?? 0) / 1_000),
  )
  gauge('last_backup_bytes', 'Size of the newest good backup; 0 without one.', () => counts().backup?.size ?? 0)
  if (copying.where === undefined) return
  gauge('last_copied_backup_timestamp_seconds', 'When the newest backup in BACKUP_TO was made; 0 without one.', () =>
    Math.floor((copying.newest?.at ?? 0) / 1_000),
  )
  gauge('copying_backups_works', '1 while backups are copied to BACKUP_TO, 0 while that fails.', () =>
    copying.failure ? 0 : 1,
  )
}

function addReplicaGauges(gauge: Gauges, { replica }: Sources): void {
  if (!replica()) return
  gauge('replica_lag_seconds', 'How far the replica is behind; -1 while nothing is sent to it.', () => {
    const lag = replica()?.lag
    return lag === undefined ? -1 : lag / 1_000
  })
  gauge(
    'replica_epoch',
    'The epoch that this panel has claimed; 0 before the replica was reached.',
    () => replica()?.epoch ?? 0,
  )
}

/** The metrics say more than this number, also while DATA_DIR is gone. */
function freeBytesWherePossible(dataDir: string): number {
  try {
    return freeBytes(dataDir)
  } catch {
    return Number.NaN
  }
}

function remembered<Value>(now: () => number, look: () => Value): () => Value {
  let last: { at: number; value: Value } | undefined
  return () => {
    if (!last || Math.abs(now() - last.at) >= countedEvery) last = { at: now(), value: look() }
    return last.value
  }
}
