import { and, eq } from 'drizzle-orm'
import t from 'tap'
import type { UserId } from '../../src/db/ids.ts'
import {
  accounts,
  invitations,
  letters,
  memberships,
  partnerRequests,
  personalChanges,
  quotaRequests,
  users,
} from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { whyNotSent } from '../../src/mail/reasons.ts'
import { unseal } from '../../src/secrets.ts'
import { accountId, type Client, type Panel, startApp, userId } from '../harness.ts'
import { deadAddress } from '../smtp.ts'

// What hangs on a person, a role or a tie ends with it, and the page says so first.

const password = 'correct horse battery staple'

function isIn(panel: Panel, who: CastName | UserId, account: string): boolean {
  const id = typeof who === 'number' ? who : userId(panel, who)
  const own = and(eq(memberships.accountId, accountId(panel, account)), eq(memberships.userId, id))
  return panel.db.select().from(memberships).where(own).get() !== undefined
}

const stateOf = ({ db }: Panel, email: string) =>
  db.select().from(invitations).where(eq(invitations.email, email)).get()?.state

const removalOf = (panel: Panel, who: CastName) => `/customer/users/${userId(panel, who)}/removal`

async function everybody(panel: Panel, ...who: CastName[]): Promise<Client[]> {
  return Promise.all(who.map((one) => panel.signIn(one)))
}

async function copiedLink(client: Client, email: string): Promise<string> {
  const page = await client.submit('/customer/users', 'Copy link', {}, email)
  return /\/invitations\/[\w-]{43}/.exec(page.body)?.[0] ?? ''
}

/** Makes Max a Partner Admin who works in Acme. */
async function maxInAcme(panel: Panel, petra: Client): Promise<Client> {
  await petra.submit('/customer/users', 'Save', { role: 'admin' }, cast.max.email)
  const max = await panel.signIn('max')
  await max.submit('/partner/customers/acme/users', 'Add Myself')
  return max
}

t.test('who leaves the partner account leaves its customers with it; the page says so first', async (t) => {
  for (const exit of ['removed', 'left', 'deleted'] as const) {
    const panel = await startApp(t)
    const [petra] = (await everybody(panel, 'petra')) as [Client]
    const max = await maxInAcme(panel, petra)
    const maxId = userId(panel, 'max')
    await max.switchTo('acme')
    const tab = await max.get('/projects')
    if (exit === 'removed') {
      t.match(
        (await petra.get(removalOf(panel, 'max'))).text,
        'They lose 1 customer too, where they work for Cloudhaus: Acme',
      )
      await petra.submit(removalOf(panel, 'max'), 'Remove Max')
    } else if (exit === 'left') {
      t.match((await max.get('/profile/accounts/cloudhaus/removal')).text, 'You lose 1 customer too')
      await max.submit('/profile/accounts/cloudhaus/removal', 'Leave Cloudhaus')
    } else {
      const olga = await panel.signIn('olga')
      const page = `/support/users/${userId(panel, 'max')}/removal`
      t.equal((await olga.submit(page, 'Delete Max', { email: cast.max.email })).status, 303)
    }
    t.notOk(isIn(panel, maxId, 'acme'), exit)
    const late = await max.press(tab, 'Create project', { name: 'Late', identifier: 'late' })
    t.ok(late.status === 403 || late.location?.startsWith('/login'), exit)
    t.notOk(panel.rows().projects?.some((row) => (row as { identifier: string }).identifier === 'late'))
    const stella = await panel.signIn('stella')
    t.match(
      (await stella.get('/customer/history?family=member')).text,
      /(?:removed|Max|user) (?:Max|left|Deleted user)/,
    )
  }
})

t.test('a person the customer itself invited stays when they leave the partner', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, max] = (await everybody(panel, 'petra', 'stella', 'max')) as [Client, Client, Client]
  await stella.submit('/customer/users', 'Invite', { name: 'Max', email: cast.max.email })
  await max.submit('/', 'Accept')
  t.notMatch((await stella.get('/customer/users')).row(cast.max.email), 'Cloudhaus')
  await petra.submit(removalOf(panel, 'max'), 'Remove Max')
  t.ok(isIn(panel, 'max', 'acme'))
})

