import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, invitations } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { type Panel, startApp } from '../harness.ts'

const list = '/partner/customers'

function withoutSessions(panel: Panel) {
  const { sessions, throttles, ...rows } = panel.rows()
  return rows
}

t.test('the title of a tab names the customer or the project', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  const titleOf = async (who: typeof petra, path: string) => (await who.open(path)).root.querySelector('title')?.text
  t.equal(await titleOf(petra, '/partner/customers/acme/users'), 'Customer Users – Acme · Meshpanel')
  t.equal(await titleOf(petra, '/partner/customers'), 'Customers · Meshpanel')
  t.match(await titleOf(stella, '/projects/website'), /^Website\b.* · Meshpanel$/)
})

t.test('a partner creates a customer, which has no member, not even its creator', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')
  const page = await petra.submitAndFollow(list, 'Create customer', { name: 'Globex', identifier: 'globex' })
  t.match(page.notice, 'Globex was created')
  t.match(page.row('globex'), /^Globex globex ?0 ?0 \/ unlimited active/)
  t.notOk(page.switcher.includes('Globex'))
  t.match((await petra.open(`${list}/globex/users`)).text, 'This customer has no users yet')
})

t.test('a partner sees no other partner’s customers', async (t) => {
  const { signIn } = await startApp(t)
  const riva = await signIn('riva')
  const page = await riva.open(list)
  t.match(page.row('umbrella'), 'Umbrella')
  t.equal(page.tableRows.length, 1)
  t.match(page.text, '1 customer')
  const search = await riva.open(`${list}?q=acme`)
  t.equal(search.tableRows.length, 0)
})

t.test('an empty identifier is derived from the name', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')
  for (const [name, identifier] of [
    ['Ärzte & Söhne GmbH', 'arzte-sohne-gmbh'],
    ['3M Deutschland', 'm-deutschland'],
    ['O’Neill’s Straße', 'oneills-strasse'],
    ['  --Łódź--  ', 'lodz'],
    ['A very long name of a customer that goes on and on', 'a-very-long-name-of-a-customer-t'],
  ] as const) {
    await petra.submit(list, 'Create customer', { name })
    t.ok((await petra.open(`${list}?q=${identifier}`)).row(identifier), name)
  }
  const japanese = await petra.submit(list, 'Create customer', { name: '株式会社' })
  t.equal(japanese.status, 422)
  t.match(japanese.error('identifier'), 'none can be made from this name')
  t.equal(japanese.value('name'), '株式会社')
})

t.test('an identifier that is taken, by whomever, keeps what was typed and proposes one that is free', async (t) => {
  const { signIn, db } = await startApp(t)
  const petra = await signIn('petra')
  for (const taken of ['acme', 'umbrella', 'cloudhaus']) {
    const answer = await petra.submit(list, 'Create customer', { name: 'Another', identifier: taken })
    t.equal(answer.status, 422)
    t.equal(answer.value('name'), 'Another')
    t.equal(answer.value('identifier'), taken)
    const [, free = ''] = /“([a-z0-9-]+)” is free/.exec(answer.error('identifier')) ?? []
    t.equal((await petra.press(answer, 'Create customer', { identifier: free })).status, 303, free)
  }
  const long = 'a'.repeat(32)
  await petra.submit(list, 'Create customer', { name: 'Long', identifier: long })
  const answer = await petra.submit(list, 'Create customer', { name: 'Long', identifier: long })
  t.match(answer.error('identifier'), /“a{28}-\d{3}” is free/)
  t.throws(() => db.delete(accounts).where(eq(accounts.identifier, 'acme')).run(), /keeps its row/)
})

t.test('a hundred who want one identifier at once: one gets it', async (t) => {
  const { signIn, db } = await startApp(t)
  const [petra, riva] = [await signIn('petra'), await signIn('riva')]
  const forms = [await petra.open(list), await riva.open(list)] as const
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      n % 2
        ? petra.press(forms[0], 'Create customer', { name: 'One', identifier: 'one', _once: `${n}` })
        : riva.press(forms[1], 'Create customer', { name: 'One', identifier: 'one', _once: `${n}` }),
    ),
  )
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
  t.equal(answers.filter(({ status }) => status === 422).length, 99)
  t.equal(db.select().from(accounts).where(eq(accounts.identifier, 'one')).all().length, 1)
})

