import { eq } from 'drizzle-orm'
import t from 'tap'
import { emailChanges, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { type Panel, publicUrl, startApp, userId } from '../harness.ts'
import { linkIn, type MailServer, startMailServer } from '../smtp.ts'

const minute = 60_000
const newAddress = 'tom@new.example'

async function startWithMail(t: Parameters<typeof startApp>[0]): Promise<{ panel: Panel; mail: MailServer }> {
  const mail = await startMailServer(t)
  return { mail, panel: await startApp(t, { settings: { SMTP_URL: mail.url } }) }
}

async function linkTo(mail: MailServer, address: string): Promise<string> {
  return linkIn((await mail.letterTo(address)).mail.text, publicUrl, '/profile/email/')
}

t.test('a user changes the e-mail by the link in a letter to the new address', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const tom = await panel.signIn('tom')
  const elsewhere = await panel.signIn('tom')
  const asked = await tom.submitAndFollow('/profile', 'Change e-mail', { email: newAddress })
  t.match(asked.notice, newAddress)
  t.match((await mail.letterTo('tom@acme.example')).mail.subject, 'A change of your e-mail was asked for')
  t.equal((await panel.visit().logIn(newAddress)).status, 422, 'nothing has changed yet')

  const link = await linkTo(mail, newAddress)
  const page = await tom.open(link)
  t.match(page.text, 'You will log in as tom@new.example')
  t.equal(page.response.headers['referrer-policy'], 'no-referrer')
  t.equal((await panel.visit().logIn(newAddress)).status, 422, 'looking changes nothing')
  const changed = await tom.press(page, 'Change e-mail')
  t.match((await tom.open(changed.location ?? '')).text, 'log in as tom@new.example')
  t.match((await mail.letterTo('tom@acme.example', 2)).mail.subject, 'Your e-mail was changed')

  t.match((await elsewhere.get('/projects')).location, '/login', 'the other session has ended')
  t.equal((await panel.visit().logIn(newAddress)).status, 303)
  t.equal((await panel.visit().logIn('tom@acme.example')).status, 422)
  t.equal((await tom.get(link)).status, 404, 'the link works once')
})

t.test('the link is its user’s alone, the newest alone, and works for an hour', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const tom = await panel.signIn('tom')
  await tom.submit('/profile', 'Change e-mail', { email: newAddress })
  const first = await linkTo(mail, newAddress)
  const stella = await panel.signIn('stella')
  const seen = () => panel.rows().users?.map((row) => ({ ...(row as object), last_seen_at: 0 }))
  const before = seen()
  const foreign = await stella.get(first)
  t.equal(foreign.status, 404)
  t.notMatch(foreign.text, newAddress)
  t.equal((await stella.post(first)).status, 404)
  t.match((await panel.visit().get(first)).location, '/login?next=', 'a visitor logs in first')

  await tom.submit('/profile', 'Change e-mail', { email: 'tom@newer.example' })
  t.equal((await tom.post(first)).status, 404)
  const second = await linkTo(mail, 'tom@newer.example')
  panel.pass(61 * minute)
  t.equal((await tom.post(second)).status, 404)
  t.strictSame(seen(), before)
})

t.test('an address that somebody else logs in with is not told of, and not given', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const tom = await panel.signIn('tom')
  const taken = await tom.submitAndFollow('/profile', 'Change e-mail', { email: 'STELLA@acme.example' })
  t.match(taken.notice, 'Unless somebody else logs in with STELLA@acme.example, an e-mail is on its way there')
  await mail.letterTo('tom@acme.example')
  t.notOk(mail.taken.some(({ recipients }) => recipients.some((to) => /stella/i.test(to))))

  // Free when it was asked for, taken when the link is followed.
  await tom.submit('/profile', 'Change e-mail', { email: newAddress })
  const link = await linkTo(mail, newAddress)
  const nils = await panel.signIn('nils')
  await nils.submit('/profile', 'Change e-mail', { email: newAddress })
  await mail.letterTo(newAddress, 2)
  await nils.post(linkIn((await mail.letterTo(newAddress, 2)).mail.text, publicUrl, '/profile/email/'))
  const late = await tom.post(link)
  t.match((await tom.open(late.location ?? '')).notice, 'somebody else logs in with this address')
  t.match((await tom.open('/profile')).text, 'log in as tom@acme.example')
})

t.test('an invalid e-mail is refused at its field, and so is the user’s own', async (t) => {
  const { panel } = await startWithMail(t)
  const tom = await panel.signIn('tom')
  const wrong = await tom.submit('/profile', 'Change e-mail', { email: 'tom at new' })
  t.equal(wrong.status, 422)
  t.match(wrong.error('email'), 'not an e-mail address')
  t.equal(wrong.value('email'), 'tom at new')
  t.match((await tom.submit('/profile', 'Change e-mail', { email: 'tom@acme.example' })).error('email'), 'already')
})

t.test('it is asked again who somebody is, and a new password ends what was asked for', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const tom = await panel.signIn('tom')
  panel.pass(11 * minute)
  const confirm = await tom.submit('/profile', 'Change e-mail', { email: newAddress })
  t.equal(confirm.status, 403)
  t.match(confirm.title, 'Confirm that it is you')
  t.same(panel.rows().letters, [])
  t.equal((await tom.press(confirm, 'Confirm', { _proof: 'demo-demo-demo' })).status, 303)
  const link = await linkTo(mail, newAddress)
  await tom.submit('/profile', 'Change password', {
    current: 'demo-demo-demo',
    password: 'correct horse battery',
    repeated: 'correct horse battery',
  })
  t.equal((await tom.get(link)).status, 404)
})

t.test('the account’s history shows the user under the new name and e-mail only to who may see it', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const tom = await panel.signIn('tom')
  await tom.submit('/profile', 'Change e-mail', { email: newAddress })
  await tom.post(await linkTo(mail, newAddress))
  const olga = await panel.signIn('olga')
  const row = (await olga.get('/support/history')).row('changed their e-mail')
  t.match(row, 'to tom@new.example (was tom@acme.example)')
})

t.test('a confirmation of the earlier address does not change the e-mail back', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const old = 'tom@acme.example'
  panel.db.update(users).set({ emailProvedAt: null }).where(eq(users.email, old)).run()
  const tom = await panel.signIn('tom')
  await tom.submit('/profile', 'Change e-mail', { email: newAddress })
  await tom.submit('/profile', 'Send confirmation')
  const confirmation = linkIn((await mail.letterTo(old)).mail.text, publicUrl, '/profile/email/')
  const chosen = { password: 'correct horse battery staple', repeated: 'correct horse battery staple' }
  await tom.submit(await linkTo(mail, newAddress), 'Change e-mail', chosen)
  t.same(panel.rows().email_changes, [])
  t.equal((await tom.get(confirmation)).status, 404)
  t.equal((await tom.post(confirmation)).status, 404)
  t.match((await tom.open('/profile')).text, `log in as ${newAddress}`)
})

t.test('resending a confirmation does not end another user’s change to that address', async (t) => {
  const panel = await startApp(t)
  panel.db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.ines.email)).run()
  const wish = { userId: userId(panel, 'max'), email: cast.ines.email, expiresAt: panel.app.now() + 60_000 }
  panel.db
    .insert(emailChanges)
    .values({ hash: 'of Max', ...wish })
    .run()
  await (await panel.signIn('ines')).submit('/profile', 'Send confirmation')
  t.same(
    panel.db
      .select()
      .from(emailChanges)
      .all()
      .map(({ userId }) => userId)
      .sort(),
    [wish.userId, userId(panel, 'ines')].sort(),
  )
})
