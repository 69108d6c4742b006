import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { AccountId, ProjectId, UserId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { memberships, projectAccess, projects, users } from '../../../db/schema.ts'
import { createUser, findUserByEmail, type User } from '../../../people/data/users.ts'
import type { ProjectRole, Role } from '../../../policy.ts'
import { addAccess } from '../../../projects/access/data/giving.ts'
import { type Actor, byItself, record } from '../../../records/record.ts'
import { adminRole } from '../../../roles.ts'
import { domainOf } from '../../../web/fields.ts'
import { endSent } from '../../endings/data/acts.ts'
import { endMembership } from '../../endings/data/ending.ts'
import { addMember, findMember, mayDemote } from '../../members/data.ts'
import { readGroups } from '../claims.ts'
import { listGroups } from './groups.ts'
import { type AccountProvider, findProviderOfDomain } from './provider.ts'

// What an account’s provider says about somebody’s groups, and what they become by it. It decides about what it made itself, and
// about nothing else: whoever was invited, or whose role was changed by hand, keeps what they have.

/** Who has logged in with which account’s provider, and what it says about them. `accountId` is whose provider it is. */
export type Mapped = { accountId: AccountId; issuer: string; claims: Record<string, unknown> }

type Place = { accountId: AccountId; userId: UserId }
type Wanted = { role: Role | undefined; projects: Map<ProjectId, ProjectRole> }

/**
 * Lets in somebody whom the panel does not know, without a password. Undefined where the account does not want that, or none of their
 * groups has a rule, or their address is in no domain that is proved for the account now, or somebody has it.
 */
export function joinByProvider(
  db: Db,
  actor: Actor,
  { email, name, ...mapped }: Mapped & { email: string; name: string },
): User | undefined {
  return write(db, actor, (tx) => {
    const provider = countingProvider(tx, mapped, email)
    if (!provider || provider.newPeople === 'off' || findUserByEmail(tx, email)) return undefined
    if (provider.newPeople === 'groups' && wantedBy(tx, provider, mapped.claims)?.role === undefined) return undefined
    const user = createUser(tx, actor, { email, name, passwordHash: '', emailProved: true })
    if (user === 'taken') return undefined
    if (provider.newPeople === 'groups') mapGroups(tx, actor, { ...mapped, userId: user.id })
    else join(tx, actor, { accountId: mapped.accountId, userId: user.id }, 'member')
    return user
  })
}

/**
 * Gives somebody what the groups say that the provider names now, and takes what they no longer say, in its account alone. Nothing
 * where the account does not go by groups, their address is in no domain that is proved for it now, or the provider does
 * not send the groups along.
 */
export function mapGroups(db: Db, actor: Actor, { userId, ...mapped }: Mapped & { userId: UserId }): void {
  write(db, actor, (tx) => {
    const user = tx
      .select()
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.disabledAt)))
      .get()
    const provider = user && countingProvider(tx, mapped, user.email)
    const wanted = provider?.newPeople === 'groups' ? wantedBy(tx, provider, mapped.claims) : undefined
    if (!wanted) return
    const place = { accountId: mapped.accountId, userId }
    // No person has decided it.
    const panel = { ...byItself(actor.at), ip: actor.ip, requestId: actor.requestId }
    setRole(tx, { actor, panel }, place, wanted.role)
    if (findMember(tx, place.accountId, userId)) setAccess(tx, panel, place, wanted.projects)
  })
}

/** The provider, if it is still the account’s and may still sign in people of this address. */
function countingProvider(tx: Db, { accountId, issuer }: Mapped, email: string): AccountProvider | undefined {
  const there = findProviderOfDomain(tx, domainOf(email))?.provider
  return there?.accountId === accountId && there.issuer === issuer ? there : undefined
}

const rank: Record<ProjectRole, number> = { reader: 0, user: 1, admin: 2 }

/** What the rules make of somebody: the highest role of all that hold. Undefined where nobody can say. */
function wantedBy(tx: Db, provider: AccountProvider, claims: Mapped['claims']): Wanted | undefined {
  const groups = readGroups(claims, provider.groupClaim)
  if (!groups) return undefined
  const rules = listGroups(tx, provider.accountId).filter(({ value }) => groups.has(value))
  const wanted: Wanted = { role: undefined, projects: new Map() }
  for (const { role, projectId, projectRole } of rules) {
    if (wanted.role !== adminRole) wanted.role = role
    if (projectId === null || projectRole === null) continue
    const before = wanted.projects.get(projectId)
    if (before === undefined || rank[projectRole] > rank[before]) wanted.projects.set(projectId, projectRole)
  }
  return wanted
}

function join(tx: Db, actor: Actor, place: Place, role: Role): void {
  addMember(tx, { ...actor, userId: place.userId }, { ...place, role, mapped: true }, 'member.joined-by-sso')
}

function setRole(tx: Db, { actor, panel }: { actor: Actor; panel: Actor }, place: Place, role: Role | undefined): void {
  const { accountId, userId } = place
  const member = findMember(tx, accountId, userId)
  if (!member) {
    if (role !== undefined) join(tx, actor, place, role)
    return
  }
  const where = and(eq(memberships.accountId, accountId), eq(memberships.userId, userId))
  const isMapped = tx.select({ mapped: memberships.mapped }).from(memberships).where(where).get()?.mapped
  if (!isMapped || member.role === role) return
  // The account keeps an admin, whatever the provider says.
  if (member.role === adminRole && !mayDemote(tx, accountId, member)) return
  if (role === undefined) {
    endMembership(tx, panel, place, { exit: 'member.removed-by-sso' })
    return
  }
  tx.update(memberships)
    .set({ role, version: sql`${memberships.version} + 1` })
    .where(where)
    .run()
  record(tx, panel, { kind: 'member.role-changed', ...place, change: { role: [member.role, role] } })
  if (role !== adminRole) endSent(tx, panel, userId, { from: accountId })
}

/** Access to a project that is deleted now is left as it is. */
function setAccess(tx: Db, panel: Actor, { accountId, userId }: Place, wanted: Wanted['projects']): void {
  const there = tx
    .select({ projectId: projectAccess.projectId, role: projectAccess.role, mapped: projectAccess.mapped })
    .from(projectAccess)
    .where(and(eq(projectAccess.accountId, accountId), eq(projectAccess.userId, userId)))
    .all()
  for (const { projectId, role, mapped } of there) {
    const now = wanted.get(projectId)
    if (!mapped || now === role) continue
    const seat = { accountId, projectId, userId }
    const where = and(eq(projectAccess.projectId, projectId), eq(projectAccess.userId, userId))
    if (now === undefined) tx.delete(projectAccess).where(where).run()
    else
      tx.update(projectAccess)
        .set({ role: now, version: sql`${projectAccess.version} + 1` })
        .where(where)
        .run()
    const kind = now === undefined ? 'access.removed' : 'access.role-changed'
    record(tx, panel, { kind, ...seat, change: { role: [role, now ?? null] } })
  }
  const missing = [...wanted.keys()].filter((id) => !there.some(({ projectId }) => projectId === id))
  for (const { id } of listLiving(tx, accountId, missing))
    addAccess(tx, panel, { accountId, projectId: id, userId, mapped: true }, wanted.get(id) ?? 'reader')
}

const listLiving = (tx: Db, accountId: AccountId, ids: ProjectId[]) =>
  tx
    .select({ id: projects.id })
    .from(projects)
    .where(and(eq(projects.accountId, accountId), inArray(projects.id, ids), isNull(projects.deletedAt)))
    .all()
