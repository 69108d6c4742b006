import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, letters, memberships, users } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { type Client, type Panel, startApp, there, userId } from '../harness.ts'
import { startMailServer, until } from '../smtp.ts'

const page = '/support/accounts/acme/partner'

const partnerOf = ({ db }: Panel, identifier: string) => {
  const { partnerId } = there(db.select().from(accounts).where(eq(accounts.identifier, identifier)).get())
  return partnerId === null ? undefined : db.select().from(accounts).where(eq(accounts.id, partnerId)).get()?.identifier
}

const people = (panel: Panel, identifier: string) =>
  panel.db
    .select({ name: users.name })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(eq(accounts.identifier, identifier))
    .all()
    .map(({ name }) => name)
    .sort()

const everybody = async (panel: Panel, ...names: CastName[]): Promise<Client[]> => {
  const clients: Client[] = []
  for (const name of names) clients.push(await panel.signIn(name))
  return clients
}

t.test('Support moves a customer to another partner at once, with everything it has', async (t) => {
  const mail = await startMailServer(t)
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url, SUPPORT_EMAIL: 'help@meshpanel.example' } })
  const [olga, petra, riva, stella] = (await everybody(panel, 'olga', 'petra', 'riva', 'stella')) as [
    Client,
    Client,
    Client,
    Client,
  ]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '4', cores: '16' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '20', reason: 'Growth' })
  await olga.submit('/support/accounts/rival/quotas', 'Save pool', { projects: '4', cores: '16' })
  const acme = await olga.get((await olga.get('/support/accounts')).link('Acme', 'acme') ?? '')
  t.equal(acme.link('Move'), page)

  const done = await olga.submitAndFollow(page, 'Move', { partner: 'rival' })
  t.match(done.notice, 'Acme is looked after by Rival now.')
  t.equal(partnerOf(panel, 'acme'), 'rival')
  t.equal((await petra.get('/partner/customers/acme/users')).status, 404, 'the old partner sees it no more')
  t.match((await petra.get('/partner/customers')).text, / 1 customer$/)
  t.match((await riva.get('/partner/customers')).row('acme'), '2 / 4')
  t.match((await riva.get('/partner/quotas')).text, 'Acme', 'the open request is the new partner’s to decide')
  t.equal((await riva.submit('/partner/customers/acme/quotas', 'Decline', { comment: 'Not now' })).status, 303)
  t.match((await stella.get('/customer/account')).text, 'Rival, your partner')
  t.equal((await stella.get('/projects/website')).status, 200)

  const moved = () => mail.taken.filter(({ mail: { subject } }) => /customer now|looked after/.test(subject ?? ''))
  await until('three letters', () => moved().length === 3)
  const letterTo = (address: string) => moved().find(({ recipients }) => recipients.includes(address))?.mail
  t.match(letterTo(cast.petra.email), {
    subject: 'Acme is looked after by Rival now',
    text: /from Cloudhaus to Rival[\s\S]*You no longer look after it/,
  })
  t.match(letterTo(cast.riva.email), {
    subject: 'Acme is your customer now',
    text: /from Cloudhaus to Rival[\s\S]*It asks for more quota/,
  })
  t.match(letterTo(cast.stella.email)?.text, /Rival looks after your account from now on[\s\S]*help@meshpanel\.example/)

  const history = await stella.get('/customer/history?family=account')
  t.match(history.row('moved the account'), 'from Cloudhaus to Rival')
  t.match(history.row('moved the account'), 'Support')
  t.match((await petra.get('/customer/history')).row('took the customer'), 'Acme (acme) from this partner')
  t.match((await riva.get('/customer/history')).row('gave the customer'), 'Acme (acme) to this partner')
})

t.test('a pool without room refuses a customer, resource by resource, and nothing changes', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, stella] = (await everybody(panel, 'olga', 'petra', 'stella')) as [Client, Client, Client]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '16', ram: '1024' })
  await stella.submit('/projects/website', 'Save quotas', { volumes: '3' })
  await olga.submit('/support/accounts/rival/quotas', 'Save pool', {
    projects: '1',
    cores: '15',
    ram: '1024',
    volumes: '3',
  })
  const before = panel.rows()
  const refused = await olga.submit(page, 'Move', { partner: 'rival' })
  t.equal(refused.status, 422)
  t.match(refused.error('partner'), 'Projects: 2 needed, 1 available; Cores: 16 needed, 15 available. Raise the pool')
  t.notMatch(refused.error('partner'), 'RAM')
  for (const table of ['accounts', 'memberships', 'limits', 'records'])
    t.strictSame(panel.rows()[table], before[table], table)
  t.equal(panel.rows().letters?.length, before.letters?.length, 'letters')
  await olga.submit('/support/accounts/rival/quotas', 'Save pool', { projects: '2', cores: '16' })
  t.equal((await olga.submit(page, 'Move', { partner: 'rival' })).status, 303)
})