t.test('what cannot be an identifier or a name is refused at its field', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const before = withoutSessions(panel)
  for (const identifier of [
    'a',
    'Acme',
    '1acme',
    'acme-',
    '-acme',
    'ac--me',
    'ac me',
    'acme!',
    'x'.repeat(33),
    'ácme',
    'acme\u0000',
  ]) {
    const answer = await petra.submit(list, 'Create customer', { name: 'Name', identifier })
    t.equal(answer.status, 422, JSON.stringify(identifier))
    t.match(answer.error('identifier'), '2–32 characters')
    t.equal(answer.value('name'), 'Name')
  }
  for (const name of ['', ' ', 'x'.repeat(101), 'a\u202ab', 'tab\there\u0007']) {
    t.ok(
      (await petra.submit(list, 'Create customer', { name, identifier: 'good' })).error('name'),
      JSON.stringify(name),
    )
  }
  t.equal((await petra.post(list, { name: 'X', identifier: 'xx', partnerId: '1' })).status, 400, 'an unknown field')
  t.equal((await petra.post(list, { name: ['X', 'Y'], identifier: 'xx' })).status, 400, 'a repeated field')
  t.strictSame(withoutSessions(panel), before)
})

t.test('customers are found by any part of a word, in any case and script, and the box stays', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')
  for (const [name, identifier] of [
    ['Ärzte am Großmarkt', 'doctors'],
    ['Аптека Здоровье', 'apteka'],
    ['ΟΔΥΣΣΕΥΣ', 'odysseus'],
    ["100% Bio_Laden O'Neill", 'bio'],
  ] as const)
    await petra.submit(list, 'Create customer', { name, identifier })
  for (const [q, identifier] of [
    ['ärzte', 'doctors'],
    ['GROSSMARKT', 'doctors'],
    ['markt am', 'doctors'],
    ['octor', 'doctors'],
    ['здоров', 'apteka'],
    ['АПТЕК', 'apteka'],
    ['οδυσσευς', 'odysseus'],
    ['100%', 'bio'],
    ['o_l', 'bio'],
    ["o'neill", 'bio'],
  ] as const) {
    const page = await petra.open(`${list}?q=${encodeURIComponent(q)}`)
    t.equal(page.tableRows.length, 1, q)
    t.ok(page.row(identifier), q)
    t.equal(page.value('q'), q)
  }
  t.equal((await petra.open(`${list}?q=%25`)).tableRows.length, 1, '% is no wildcard')
  const none = await petra.open(`${list}?q=zzz`)
  t.match(none.text, 'Nothing matches “zzz”')
  t.equal(none.value('q'), 'zzz')
})

t.test('a long list pages, counts honestly, and shows the newest first', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')
  const form = await petra.open(list)
  for (let n = 1; n <= 60; n++)
    await petra.press(form, 'Create customer', { name: `Shop ${n}`, identifier: `shop-${n}` })
  const first = await petra.open(list)
  t.match(first.text, '62 customers')
  t.match(first.tableRows[0], 'shop-60')
  const seen = new Set<string>()
  for (let page = first, n = 0; n < 3; n++) {
    for (const row of page.tableRows) seen.add(row)
    const next = page.link('Next')
    if (next) page = await petra.open(next)
  }
  t.equal(seen.size, 62)
  const found = await petra.open(`${list}?q=shop`)
  t.match(found.link('Next'), 'q=shop', 'the search is kept over paging')
})

t.test('Add Myself makes a Customer Admin once, and Remove Myself ends it', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')
  const page = await petra.open(`${list}/acme/users`)
  const joined = await petra.press(page, 'Add Myself')
  t.match((await petra.open(joined.location ?? '')).row(cast.petra.email), 'Customer Admin')
  await petra.press(page, 'Add Myself')
  const after = await petra.open(`${list}/acme/users`)
  t.equal(after.tableRows.filter((row) => row.includes(cast.petra.email)).length, 1)
  t.ok(after.switcher.includes('Acme'))
  const left = await petra.submitAndFollow(`${list}/acme/users`, 'Remove Myself')
  t.notOk(left.row(cast.petra.email))
  t.notOk(left.switcher.includes('Acme'))
})

t.test('Remove Myself may leave a customer empty, but not without an admin', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit(list, 'Create customer', { name: 'Empty', identifier: 'empty' })
  await petra.submit(`${list}/empty/users`, 'Add Myself')
  t.match((await petra.submitAndFollow(`${list}/empty/users`, 'Remove Myself')).text, 'This customer has no users yet')

  await petra.submit(`${list}/acme/users`, 'Add Myself')
  await petra.switchTo('acme')
  await petra.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)
  await petra.switchTo('cloudhaus')
  const refused = await petra.submit(`${list}/acme/users`, 'Remove Myself')
  t.equal(refused.status, 422)
  t.match(refused.problem, 'You are the last Customer Admin of Acme')
})

