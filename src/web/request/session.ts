import cookie from '@fastify/cookie'
import session, { type SessionStore } from '@fastify/session'
import { and, eq, exists, isNull, lt, or, sql } from 'drizzle-orm'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { deleteSome, forgetHourly } from '../../db/forgetting.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import { type Db, writeUnchecked } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { identities, memberships, passkeys, sessions, users } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import type { Clock } from '../../operations/clock/watch.ts'
import { hashToken } from '../../secrets.ts'
import { zoneOfBrowser } from '../reader.ts'
import { cookieName, cookieOptions } from './cookies.ts'
import type { Proved, SsoProof } from './proved.ts'

// A session's row is written at log-in and says whose it is; the store never writes one, so a
// visitor makes none and a request in flight cannot bring a destroyed one back.

declare module 'fastify' {
  interface Session {
    userId?: UserId
    provedAt?: number
  }
  interface FastifyInstance {
    /** Hashes of sessions that have ended while nothing could be saved: their rows are still there. */
    endedSessions: ReadonlySet<string>
  }
  interface FastifyContextConfig {
    /** It has nothing to do with anybody's session: no cookie is looked at. */
    sessionless?: boolean
  }
}

const [minute, hour] = [60_000, 3_600_000]
/** How long a session lasts unused, and in total (ASVS 7.3: shorter for people who may do more). */
const lifetimes = {
  user: { idle: 8 * hour, absolute: 7 * 24 * hour },
  support: { idle: 30 * minute, absolute: 12 * hour },
}

export default fp(async (app: FastifyInstance) => {
  const ended = new Set<string>()
  app.decorate('endedSessions', ended)
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.sessionless) delete request.headers.cookie
  })
  await app.register(cookie, { secret: app.secrets.cookies })
  await app.register(session, {
    secret: app.secrets.cookies,
    cookieName: cookieName(app.config, 'meshpanel'),
    cookie: cookieOptions(app.config),
    saveUninitialized: false,
    rolling: false,
    store: sessionStore(app.db, { storage: app.storage, now: app.now, clock: app.clock, ended }),
  })
  const panel = { storage: app.storage, clockIsWrong: () => app.clock.look() !== undefined }
  const stopForgetting = forgetHourly(panel, () => forgetSessions(app.db, app.now()))
  app.addHook('onClose', async () => stopForgetting())
})

const byHash = prepared((db, { hash }: Placeholders<{ hash: string }>) =>
  db
    .select({ session: sessions, operator: users.operator })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(equals(sessions.hash, hash))
    .prepare(),
)

/** Sessions are read, used and ended while nothing can be saved, too: this process then remembers what it could not write. */
function sessionStore(
  db: Db,
  { storage, now, clock, ended }: { storage: Storage; now: () => number; clock: Clock; ended: Set<string> },
): SessionStore {
  const seenAt = new Map<string, number>()
  return {
    get(id, callback) {
      const hash = hashToken(id)
      const row = byHash(db).get({ hash })
      if (!row || ended.has(hash)) return callback(null, null)

      const { idle, absolute } = row.operator ? lifetimes.support : lifetimes.user
      const { userId, provedAt, createdAt } = row.session
      const lastSeenAt = Math.max(row.session.lastSeenAt, seenAt.get(hash) ?? 0)
      if (now() - lastSeenAt > idle || now() - createdAt > absolute) {
        // A clock that is ahead ends no session for good.
        if (!clock.look()) end(hash)
        return callback(null, null)
      }
      if (now() - row.session.lastSeenAt > minute) touch(hash, userId)
      callback(null, { cookie: { originalMaxAge: null }, userId, provedAt })
    },
    set(_id, _session, callback) {
      callback()
    },
    destroy(id, callback) {
      end(hashToken(id))
      callback()
    },
  }

  function end(hash: string): void {
    const remove = () => {
      db.delete(sessions).where(eq(sessions.hash, hash)).run()
      ended.delete(hash)
      seenAt.delete(hash)
    }
    if (ended.has(hash) || storage.attempt(remove)) return
    ended.add(hash)
    storage.afterwards(remove)
  }

  function touch(hash: string, userId: UserId): void {
    const at = now()
    const update = () => {
      const idle = sql`max(${sessions.longestIdle}, ${at} - ${sessions.lastSeenAt})`
      db.update(sessions).set({ lastSeenAt: at, longestIdle: idle }).where(eq(sessions.hash, hash)).run()
      db.update(users).set({ lastSeenAt: at }).where(eq(users.id, userId)).run()
    }
    if (storage.attempt(update)) seenAt.delete(hash)
    else seenAt.set(hash, at)
  }
}

/** Deletes some of the sessions that are over. False if none are left. */
function forgetSessions(db: Db, now: number): boolean {
  const { idle, absolute } = lifetimes.user
  const over = or(lt(sessions.lastSeenAt, now - idle), lt(sessions.createdAt, now - absolute))
  return writeUnchecked(db, (tx) => deleteSome(tx, sessions, over)) > 0
}