t.test(
  'people of the old partner who added themselves go, people the customer invited stay; the page says so first',
  async (t) => {
    const panel = await startApp(t)
    const [olga, petra, stella] = (await everybody(panel, 'olga', 'petra', 'stella')) as [Client, Client, Client]
    await stella.submit('/customer/users', 'Invite', { name: 'Max', email: cast.max.email })
    await (await panel.signIn('max')).submit('/', 'Accept')
    t.match((await olga.get(page)).text, 'Nobody of Cloudhaus is a user of it')
    await petra.submit('/partner/customers/acme/users', 'Add Myself')
    const petraId = String(userId(panel, 'petra'))
    await stella.submit('/projects/website', 'Give access', { people: petraId, role: 'user' })
    t.match((await olga.get(page)).text, 'People of Cloudhaus lose access: Petra (petra@cloudhaus.example)')

    await petra.switchTo('acme')
    await olga.submit(page, 'Move', { partner: 'rival' })
    t.same(people(panel, 'acme'), ['Max', 'Stella', 'Tom'])
    t.equal((await petra.get('/projects')).status, 403, 'an open tab can do nothing more')
    t.notMatch((await stella.get('/projects/website')).text, 'petra@cloudhaus.example')
    t.match((await stella.get('/customer/history?family=member')).row('removed'), 'Petra')
  },
)

t.test('nothing stays open of the people the old partner invited and of the links it sent', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, max] = (await everybody(panel, 'olga', 'petra', 'max')) as [Client, Client, Client]
  await petra.submit('/partner/customers', 'Create customer', { name: 'One', identifier: 'one' })
  const inOne = '/partner/customers/one/users'
  await petra.submit(inOne, 'Invite', { name: 'Max', email: cast.max.email })
  await max.submit('/', 'Accept', {}, 'One')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Two', identifier: 'two' })
  for (const [name, email] of [
    ['Max', cast.max.email],
    ['Greta', 'greta@two.example'],
  ] as const)
    await petra.submit('/partner/customers/two/users', 'Invite', { name, email })
  const copied = await petra.submit('/partner/customers/two/users', 'Copy link', {}, 'greta@two.example')
  const link = /\/invitations\/[\w-]{43}/.exec(copied.body)?.[0] ?? ''
  t.equal((await panel.visit().get(link)).status, 200)

  const [one, two] = ['/support/accounts/one/partner', '/support/accounts/two/partner']
  t.match((await olga.get(one)).text, 'People of Cloudhaus lose access: Max')
  const foreseen = (await olga.get(two)).text
  t.match(foreseen, `2 pending invitations sent by Cloudhaus end: Max (${cast.max.email}), Greta (greta@two.example)`)
  for (const page of [one, two]) t.equal((await olga.submit(page, 'Move', { partner: 'rival' })).status, 303)

  t.same(people(panel, 'one'), [])
  t.notMatch((await max.get('/')).text, 'invites you')
  const dead = await panel.visit().get(link)
  t.notOk(dead.hasButton('Accept invitation'), 'nobody joins by a link that the old partner had')
  const riva = await panel.signIn('riva')
  const list = await riva.get('/partner/customers/two/users')
  t.match(list.text, 'No pending invitations')
  const greta = { name: 'Greta', email: 'greta@two.example' }
  t.match((await riva.submitAndFollow('/partner/customers/two/users', 'Invite', greta)).notice, greta.email)
})

t.test('where all users are the partner’s people, all go', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = (await everybody(panel, 'olga', 'petra')) as [Client, Client]
  await petra.submit('/customer/users', 'Save', { role: 'admin' }, cast.max.email)
  const max = await panel.signIn('max')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Two', identifier: 'two' })
  for (const partner of [max, petra]) await partner.submit('/partner/customers/two/users', 'Add Myself')
  await olga.submit('/support/users', 'Disable', {}, cast.petra.email)
  t.equal((await olga.submit('/support/accounts/two/partner', 'Move', { partner: 'rival' })).status, 303)
  t.same(people(panel, 'two'), [])
})

t.test('what a customer is called after it has left, its old partner reads nowhere', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, stella] = (await everybody(panel, 'olga', 'petra', 'stella')) as [Client, Client, Client]
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Unpaid' })
  await petra.submit('/partner/customers', 'Resume', {}, 'acme')
  const history = '/partner/history'
  t.match((await petra.get(history)).row('suspended'), 'Acme')
  t.match((await petra.get(`${history}?q=acm`)).text, 'suspended Acme')
  await olga.submit(page, 'Move', { partner: 'rival' })
  await stella.submit('/customer/account', 'Save name', { name: 'Secret plans' })
  t.match((await petra.get(history)).row('suspended'), 'acme')
  t.notMatch((await petra.get(history)).body, 'Secret plans')
  t.notMatch((await petra.get(`${history}?download=csv`)).body, 'Secret plans')
  t.notMatch((await petra.get(`${history}?q=secret`)).text, 'suspended')
})