t.test('a partner invites the first Customer Admin without joining, and only while there is none', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit(list, 'Create customer', { name: 'Globex', identifier: 'globex' })
  const invited = await petra.submitAndFollow(`${list}/globex/users`, 'Invite', {
    name: 'Hank',
    email: 'hank@globex.example',
  })
  t.match(invited.row('hank@globex.example'), /Hank.*Customer Admin/)
  t.match(invited.text, 'Hank is invited as Customer Admin. Invite another one')
  t.equal(panel.db.select().from(invitations).all()[0]?.role, 'admin')
  t.match(
    (await petra.submit(`${list}/globex/users`, 'Invite', { name: 'Hank', email: 'HANK@Globex.example' })).error(
      'email',
    ),
    'pending invitation already',
  )
  panel.pass(resendGap)
  t.equal((await petra.submit(`${list}/globex/users`, 'Resend', {}, 'hank@globex.example')).status, 303)
  const link = await petra.submit(`${list}/globex/users`, 'Copy link', {}, 'hank@globex.example')
  t.match(
    link.value('link') ?? link.root.querySelector('#link')?.getAttribute('value'),
    /^http:\/\/localhost:3000\/invitations\//,
  )
  t.match(
    (await petra.submitAndFollow(`${list}/globex/users`, 'Cancel', {}, 'hank@globex.example')).notice,
    'cancelled',
  )

  t.notOk((await petra.open(`${list}/acme/users`)).hasButton('Invite'))
  t.equal((await petra.post(`${list}/acme/invitations`, { name: 'X', email: 'x@x.example' })).status, 422)
  t.equal(panel.db.select().from(invitations).where(eq(invitations.email, 'x@x.example')).all().length, 0)
})

t.test('Customer Projects shows them, without a way in', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')
  const page = await petra.open(`${list}/acme/projects`)
  t.match(page.row('website'), 'Website')
  t.match(page.text, '2 projects')
  t.equal(page.link('Website'), undefined)
  t.equal((await petra.get('/projects/website')).status, 404)
})

t.test(
  'a suspended customer’s users read why and who to ask; nothing is deleted; resuming opens it again',
  async (t) => {
    const panel = await startApp(t)
    const petra = await panel.signIn('petra')
    const tom = await panel.signIn('tom')
    t.ok((await petra.submit(`${list}/acme/suspension`, 'Suspend')).error('reason'))
    await petra.submit(`${list}/acme/suspension`, 'Suspend', { reason: 'The bill of May is open.' })
    t.match((await petra.open(list)).row('acme'), 'suspended')
    const refused = await tom.get('/projects')
    t.equal(refused.status, 403)
    t.match(refused.text, /Acme is suspended.*The bill of May is open\..*Cloudhaus/)
    t.equal((await tom.post('/projects/website/name', { name: 'X', version: '1' })).status, 403)
    await petra.submit(list, 'Resume', {}, 'acme')
    t.equal((await tom.get('/projects/website')).status, 200)

    const olga = await panel.signIn('olga')
    await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'By Support.' })
    const seen = await petra.open(list)
    t.match(seen.row('acme'), 'suspended by Support')
    t.notMatch(seen.row('acme'), 'Resume')
    await petra.post(`${list}/acme/suspension/removal`)
    t.match((await petra.open(list)).notice, 'Support has suspended Acme too, and only Support can resume that.')
    t.equal((await tom.get('/projects')).status, 403)
  },
)

t.test('a Partner User sees customers and changes none', async (t) => {
  const panel = await startApp(t)
  const max = await panel.signIn('max')
  const page = await max.open(list)
  t.match(page.row('acme'), 'Acme')
  for (const button of ['Create customer', 'Resume']) t.notOk(page.hasButton(button), button)
  t.notOk((await max.open(`${list}/acme/users`)).hasButton('Add Myself'))
  const before = withoutSessions(panel)
  for (const [path, fields] of [
    [list, { name: 'X', identifier: 'xx' }],
    [`${list}/acme/own-membership`, {}],
    [`${list}/acme/invitations`, { name: 'X', email: 'x@x.example' }],
    [`${list}/acme/quotas`, { projects: '1', version: '1' }],
    [`${list}/acme/suspension`, { reason: 'X' }],
  ] as const)
    t.equal((await max.post(path, { ...fields })).status, 403, path)
  t.strictSame(withoutSessions(panel), before)
})