t.test('a badge marks the partner’s people, also colleagues that they invite', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, max] = (await everybody(panel, 'petra', 'stella', 'max')) as [Client, Client, Client]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  await petra.submit('/customer/users', 'Invite', { name: 'Max', email: cast.max.email })
  await max.submit('/', 'Accept')
  const list = await stella.get('/customer/users')
  for (const email of [cast.petra.email, cast.max.email]) t.match(list.row(email), 'Cloudhaus')
  t.notMatch(list.row(cast.tom.email), 'Cloudhaus')
  await petra.switchTo('cloudhaus')
  await petra.submit(removalOf(panel, 'max'), 'Remove Max')
  t.notOk(isIn(panel, 'max', 'acme'))
})

t.test('what a removed admin sent ends, links that they copied too, unless it is kept', async (t) => {
  for (const keep of [false, true]) {
    const panel = await startApp(t)
    const [stella, tom] = (await everybody(panel, 'stella', 'tom')) as [Client, Client]
    await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
    await tom.submit('/customer/users', 'Invite', { name: 'Private', email: 'tom@private.example', role: 'admin' })
    await stella.submit('/customer/users', 'Invite', { name: 'Ann', email: 'ann@acme.example' })
    const links = [await copiedLink(tom, 'tom@private.example'), await copiedLink(tom, 'ann@acme.example')]
    const page = await stella.get(removalOf(panel, 'tom'))
    t.match(page.text, '1 pending invitation that they sent ends: Private (tom@private.example), to Acme')
    await stella.press(page, 'Remove Tom', keep ? { keep: 'yes' } : {})
    t.equal(stateOf(panel, 'tom@private.example'), keep ? 'pending' : 'cancelled')
    t.equal(stateOf(panel, 'ann@acme.example'), 'pending')
    for (const link of links) {
      const visitor = panel.visit()
      t.notOk((await visitor.get(link)).hasButton('Accept invitation'), 'no link that Tom has works')
      await visitor.post(`${link}/user`, { name: 'P', password, repeated: password })
    }
    t.notOk(panel.db.select().from(users).where(eq(users.email, 'tom@private.example')).get())
    if (keep) t.match((await stella.get('/customer/users')).row('tom@private.example'), 'Resend')
  }
})

/** Petra, in Acme as one of its admins, invites somebody there. */
async function inviteInAcme(petra: Client, person: { name: string; email: string }): Promise<void> {
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  await petra.submit('/customer/users', 'Invite', { ...person, role: 'admin' })
  await petra.switchTo('cloudhaus')
}

t.test('people who leave the partner account can no longer accept its invitations to its customers', async (t) => {
  for (const exit of ['removed', 'left'] as const) {
    const panel = await startApp(t)
    const [petra, max, ines] = (await everybody(panel, 'petra', 'max', 'ines')) as [Client, Client, Client]
    await inviteInAcme(petra, { name: 'Max', email: cast.max.email })
    await ines.submit('/customer/users', 'Invite', { name: 'Max', email: cast.max.email })
    const words = `1 pending invitation to ${exit === 'left' ? 'you' : 'them'} ends: Max (${cast.max.email}), to Acme`
    const page = exit === 'left' ? '/profile/accounts/cloudhaus/removal' : removalOf(panel, 'max')
    const leaver = exit === 'left' ? max : petra
    t.match((await leaver.get(page)).text, words)
    await leaver.submit(page, exit === 'left' ? 'Leave Cloudhaus' : 'Remove Max')
    const home = await max.get('/')
    t.notMatch(home.text, 'invites you to Acme')
    t.match(home.text, 'invites you to Initech', 'the customer’s own invitation stays')
    const ofAcme = and(eq(invitations.accountId, accountId(panel, 'acme')), eq(invitations.email, cast.max.email))
    const invited = panel.db.select().from(invitations).where(ofAcme).get()
    t.equal(invited?.state, 'cancelled')
    await max.post(`/my-invitations/${invited?.id}/acceptance`)
    t.notOk(isIn(panel, 'max', 'acme'))
  }
})

