import { eq } from 'drizzle-orm'
import t from 'tap'
import { named } from '../../src/db/fold.ts'
import { accounts, memberships, users } from '../../src/db/schema.ts'
import { accountId, type Page, type Panel, startApp, userId } from '../harness.ts'

// A customer is found by the e-mail of one of its people, an account by Support also by a person's name.

t.setTimeout(600_000)

const identifiers = (page: Page) => page.nameCells.map((cell) => cell.querySelector('code')?.text.trim() ?? '')

async function world(t: Parameters<typeof startApp>[0]) {
  const panel = await startApp(t)
  const [petra, riva, olga] = [await panel.signIn('petra'), await panel.signIn('riva'), await panel.signIn('olga')]
  await petra.submit('/partner/customers', 'Create customer', { name: 'Blue', identifier: 'blue' })
  await petra.submit('/partner/customers/blue/users', 'Invite', { name: 'Ann Grün', email: 'ann@sky.example' })
  return { panel, petra, riva, olga }
}

t.test('a partner finds a customer by the e-mail of a user or of somebody invited, and reads whose', async (t) => {
  const { petra } = await world(t)
  const find = (q: string) => petra.get(`/partner/customers?q=${encodeURIComponent(q)}`)
  const user = await find('tom@acme')
  t.same(identifiers(user), ['acme'])
  t.match(user.row('Acme'), 'tom@acme.example is a user')
  const invited = await find('ANN@sky.example')
  t.same(identifiers(invited), ['blue'])
  t.match(invited.row('Blue'), 'ann@sky.example is invited')
  t.match(invited.text, '1 customer found for “ANN@sky.example”')
  t.match((await petra.get('/partner/customers?q=ann@sky&download=csv')).body, 'Blue,blue')

  const byName = await find('acme')
  t.same(identifiers(byName), ['acme'])
  t.notMatch(byName.row('Acme'), 'is a user', 'a customer’s own name needs no reason')
  t.same(identifiers(await find('tom@acme stella')), [], 'all words are those of one person')
  t.same(identifiers(await find('Grün')), [], 'names of people are not searched here')
})

t.test('people who are no longer users or invited are not found', async (t) => {
  const { petra, panel } = await world(t)
  await petra.submit('/partner/customers/blue/users', 'Cancel', {}, 'ann@sky.example')
  t.same(identifiers(await petra.get('/partner/customers?q=ann@sky')), [])
  const stella = await panel.signIn('stella')
  const tom = userId(panel, 'tom')
  await stella.submit(`/customer/users/${tom}/removal`, 'Remove Tom')
  t.same(identifiers(await petra.get('/partner/customers?q=tom@acme')), [])
})

t.test('no partner finds anything by the people of another’s customers', async (t) => {
  const { riva, petra } = await world(t)
  for (const q of ['tom@acme', 'ann@sky', 'stella', 'ines@initech.example', 'petra@'])
    t.same(identifiers(await riva.get(`/partner/customers?q=${q}`)), [], q)
  for (const q of ['uma@umbrella', 'dora@direct', 'nils@'])
    t.same(identifiers(await petra.get(`/partner/customers?q=${q}`)), [], q)
  // Also where so many have it that they are looked for in the list's order.
  t.same(identifiers(await riva.get('/partner/customers?q=.example')), ['umbrella'])
})

t.test('Support finds accounts by a person’s name or e-mail', async (t) => {
  const { olga } = await world(t)
  const find = async (q: string) => olga.get(`/support/accounts?q=${encodeURIComponent(q)}`)
  for (const [q, identifier, words] of [
    ['uma@umbrella', 'umbrella', 'Uma (uma@umbrella.example) is a user'],
    ['stel', 'acme', 'Stella (stella@acme.example) is a user'],
    ['ann gruen', 'blue', 'Ann Grün (ann@sky.example) is invited'],
    ['max', 'cloudhaus', 'Max (max@cloudhaus.example) is a user'],
  ] as const) {
    const page = await find(q)
    t.same(identifiers(page), [identifier], q)
    t.match(page.text, words)
  }
  t.same(identifiers(await find('nils')), [], 'who is in no account leads to none')
})

t.test('what many people share, and somebody with many accounts, is found all the same', async (t) => {
  const { panel, petra, riva } = await world(t)
  const { db } = panel
  addPeople(panel, 2_100)
  const page = await petra.get('/partner/customers?q=@crowd.example')
  t.match(page.text, 'of more than 1,000 customers found')
  t.match(page.text, 'person-2099@crowd.example is a user')
  t.same(identifiers(await petra.get('/partner/customers?q=person-77@crowd')), ['crowd-77'])
  t.same(identifiers(await riva.get('/partner/customers?q=@crowd.example')), [])

  const nils = userId({ db }, 'nils')
  const many = db.select({ id: accounts.id }).from(accounts).where(eq(accounts.createdAt, 1)).all()
  db.transaction((tx) => {
    for (const { id } of many)
      tx.insert(memberships).values({ accountId: id, userId: nils, role: 'admin', createdAt: 1, lastUsedAt: 1 }).run()
  })
  const his = await petra.get('/partner/customers?q=nils@nowhere')
  t.match(his.text, 'of more than 1,000 customers found')
  t.match(his.text, 'nils@nowhere.example is a user')
})

/** Adds so many customers of Cloudhaus, with a user each. */
function addPeople({ db }: Panel, many: number): void {
  const partnerId = accountId({ db }, 'cloudhaus')
  db.transaction((tx) => {
    for (let n = 0; n < many; n++) {
      const [identifier, email] = [`crowd-${n}`, `person-${n}@crowd.example`]
      const row = { name: `Crowd ${n}`, identifier, createdAt: 1, ...named(`Crowd ${n}`, identifier) }
      const account = tx
        .insert(accounts)
        .values({ ...row, kind: 'customer', partnerId })
        .returning()
        .get()
      const user = tx
        .insert(users)
        .values({
          email,
          emailKey: email,
          name: 'Somebody',
          ...named('Somebody', email),
          passwordHash: '',
          createdAt: 1,
        })
        .returning()
        .get()
      tx.insert(memberships)
        .values({ accountId: account.id, userId: user.id, role: 'member', createdAt: 1, lastUsedAt: 1 })
        .run()
    }
  })
}
