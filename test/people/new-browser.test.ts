import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { letters } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { type Panel, publicUrl, startApp } from '../harness.ts'
import { linkIn, startMailServer } from '../smtp.ts'
import { codeOf, enrol } from '../two-factor.ts'

const minute = 60_000
const subject = 'New login to your user'
const words = 'correct horse battery staple'

/** How many letters about new browsers somebody was sent. */
const told = ({ db }: Panel, email: string) =>
  db
    .select()
    .from(letters)
    .where(eq(letters.email, email))
    .all()
    .filter((letter) => letter.subject === subject).length

async function start(t: Test) {
  const mail = await startMailServer(t)
  return { mail, panel: await startApp(t, { settings: { SMTP_URL: mail.url } }) }
}

t.test('who logs in with a new browser is told by e-mail, and sees it among the sessions', async (t) => {
  const { panel, mail } = await start(t)
  const known = await panel.signIn('tom')
  t.equal(told(panel, cast.tom.email), 0)
  const browser = panel.visit()
  await browser.logIn(cast.tom.email)
  const letter = (await mail.letterTo(cast.tom.email)).mail
  t.equal(letter.subject, subject)
  for (const part of [
    '127.0.0.1',
    'a browser that you had not used here since your password was set',
    '/profile#sessions-title',
  ])
    t.match(letter.text, part)
  const sessions = (await known.get('/profile')).root.querySelectorAll('[aria-labelledby=sessions-title] tbody tr')
  t.same(
    sessions.map((row) => row.text.includes('new browser')),
    [true, false],
    'the newest first',
  )
  t.match(
    (await known.get('/profile')).root.querySelector('#sessions-title')?.text,
    'My sessions',
    'the link leads there',
  )

  await browser.submit('/profile', 'Log out')
  await browser.logIn(cast.tom.email)
  t.equal(told(panel, cast.tom.email), 1, 'it is known from then on')
  t.notMatch((await browser.get('/profile')).text, 'new browser')
})

t.test('who has not proved to be the user tells nobody', async (t) => {
  const { panel } = await start(t)
  const tom = await panel.signIn('tom')
  await panel.visit().logIn(cast.tom.email, 'wrong')
  t.equal(told(panel, cast.tom.email), 0, 'a wrong password')
  const { secret } = await enrol(panel, tom)
  const half = panel.visit()
  t.match((await half.logIn(cast.tom.email)).location, '/login/second-factor')
  t.equal(told(panel, cast.tom.email), 0, 'the password alone')
  panel.pass(minute)
  t.equal((await half.submit('/login/second-factor', 'Log in', { code: codeOf(panel, secret) })).status, 303)
  t.equal(told(panel, cast.tom.email), 1, 'both')
})

t.test('browsers in which a user begins, or sets the password, are known', async (t) => {
  const { panel, mail } = await start(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'New', email: 'new@acme.example', role: 'member' })
  const link = linkIn((await mail.letterTo('new@acme.example')).mail.text, publicUrl)
  const guest = panel.visit()
  await guest.submit(link, 'Accept invitation', { name: 'New', password: words, repeated: words })
  await guest.submit('/profile', 'Log out')
  t.equal((await guest.logIn('new@acme.example', words)).status, 303)
  t.equal(told(panel, 'new@acme.example'), 0)

  await stella.submit('/profile', 'Change password', { current: 'demo-demo-demo', password: words, repeated: words })
  await stella.submit('/profile', 'Log out')
  t.equal((await stella.logIn(cast.stella.email, words)).status, 303)
  t.equal(told(panel, cast.stella.email), 0)
})

t.test('one browser after the other floods no mailbox', async (t) => {
  const { panel } = await start(t)
  for (let n = 0; n < 12; n++) await panel.visit().logIn(cast.tom.email)
  t.equal(told(panel, cast.tom.email), 5)
  panel.pass(minute)
  await panel.visit().logIn(cast.tom.email)
  t.equal(told(panel, cast.tom.email), 6, 'later, it is told again')
})