t.test('an invitation that the partner sent to a former address ends with its person, too', async (t) => {
  const panel = await startApp(t)
  const [petra, olga] = (await everybody(panel, 'petra', 'olga')) as [Client, Client]
  const max = await panel.signIn('max')
  await olga.submit('/support/users', 'Disable', {}, cast.stella.email)
  const former = { name: 'Max', email: cast.max.email }
  await petra.submit('/partner/customers/acme/users', 'Invite', former)
  await max.submit('/profile', 'Change e-mail', { email: 'max@new.example' })
  const { body } = panel.db.select().from(letters).where(eq(letters.email, 'max@new.example')).get() ?? {}
  const text = body ? (JSON.parse(unseal(panel.app.secrets, body)) as { html: string }).html : ''
  await max.submit(/\/profile\/email\/[\w-]{43}/.exec(text)?.[0] ?? '', 'Change e-mail')
  const page = `/customer/users/${userId(panel, 'max@new.example')}/removal`
  t.match((await petra.get(page)).text, `1 pending invitation to them ends: Max (${cast.max.email}), to Acme`)
  await petra.submit(page, 'Remove Max')
  t.equal(stateOf(panel, cast.max.email), 'cancelled')
})

t.test(
  'somebody invited to partner and customer is one of the partner’s people, whichever they accept first',
  async (t) => {
    const panel = await startApp(t)
    const [petra, nils] = (await everybody(panel, 'petra', 'nils')) as [Client, Client]
    await petra.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email, role: 'member' })
    await inviteInAcme(petra, { name: 'Nils', email: cast.nils.email })
    const accept = (account: string) => {
      const own = and(eq(invitations.accountId, accountId(panel, account)), eq(invitations.email, cast.nils.email))
      return nils.post(`/my-invitations/${panel.db.select().from(invitations).where(own).get()?.id}/acceptance`)
    }
    await accept('acme')
    t.ok(isIn(panel, 'nils', 'acme'))
    await accept('cloudhaus')
    t.match((await petra.get(removalOf(panel, 'nils'))).text, 'They lose 1 customer too')
    await petra.submit(removalOf(panel, 'nils'), 'Remove Nils')
    t.notOk(isIn(panel, 'nils', 'acme'))
  },
)

t.test(
  'what somebody of the partner sent inside a customer ends with them: nobody of the partner keeps it',
  async (t) => {
    const panel = await startApp(t)
    const [petra] = (await everybody(panel, 'petra')) as [Client]
    const max = await maxInAcme(panel, petra)
    await max.submit('/customer/users', 'Invite', { name: 'Yan', email: 'yan@cloudhaus.example' })
    await max.switchTo('acme')
    await max.submit('/customer/users', 'Invite', { name: 'Zed', email: 'zed@acme.example' })
    const page = await petra.get(removalOf(panel, 'max'))
    t.match(
      page.text,
      '1 pending invitation that they sent inside customers ends and cannot be kept: Zed (zed@acme.example), to Acme',
    )
    t.match(page.text, '1 pending invitation that they sent ends: Yan (yan@cloudhaus.example), to Cloudhaus')
    await petra.press(page, 'Remove Max', { keep: 'yes' })
    t.equal(stateOf(panel, 'zed@acme.example'), 'cancelled')
    t.equal(stateOf(panel, 'yan@cloudhaus.example'), 'pending')
  },
)

t.test('requests end with the person who made them, and the page says so', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, tom, olga] = (await everybody(panel, 'petra', 'stella', 'tom', 'olga')) as [
    Client,
    Client,
    Client,
    Client,
  ]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '4' })
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  await tom.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
  await tom.submit('/customer/account', 'Ask to become a partner')
  t.match((await olga.get('/support/accounts')).text, `Tom (${cast.tom.email}) asked on`)
  const page = await stella.get(removalOf(panel, 'tom'))
  t.match(page.text, 'The request for more quota that they sent for Acme ends.')
  t.match(page.text, 'The request to become a partner that they sent for Acme ends.')
  t.notMatch((await stella.get(removalOf(panel, 'stella'))).text, 'request')
  await stella.press(page, 'Remove Tom')
  t.notMatch((await olga.get('/support/accounts')).text, `Tom (${cast.tom.email}) asked on`)
  t.notMatch((await petra.get('/partner/quotas')).text, 'Growth')
  t.match((await stella.get('/customer/history?family=limit')).row('cancelled the request for more quota'), 'Stella')
  const row = (await stella.get('/customer/history?family=partner')).row(
    'cancelled the request of this account to become a partner',
  )
  t.match(row, 'Stella')
  t.ok((await stella.get('/customer/account')).hasButton('Ask to become a partner'))
})

