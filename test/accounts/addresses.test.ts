import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { invitations, memberships, recoveryCodes, sessions, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Client, type Fields, type Panel, publicUrl, startApp, userId } from '../harness.ts'
import { linkIn, type MailServer, startMailServer } from '../smtp.ts'

// Only a link that was mailed to an address proves it (rule 14).

const password = 'correct horse battery staple'
const another = 'every cloud has silver linings'
const cfo = { name: 'Carla Foster', email: 'cfo@umbrella.example' }

async function startWithMail(t: Test): Promise<Panel & { mail: MailServer }> {
  const mail = await startMailServer(t)
  return { ...(await startApp(t, { settings: { SMTP_URL: mail.url } })), mail }
}

const rowOf = ({ db }: Panel, email: string) => db.select().from(users).where(eq(users.email, email)).get()
const provedAt = (panel: Panel, email: string) => rowOf(panel, email)?.emailProvedAt ?? null

async function copyLink(client: Client, email: string, page = '/customer/users'): Promise<string> {
  const copied = await client.submit(page, 'Copy link', {}, email)
  return linkIn(copied.root.querySelector('#link')?.getAttribute('value') ?? '', publicUrl)
}

const accept = (client: Client, link: string, fields: Fields = {}) =>
  client.submitAndFollow(link, 'Accept invitation', { name: cfo.name, password, repeated: password, ...fields })

/** Stella invites the address of somebody else’s CFO, copies the link, and sets the password herself. */
async function takeAddress(panel: Panel): Promise<Client> {
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { ...cfo, role: 'member' })
  const thief = panel.visit()
  const inside = await accept(thief, await copyLink(stella, cfo.email))
  t.equal(inside.activeAccount, 'Acme')
  return thief
}

/** Uma invites the real CFO; returns the link in the e-mail. */
async function inviteOwner(panel: Panel & { mail: MailServer }, nth = 2): Promise<string> {
  const uma = await panel.signIn('uma')
  await uma.submit('/customer/users', 'Invite', { ...cfo, role: 'admin' })
  return linkIn((await panel.mail.letterTo(cfo.email, nth)).mail.text, publicUrl)
}

const accountsOf = (panel: Panel, email: string) =>
  panel.db
    .select({ id: memberships.accountId })
    .from(memberships)
    .where(eq(memberships.userId, userId(panel, email)))
    .all().length

t.test('who set up an address with a copied link sees and accepts no other account’s invitation', async (t) => {
  const panel = await startWithMail(t)
  const thief = await takeAddress(panel)
  t.equal(provedAt(panel, cfo.email), null)
  t.equal(accountsOf(panel, cfo.email), 1, 'the link made the one membership that it was made for')
  await inviteOwner(panel)

  const home = await thief.get('/')
  t.notMatch(home.text, 'Umbrella')
  t.notOk(home.hasButton('Accept'))
  t.match(home.text, 'address not confirmed')
  const [pending] = panel.rows().invitations?.filter((row) => (row as { state: string }).state === 'pending') ?? []
  const { id } = pending as { id: number }
  await thief.post(`/my-invitations/${id}/acceptance`)
  t.match((await thief.get('/')).notice, 'no longer open')
  t.equal(accountsOf(panel, cfo.email), 1)
})

t.test('the mailbox’s owner who follows a mailed link ends everything that was set up before', async (t) => {
  const panel = await startWithMail(t)
  const thief = await takeAddress(panel)
  await thief.submit('/profile', 'Change e-mail', { email: 'thief@evil.example' })
  const link = await inviteOwner(panel)

  const owner = panel.visit()
  const page = await owner.get(link)
  t.match(page.text, 'This address was set up here before, and nobody has confirmed it')
  const inside = await owner.press(page, 'Accept invitation', { name: 'Carla', password: another, repeated: another })
  t.equal((await owner.open(inside.location ?? '')).activeAccount, 'Umbrella')
  t.type(provedAt(panel, cfo.email), 'number')
  t.equal((await thief.get('/')).location, '/login?next=%2F', 'the earlier session ended')
  t.equal((await panel.visit().logIn(cfo.email, password)).status, 422, 'and the earlier password')
  t.equal((await panel.visit().logIn(cfo.email, another)).status, 303)
  t.same(panel.rows().email_changes, [])
  t.equal(
    panel.db
      .select()
      .from(sessions)
      .where(eq(sessions.userId, userId(panel, cfo.email)))
      .all().length,
    2,
  )
  const olga = await panel.signIn('olga')
  t.match((await olga.get('/support/history?family=user')).text, 'What was set up before has ended')
})

