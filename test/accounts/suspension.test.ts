import { eq } from 'drizzle-orm'
import t from 'tap'
import { invitations, letters, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { type Client, type Panel, startApp } from '../harness.ts'
import { until } from '../smtp.ts'

const suspend = (petra: Client) =>
  petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'The bill of May is open.' })
const resume = (petra: Client) => petra.submit('/partner/customers', 'Resume', {}, 'acme')

/** All that is Acme's, except the account's own row, its records and its e-mails. */
function belongings(panel: Panel) {
  const { memberships, projects, project_access, invitations, limits, quota_requests, import_rows } = panel.rows()
  return { memberships, projects, project_access, invitations, limits, quota_requests, import_rows }
}

t.test('suspending deletes nothing, and resuming gives everything back as it was', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, tom] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('tom')]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '4', cores: '16' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '8' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '20', reason: 'Growth' })
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  const [tab, before] = [await stella.get('/projects/website'), belongings(panel)]
  await suspend(petra)
  t.strictSame(belongings(panel), before)
  for (const path of [
    '/projects',
    '/projects/website',
    '/customer/users',
    '/customer/quotas',
    '/customer/account/export',
  ])
    t.match(
      (await stella.get(path)).text,
      /Acme is suspended.*The bill of May is open\..*Cloudhaus, who looks after/,
      path,
    )
  t.equal((await stella.press(tab, 'Save quotas', { cores: '1' })).status, 403, 'an open tab can do nothing more')
  t.match((await tom.get('/')).text, 'Acme is suspended')
  t.strictSame(belongings(panel), before)
  await resume(petra)
  t.equal((await stella.get('/projects/website')).amount('cores'), 8)
  t.equal((await tom.get('/projects/website')).status, 200)
})

t.test('a partner and Support suspend each for themselves, and lift only their own', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, stella] = [await panel.signIn('olga'), await panel.signIn('petra'), await panel.signIn('stella')]
  await suspend(petra)
  t.match((await stella.get('/')).text, /Acme is suspended.*The bill of May is open\..*Cloudhaus, who looks after/)
  const path = '/support/accounts/acme/suspension'
  t.equal((await olga.get('/support/accounts')).link('Suspend as Support', 'acme'), path)
  const form = await olga.get(path)
  t.match((await olga.submitAndFollow(path, 'Suspend', { reason: 'Abuse' })).notice, 'Acme is suspended.')
  await olga.press(form, 'Suspend', { reason: 'Once more' })
  t.match((await stella.get('/')).text, /Abuse.*Support/)
  t.match((await olga.get('/support/history?family=account')).row('suspended Acme'), 'Abuse')

  t.match(
    (await petra.submitAndFollow('/partner/customers', 'Resume', {}, 'acme')).notice,
    'Your suspension of Acme was lifted. Support has suspended Acme, and only Support can resume that.',
  )
  t.match((await stella.get('/projects')).text, /Acme is suspended.*Abuse/)
  await suspend(petra)
  t.match(
    (await olga.submitAndFollow('/support/accounts', 'Resume', {}, 'acme')).notice,
    'Your suspension of Acme was lifted. Acme stays suspended by its partner, and only the partner can resume that. Moving it to another partner, or to none, ends that suspension.',
  )
  t.match((await stella.get('/projects')).text, /Acme is suspended.*The bill of May/)
  await olga.post('/support/accounts/acme/suspension/removal')
  t.match((await stella.get('/projects')).text, /Acme is suspended.*The bill of May/)
  await resume(petra)
  t.equal((await stella.get('/projects')).status, 200)
})

t.test(
  'an invitation to a suspended account waits: it cannot be accepted, says why, and works again later',
  async (t) => {
    const panel = await startApp(t)
    const [petra, stella, nils] = [
      await panel.signIn('petra'),
      await panel.signIn('stella'),
      await panel.signIn('nils'),
    ]
    await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
    await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
    const copied = await stella.submit('/customer/users', 'Copy link', {}, 'nora@acme.example')
    const link = /\/invitations\/[\w-]{43}/.exec(copied.body)?.[0] ?? ''
    const visitor = panel.visit()
    const [open, home] = [await visitor.get(link), await nils.get('/')]
    await suspend(petra)
    const before = belongings(panel)

    const words = 'correct horse battery staple'
    const refused = await visitor.press(open, 'Accept invitation', { name: 'Nora', password: words, repeated: words })
    t.equal(refused.status, 409)
    t.match(refused.problem, 'Acme is suspended. The invitation stays open until')
    t.match(refused.text, 'Ask Stella (stella@acme.example).')
    await nils.press(home, 'Accept')
    t.match(
      (await nils.get('/')).text,
      'invites you to Acme as Customer User. The account is suspended. You can accept once it is resumed.',
    )
    t.notOk((await nils.get('/')).hasButton('Accept'))
    t.strictSame(belongings(panel), before, 'nobody has joined')
    await resume(petra)
    t.match((await nils.submitAndFollow('/', 'Accept')).activeAccount, 'Acme')
    const joined = await visitor.submit(link, 'Accept invitation', { name: 'Nora', password: words, repeated: words })
    t.equal(joined.status, 303)
    t.same(
      panel.db
        .select()
        .from(invitations)
        .all()
        .map(({ state }) => state),
      ['accepted', 'accepted'],
    )
  },
)