t.test('a demoted and a disabled admin’s invitations end, and the notice says how many', async (t) => {
  const panel = await startApp(t)
  const [stella, tom, olga] = (await everybody(panel, 'stella', 'tom', 'olga')) as [Client, Client, Client]
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  await tom.submit('/customer/users', 'Invite', { name: 'One', email: 'one@acme.example', role: 'admin' })
  const asked = await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.tom.email)
  t.match(asked.text, 'Tom will be Customer User of Acme, and can no longer invite anyone.')
  t.match(asked.text, '1 pending invitation that they sent ends: One (one@acme.example), to Acme')
  t.equal(stateOf(panel, 'one@acme.example'), 'pending')
  await stella.press(asked, 'Change role')
  t.match(
    (await stella.open('/customer/users')).notice,
    'Tom is Customer User now. 1 invitation that they had sent ended',
  )
  t.equal(stateOf(panel, 'one@acme.example'), 'cancelled')
  await stella.submit('/customer/users', 'Invite', { name: 'Two', email: 'two@acme.example' })
  const page = await olga.submit('/support/users', 'Disable', {}, cast.stella.email)
  t.match(page.text, '1 pending invitation that they sent ends: Two (two@acme.example), to Acme')
  t.equal((await stella.get('/projects')).status, 200, 'nothing was done yet')
  await olga.press(page, 'Disable Stella')
  t.match((await olga.open('/support/users')).notice, '1 invitation that they had sent ended')
  t.equal(stateOf(panel, 'two@acme.example'), 'cancelled')
})

t.test('a person who demotes an admin may take over their invitations', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = (await everybody(panel, 'stella', 'tom')) as [Client, Client]
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  await tom.submit('/customer/users', 'Invite', { name: 'One', email: 'one@acme.example' })
  const link = await copiedLink(tom, 'one@acme.example')
  const own = await tom.submit('/customer/users', 'Save', { role: 'member' }, cast.tom.email)
  t.match(own.text, '1 pending invitation that you sent ends')
  t.notMatch(own.text, 'Keep these invitations')
  const asked = await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.tom.email)
  await stella.press(asked, 'Change role', { keep: 'yes' })
  const list = await stella.open('/customer/users')
  t.match(list.notice, 'Tom is Customer User now. You took over 1 invitation.')
  t.match(list.row('one@acme.example'), 'Resend')
  t.notOk((await panel.visit().get(link)).hasButton('Accept invitation'), 'no link that Tom has works')

  await stella.submit('/customer/users', 'Invite', { name: 'Two', email: 'two@acme.example' })
  const last = await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)
  t.match(last.problem, 'Acme keeps at least one Customer Admin', 'nobody is asked about what is impossible')
})

t.test('the pages of deletions, and of Remove Myself, say what ends for good', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = (await everybody(panel, 'olga', 'petra')) as [Client, Client]
  const list = '/partner/customers/initech/users'
  const removal = '/partner/customers/initech/removal'
  t.notMatch((await petra.get(removal)).text, 'for good below')
  t.notMatch((await petra.get(removal)).text, 'People of Cloudhaus')
  await petra.submit(list, 'Add Myself')
  t.notMatch((await petra.get(list)).text, 'When you remove yourself')
  await petra.switchTo('initech')
  await petra.submit('/customer/users', 'Invite', { name: 'Ann', email: 'ann@initech.example' })
  await petra.switchTo('cloudhaus')
  await petra.submit('/customer/users', 'Invite', { name: 'Cleo', email: 'cleo@cloudhaus.example' })

  const deletion = await petra.get(removal)
  t.match(deletion.text, 'It can be restored for 30 days, except for what ends for good')
  t.match(deletion.text, `People of Cloudhaus lose access: Petra (${cast.petra.email})`)
  t.match(deletion.text, '1 pending invitation sent by Cloudhaus ends: Ann (ann@initech.example)')

  await petra.submit('/customer/users', 'Save', { role: 'admin' }, cast.max.email)
  for (const [who, page, words] of [
    [petra, '/profile/removal', ['You lose', 'you sent']],
    [olga, `/support/users/${userId(panel, 'petra')}/removal`, ['They lose', 'they sent']],
  ] as const) {
    const { text } = await who.get(page)
    t.match(text, `${words[0]} 1 customer too`)
    t.match(text, `2 pending invitations that ${words[1]} end: Ann (ann@initech.example), to Initech`)
    t.match(text, 'Cleo (cleo@cloudhaus.example), to Cloudhaus')
  }

  t.match((await petra.get(list)).text, '1 pending invitation that you sent ends: Ann (ann@initech.example)')
  const left = await petra.submitAndFollow(list, 'Remove Myself')
  t.match(left.notice, 'You left Initech. 1 invitation that you had sent ended.')
  t.equal(stateOf(panel, 'ann@initech.example'), 'cancelled')
  t.equal(stateOf(panel, 'cleo@cloudhaus.example'), 'pending')
})

