import type { Config } from '../config.ts'
import type { Cleaning } from '../db/cleaning.ts'
import type { Db } from '../db/open.ts'
import type { Storage } from '../db/storage.ts'
import type { MailTrouble } from '../mail/hold.ts'
import type { MailContext, Post } from '../mail/outbox.ts'
import type { Copying } from '../operations/backups/copying.ts'
import type { Backups } from '../operations/backups/schedule.ts'
import type { Clock } from '../operations/clock/watch.ts'
import type { SetAside } from '../operations/health/set-aside.ts'
import type { ReplicaState } from '../operations/replica/replica.ts'
import type { Secrets } from '../secrets.ts'
import type { Outside } from './outside.ts'

declare module 'fastify' {
  /** What the composition root (app.ts) hands to every feature. */
  interface FastifyInstance {
    config: Config
    db: Db
    /** Whether things can be saved. */
    storage: Storage
    secrets: Secrets
    /** The time, in milliseconds since 1970. */
    now: () => number
    /** Whether that time can be right. */
    clock: Clock
    postLetter: Post
    /** Sends requests to addresses that people chose. */
    outside: Outside
    /** For acts that write to people about themselves. */
    mailContext: MailContext
    /** Removes leftovers of erased texts from the database's files: call it in the transaction that erases. */
    eraseTraces: Cleaning['erase']
    /** Lets the mail worker look for letters now. */
    wakeMail: () => void
    /** The mail server’s trouble, while there is one. */
    mailTrouble: () => MailTrouble | undefined
    /** What workers could not do. */
    setAside: SetAside
    backups: Backups
    /** The copies of backups on another machine. */
    copying: Copying
    /** How the replica on another machine is doing; undefined without one. */
    replica: () => ReplicaState | undefined
    /** What Support reads on every page until it is over. */
    warnings: () => string[]
    /** What the first operator's set-up link ends with; it works until there is an operator. */
    setupToken: string
  }
}
