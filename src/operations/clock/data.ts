import { gt } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { invitationLifetime } from '../../accounts/invitations/data/sending.ts'
import { type Db, write, writeUnchecked } from '../../db/open.ts'
import {
  emailChanges,
  installation,
  invitations,
  letters,
  passwordResets,
  sessions,
  troubles,
} from '../../db/schema.ts'
import { longestPause } from '../../mail/due.ts'
import { giveUpAfter } from '../../mail/outbox.ts'
import { confirmationLifetime } from '../../people/email/data.ts'
import { resetLifetime } from '../../people/password/data.ts'
import { type Actor, record } from '../../records/record.ts'
import { findInstallation, newestRecordTime } from '../installation/data.ts'

/** The clock shows `at`; the panel, or a record, knows `seen`. In milliseconds since 1970. */
export type ClockTrouble = { kind: 'behind' | 'ahead'; at: number; seen: number }

/** Clocks that are kept by NTP are stepped by less. */
const tolerance = 60_000
const longestAbsence = 24 * 3_600_000

/**
 * Whether a clock that shows `at` can be right: it is not behind what was noted or recorded before, nor more than a day
 * ahead of when the panel last ran.
 */
export function findClockTrouble(db: Db, at: number): ClockTrouble | undefined {
  const installation = findInstallation(db)
  if (!installation) return undefined
  const recorded = newestRecordTime(db)
  const newest = Math.max(installation.lastSeenAt, recorded > installation.aheadUntil ? recorded : 0)
  if (newest > at + tolerance) return { kind: 'behind', at, seen: newest }
  return at - installation.lastSeenAt > longestAbsence
    ? { kind: 'ahead', at, seen: installation.lastSeenAt }
    : undefined
}

/** The panel runs, at a time that can be right. */
export function noteSeen(db: Db, at: number): void {
  writeUnchecked(db, (tx) => tx.update(installation).set({ lastSeenAt: at }).run())
}

/**
 * Support says that the clock is right. What a wrong clock dated too late is brought back to what it may be at most.
 * False where nobody doubted it: nothing was changed.
 */
export function believeClock(db: Db, actor: Actor): boolean {
  return write(db, actor, (tx) => {
    const { at } = actor
    const trouble = findClockTrouble(tx, at)
    if (!trouble) return false
    const recorded = newestRecordTime(tx)
    tx.update(installation)
      .set({ lastSeenAt: at, aheadUntil: recorded > at ? recorded : 0 })
      .run()
    capTimes(tx, at)
    record(tx, actor, {
      kind: 'installation.clock-confirmed',
      change: { clock: [new Date(trouble.seen).toISOString(), new Date(at).toISOString()] },
    })
    return true
  })
}

/** Times of the future, and how far ahead each may be at most. What counts tries caps its own (throttle, allowance). */
function capTimes(tx: Db, at: number): void {
  const cap = <Table extends Parameters<Db['update']>[0]>(
    table: Table,
    column: SQLiteColumn,
    name: string,
    most: number,
  ) => {
    tx.update(table)
      .set({ [name]: at + most } as never)
      .where(gt(column, at + most))
      .run()
  }
  cap(sessions, sessions.createdAt, 'createdAt', 0)
  cap(sessions, sessions.lastSeenAt, 'lastSeenAt', 0)
  cap(sessions, sessions.provedAt, 'provedAt', 0)
  cap(invitations, invitations.sentAt, 'sentAt', 0)
  cap(invitations, invitations.expiresAt, 'expiresAt', invitationLifetime)
  cap(passwordResets, passwordResets.expiresAt, 'expiresAt', resetLifetime)
  cap(emailChanges, emailChanges.expiresAt, 'expiresAt', confirmationLifetime)
  cap(letters, letters.dueAt, 'dueAt', longestPause)
  cap(troubles, troubles.since, 'since', 0)
  cap(letters, letters.giveUpAt, 'giveUpAt', giveUpAfter)
}