t.test('nobody returns through an older invitation', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, max] = (await everybody(panel, 'petra', 'stella', 'max')) as [Client, Client, Client]
  await stella.submit('/customer/users', 'Invite', { name: 'Petra', email: cast.petra.email, role: 'admin' })
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  t.equal(stateOf(panel, cast.petra.email), 'cancelled', 'joining by another way ends it')
  await stella.submit(removalOf(panel, 'petra'), 'Remove Petra')
  t.notOk((await petra.get('/')).hasButton('Accept'))

  await stella.submit('/customer/users', 'Invite', { name: 'Max', email: cast.max.email })
  await max.submit('/', 'Accept')
  await stella.submit('/customer/users', 'Invite', { name: 'Ann', email: 'max@new.example' })
  panel.db
    .update(users)
    .set({ email: 'max@new.example', emailKey: 'max@new.example' })
    .where(eq(users.email, cast.max.email))
    .run()
  await stella.submit(`/customer/users/${userId(panel, 'max@new.example')}/removal`, 'Remove Max')
  t.equal(stateOf(panel, 'max@new.example'), 'cancelled')
})

/** What parts a customer from its partner: each way out. */
const exits: Record<string, (olga: Client, petra: Client) => Promise<unknown>> = {
  'a move to another partner': (olga) =>
    olga.submit('/support/accounts/acme/partner', 'Move', { to: 'partner', partner: 'rival' }),
  'a move to none': (olga) => olga.submit('/support/accounts/acme/partner', 'Move', { to: 'none' }),
  'becoming a partner': async (olga) => {
    const page = await olga.submit('/support/accounts', 'Make partner', {}, 'acme')
    t.match(page.text, 'People of Cloudhaus lose access: Petra')
    t.match(page.text, 'sent by Cloudhaus')
    await olga.press(page, 'Make partner')
  },
  'its deletion': async (_olga, petra) => {
    await petra.submit('/partner/customers/acme/removal', 'Delete customer', { identifier: 'acme' })
  },
}

for (const [exit, part] of Object.entries(exits))
  t.test(`with ${exit} end the partner’s people, its invitations, links and suspension`, async (t) => {
    const panel = await startApp(t)
    const [olga, petra, stella] = (await everybody(panel, 'olga', 'petra', 'stella')) as [Client, Client, Client]
    for (const project of ['website', 'shop'])
      await stella.submit(`/projects/${project}/removal`, 'Delete project', { identifier: project })
    await olga.submit('/support/users', 'Disable', {}, cast.stella.email)
    await petra.submit('/partner/customers/acme/users', 'Invite', { name: 'Ann', email: 'ann@acme.example' })
    const copied = await petra.submit('/partner/customers/acme/users', 'Copy link', {}, 'ann@acme.example')
    const link = /\/invitations\/[\w-]{43}/.exec(copied.body)?.[0] ?? ''
    await petra.submit('/partner/customers/acme/users', 'Add Myself')
    await petra.switchTo('acme')
    await petra.submit('/customer/users', 'Invite', { name: 'Ben', email: 'ben@acme.example', role: 'admin' })
    await petra.switchTo('cloudhaus')
    await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Unpaid' })
    await part(olga, petra)

    t.notOk(isIn(panel, 'petra', 'acme'))
    t.ok(isIn(panel, 'tom', 'acme'))
    for (const email of ['ann@acme.example', 'ben@acme.example']) t.equal(stateOf(panel, email), 'cancelled', email)
    t.notOk((await panel.visit().get(link)).hasButton('Accept invitation'))
    const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()
    if (exit !== 'its deletion') t.equal(acme?.suspendedAt, null)
    t.equal((await petra.get('/partner/customers/acme/users')).status, 404)
  })

