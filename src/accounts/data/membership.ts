import { and, eq, isNotNull, isNull, type Placeholder, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { accountSecurity, accounts, apiTokens, memberships, serviceUsers, sessions, users } from '../../db/schema.ts'
import { suspensionOf } from '../../db/suspension.ts'
import { untilWritten } from '../../db/unchanged.ts'
import type { AccountRules, ActiveAccount, DeletedAccount } from '../../web/request/viewer.ts'
import { partnerActs } from './caretaker.ts'

const partner = alias(accounts, 'partner')

const memberOf = {
  id: accounts.id,
  kind: accounts.kind,
  name: accounts.name,
  identifier: accounts.identifier,
  suspendedAt: accounts.suspendedAt,
  suspendedReason: accounts.suspendedReason,
  supportSuspendedAt: accounts.supportSuspendedAt,
  supportSuspendedReason: accounts.supportSuspendedReason,
}
export const accountRules = {
  networks: accountSecurity.networks,
  secondFactorFrom: accountSecurity.secondFactorFrom,
  sessionTime: accountSecurity.sessionTime,
  idleTime: accountSecurity.idleTime,
}
const ofPartner = {
  name: partner.name,
  supportSuspendedAt: partner.supportSuspendedAt,
  supportSuspendedReason: partner.supportSuspendedReason,
}
/** 1 where the partner's suspension is left to Support. */
const leftToSupport = sql<number | null>`accounts.suspended_at is not null and not (${partnerActs})`
const asMember = { role: memberships.role, fromPartner: memberships.fromPartner }

const membership = prepared((db, { userId, accountId }: Placeholders<{ userId: UserId; accountId: AccountId }>) =>
  db
    .select({ account: memberOf, membership: asMember, partner: ofPartner, leftToSupport, rules: accountRules })
    .from(memberships)
    .innerJoin(accounts, and(eq(accounts.id, memberships.accountId), isNull(accounts.deletedAt)))
    .leftJoin(accountSecurity, eq(accountSecurity.accountId, accounts.id))
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(equals(memberships.userId, userId), equals(memberships.accountId, accountId)))
    .prepare(),
)

/** An account as its member sees it; undefined for everybody else, and once it is deleted. */
export function findMembership(db: Db, userId: UserId, accountId: AccountId): ActiveAccount | undefined {
  const row = membership(db).get({ userId, accountId })
  return row && activeAccount(row.account, row.membership, row)
}

type RowOf<Fields extends Record<string, { _: { data: unknown; notNull: boolean } }>> = {
  [Name in keyof Fields]: Fields[Name]['_']['data'] | (Fields[Name]['_']['notNull'] extends true ? never : null)
}

/** What belongs to an account besides its row. */
type Around = { partner: RowOf<typeof ofPartner> | null; leftToSupport: number | null; rules: AccountRules | null }

function activeAccount(
  { id, kind, name, identifier, ...suspension }: RowOf<typeof memberOf>,
  { role, fromPartner }: RowOf<typeof asMember>,
  { partner, leftToSupport, rules }: Around,
): ActiveAccount {
  const sleeping =
    fromPartner && partner?.supportSuspendedAt
      ? ({ by: 'support', reason: partner.supportSuspendedReason ?? '', ofPartner: true } as const)
      : null
  return {
    id,
    kind,
    name,
    identifier,
    role,
    fromPartner,
    suspension: suspensionOf(suspension) ?? sleeping,
    partnerName: partner?.name ?? null,
    leftToSupport: leftToSupport === 1,
    rules,
  }
}

const viewingUser = (host: Placeholder<string, string>) => ({
  id: users.id,
  name: users.name,
  email: users.email,
  emailProvedAt: users.emailProvedAt,
  operator: users.operator,
  service: users.service,
  totpSecret: users.totpSecret,
  hasPasskey: sql<number>`exists (select 1 from passkeys as own where own.user_id = ${users.id} and own.host = ${host})`,
  theme: users.theme,
  timeZone: users.timeZone,
  zoneByBrowser: users.zoneByBrowser,
  numbers: users.numbers,
})

/** Passkeys count at the host where they can be used. */
type Session = { hash: string; host: string }

function selectViewer(db: Db, { hash, host }: Placeholders<Session>, account: SQLWrapper) {
  return db
    .select({
      user: viewingUser(host),
      secondFactor: sessions.secondFactor,
      ssoFactors: sessions.ssoFactors,
      activeAccountId: sessions.activeAccountId,
      account: memberOf,
      membership: asMember,
      partner: ofPartner,
      leftToSupport,
      provedAt: sessions.provedAt,
      longestIdle: sessions.longestIdle,
      rules: accountRules,
    })
    .from(sessions)
    .innerJoin(users, and(eq(users.id, sessions.userId), isNull(users.disabledAt)))
    .leftJoin(memberships, and(eq(memberships.userId, users.id), eq(memberships.accountId, account)))
    .leftJoin(accounts, and(eq(accounts.id, memberships.accountId), isNull(accounts.deletedAt)))
    .leftJoin(accountSecurity, eq(accountSecurity.accountId, accounts.id))
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(equals(sessions.hash, hash))
}