t.test('a running import of an account stops when that is suspended, and says so', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  const rows = Array.from({ length: 3_000 }, (_, n) => `Guest ${n},guest${n}@acme.example`)
  const bytes = Buffer.from(`name,e-mail\n${rows.join('\n')}`)
  const checked = await stella.upload('/customer/imports', 'Check the file', { name: 'guests.csv', bytes })
  const page = await petra.get('/partner/customers/acme/suspension')
  await stella.press(checked, 'Import 3,000 users')
  await petra.press(page, 'Suspend', { reason: 'The bill of May is open.' })
  await until('it has stopped', () => (panel.rows().imports as { state: string }[])[0]?.state === 'stopped')
  const invited = () => panel.db.select().from(invitations).all().length
  const then = invited()
  t.ok(then < 3_000)
  await resume(petra)
  t.match((await stella.get(checked.path)).text, 'or the account was suspended or deleted.')
  t.equal(invited(), then, 'and it does not continue automatically')
})

t.test('a suspended account’s request for more quota stays, and its partner can decide it', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '16' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '20', reason: 'Growth' })
  await suspend(petra)
  t.equal((await stella.post('/customer/quotas/requests', { ram: '5', reason: 'X' })).status, 403)
  t.match((await petra.get('/partner/quotas')).text, 'Acme')
  t.equal((await petra.submit('/partner/customers/acme/quotas', 'Approve')).status, 303)
  await resume(petra)
  t.match((await stella.get('/customer/quotas')).text, 'approved')
})

t.test('a suspended partner’s customers go on working, its people cannot act in them', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, stella] = [await panel.signIn('olga'), await panel.signIn('petra'), await panel.signIn('stella')]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  const tab = await petra.get('/projects')
  await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'The contract ended.' })
  const before = belongings(panel)
  const late = await petra.press(tab, 'Create project', { name: 'Late', identifier: 'late' })
  t.equal(late.status, 403)
  t.match(late.text, /Cloudhaus is suspended.*not in Acme.*The contract ended\..*Support/)
  t.strictSame(belongings(panel), before)
  t.match((await petra.get('/')).text, 'Cloudhaus is suspended')
  await petra.switchTo('cloudhaus')
  t.match((await petra.get('/partner/customers')).text, /Cloudhaus is suspended.*The contract ended\..*Support/)
  t.equal((await petra.get('/partner/deleted-customers')).status, 403)
  t.equal((await stella.get('/projects')).status, 200)
})

t.test(
  'the page names who looks after an account now, and who to ask: Support while the partner cannot act',
  async (t) => {
    const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'help@meshpanel.example' } })
    const [olga, petra, stella] = [
      await panel.signIn('olga'),
      await panel.signIn('petra'),
      await panel.signIn('stella'),
    ]
    t.match((await stella.get('/customer/account')).text, 'Looked after by Cloudhaus, your partner')
    await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'The contract ended.' })
    t.match(
      (await stella.get('/customer/account')).text,
      'Looked after by Support, help@meshpanel.example (Cloudhaus, your partner, cannot act now)',
    )
    await olga.submit('/support/accounts', 'Resume', {}, 'cloudhaus')
    await suspend(petra)
    t.match((await stella.get('/')).text, 'Who to ask Cloudhaus, who looks after this account')
    await olga.submit('/support/users', 'Disable', {}, cast.petra.email)
    for (const path of ['/', '/projects'])
      t.match(
        (await stella.get(path)).text,
        'Who to ask Cloudhaus suspended it, and cannot act now. Ask Support: help@meshpanel.example',
        path,
      )
  },
)