t.test('an account whose only admin’s address was mistyped is helped by who looks after it', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = (await everybody(panel, 'olga', 'petra')) as [Client, Client]
  const form = { name: 'New', identifier: 'new', kind: 'partner', adminName: 'Ann', adminEmail: 'ann@mistyped.example' }
  await olga.submit('/support/accounts', 'Create account', form)
  const users = '/support/accounts/new/users'
  const page = await olga.get((await olga.get('/support/accounts')).link('New', 'new') ?? '')
  const menu = page.root.querySelectorAll('.head .menu a').map((link) => link.getAttribute('href'))
  t.ok(menu.includes(users), 'the name leads to where its users are')
  const correction = (await olga.get(users)).link('Ann', 'ann@mistyped.example') ?? ''
  const wrong = await olga.submit(correction, 'Send invitation', { email: 'no address' })
  t.match(wrong.error('email'), 'not an e-mail address')
  const corrected = await olga.submitAndFollow(correction, 'Send invitation', { email: 'ann@right.example' })
  t.match(corrected.notice, 'Invitation sent to ann@right.example')
  t.match(corrected.row('ann@right.example'), 'Partner Admin')
  t.equal(stateOf(panel, 'ann@mistyped.example'), undefined)
  await olga.submit(users, 'Resend', {}, 'ann@right.example')
  await olga.submit(users, 'Cancel', {}, 'ann@right.example')
  t.equal((await olga.submit(users, 'Invite', { name: 'Bea', email: 'bea@right.example' })).status, 303)

  await petra.submit('/partner/customers', 'Create customer', { name: 'Globex', identifier: 'globex' })
  const globex = '/partner/customers/globex/users'
  await petra.submit(globex, 'Invite', { name: 'Hank', email: 'hank@mistyped.example' })
  const ofHank = (await petra.get(globex)).link('Hank', 'hank@mistyped.example') ?? ''
  t.match(
    (await petra.submitAndFollow(ofHank, 'Send invitation', { email: 'hank@globex.example' })).text,
    'hank@globex.example',
  )
  t.equal((await olga.get('/support/accounts/globex/users')).status, 404, 'its partner looks after it')
})

t.test('an account whose last admin was disabled or deleted gets another one', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, stella] = (await everybody(panel, 'olga', 'petra', 'stella')) as [Client, Client, Client]
  await stella.submit('/customer/users', 'Invite', { name: 'Ann', email: 'ann@acme.example', role: 'admin' })
  const list = '/partner/customers/acme/users'
  t.notOk((await petra.get(list)).hasButton('Invite'))
  await olga.press(await olga.submit('/support/users', 'Disable', {}, cast.stella.email), 'Disable Stella')
  t.match((await petra.get('/')).text, 'Acme has no admin')
  t.match((await petra.get('/partner/customers?admin=none')).row('acme'), 'Acme')
  t.equal((await petra.submit(list, 'Invite', { name: 'Bob', email: 'bob@acme.example' })).status, 303)

  await olga.submit('/support/users', 'Disable', {}, cast.dora.email)
  await olga.press(await olga.submit('/support/users', 'Disable', {}, cast.petra.email), 'Disable Petra')
  for (const account of ['direct', 'cloudhaus', 'acme']) {
    const page = `/support/accounts/${account}/users`
    const invited = await olga.submitAndFollow(page, 'Invite', { name: 'New', email: `new@${account}.example` })
    t.match(invited.row(`new@${account}.example`), 'Admin', account)
  }
  t.equal((await olga.get('/support/accounts/umbrella/users')).status, 404, 'Rival can act')
})

t.test('the last operator is not disabled', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  panel.db.update(users).set({ operator: true }).where(eq(users.email, cast.nils.email)).run()
  const nils = await panel.signIn('nils')
  const [one, other] = [await olga.get('/support/users'), await nils.get('/support/users')]
  const answers = await Promise.all([
    olga.press(one, 'Disable', {}, cast.nils.email),
    nils.press(other, 'Disable', {}, cast.olga.email),
  ])
  t.equal(answers.filter(({ location }) => location?.startsWith('/support/users')).length, 1)
  t.equal(answers.filter(({ location }) => location?.startsWith('/login')).length, 1)
  t.equal(
    panel.db
      .select()
      .from(users)
      .where(eq(users.operator, true))
      .all()
      .filter((user) => user.disabledAt === null).length,
    1,
  )
})

