import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { accounts, memberships, users } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { accountId, type Panel, publicUrl, startApp, userId } from '../harness.ts'
import { linkIn, startMailServer } from '../smtp.ts'
import { enrol } from '../two-factor.ts'

// Somebody cannot log in, and calls whoever looks after their account.

async function start(t: Test) {
  const mail = await startMailServer(t)
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  return { mail, panel, tom: `/partner/customers/acme/users/${userId(panel, 'tom')}` }
}

function hasTwoFactor({ db }: Panel, who: CastName): boolean {
  return db.select().from(users).where(eq(users.email, cast[who].email)).get()?.totpSecret !== null
}

t.test('a Partner Admin sends a customer’s user a password link, and never sees it', async (t) => {
  const { mail, panel, tom } = await start(t)
  const petra = await panel.signIn('petra')
  const list = await petra.open('/partner/customers/acme/users')
  t.equal(list.link('Help', 'Tom'), tom)
  const sent = await petra.submitAndFollow(tom, 'Send password link')
  t.match(sent.notice, `on its way to ${cast.tom.email}`)
  const { text } = (await mail.letterTo(cast.tom.email)).mail
  t.match(text, 'Petra of Cloudhaus sent you this link to choose a new password for Meshpanel')
  t.notMatch(text, 'asked for a new password', 'nobody asked')
  const link = linkIn(text, publicUrl, '/password-reset/')
  t.notMatch(sent.body, link)
  const words = 'correct horse battery staple'
  await panel.visit().submit(link, 'Change password', { password: words, repeated: words })
  t.equal((await panel.visit().logIn(cast.tom.email, words)).status, 303)

  t.equal((await mail.letterTo(cast.stella.email)).mail.subject, 'Tom was sent a password link in Acme')
  const stella = await panel.signIn('stella')
  t.match((await stella.open('/customer/history')).row('a link to choose a new password'), /Petra.*Tom/)
  t.match((await petra.open('/partner/history')).row('a link to choose a new password'), 'Acme')

  const again = await petra.submitAndFollow(tom, 'Send password link')
  t.match(again.notice, 'Nothing was sent to Tom again. A link was just asked for')
  t.equal(mail.taken.filter(({ mail }) => mail.subject === 'Choose a new password').length, 1)
})

t.test('a Partner Admin resets two-factor login of a user whom only they look after', async (t) => {
  const { mail, panel, tom } = await start(t)
  const petra = await panel.signIn('petra')
  t.match((await petra.open(tom)).text, 'They have no two-factor login, passkeys or single sign-on.')
  await enrol(panel, await panel.signIn('tom'))
  const done = await petra.submitAndFollow(tom, 'Reset two-factor')
  t.match(done.notice, 'Two-factor login and passkeys of Tom were reset, and all their sessions ended.')
  t.notOk(hasTwoFactor(panel, 'tom'))
  t.equal((await mail.letterTo(cast.tom.email, 2)).mail.subject, 'Two-factor login was reset')
  t.equal((await mail.letterTo(cast.stella.email)).mail.subject, 'Two-factor login of Tom was reset in Acme')
  t.match((await (await panel.signIn('stella')).open('/customer/history')).row('two-factor login of'), /Petra.*Tom/)
})