t.test(
  'people of a suspended partner do not count as admins: nobody relies on them, names them or writes to them',
  async (t) => {
    const panel = await startApp(t)
    const [olga, petra, stella] = [
      await panel.signIn('olga'),
      await panel.signIn('petra'),
      await panel.signIn('stella'),
    ]
    await petra.submit('/customer/users', 'Save', { role: 'admin' }, cast.max.email)
    await petra.submit('/partner/customers/acme/users', 'Add Myself')
    t.ok((await stella.get('/profile/removal')).hasButton('Delete my user'), 'Petra is left')
    t.match((await stella.get('/customer/account')).text, cast.petra.email)
    await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'The contract ended.' })

    const page = await stella.get('/profile/removal')
    t.match(page.text, /not possible yet.*Acme/)
    t.equal((await stella.post('/profile/removal', { email: cast.stella.email })).status, 422)
    t.notMatch((await stella.get('/customer/account')).text, cast.petra.email)
    await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'Abuse' })
    const told = panel.db.select().from(letters).where(eq(letters.subject, 'Acme was suspended')).all()
    t.same(
      told.map(({ email }) => email),
      [cast.stella.email],
    )
    await olga.submit('/support/accounts', 'Resume', {}, 'acme')
    const max = await panel.signIn('max')
    const { id } = panel.db.select().from(users).where(eq(users.email, cast.petra.email)).get() ?? {}
    await olga.submit('/support/users', 'Disable', {}, cast.stella.email)
    t.equal((await max.get(`/customer/users/${id}/removal`)).status, 403)
    await olga.submit('/support/accounts', 'Resume', {}, 'cloudhaus')
    t.match((await max.get(`/customer/users/${id}/removal`)).text, 'Without them, Acme has no admin who can log in')
    t.ok(
      (await petra.get('/profile/removal')).text.includes('not possible yet'),
      'and she is needed once she can act again',
    )
    await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Once more' })
    t.ok((await petra.get('/profile/removal')).hasButton('Delete my user'), 'who cannot act is not missed')
  },
)

t.test(
  'what a suspended partner or its people sent into customers waits, and so do links that they made',
  async (t) => {
    const panel = await startApp(t)
    const [olga, petra, stella] = [
      await panel.signIn('olga'),
      await panel.signIn('petra'),
      await panel.signIn('stella'),
    ]
    const nils = await panel.signIn('nils')
    const list = '/partner/customers/acme/users'
    const linkTo = async (client: Client, page: string, email: string) =>
      /\/invitations\/[\w-]{43}/.exec((await client.submit(page, 'Copy link', {}, email)).body)?.[0] ?? ''
    await olga.submit('/support/users', 'Disable', {}, cast.stella.email)
    await petra.submit(list, 'Invite', { name: 'Ann', email: 'ann@acme.example' })
    const links = [await linkTo(petra, list, 'ann@acme.example')]
    await olga.submit('/support/users', 'Enable', {}, cast.stella.email)
    await stella.logIn(cast.stella.email)
    await petra.submit(list, 'Add Myself')
    await petra.switchTo('acme')
    for (const email of ['ben@acme.example', cast.nils.email])
      await petra.submit('/customer/users', 'Invite', { name: 'Ben', email, role: 'admin' })
    await stella.submit('/customer/users', 'Invite', { name: 'Cleo', email: 'cleo@acme.example', role: 'admin' })
    for (const email of ['ben@acme.example', 'cleo@acme.example'])
      links.push(await linkTo(petra, '/customer/users', email))
    const ofStella = await linkTo(stella, '/customer/users', 'cleo@acme.example')
    const home = await nils.get('/')
    await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'The contract ended.' })
    const before = belongings(panel)

    const words = 'correct horse battery staple'
    const chosen = { name: 'New', password: words, repeated: words }
    for (const [n, link] of links.entries()) {
      const visitor = panel.visit()
      const page = await visitor.get(link)
      t.match(
        page.problem,
        `Cloudhaus, who ${n === 2 ? 'made this link' : 'sent this invitation'}, is suspended. It stays open until`,
      )
      t.match(page.problem, 'you can accept once that is over.')
      t.notOk(page.hasButton('Accept invitation'))
      t.equal((await visitor.post(`${link}/user`, chosen)).status, 409)
    }
    await nils.press(home, 'Accept')
    const waiting = await nils.get('/')
    t.match(waiting.text, 'Cloudhaus, who sent it, is suspended. You can accept once that is over.')
    t.notOk(waiting.hasButton('Accept'))
    t.strictSame(belongings(panel), before, 'nobody has joined')
    t.equal((await panel.visit().submit(ofStella, 'Accept invitation', chosen)).status, 303, 'the customer’s own go on')

    await olga.submit('/support/accounts', 'Resume', {}, 'cloudhaus')
    t.match((await nils.submitAndFollow('/', 'Accept')).activeAccount, 'Acme')
    t.equal((await panel.visit().submit(links[1] ?? '', 'Accept invitation', chosen)).status, 303)
  },
)