t.test('a password reset proves an address too, and ends the second factor that another had set up', async (t) => {
  const panel = await startWithMail(t)
  await takeAddress(panel)
  const id = userId(panel, cfo.email)
  panel.db.update(users).set({ totpSecret: 'sealed', totpStep: 1 }).where(eq(users.id, id)).run()
  panel.db.insert(recoveryCodes).values({ userId: id, hash: 'x' }).run()
  const owner = panel.visit()
  await owner.submit('/password-reset', 'Send link', { email: cfo.email })
  const link = linkIn((await panel.mail.letterTo(cfo.email, 2)).mail.text, publicUrl, '/password-reset/')
  const same = await owner.submit(link, 'Change password', { password, repeated: password })
  t.match(same.error('password'), 'This was the password before. Choose a new one.')
  t.equal((await owner.submit(link, 'Change password', { password: another, repeated: another })).status, 303)
  const row = rowOf(panel, cfo.email)
  t.type(row?.emailProvedAt, 'number')
  t.equal(row?.totpSecret, null)
  t.same(panel.rows().recovery_codes, [])
  t.equal((await owner.logIn(cfo.email, another)).location, '/')
})

t.test('a reset of a proved address leaves its second factor', async (t) => {
  const panel = await startWithMail(t)
  const id = userId(panel, 'nils')
  panel.db.update(users).set({ totpSecret: 'sealed', totpStep: 1 }).where(eq(users.id, id)).run()
  const nils = panel.visit()
  await nils.submit('/password-reset', 'Send link', { email: cast.nils.email })
  const link = linkIn((await panel.mail.letterTo(cast.nils.email)).mail.text, publicUrl, '/password-reset/')
  t.equal((await nils.submit(link, 'Change password', { password: another, repeated: another })).status, 303)
  t.equal(rowOf(panel, cast.nils.email)?.totpSecret, 'sealed')
})

t.test('the page behind a copied link looks the same whether or not the address has a log-in', async (t) => {
  const panel = await startWithMail(t)
  const stella = await panel.signIn('stella')
  const looks = []
  for (const email of [cast.nils.email, cfo.email]) {
    await stella.submit('/customer/users', 'Invite', { name: 'Sam Same', email, role: 'member' })
    const link = await copyLink(stella, email)
    const page = await panel.visit().get(link)
    t.ok(page.hasButton('Accept invitation'))
    t.ok(page.link('Log in to accept'))
    looks.push(
      page.withoutTokens
        .replaceAll(email, 'ADDRESS')
        .replaceAll(link, 'LINK')
        .replaceAll(encodeURIComponent(link), 'LINK'),
    )
  }
  t.equal(looks[0], looks[1])

  const before = rowOf(panel, cast.nils.email)
  const refused = await panel.visit().submit(await copyLink(stella, cast.nils.email), 'Accept invitation', {
    name: 'N',
    password,
    repeated: password,
  })
  t.equal(refused.status, 409)
  t.match(refused.problem, 'log in to accept')
  t.same(rowOf(panel, cast.nils.email), before, 'a copied link sets nobody’s password')
  t.equal(accountsOf(panel, cast.nils.email), 0)
  const nils = await panel.signIn('nils')
  t.match(
    (await nils.submitAndFollow(await copyLink(stella, cast.nils.email), 'Accept invitation')).activeAccount,
    'Acme',
  )
})

t.test('a mailed link proves the address with a new password, a copied one does not prove it', async (t) => {
  const panel = await startWithMail(t)
  const person = await takeAddress(panel)
  const uma = await panel.signIn('uma')
  const link = await inviteOwner(panel)
  await person.submit(await copyLink(uma, cfo.email), 'Accept invitation')
  t.equal(accountsOf(panel, cfo.email), 2)
  t.equal(provedAt(panel, cfo.email), null)
  t.notOk((await person.get(link)).hasButton('Accept invitation'), 'it was used')

  const riva = await panel.signIn('riva')
  await riva.submit('/customer/users', 'Invite', { ...cfo, role: 'member' })
  const mailed = linkIn((await panel.mail.letterTo(cfo.email, 3)).mail.text, publicUrl)
  await person.post(`${mailed}/acceptance`)
  t.equal(accountsOf(panel, cfo.email), 2, 'not without a new password')
  t.equal((await accept(person, mailed, { password: another, repeated: another })).activeAccount, 'Rival')
  t.type(provedAt(panel, cfo.email), 'number')
  t.notMatch((await person.get('/')).text, 'address not confirmed')
})