t.test('a user of an account without an admin becomes its admin at once, through who looks after it', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, dora, tom] = (await everybody(panel, 'olga', 'petra', 'dora', 'tom')) as [
    Client,
    Client,
    Client,
    Client,
  ]
  await dora.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  const nils = await panel.signIn('nils')
  await nils.submit('/', 'Accept')
  const roleOf = (who: CastName) =>
    panel.db
      .select()
      .from(memberships)
      .where(eq(memberships.userId, userId(panel, who)))
      .get()?.role
  for (const who of ['dora', 'stella'] as const) await olga.submit('/support/users', 'Disable', {}, cast[who].email)

  const ofDirect = '/support/accounts/direct/users'
  const dead = await olga.submit(ofDirect, 'Invite', { name: 'Dora', email: cast.dora.email })
  t.match(dead.error('email'), 'cannot log in or work in it now')
  panel.db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.nils.email)).run()
  const stranger = await olga.submit(ofDirect, 'Invite', { name: 'Nils', email: cast.nils.email })
  t.match(stranger.error('email'), 'has not confirmed this address')
  t.equal(roleOf('nils'), 'member')
  panel.db.update(users).set({ emailProvedAt: 1 }).where(eq(users.email, cast.nils.email)).run()
  const page = await olga.get(ofDirect)
  t.match(page.text, 'A user of it whose e-mail you enter becomes Customer Admin at once.')
  await olga.press(page, 'Invite', { name: 'N', email: cast.nils.email.toUpperCase() })
  t.match((await olga.open(ofDirect)).notice, 'Nils was a user of Direct already, and is Customer Admin now.')
  t.equal(roleOf('nils'), 'admin')
  t.match(
    (await nils.open('/customer/history?account=direct')).row('changed the role'),
    /Olga Support changed the role of Nils to Customer Admin/,
  )
  t.match((await olga.get('/support/mail')).row('Your role in Direct changed'), 'Nils')

  const ofAcme = '/partner/customers/acme/users'
  const made = await petra.submitAndFollow(ofAcme, 'Invite', { name: 'Tom', email: cast.tom.email })
  t.match(made.notice, 'Tom was a user of Acme already, and is Customer Admin now.')
  t.notOk(made.hasButton('Invite'))
  t.ok((await tom.get('/customer/users')).hasButton('Invite'))
  const late = await petra.post('/partner/customers/acme/invitations', { name: 'Max', email: cast.max.email })
  t.match(late.problem, 'Acme has a Customer Admin who can log in')
})

t.test('an invitation whose sender was removed names an admin who can act', async (t) => {
  const panel = await startApp(t)
  const [stella, tom, olga] = (await everybody(panel, 'stella', 'tom', 'olga')) as [Client, Client, Client]
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  await tom.submit('/customer/users', 'Invite', { name: 'Ann', email: 'ann@acme.example' })
  const link = await copiedLink(tom, 'ann@acme.example')
  const nils = await panel.signIn('nils')
  t.match((await nils.get(link)).text, `ask Tom (${cast.tom.email}) for another one`)
  await stella.submit(removalOf(panel, 'tom'), 'Remove Tom')
  t.match((await panel.visit().get(link)).text, `For a new one ask Stella (${cast.stella.email}).`)
  await olga.submit('/support/users', 'Disable', {}, cast.stella.email)
  t.match((await panel.visit().get(link)).text, 'For a new one ask the person who invited you.')
})

