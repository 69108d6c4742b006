import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, projects, users } from '../../src/db/schema.ts'
import { accountId, startApp, there, userId } from '../harness.ts'
import { program, tokenOf } from './program.ts'

// What programs delete, suspend and restore, on which version of it.

type Ask = ReturnType<typeof program>

for (const [who, account, path, admin, own] of [
  ['petra', 'cloudhaus', '/accounts/cloudhaus/customers/acme', 'stella', 'acme'],
  ['olga', null, '/support/accounts/direct', 'dora', 'direct'],
] as const)
  t.test(`${who}’s program deletes an account only with the projects that it has read`, async (t) => {
    const panel = await startApp(t)
    const ask = program(panel.app, tokenOf(panel, who, account))
    const inside = program(panel.app, tokenOf(panel, admin, own))
    const tagOf = async () => String((await ask('GET', path)).headers.etag)
    const read = await tagOf()
    await inside('POST', `/accounts/${own}/projects`, { name: 'Later' })
    const remove = (tag: string) => ask('DELETE', path, undefined, { 'if-match': tag })
    t.match((await remove(read)).body, { status: 412, type: /stale$/ })
    const alive = () =>
      panel.db
        .select()
        .from(projects)
        .where(eq(projects.accountId, accountId(panel, own)))
        .all()
        .filter(({ deletedAt }) => deletedAt === null).length
    t.ok(alive() > 0)

    // As many as before, but another one.
    const again = await tagOf()
    await inside('DELETE', `/accounts/${own}/projects/later`)
    await inside('POST', `/accounts/${own}/projects`, { name: 'Other' })
    t.equal((await remove(again)).status, 412)
    t.not(alive(), 0)

    const suspended = await ask('POST', `${path}/suspend`, { reason: 'Not paid' }, { 'if-match': again })
    t.equal(suspended.status, 200, 'a project is no change of the account itself')
    t.equal((await remove(String(suspended.headers.etag))).status, 204, 'what a change answers is a version, too')
    t.equal(alive(), 0)
  })

t.test('a repeat brings the version that the first answer had', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const suspend = () =>
    ask('POST', '/accounts/cloudhaus/customers/acme/suspend', { reason: 'Not paid' }, { 'idempotency-key': 'a' })
  const first = await suspend()
  const again = await suspend()
  t.equal(again.headers['idempotent-replayed'], 'true')
  t.ok(first.headers.etag)
  t.equal(again.headers.etag, first.headers.etag)
})

t.test('what was deleted is read at an address of its own, and restored as it was read', async (t) => {
  const panel = await startApp(t)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const olga = program(panel.app, tokenOf(panel, 'olga', null))
  const walks: [Ask, alive: string, list: string, deleted: string][] = [
    [
      petra,
      '/accounts/cloudhaus/customers/initech',
      '/accounts/cloudhaus/deleted-customers',
      '/accounts/cloudhaus/deleted-customers/initech',
    ],
    [stella, '/accounts/acme/projects/shop', '/accounts/acme/deleted-projects', '/accounts/acme/deleted-projects/shop'],
    [olga, '/support/accounts/direct', '/support/accounts?status=deleted', '/support/deleted-accounts/direct'],
  ]
  for (const [ask, alive, list, deleted] of walks) {
    t.equal((await ask('GET', deleted)).status, 404, 'it is not deleted yet')
    t.equal((await ask('DELETE', alive)).status, 204)
    t.equal((await ask('GET', alive)).status, 404)
    const one = await ask('GET', deleted)
    const identifier = alive.split('/').at(-1)
    t.match(one.body, { identifier, deleted_at: String, restorable_until: String })
    t.match((await ask('GET', list)).body.data, [{ identifier, deleted_at: one.body.deleted_at }])

    await ask('POST', `${alive}/restore`)
    panel.pass(60_000)
    await ask('DELETE', alive)
    const stale = await ask('POST', `${alive}/restore`, undefined, { 'if-match': String(one.headers.etag) })
    t.match(stale.body, { status: 412, type: /stale$/ }, 'it was deleted again since')
    const { headers } = await ask('GET', deleted)
    t.equal((await ask('POST', `${alive}/restore`, undefined, { 'if-match': String(headers.etag) })).status, 200)
    t.equal((await ask('GET', deleted)).status, 404)
  }
})

t.test('a deleted account is read by those who can restore it', async (t) => {
  const panel = await startApp(t)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const riva = program(panel.app, tokenOf(panel, 'riva', 'rival'))
  const olga = program(panel.app, tokenOf(panel, 'olga', null))
  await petra('DELETE', '/accounts/cloudhaus/customers/acme')
  t.equal((await petra('GET', '/accounts/cloudhaus/deleted-customers/acme')).status, 200)
  t.equal((await riva('GET', '/accounts/rival/deleted-customers/acme')).status, 404)
  t.equal((await olga('GET', '/support/deleted-accounts/acme')).status, 404, 'its partner restores it')
  await olga('POST', '/support/accounts/cloudhaus/suspend', { reason: 'Abuse' })
  t.equal((await olga('GET', '/support/deleted-accounts/acme')).status, 200, 'now nobody else can')
})

t.test('a program that restores an account learns that it has no admin', async (t) => {
  const panel = await startApp(t)
  for (const [who, account, path, admin] of [
    ['petra', 'cloudhaus', '/accounts/cloudhaus/customers/acme', 'stella'],
    ['olga', null, '/support/accounts/direct', 'dora'],
  ] as const) {
    const ask = program(panel.app, tokenOf(panel, who, account))
    const before = (await ask('GET', path)).body
    t.equal(before.admins, 1)
    t.equal((await ask('DELETE', path)).status, 204)
    const [id, disabledAt] = [userId(panel, admin), panel.app.now()]
    panel.db.update(users).set({ disabledAt }).where(eq(users.id, id)).run()
    t.match((await ask('POST', `${path}/restore`)).body, { users: before.users, admins: 0 })
  }
})

t.test('an account that is suspended for another reason keeps that one, and the program learns it', async (t) => {
  const panel = await startApp(t)
  for (const [who, account, path] of [
    ['petra', 'cloudhaus', '/accounts/cloudhaus/customers/acme'],
    ['olga', null, '/support/accounts/direct'],
  ] as const) {
    const ask = program(panel.app, tokenOf(panel, who, account))
    const suspend = (reason: string) => ask('POST', `${path}/suspend`, { reason })
    t.match((await suspend('Not paid')).body, { suspension: { reason: 'Not paid' } })
    t.equal((await suspend('Not paid')).status, 200, 'it is as it was asked for')
    const other = await suspend('Abuse')
    t.match(other.body, { status: 409, type: /conflict$/, detail: /suspended it already, for “Not paid”/ })
    t.match((await ask('GET', path)).body, { suspension: { reason: 'Not paid' } })
  }
  // Both sides suspend for themselves.
  const olga = program(panel.app, tokenOf(panel, 'olga', null))
  t.equal((await olga('POST', '/support/accounts/acme/suspend', { reason: 'Abuse' })).status, 200)
  const both = there(
    panel.db
      .select()
      .from(accounts)
      .where(eq(accounts.id, accountId(panel, 'acme')))
      .get(),
  )
  t.match(both, { suspendedReason: 'Not paid', supportSuspendedReason: 'Abuse' })
})