/** The session’s owner has just confirmed who they are, perhaps by a second factor. */
export function noteProof(request: FastifyRequest, { secondFactor }: { secondFactor: boolean }): void {
  const { db, now } = request.server
  request.session.provedAt = now()
  db.update(sessions)
    .set({ provedAt: now(), longestIdle: 0, ...(secondFactor && { secondFactor }) })
    .where(eq(sessions.hash, sessionKey(request)))
    .run()
}

export type SignIn = {
  userId: UserId
  accountId: AccountId | null
  secondFactor?: boolean
  /** The user has never logged in with this browser: what tells them, within the transaction. */
  newBrowser?: ((tx: Db) => void) | undefined
  /** What went on before, as it was proved then: the password alone is not what this user proves it with. */
  goesOn?: { provedAt: number; longestIdle: number } | undefined
} & Proved

/**
 * Starts a session under a new id: for log-in, and for whatever else proves who somebody is. Proving takes a while,
 * so whether it still counts is read in the transaction. False where the user was disabled or the proof ended since.
 */
export async function signIn(
  request: FastifyRequest,
  { userId, accountId, secondFactor = false, newBrowser, goesOn, ...proof }: SignIn,
): Promise<boolean> {
  const { db, now } = request.server
  const sso = 'sso' in proof ? proof.sso : firstStepOf(request, userId)
  await request.session.regenerate()
  const started = writeUnchecked(db, (tx) => {
    const first = sso && stillProved(tx, userId, { sso })
    const proved = and(eq(users.id, userId), first, stillProved(tx, userId, proof), isNull(users.disabledAt))
    if (tx.update(users).set({ lastSeenAt: now() }).where(proved).run().changes === 0) return false
    const zone = zoneOfBrowser(request)
    // For e-mails: pages follow the browser that shows them.
    if (zone !== undefined)
      tx.update(users)
        .set({ timeZone: zone })
        .where(and(eq(users.id, userId), users.zoneByBrowser))
        .run()
    tx.insert(sessions)
      .values({
        hash: hashToken(request.session.sessionId),
        userId,
        activeAccountId: accountId,
        createdAt: now(),
        secondFactor,
        provedAt: goesOn?.provedAt ?? ('sso' in proof ? proof.sso.provedAt : now()),
        longestIdle: goesOn?.longestIdle ?? 0,
        lastSeenAt: now(),
        ip: request.ip,
        browser: (request.headers['user-agent'] ?? '').slice(0, 300),
        ...ofSso(sso),
        newBrowser: newBrowser !== undefined,
      })
      .run()
    newBrowser?.(tx)
    if (sso) tx.update(identities).set({ lastUsedAt: now() }).where(eq(identities.id, sso.identityId)).run()
    if (accountId !== null)
      tx.update(memberships)
        .set({ lastUsedAt: now() })
        .where(and(eq(memberships.accountId, accountId), eq(memberships.userId, userId)))
        .run()
    return true
  })
  if (started) request.session.userId = userId
  return started
}

/** The row of this request’s session. */
export function findSession(request: FastifyRequest) {
  return request.server.db
    .select()
    .from(sessions)
    .where(eq(sessions.hash, sessionKey(request)))
    .get()
}

/** Single sign-on as the first step of two: the session that is logged in completely belongs to it, too. */
function firstStepOf(request: FastifyRequest, userId: UserId): SsoProof | undefined {
  if (request.viewer?.halfSignedIn?.id !== userId) return undefined
  const row = findSession(request)
  if (!row || row.identityId === null) return undefined
  const { identityId, ssoSid, ssoFactors, ssoAccountId, provedAt } = row
  return { identityId, ssoSid, ssoFactors, ssoAccountId, provedAt }
}

/** What a session keeps of the single sign-on that began it. */
function ofSso(sso: SsoProof | undefined) {
  if (!sso) return {}
  const { provedAt: _, ...begun } = sso
  return begun
}

function stillProved(tx: Db, userId: UserId, proof: Proved) {
  if ('passwordHash' in proof) return eq(users.passwordHash, proof.passwordHash)
  if ('sso' in proof) {
    const where = and(eq(identities.id, proof.sso.identityId), eq(identities.userId, userId))
    return exists(tx.select({ id: identities.id }).from(identities).where(where))
  }
  const where = and(eq(passkeys.id, proof.passkeyId), eq(passkeys.userId, userId))
  return exists(tx.select({ id: passkeys.id }).from(passkeys).where(where))
}

/** Ends the session of this request, in the browser as well. */
export async function signOut(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { config } = request.server
  if (request.session.userId !== undefined) await request.session.destroy()
  reply.clearCookie(cookieName(config, 'meshpanel'), cookieOptions(config))
}

/** What forms of this request's session are bound to. */
export function sessionKey(request: FastifyRequest): string {
  return request.session.userId ? hashToken(request.session.sessionId) : 'visitor'
}