t.test('a move that leaves users without an admin says so first, and the new partner can invite one', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = (await everybody(panel, 'olga', 'petra')) as [Client, Client]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const inAcme = await panel.signIn('petra')
  await inAcme.switchTo('acme')
  await inAcme.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)
  t.match((await olga.get(page)).text, 'Acme is left without an admin who can log in. Invite one')
  t.equal((await olga.submit(page, 'Move', { partner: 'rival' })).status, 303)
  t.equal(partnerOf(panel, 'acme'), 'rival')
  const riva = await panel.signIn('riva')
  const users = await riva.get('/partner/customers/acme/users')
  t.match(users.text, 'Acme has no Customer Admin who can log in')
  t.equal((await riva.press(users, 'Invite', { name: 'Ann', email: 'ann@acme.example' })).status, 303)

  await petra.submit('/partner/customers', 'Create customer', { name: 'Empty', identifier: 'empty' })
  await petra.submit('/partner/customers/empty/users', 'Add Myself')
  await petra.submit('/customer/users', 'Save', { role: 'admin' }, cast.max.email)
  const max = await panel.signIn('max')
  await max.submit('/partner/customers/empty/users', 'Add Myself')
  await max.switchTo('empty')
  await max.submit('/customer/users', 'Save', { role: 'member' }, cast.petra.email)
  t.equal((await olga.submit('/support/accounts/empty/partner', 'Move', { partner: 'rival' })).status, 303)
  t.same(people(panel, 'empty'), [], 'one whose users all go is moved empty')
})

t.test('a customer is moved to no partner, so that Support looks after it, and back', async (t) => {
  const panel = await startApp(t)
  const [olga, riva, dora] = (await everybody(panel, 'olga', 'riva', 'dora')) as [Client, Client, Client]
  t.equal((await olga.submit(page, 'Move', { to: 'none' })).status, 303)
  t.equal(partnerOf(panel, 'acme'), undefined)
  t.match((await olga.get('/support/accounts')).row('acme'), 'Customer, direct')
  const subjects = panel.db
    .select()
    .from(letters)
    .all()
    .map(({ email, subject }) => `${email}: ${subject}`)
  t.same(subjects.sort(), [
    'petra@cloudhaus.example: Acme is looked after by Meshpanel Support now',
    'stella@acme.example: Acme is looked after by Meshpanel Support now',
  ])
  t.equal((await olga.submit('/support/accounts/direct/partner', 'Move', { partner: 'rival' })).status, 303)
  t.match((await riva.get('/partner/customers')).row('direct'), 'Direct')
  t.match((await dora.get('/customer/account')).text, 'Rival, your partner')
})

t.test(
  'an account that is not a partner, is suspended, or already has the customer is refused at its field',
  async (t) => {
    const panel = await startApp(t)
    const olga = await panel.signIn('olga')
    const errorOf = async (fields: Record<string, string>) => {
      const refused = await olga.submit(page, 'Move', fields)
      t.equal(refused.status, 422)
      return refused.error('partner')
    }
    t.match(await errorOf({ partner: '' }), 'Enter the new partner’s identifier')
    t.match(await errorOf({ partner: 'nobody' }), 'There is no partner account “nobody”.')
    t.match(await errorOf({ partner: 'direct' }), 'There is no partner account “direct”.')
    t.match(await errorOf({ partner: 'cloudhaus' }), 'Acme is there already.')
    t.match(await errorOf({ to: 'none', partner: 'rival' }), 'Leave this empty')
    await olga.submit('/support/accounts/rival/suspension', 'Suspend', { reason: 'Unpaid' })
    t.match(await errorOf({ partner: 'rival' }), 'is suspended')
    t.equal((await olga.get('/support/accounts/cloudhaus/partner')).status, 404, 'partners never nest')
    t.equal((await olga.post('/support/accounts/cloudhaus/partner', { to: 'partner', partner: 'rival' })).status, 404)
    t.equal((await olga.post('/support/accounts/direct/partner', { to: 'none', partner: '' })).status, 422)
    t.equal(partnerOf(panel, 'acme'), 'cloudhaus')
  },
)

t.test('it is asked again who Support is before a customer is moved', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const open = await olga.get(page)
  panel.pass(11 * 60_000)
  t.equal((await olga.press(open, 'Move', { partner: 'rival' })).title, 'Confirm that it is you')
  t.equal(partnerOf(panel, 'acme'), 'cloudhaus')
})