/** The thief tells the real CFO the password: both are logged in, the thief first. */
async function shareLogIn(panel: Panel): Promise<{ thief: Client; owner: Client }> {
  const thief = await takeAddress(panel)
  const owner = panel.visit()
  await owner.logIn(cfo.email, password)
  return { thief, owner }
}

/** The person who knew the earlier password has nothing left; `owner` stays logged in. */
async function endedForOthers(t: Test, panel: Panel, thief: Client, owner: Client): Promise<void> {
  t.type(provedAt(panel, cfo.email), 'number')
  t.equal((await thief.get('/')).location, '/login?next=%2F', 'the thief’s session ended')
  t.equal((await panel.visit().logIn(cfo.email, password)).status, 422, 'and the password')
  t.equal((await panel.visit().logIn(cfo.email, another)).status, 303)
  t.equal((await owner.get('/profile')).status, 200, 'this browser is signed in anew')
}

t.test('an invitation in the e-mail asks for a new password also while logged in with the earlier one', async (t) => {
  const panel = await startWithMail(t)
  const { thief, owner } = await shareLogIn(panel)
  const link = await inviteOwner(panel)
  const page = await owner.get(link)
  t.match(page.text, 'Choose a password: the earlier one ends')
  const refused = await owner.post(`${link}/acceptance`)
  t.equal(refused.status, 409)
  t.ok(refused.hasButton('Accept invitation'), 'the page with the form')
  t.equal(accountsOf(panel, cfo.email), 1)
  const same = await owner.press(page, 'Accept invitation', { name: cfo.name, password, repeated: password })
  t.equal(same.status, 422)
  t.match(same.error('password'), 'This was the password before. Choose a new one.')
  t.equal((await accept(owner, link, { password: another, repeated: another })).activeAccount, 'Umbrella')
  await endedForOthers(t, panel, thief, owner)
})

t.test('a confirmation asks for a new password, and ends everything that was set up or sent before', async (t) => {
  const panel = await startWithMail(t)
  const { thief, owner } = await shareLogIn(panel)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cfo.email)
  await thief.submit('/customer/users', 'Invite', { name: 'Friend', email: 'friend@evil.example', role: 'admin' })
  await stella.submit('/customer/users', 'Invite', { name: 'Ann', email: 'ann@acme.example' })
  const copied = await copyLink(thief, 'ann@acme.example')
  await owner.submit('/profile', 'Send confirmation')
  const link = linkIn((await panel.mail.letterTo(cfo.email, 2)).mail.text, publicUrl, '/profile/email/')
  const page = await owner.get(link)
  t.match(page.text, 'Choose a password: the earlier one ends, and so does everything that was set up with it.')
  const same = await owner.press(page, 'Confirm e-mail address', { password, repeated: password })
  t.match(same.error('password'), 'This was the password before. Choose a new one.')
  t.equal((await owner.post(link)).status, 422, 'not without a password')
  t.equal(provedAt(panel, cfo.email), null)
  const done = await owner.press(page, 'Confirm e-mail address', { password: another, repeated: another })
  t.match((await owner.open(done.location ?? '')).notice, `${cfo.email} is confirmed, with your new password`)
  await endedForOthers(t, panel, thief, owner)
  const states = panel.db.select().from(invitations).where(eq(invitations.email, 'friend@evil.example')).all()
  t.same(
    states.map(({ state }) => state),
    ['cancelled'],
  )
  t.notOk(
    (await panel.visit().get(copied)).hasButton('Accept invitation'),
    'a link that the thief copied does not work either',
  )
})

t.test('an invitation that the earlier user sent to their own address ends when it proves that address', async (t) => {
  const panel = await startWithMail(t)
  const thief = await takeAddress(panel)
  const link = await inviteOwner(panel)
  const id = userId(panel, cfo.email)
  panel.db
    .update(invitations)
    .set({ invitedBy: id })
    .where(eq(invitations.accountId, accountId(panel, 'umbrella')))
    .run()
  const owner = panel.visit()
  t.match((await accept(owner, link, { password: another, repeated: another })).notice, 'The invitation ended')
  t.equal(accountsOf(panel, cfo.email), 1)
  await endedForOthers(t, panel, thief, owner)
})

