import { eq } from 'drizzle-orm'
import t from 'tap'
import { sessions, users } from '../../src/db/schema.ts'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { endedPasskeys } from '../../src/people/passkeys/ended.ts'
import { Authenticator, askedOn } from '../authenticator.ts'
import { Client, type Panel, startApp, userId } from '../harness.ts'
import { codeOf, enrol } from '../two-factor.ts'

const minute = 60_000
const second = '/login/second-factor/passkey'

async function passwordOnly(panel: Panel, who: CastName) {
  const client = panel.visit()
  const first = await client.logIn(cast[who].email, demoPassword, '/profile')
  return { client, first, page: await client.open(first.location ?? '') }
}

t.test('after the password, a passkey or a security key stands in for the code', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const { secret } = await enrol(panel, tom)
  const [phone, key, foreign] = [new Authenticator(), new Authenticator(), new Authenticator()]
  await phone.addTo(tom, 'Phone')
  t.equal((await key.addTo(tom, 'Key', 'no')).status, 303)
  t.match((await tom.get('/profile/passkeys')).row('Key'), 'second step only')
  const uma = await panel.signIn('uma')
  await foreign.addTo(uma)

  for (const authenticator of [phone, key]) {
    const { client, page } = await passwordOnly(panel, 'tom')
    t.match(page.title, 'Second step')
    const asked = askedOn(page, second)
    t.equal(asked.get?.allowCredentials.length, 2)
    const credential = authenticator.get(asked, { unverified: authenticator === key })
    t.equal((await client.press(page, 'Use a passkey', { credential })).location, '/profile')
    t.equal((await client.get('/profile')).status, 200)
  }
  const { client, page } = await passwordOnly(panel, 'tom')
  const wrong = await client.press(page, 'Use a passkey', {
    credential: foreign.get(askedOn(page, second), { id: foreign.keys[0]?.id ?? '' }),
  })
  t.equal(wrong.status, 422, 'another user’s passkey')
  t.match((await client.get('/profile')).location, '/login/second-factor')
  panel.pass(minute)
  t.equal((await client.press(wrong, 'Log in', { code: codeOf(panel, secret) })).status, 303, 'the code works as ever')

  t.equal((await key.logIn(panel.visit(), { unverified: true })).status, 422, 'a security key alone logs nobody in')
  t.equal((await key.logIn(panel.visit())).status, 422, 'not even where it says that it recognised somebody')
  t.equal((await new Authenticator().addTo(uma, 'Key', 'no')).status, 404, 'nor is one added without a second step')
})

t.test('the second step ends with the session and with the passkey', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  await enrol(panel, tom)
  const phone = new Authenticator()
  await phone.addTo(tom)
  const ended = await passwordOnly(panel, 'tom')
  const credential = phone.get(askedOn(ended.page, second))
  const half = panel.db.select().from(sessions).where(eq(sessions.secondFactor, false)).all()
  panel.db.delete(sessions).where(eq(sessions.secondFactor, false)).run()
  t.equal(half.length, 1)
  t.equal((await ended.client.press(ended.page, 'Use a passkey', { credential })).status, 403)
  t.match((await ended.client.get('/profile')).location, '/login')

  const disabled = await passwordOnly(panel, 'tom')
  const late = phone.get(askedOn(disabled.page, second))
  panel.db
    .update(users)
    .set({ disabledAt: 1 })
    .where(eq(users.id, userId(panel, 'tom')))
    .run()
  await disabled.client.press(disabled.page, 'Use a passkey', { credential: late })
  t.match((await disabled.client.get('/profile')).location, '/login')
  t.equal(
    panel.db
      .select()
      .from(sessions)
      .where(eq(sessions.userId, userId(panel, 'tom')))
      .all().length,
    2,
  )
})

t.test('a passkey satisfies TWO_FACTOR; the password then needs it, and loses nothing to a thief', async (t) => {
  const panel = await startApp(t, { settings: { TWO_FACTOR: 'partners' } })
  for (const who of ['olga', 'petra'] as const) {
    const client = await panel.signIn(who)
    t.equal((await client.get('/')).location, '/profile/two-factor', 'neither yet')
    t.match((await client.get('/profile/passkeys')).problem, 'asks for two factors')
    const phone = new Authenticator()
    t.equal((await phone.addTo(client)).status, 303)
    t.equal((await client.get('/')).status, 200, 'this session goes on')

    const { client: thief, first, page } = await passwordOnly(panel, who)
    t.match(first.location, '/login/second-factor')
    t.equal(page.root.querySelector('input[name=code]'), null, 'there is no code')
    t.match((await thief.get('/profile/two-factor')).location, '/login/second-factor', 'nothing can be set up')
    t.match((await thief.get('/profile/passkeys/new')).location, '/login/second-factor')
    const credential = phone.get(askedOn(page, second))
    t.equal((await thief.press(page, 'Use a passkey', { credential })).location, '/profile')

    const alone = panel.visit()
    t.equal((await phone.logIn(alone)).status, 303)
    t.equal((await alone.get('/')).status, 200)
    const changed = await alone.submit('/profile', 'Change password', {
      current: demoPassword,
      password: 'a fairly new pass phrase',
      repeated: 'a fairly new pass phrase',
    })
    t.equal(changed.status, 303)
    t.equal((await alone.get('/')).status, 200, 'also after a new password')

    const link = (await alone.get('/profile/passkeys')).link('Change') ?? ''
    await alone.submit(link, 'Remove passkey')
    t.equal((await alone.get('/')).location, '/profile/two-factor', 'the last one went: set up anew')
  }
  const tom = await panel.signIn('tom')
  await new Authenticator().addTo(tom)
  t.equal((await (await panel.signIn('tom')).get('/')).status, 200, 'elsewhere the password logs in as before')
})

t.test('at another address they have ended, and count for nothing', async (t) => {
  const panel = await startApp(t, { settings: { TWO_FACTOR: 'support' } })
  const olga = await panel.signIn('olga')
  const phone = new Authenticator()
  await phone.addTo(olga)
  await panel.close()
  const url = 'http://panel.localhost:3000'
  const moved = await startApp(t, { dataDir: panel.dataDir, settings: { TWO_FACTOR: 'support', PUBLIC_URL: url } })
  const client = new Client(moved.app, url)
  t.equal((await phone.logIn(client, { host: 'localhost' })).status, 422)
  t.equal((await client.logIn(cast.olga.email)).location, '/', 'the password alone, and no second step')
  t.equal((await client.get('/')).location, '/profile/two-factor', 'which is set up anew')
  t.match((await client.get('/profile/passkeys')).row('Phone'), 'It was for localhost')
  t.match(endedPasskeys(moved.db, moved.app.config)?.what, '1 passkey')
  t.equal(endedPasskeys(moved.db, panel.app.config), undefined)
})

t.test('without https or at a number there are none', async (t) => {
  for (const url of ['http://panel.example', 'http://127.0.0.1:3000', 'http://[::1]:3000']) {
    const panel = await startApp(t, { settings: { PUBLIC_URL: url } })
    const page = await panel.app.inject({ url: '/login' })
    t.equal(page.statusCode, 200, url)
    t.notMatch(page.body, 'passkey', url)
  }
})