/** The account is the session's active one, or the one that a request acts in. */
const viewingActive = prepared((db, session: Placeholders<Session>) =>
  selectViewer(db, session, sessions.activeAccountId).prepare(),
)
const viewingIn = prepared((db, values: Placeholders<Session & { accountId: AccountId }>) =>
  selectViewer(db, values, values.accountId).prepare(),
)

/**
 * Whose session it is, and their standings in its active account or in `accountId`. Undefined if the session has ended
 * or its user is disabled.
 */
export function findSessionViewer(db: Db, session: Session, accountId?: AccountId) {
  const row = accountId === undefined ? viewingActive(db).get(session) : viewingIn(db).get({ ...session, accountId })
  if (!row) return undefined
  const { account, membership, partner, leftToSupport, rules, ...rest } = row
  return { ...rest, account: account && membership ? activeAccount(account, membership, row) : undefined }
}

const viewingByToken = prepared((db, { hash, host }: Placeholders<Session>) =>
  db
    .select({
      token: {
        id: apiTokens.id,
        firstId: apiTokens.firstId,
        scopes: apiTokens.scopes,
        networks: apiTokens.networks,
        fromPartner: apiTokens.fromPartner,
        accountId: apiTokens.accountId,
        expiresAt: apiTokens.expiresAt,
        lastUsedAt: apiTokens.lastUsedAt,
      },
      user: viewingUser(host),
      account: memberOf,
      membership: asMember,
      service: { role: serviceUsers.role },
      partner: ofPartner,
      leftToSupport,
      rules: accountRules,
    })
    .from(apiTokens)
    .innerJoin(users, and(eq(users.id, apiTokens.userId), isNull(users.disabledAt)))
    .leftJoin(accounts, and(eq(accounts.id, apiTokens.accountId), isNull(accounts.deletedAt)))
    .leftJoin(memberships, and(eq(memberships.userId, users.id), eq(memberships.accountId, accounts.id)))
    .leftJoin(serviceUsers, and(eq(serviceUsers.userId, users.id), eq(serviceUsers.accountId, accounts.id)))
    .leftJoin(accountSecurity, eq(accountSecurity.accountId, accounts.id))
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(equals(apiTokens.hash, hash), isNull(apiTokens.endedAt)))
    .prepare(),
)

/**
 * A token that has not been ended, its user and the account that it acts in: none for one of Support. Undefined once the user is
 * disabled, has left the account or Support, or the account is deleted.
 */
export function findTokenViewer(db: Db, token: Session) {
  return tokenViewers(db, `${token.hash} ${token.host}`, () => tokenViewerOf(db, token))
}

const tokenViewers = untilWritten<ReturnType<typeof tokenViewerOf>>()

function tokenViewerOf(db: Db, token: Session) {
  const row = viewingByToken(db).get(token)
  if (!row) return undefined
  const { account, membership, service, partner, leftToSupport, rules, ...rest } = row
  if (rest.token.accountId === null) return rest.user.operator ? { ...rest, account: undefined } : undefined
  const as = membership ?? (service && { ...service, fromPartner: rest.token.fromPartner })
  return as && account ? { ...rest, account: activeAccount(account, as, row) } : undefined
}

/** Whether an account of a user asks for a second factor, now or later. */
export function worksWithSecondFactor(db: Db, userId: UserId): boolean {
  const asks = and(eq(memberships.userId, userId), isNotNull(accountSecurity.secondFactorFrom))
  const rows = db
    .select({ one: accountSecurity.accountId })
    .from(accountSecurity)
    .innerJoin(memberships, eq(memberships.accountId, accountSecurity.accountId))
  return rows.where(asks).limit(1).get() !== undefined
}

function selectDeleted(db: Db, which: SQL | undefined) {
  return db
    .select({ name: accounts.name, identifier: accounts.identifier, restorer: partner.name })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .leftJoin(partner, and(eq(partner.id, accounts.partnerId), partnerActs))
    .where(and(which, isNotNull(accounts.deletedAt)))
}

/** A deleted account as somebody sees it who is a member of it until it is purged; undefined for everybody else. */
export function findDeletedMembership(db: Db, userId: UserId, accountId: AccountId): DeletedAccount | undefined {
  return selectDeleted(db, and(eq(memberships.userId, userId), eq(memberships.accountId, accountId))).get()
}
