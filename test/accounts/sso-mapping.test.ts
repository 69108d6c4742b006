import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { changeRole, countAdmins, findMember } from '../../src/accounts/members/data.ts'
import { readGroups } from '../../src/accounts/sso/claims.ts'
import { addDomain, noteCheck, removeDomain } from '../../src/accounts/sso/data/domains.ts'
import { addGroup, type GroupWish, removeGroup } from '../../src/accounts/sso/data/groups.ts'
import { joinByProvider, mapGroups } from '../../src/accounts/sso/data/mapping.ts'
import { saveAccountProvider, setNewPeople } from '../../src/accounts/sso/data/provider.ts'
import type { AccountId, ProjectId, UserId } from '../../src/db/ids.ts'
import { accounts, projectAccess, projects, records, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { deleteUser } from '../../src/people/leaving/data.ts'
import { giveAccess } from '../../src/projects/access/data/giving.ts'
import { type Actor, byItself } from '../../src/records/record.ts'
import { accountId, startApp, userId } from '../harness.ts'

const issuer = 'https://id.acme.example/'

/** Acme with a provider that counts, whose groups decide. */
async function world(t: Test, newPeople: 'off' | 'user' | 'groups' = 'groups') {
  const panel = await startApp(t)
  const { db } = panel
  const acme = accountId(panel, 'acme')
  const at = panel.app.now()
  const admin: Actor = { ...byItself(at), userId: userId(panel, 'stella'), accountId: acme }
  const provide = (id: AccountId, domain: string, at = issuer) => {
    const wanted = { issuer: at, clientId: 'panel', clientSecret: 'sealed', emailTrusted: false, version: 0 }
    saveAccountProvider(db, admin, id, wanted)
    const added = addDomain(db, admin, id, domain)
    if (typeof added !== 'object') throw new Error(added)
    noteCheck(db, admin, added, true)
    setNewPeople(db, admin, id, { newPeople, groupClaim: 'groups', version: 1 })
    return added
  }
  const domain = provide(acme, 'acme.example')
  const project = (identifier: string) =>
    db.select().from(projects).where(eq(projects.identifier, identifier)).get()?.id as ProjectId
  const rule = (value: string, wish: Partial<GroupWish> = {}, id = acme) =>
    addGroup(db, admin, id, { value, role: 'member', projectId: null, projectRole: null, ...wish })
  const says = (groups: unknown) => ({ accountId: acme, issuer, claims: { groups } })
  const come = (groups: unknown, email = 'nina@acme.example') =>
    joinByProvider(db, byItself(at), { ...says(groups), email, name: 'Nina New' })
  const again = (who: UserId, groups: unknown, claims: object = { groups }) =>
    mapGroups(db, byItself(at), { ...says(groups), claims: claims as Record<string, unknown>, userId: who })
  const role = (who: UserId, id = acme) => findMember(db, id, who)?.role
  const access = (who: UserId) =>
    db
      .select({ projectId: projectAccess.projectId, role: projectAccess.role })
      .from(projectAccess)
      .where(eq(projectAccess.userId, who))
      .all()
  const last = () => db.select().from(records).all().at(-1)
  return { panel, db, acme, admin, provide, domain, project, rule, come, again, role, access, last }
}

t.test(
  'a person whose group has a rule becomes a user; each login gives and takes what the groups say now',
  async (t) => {
    const { db, acme, project, rule, come, again, role, access, last } = await world(t)
    rule('staff')
    rule('web', { projectId: project('website'), projectRole: 'user' })
    rule('leads', { role: 'admin', projectId: project('website'), projectRole: 'admin' })
    t.equal(come(['nobody']), undefined, 'no group has a rule')
    const nina = come(['staff', 'web'])
    if (!nina) throw new Error('she is not let in')
    t.match(nina, { email: 'nina@acme.example', name: 'Nina New', passwordHash: '', operator: false })
    t.equal(role(nina.id), 'member')
    t.same(access(nina.id), [{ projectId: project('website'), role: 'user' }])
    const joined = db.select().from(records).where(eq(records.kind, 'member.joined-by-sso')).all()
    t.match(joined, [{ accountId: acme, userId: nina.id, actorId: nina.id }])

    again(nina.id, ['staff', 'web', 'leads'])
    t.equal(role(nina.id), 'admin', 'the highest role of all')
    t.same(access(nina.id), [{ projectId: project('website'), role: 'admin' }])
    again(nina.id, ['staff'])
    t.equal(role(nina.id), 'member')
    t.same(access(nina.id), [])
    const rows = db.select().from(records).all().length
    again(nina.id, ['staff'])
    t.equal(db.select().from(records).all().length, rows, 'the same again is nothing')
    again(nina.id, ['other'])
    t.equal(role(nina.id), undefined, 'no group any more')
    t.match(last(), { kind: 'member.removed-by-sso', userId: nina.id, actorId: null })
    again(nina.id, ['staff'])
    t.equal(role(nina.id), 'member', 'and back')
  },
)

t.test('the mapping neither takes nor demotes the last admin, nor anybody whom it did not let in', async (t) => {
  const { panel, db, acme, admin, project, rule, come, again, role, access } = await world(t)
  const [stella, tom] = [userId(panel, 'stella'), userId(panel, 'tom')]
  rule('leads', { role: 'admin' })
  rule('staff')
  giveAccess(db, admin, { accountId: acme, projectId: project('website') }, { userIds: [tom], role: 'reader' })
  const before = access(tom)
  for (const groups of [['leads'], ['staff'], [], undefined]) {
    again(tom, groups)
    again(stella, groups)
    t.same([role(tom), role(stella)], ['member', 'admin'], 'invited people keep what they have')
    t.same(access(tom), before)
  }
  const nina = come(['leads'])
  if (!nina) throw new Error('she is not let in')
  const { version } = findMember(db, acme, stella) ?? { version: 0 }
  changeRole(db, admin, { accountId: acme, userId: stella }, { role: 'member', version })
  t.equal(countAdmins(db, acme), 1)
  for (const groups of [['staff'], [], 'none']) {
    again(nina.id, groups)
    t.equal(role(nina.id), 'admin', 'the last admin stays')
  }
  const second = come(['leads'], 'nick@acme.example')
  if (!second) throw new Error('he is not let in')
  again(nina.id, [])
  t.equal(role(nina.id), undefined, 'with another admin, she goes')
  again(second.id, [])
  t.equal(countAdmins(db, acme), 1)
})

t.test('who got a role by hand, or accepted an invitation, keeps it', async (t) => {
  const { panel, db, acme, admin, rule, come, again, role } = await world(t)
  rule('staff')
  const nina = come('staff')
  if (!nina) throw new Error('she is not let in')
  const stella = await panel.signIn('stella')
  const { version } = findMember(db, acme, nina.id) ?? { version: 0 }
  changeRole(db, admin, { accountId: acme, userId: nina.id }, { role: 'admin', version })
  again(nina.id, ['staff'])
  t.equal(role(nina.id), 'admin')
  again(nina.id, [])
  t.equal(role(nina.id), 'admin')

  const nick = come('staff', 'nick@acme.example')
  if (!nick) throw new Error('he is not let in')
  t.match((await stella.submit('/customer/users', 'Invite', { name: 'Nick', email: 'nick@acme.example' })).status, 422)
  again(nick.id, [])
  t.equal(role(nick.id), undefined, 'a member is not invited, and goes')
})

t.test('somebody who is deleted and comes again is a new person', async (t) => {
  const { panel, db, rule, come, again, role } = await world(t)
  rule('staff')
  const nina = come(['staff'])
  if (!nina) throw new Error('she is not let in')
  t.equal(come(['staff']), undefined, 'her address has a user: whose login it is, others decide')
  const { secrets, eraseTraces } = panel.app
  const erasing = { secrets, removeFiles: () => undefined, eraseTraces }
  t.equal(deleteUser(db, byItself(panel.app.now()), nina.id, erasing), 'deleted')
  t.equal(role(nina.id), undefined)
  again(nina.id, ['staff'])
  t.equal(role(nina.id), undefined, 'nothing comes back to the one who is gone')
  const other = come(['staff'])
  t.not(other?.id, nina.id)
  t.equal(role(other?.id as UserId), 'member')
})

t.test('whatever the claim is, nothing breaks, and only texts are groups', async (t) => {
  const { rule, come, again, role } = await world(t)
  for (const value of ['staff', 'true', '7', '[object Object]', 'null', '__proto__']) rule(value)
  const claims = (groups: unknown) => [...(readGroups({ groups }, 'groups') ?? [])]
  t.same(claims('staff'), ['staff'])
  t.same(claims(['a', 7, null, { a: 1 }, ['b'], 'c']), ['a', 'c'])
  for (const odd of [7, true, null, {}, [[]], undefined]) t.same(claims(odd), [])
  t.same([...(readGroups({}, 'toString') ?? [])], [], 'nothing that every object has')
  t.equal(readGroups({ groups: ['staff'] }, null), undefined)
  const huge = Array.from({ length: 100_000 }, (_, n) => `group-${n}`)
  const nina = come([...huge, 'staff'])
  if (!nina) throw new Error('she is not let in')
  again(nina.id, undefined, { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://x' } } })
  t.equal(role(nina.id), 'member', 'groups that are only to be had elsewhere take nothing')
  again(nina.id, true)
  t.equal(role(nina.id), undefined, 'true is no group')
  for (const odd of [7, true, null, { staff: true }, [['staff']], huge])
    t.equal(come(odd, 'nick@acme.example'), undefined)
})

t.test('a mapping never reaches beyond its account, its proved domains and its own provider', async (t) => {
  const { panel, db, acme, admin, provide, domain, project, rule, come, again, role, access } = await world(t)
  const cloudhaus = accountId(panel, 'cloudhaus')
  const foreign = db
    .select()
    .from(projects)
    .all()
    .find((each) => each.accountId !== acme)
  if (foreign)
    t.equal(rule('staff', { projectId: foreign.id, projectRole: 'admin' }), undefined, 'a project of another account')
  rule('staff', { role: 'admin' })
  rule('web', { projectId: project('website'), projectRole: 'user' })
  const before = panel.rows()
  t.equal(come(['staff'], 'nina@other.example'), undefined, 'an address of no domain of its own')
  const asked = { issuer, claims: { groups: ['staff'] }, email: 'nina@acme.example', name: 'Nina' }
  t.equal(joinByProvider(db, admin, { ...asked, accountId: cloudhaus }), undefined, 'another account')
  t.equal(joinByProvider(db, admin, { ...asked, accountId: acme, issuer: 'https://evil.example/' }), undefined)
  for (const who of ['petra', 'olga', 'dora'] as const) again(userId(panel, who), ['staff'])
  t.same(panel.rows().memberships, before.memberships, 'people of other domains')
  t.same(panel.rows().users, before.users)

  const nina = come(['staff', 'web'])
  if (!nina) throw new Error('she is not let in')
  const everywhere = () => panel.rows().memberships?.filter((row) => (row as { user_id: number }).user_id === nina.id)
  t.match(everywhere(), [{ account_id: acme }], 'in one account')

  db.update(projects)
    .set({ deletedAt: 1 })
    .where(eq(projects.id, project('website')))
    .run()
  const nick = come(['web'], 'nick@acme.example')
  t.equal(role(nick?.id as UserId), 'member')
  t.same(access(nick?.id as UserId), [], 'no access to a deleted project')

  db.update(accounts).set({ supportSuspendedAt: 1 }).where(eq(accounts.id, acme)).run()
  again(nina.id, [])
  t.equal(role(nina.id), 'admin', 'a suspended account sleeps')
  t.equal(come(['staff'], 'ned@acme.example'), undefined)
  db.update(accounts).set({ supportSuspendedAt: null }).where(eq(accounts.id, acme)).run()
  removeDomain(db, admin, { accountId: acme, id: domain.id })
  provide(cloudhaus, 'acme.example', 'https://other.example/')
  again(nina.id, [])
  t.equal(role(nina.id), 'admin', 'the domain is another account’s now')
  t.equal(come(['staff'], 'ned@acme.example'), undefined)
})

t.test('without groups, new people become users; where nobody is let in, nobody is', async (t) => {
  const { panel, db, acme, rule, come, again, role } = await world(t, 'user')
  const added = rule('staff', { role: 'admin' })
  const nina = come(undefined)
  if (!nina) throw new Error('she is not let in')
  t.equal(role(nina.id), 'member')
  again(nina.id, ['staff'])
  again(nina.id, [])
  t.equal(role(nina.id), 'member', 'groups count for nothing')
  t.equal(come(undefined, cast.tom.email), undefined, 'an address that somebody has')
  if (typeof added === 'object') removeGroup(db, { ...byItself(1) }, { accountId: acme, id: added.id })
  panel.db.update(users).set({ disabledAt: 1 }).where(eq(users.id, nina.id)).run()
  again(nina.id, ['staff'])
  t.equal(role(nina.id), 'member')
  const { come: comeToo } = await world(t, 'off')
  t.equal(comeToo(['staff']), undefined)
})