t.test('nobody takes the second factor from a user who works elsewhere too, or for Support', async (t) => {
  const { panel, tom } = await start(t)
  const petra = await panel.signIn('petra')
  await enrol(panel, await panel.signIn('tom'))
  const open = await petra.open(tom)
  const umbrella = accountId(panel, 'umbrella')
  const inUmbrella = { accountId: umbrella, userId: userId(panel, 'tom'), role: 'member' } as const
  panel.db
    .insert(memberships)
    .values({ ...inUmbrella, createdAt: 1, lastUsedAt: 1 })
    .run()
  const page = await petra.open(tom)
  t.match(page.text, 'Only Support can reset their two-factor login')
  t.notMatch(page.text, 'Umbrella', 'it does not say where')
  t.notOk(page.hasButton('Reset two-factor'))
  t.equal((await petra.press(open, 'Reset two-factor')).status, 404, 'a page that was open before')
  t.ok(hasTwoFactor(panel, 'tom'))

  panel.db.delete(memberships).where(eq(memberships.accountId, umbrella)).run()
  panel.db
    .update(users)
    .set({ operator: true })
    .where(eq(users.id, userId(panel, 'tom')))
    .run()
  t.equal((await petra.press(open, 'Reset two-factor')).status, 404)
  t.ok(hasTwoFactor(panel, 'tom'))
})

t.test('nobody takes the second factor from a colleague', async (t) => {
  const { panel } = await start(t)
  const petra = await panel.signIn('petra')
  await enrol(panel, await panel.signIn('max'))
  const acme = accountId(panel, 'acme')
  const path = `/partner/customers/acme/users/${userId(panel, 'max')}`
  const joining = {
    accountId: acme,
    userId: userId(panel, 'max'),
    role: 'member',
    createdAt: 1,
    lastUsedAt: 1,
  } as const
  panel.db.insert(memberships).values(joining).run()
  t.notOk((await petra.open(path)).hasButton('Reset two-factor'), 'who was invited')
  t.equal((await petra.post(`${path}/two-factor/removal`, { _account: 'cloudhaus' })).status, 404)
  panel.db.update(memberships).set({ fromPartner: true }).where(eq(memberships.accountId, acme)).run()
  t.equal((await petra.get(path)).status, 404, 'who added themselves')
  t.ok(hasTwoFactor(panel, 'max'))
})

t.test('help ends with the tie, and nobody helps users who are not their customer’s', async (t) => {
  const { mail, panel, tom } = await start(t)
  const petra = await panel.signIn('petra')
  for (const other of ['uma', 'dora', 'ines', 'nils'] as const) {
    const path = `/partner/customers/acme/users/${userId(panel, other)}`
    t.equal((await petra.get(path)).status, 404, other)
    t.equal((await petra.post(`${path}/password-link`, { _account: 'cloudhaus' })).status, 404, other)
    t.equal((await petra.post(`${path}/two-factor/removal`, { _account: 'cloudhaus' })).status, 404, other)
  }
  const max = await panel.signIn('max')
  t.equal((await max.get(tom)).status, 403, 'a Partner User may not')
  t.notOk((await max.open('/partner/customers/acme/users')).link('Help'))
  t.equal((await (await panel.signIn('riva')).get(tom)).status, 404)

  const open = await petra.open(tom)
  panel.db.update(accounts).set({ partnerId: null }).where(eq(accounts.identifier, 'acme')).run()
  t.equal((await petra.press(open, 'Send password link')).status, 404)
  t.equal(mail.taken.length, 0)
})

t.test('Support sees what a user is in, their sessions and e-mails, and sends a link', async (t) => {
  const { mail, panel } = await start(t)
  await panel.signIn('tom')
  const olga = await panel.signIn('olga')
  const path = (await olga.open('/support/users?q=tom')).link('Tom') ?? ''
  t.equal(path, `/support/users/${userId(panel, 'tom')}`)
  const sent = await olga.submitAndFollow(path, 'Send password link')
  t.match(sent.notice, `on its way to ${cast.tom.email}`)
  t.match((await mail.letterTo(cast.tom.email)).mail.text, 'Meshpanel Support sent you this link')
  const page = await olga.open(path)
  t.match(page.text, /Accounts 1 .*Acme.*Customer User/)
  t.match(page.text, /Sessions 1 /)
  t.match(page.text, /E-mails 1 Choose a new password/)
  t.match((await olga.open('/support/history')).row('a link to choose a new password'), /Olga.*Tom/)
  t.equal((await (await panel.signIn('petra')).get(path)).status, 403)
})