t.test('what ends for somebody with one account leaves the rest of theirs, and everybody else’s', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const [maxId, rivaId, doraId] = [userId(panel, 'max'), userId(panel, 'riva'), userId(panel, 'dora')]
  const at = panel.app.now()
  const belong = (account: string, user: UserId, fromPartner: boolean) =>
    db
      .insert(memberships)
      .values({
        accountId: accountId(panel, account),
        userId: user,
        role: 'admin',
        fromPartner,
        createdAt: at,
        lastUsedAt: at,
      })
      .run()
  // Cloudhaus works in Acme (Petra) and Initech (Max); Max belongs to Acme himself, and works for Rival in Umbrella.
  belong('initech', maxId, true)
  belong('acme', maxId, false)
  belong('rival', maxId, false)
  belong('umbrella', maxId, true)
  belong('umbrella', rivaId, true)
  const invite = (account: string, from: string, by: UserId, email: string) =>
    db
      .insert(invitations)
      .values({
        ...{ accountId: accountId(panel, account), invitedFrom: accountId(panel, from), invitedBy: by, email },
        ...{ emailKey: email, name: 'Max', search: '', role: 'member', createdAt: at, sentAt: at, expiresAt: at + 1e9 },
      })
      .run()
  invite('direct', 'direct', doraId, cast.max.email)
  // One more address that was his, into a customer of Rival.
  db.insert(personalChanges)
    .values({ recordId: 1, userId: maxId, field: 'email', before: 'max@earlier.example', after: cast.max.email })
    .run()
  invite('umbrella', 'umbrella', rivaId, 'max@earlier.example')
  for (const account of ['rival', 'cloudhaus'])
    db.insert(partnerRequests)
      .values({ accountId: accountId(panel, account), requestedBy: maxId, createdAt: at })
      .run()
  for (const account of ['umbrella', 'cloudhaus'])
    db.insert(quotaRequests)
      .values({ accountId: accountId(panel, account), requestedBy: maxId, createdAt: at, reason: '' })
      .run()

  const olga = await panel.signIn('olga')
  const deletion = (await olga.open(`/support/users/${maxId}/removal`)).text
  t.match(deletion, 'Initech')
  t.match(deletion, 'Umbrella')
  t.notMatch(deletion, 'Acme', 'there Petra works for Cloudhaus')
  const page = await petra.get(removalOf(panel, 'max'))
  t.match(page.text, 'They lose 1 customer too, where they work for Cloudhaus: Initech')
  await petra.press(page, 'Remove Max')

  t.notOk(isIn(panel, 'max', 'initech'))
  for (const account of ['acme', 'rival', 'umbrella']) t.ok(isIn(panel, 'max', account), account)
  t.ok(isIn(panel, 'petra', 'acme'))
  t.equal(stateOf(panel, cast.max.email), 'pending')
  t.equal(stateOf(panel, 'max@earlier.example'), 'pending')
  const stateIn = (table: typeof partnerRequests | typeof quotaRequests, account: string) =>
    db
      .select()
      .from(table)
      .where(eq(table.accountId, accountId(panel, account)))
      .get()?.state
  t.match([stateIn(partnerRequests, 'rival'), stateIn(partnerRequests, 'cloudhaus')], ['pending', 'declined'])
  t.match([stateIn(quotaRequests, 'umbrella'), stateIn(quotaRequests, 'cloudhaus')], ['open', 'cancelled'])
})

t.test('e-mails about a customer that wait for the partner before are withdrawn when it moves', async (t) => {
  const panel = await startApp(t, { settings: { SMTP_URL: await deadAddress() } })
  const [olga, stella] = (await everybody(panel, 'olga', 'stella')) as [Client, Client]
  await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'cloudhaus' })
  await panel.signIn('petra')
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '64' })
  await (await panel.signIn('petra')).submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '2' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '4', reason: 'Growth' })
  const toPetra = () =>
    panel.db
      .select()
      .from(letters)
      .where(and(eq(letters.email, cast.petra.email), eq(letters.accountId, accountId(panel, 'acme'))))
      .all()
      .map(({ state, error }) => `${state}: ${error ?? ''}`)
  t.match(toPetra(), [/^waiting/])
  await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'rival' })
  t.match(toPetra(), [
    /^withdrawn: Not sent: (its reader’s account no longer looks after this customer|the request has ended)/,
  ])
})

t.test('what tells the partner’s people in a customer is not sent while their partner is suspended', async (t) => {
  const panel = await startApp(t, { settings: { SMTP_URL: await deadAddress() } })
  const [petra, olga] = (await everybody(panel, 'petra', 'olga')) as [Client, Client]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const told = panel.db.select().from(letters).where(eq(letters.email, cast.stella.email)).get()
  if (told?.reason !== 'admin') throw new Error('The admins of Acme are not told.')
  const toPetra = { ...told, email: cast.petra.email, userId: userId(panel, 'petra') }
  t.equal(whyNotSent(panel.db, toPetra, panel.app.now()), undefined)
  await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Abuse' })
  t.equal(whyNotSent(panel.db, toPetra, panel.app.now()), 'its reader’s partner account is suspended')
})
