import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { type Panel, publicUrl, startApp } from '../harness.ts'
import { linkIn, type MailServer, startMailServer } from '../smtp.ts'

const minute = 60_000
const words = 'correct horse battery staple'
const newPassword = { password: words, repeated: words }

async function startWithMail(t: Test): Promise<{ panel: Panel; mail: MailServer }> {
  const mail = await startMailServer(t)
  return { mail, panel: await startApp(t, { settings: { SMTP_URL: mail.url } }) }
}

/** Asks for a new password, and returns the link of the nth letter to that address. */
async function askForLink(panel: Panel, mail: MailServer, email: string, nth = 1): Promise<string> {
  await panel.visit().submit('/password-reset', 'Send link', { email })
  return linkIn((await mail.letterTo(email, nth)).mail.text, publicUrl, '/password-reset/')
}

t.test('who forgot the password chooses a new one by the link in a letter', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const tom = await panel.signIn('tom')
  const visitor = panel.visit()
  const page = await visitor.open((await visitor.open('/login')).link('Forgot your password?') ?? '')
  const asked = await visitor.press(page, 'Send link', { email: 'TOM@acme.example' })
  t.match((await visitor.open(asked.location ?? '')).notice, 'an e-mail is on its way')
  const link = linkIn((await mail.letterTo(cast.tom.email)).mail.text, publicUrl, '/password-reset/')

  await panel.visit().get(link)
  t.equal((await tom.get('/projects')).status, 200, 'looking changes nothing')
  const done = await visitor.submitAndFollow(link, 'Change password', newPassword)
  t.match(done.notice, 'Your password was changed')
  t.equal(done.path, '/login', 'it does not log in')
  t.match((await tom.get('/projects')).location, '/login', 'all sessions end')
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 422)
  t.equal((await panel.visit().logIn(cast.tom.email, words)).status, 303)
  t.match((await mail.letterTo(cast.tom.email, 2)).mail.subject, 'Your password was changed', 'and the owner is told')
})

t.test('a link works once, for half an hour, and the newest alone', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const first = await askForLink(panel, mail, cast.tom.email)
  panel.pass(5 * minute)
  const second = await askForLink(panel, mail, cast.tom.email, 2)
  const dead = await panel.visit().get(first)
  t.equal(dead.status, 404)
  t.match(dead.text, 'This link does not work')
  t.equal(
    dead.withoutTokens.replaceAll(first, ''),
    (await panel.visit().get('/password-reset/unknown')).withoutTokens.replaceAll('/password-reset/unknown', ''),
  )

  const visitor = panel.visit()
  const open = await visitor.open(second)
  await visitor.press(open, 'Change password', newPassword)
  const before = panel.rows().users
  t.not((await visitor.press(open, 'Change password', { password: `${words}!`, repeated: `${words}!` })).status, 303)
  t.strictSame(panel.rows().users, before)

  const third = await askForLink(panel, mail, cast.stella.email)
  panel.pass(31 * minute)
  t.equal((await panel.visit().get(third)).status, 404)
})

t.test('of many who use one link at once, one sets the password', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const link = await askForLink(panel, mail, cast.tom.email)
  const visitor = panel.visit()
  const page = await visitor.open(link)
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      visitor.press(page, 'Change password', { password: `${words} ${n}`, repeated: `${words} ${n}` }),
    ),
  )
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
})

t.test('an unknown address and a disabled user get the same answer, and no letter', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/users', 'Disable', {}, cast.dora.email)
  const answers = await Promise.all(
    [cast.tom.email, 'nobody@acme.example', cast.dora.email].map((email) =>
      panel.visit().submitAndFollow('/password-reset', 'Send link', { email }),
    ),
  )
  t.equal(new Set(answers.map((page) => page.withoutTokens)).size, 1, 'byte for byte')
  await mail.letterTo(cast.tom.email)
  await panel.close()
  t.equal(mail.taken.length, 1)
})

t.test('a weak password is refused at its field, and the link still works', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const link = await askForLink(panel, mail, cast.tom.email)
  const visitor = panel.visit()
  const hash = () => panel.db.select().from(users).where(eq(users.email, cast.tom.email)).get()?.passwordHash
  const before = hash()
  for (const [fields, field, why] of [
    [{ password: 'short', repeated: 'short' }, 'password', 'at least 12'],
    [{ password: 'tom@acme.example', repeated: 'tom@acme.example' }, 'password', 'your own name'],
    [{ password: words, repeated: demoPassword }, 'repeated', 'differ'],
  ] as const) {
    const page = await visitor.submit(link, 'Change password', fields)
    t.equal(page.status, 422)
    t.match(page.error(field), why)
  }
  t.equal(hash(), before)
  t.equal((await visitor.submit(link, 'Change password', newPassword)).status, 303)
})

t.test('a link is kept as its hash, and it is recorded who asked and who changed', async (t) => {
  const { panel, mail } = await startWithMail(t)
  const link = await askForLink(panel, mail, cast.tom.email)
  const token = link.split('/').at(-1) ?? ''
  t.ok(token.length >= 43)
  t.notOk(JSON.stringify(panel.rows()).includes(token))
  await panel.visit().submit(link, 'Change password', newPassword)
  const olga = await panel.signIn('olga')
  const history = await olga.get('/support/history?person=tom&family=user')
  t.match(history.row('asked for a link to choose a new password'), 'Tom')
  t.match(history.row('changed their password'), 'Tom')
})