t.test(
  'the person and the account’s admins see an address that is not confirmed, and send a confirmation',
  async (t) => {
    const panel = await startWithMail(t)
    const person = await takeAddress(panel)
    const [stella, tom, petra] = [await panel.signIn('stella'), await panel.signIn('tom'), await panel.signIn('petra')]
    t.match((await stella.get('/customer/users')).row(cfo.email), 'address not confirmed')
    t.notMatch((await stella.get('/customer/users')).row(cast.tom.email), 'address not confirmed')
    t.match((await petra.get('/partner/customers/acme/users')).row(cfo.email), 'address not confirmed')
    t.notOk((await tom.get('/customer/users')).hasButton('Send confirmation'))
    t.equal((await tom.post(`/customer/users/${rowOf(panel, cfo.email)?.id}/confirmation`)).status, 403)

    t.match((await stella.submitAndFollow('/customer/users', 'Send confirmation', {}, cfo.email)).notice, cfo.email)
    const first = linkIn((await panel.mail.letterTo(cfo.email, 2)).mail.text, publicUrl, '/profile/email/')
    t.match((await person.submitAndFollow('/profile', 'Send confirmation')).notice, `Confirmation sent to ${cfo.email}`)
    const second = linkIn((await panel.mail.letterTo(cfo.email, 3)).mail.text, publicUrl, '/profile/email/')
    t.equal((await person.get(first)).status, 404, 'only the newest link works')
    t.equal((await stella.get(second)).status, 404, 'for another user it does not exist')
    t.equal((await panel.visit().get(second)).location, `/login?next=${encodeURIComponent(second)}`)
    t.equal(provedAt(panel, cfo.email), null, 'looking proves nothing')

    const chosen = { password: another, repeated: another }
    t.match((await person.submitAndFollow(second, 'Confirm e-mail address', chosen)).notice, 'is confirmed')
    t.type(provedAt(panel, cfo.email), 'number')
    t.equal((await person.get('/profile')).status, 200, 'this browser is signed in anew')
    t.notMatch((await stella.get('/customer/users')).row(cfo.email), 'address not confirmed')
    t.match((await stella.get('/customer/history?family=user')).row('to confirm their e-mail'), 'Stella')
  },
)

t.test('an e-mail change proves the new address, and asks for a new password', async (t) => {
  const panel = await startWithMail(t)
  const { thief, owner: person } = await shareLogIn(panel)
  await person.submit('/profile', 'Change e-mail', { email: 'carla@home.example' })
  const { mail } = await panel.mail.letterTo('carla@home.example')
  const link = linkIn(mail.text, publicUrl, '/profile/email/')
  t.match((await person.submit(link, 'Change e-mail')).error('password'), 'Choose a password')
  await person.submit(link, 'Change e-mail', { password: another, repeated: another })
  t.type(provedAt(panel, 'carla@home.example'), 'number')
  t.match((await person.get('/profile')).text, 'carla@home.example')
  t.equal((await thief.get('/')).location, '/login?next=%2F')
  t.equal((await panel.visit().logIn('carla@home.example', password)).status, 422)
})

t.test('a partner copies links of invitations that it sent, while the customer has no admin', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  const list = '/partner/customers/acme/users'
  await stella.submit('/customer/users', 'Invite', { name: 'Ann', email: 'ann@acme.example', role: 'admin' })
  t.notOk((await petra.get(list)).hasButton('Copy link'))
  t.notOk((await petra.get(list)).hasButton('Cancel'))
  const [row] = panel.rows().invitations ?? []
  const { id } = row as { id: number }
  const tokens = panel.rows().invitation_tokens
  for (const act of ['link', 'resending', 'cancellation'])
    t.equal((await petra.post(`/partner/customers/acme/invitations/${id}/${act}`)).status, 404, act)
  t.strictSame(panel.rows().invitation_tokens, tokens)

  await olga.press(await olga.submit('/support/users', 'Disable', {}, cast.stella.email), 'Disable Stella')
  await petra.submit(list, 'Invite', { name: 'Bob', email: 'bob@acme.example' })
  const page = await petra.get(list)
  t.match(page.row('bob@acme.example'), 'Copy link')
  await petra.submit(list, 'Add Myself')
  t.notMatch((await petra.get(list)).row('bob@acme.example'), 'Copy link')
})

t.test('a copied link never sets the password of somebody who is there, confirmed or not', async (t) => {
  const panel = await startWithMail(t)
  await takeAddress(panel)
  const before = rowOf(panel, cfo.email)
  t.equal(before?.emailProvedAt, null)
  const uma = await panel.signIn('uma')
  await uma.submit('/customer/users', 'Invite', { ...cfo, role: 'admin' })
  await accept(panel.visit(), await copyLink(uma, cfo.email), { password: another, repeated: another })
  t.equal(rowOf(panel, cfo.email)?.passwordHash, before?.passwordHash)
  t.equal(accountsOf(panel, cfo.email), 1)
})
