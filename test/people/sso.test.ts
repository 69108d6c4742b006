import { eq } from 'drizzle-orm'
import t from 'tap'
import { identities, records, sessions, users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { endSessions } from '../../src/people/data/sessions.ts'
import { atCommandLine } from '../../src/records/record.ts'
import { startApp, userId } from '../harness.ts'
import { formBody, loseInside } from '../matrix/held.ts'
import { connectThrough, ssoThrough, startOidc } from '../oidc.ts'
import { enrol } from '../two-factor.ts'

const minute = 60_000

t.test(
  'a user connects the provider, logs in with it, and disconnects it; letters and records tell of it',
  async (t) => {
    const oidc = await startOidc(t)
    const panel = await startApp(t, { settings: oidc.settings })
    const tom = await panel.signIn('tom')
    t.match((await connectThrough(oidc, tom)).notice, 'You can log in with Example ID now.')
    const id = userId(panel, 'tom')
    t.match(panel.db.select().from(identities).all(), [{ subject: 'number-1', userId: id, issuer: `${oidc.issuer}/` }])

    const elsewhere = panel.visit()
    t.match((await elsewhere.get('/login')).text, 'Log in with Example ID')
    t.equal((await ssoThrough(oidc, elsewhere, '/projects?q=web')).location, '/projects?q=web')
    t.equal((await elsewhere.get('/profile')).status, 200)
    t.match(panel.db.select().from(sessions).all().at(-1), { identityId: 1, secondFactor: false, ssoFactors: false })

    const gone = await tom.submitAndFollow('/profile/sso', 'Disconnect')
    t.match(gone.notice, 'Example ID was disconnected.')
    t.equal((await elsewhere.get('/profile')).location?.startsWith('/login'), true, 'what began there has ended')
    t.equal((await tom.get('/profile')).status, 200)
    const subjects = panel.rows().letters?.map((letter) => (letter as { subject: string }).subject)
    t.same(subjects?.slice(-3), [
      'Single sign-on was connected with your user',
      'New login to your user',
      'Single sign-on was disconnected from your user',
    ])
    const kinds = panel.db.select({ kind: records.kind }).from(records).all()
    t.ok(kinds.some(({ kind }) => kind === 'user.sso-connected'))
    t.ok(kinds.some(({ kind }) => kind === 'user.sso-disconnected'))
  },
)

t.test('what comes back is taken once, in its browser, for ten minutes, and as it was asked', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: oidc.settings })
  await connectThrough(oidc, await panel.signIn('tom'))
  const started = async () => {
    const client = panel.visit()
    const { location } = await client.get('/login/sso')
    return { client, back: new URL(await oidc.visit(location), 'http://x') }
  }
  const nobody = async (client: ReturnType<typeof panel.visit>, what: string) =>
    t.match((await client.get('/profile')).location, '/login', what)
  const tried = async (what: string, change: (back: URLSearchParams) => void) => {
    panel.pass(2 * minute)
    const { client, back } = await started()
    change(back.searchParams)
    const answer = await client.get(back.pathname + back.search)
    t.match(answer.location, /^\/login\?next=/, what)
    t.match((await client.open(answer.location ?? '')).notice, 'did not work', what)
    await nobody(client, what)
  }
  await tried('another state', (query) => query.set('state', 'another'))
  await tried('another issuer', (query) => query.set('iss', 'https://other.example'))
  await tried('no issuer', (query) => query.delete('iss'))
  await tried('another code', (query) => query.set('code', 'another'))
  await tried('an error', (query) => {
    query.delete('code')
    query.set('error', 'access_denied')
  })

  const used = await started()
  const cookie = used.client.cookies.get('meshpanel-sso') ?? ''
  t.equal((await used.client.get(used.back.pathname + used.back.search)).location, '/')
  const thief = panel.visit()
  thief.cookies.set('meshpanel-sso', cookie)
  t.equal((await thief.get(used.back.pathname + used.back.search)).location, '/login', 'with its cookie, a second time')
  await nobody(thief, 'replayed with the cookie')

  const one = await started()
  t.equal((await one.client.get(one.back.pathname + one.back.search)).location, '/')
  const other = await started()
  other.back.searchParams.set('code', one.back.searchParams.get('code') ?? '')
  t.match((await other.client.get(other.back.pathname + other.back.search)).location, '/login?next=', 'a used code')

  const elsewhere = await started()
  t.equal((await panel.visit().get(elsewhere.back.pathname + elsewhere.back.search)).location, '/login')
  const late = await started()
  panel.pass(10 * minute)
  t.equal((await late.client.get(late.back.pathname + late.back.search)).location, '/login')
  await nobody(late.client, 'after ten minutes')
})

t.test('another nonce in the ID token logs nobody in', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: oidc.settings })
  await connectThrough(oidc, await panel.signIn('tom'))
  const client = panel.visit()
  const { location } = await client.get('/login/sso')
  const url = new URL(location ?? '')
  url.searchParams.set('nonce', 'another')
  const answer = await client.get(await oidc.visit(url.href))
  t.match((await client.open(answer.location ?? '')).notice, 'did not work')
  t.match((await client.get('/profile')).location, '/login')
})

t.test('the same address gives nobody another’s user, verified or not', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: oidc.settings })
  const { email } = cast.tom
  for (const verified of [undefined, false, true]) {
    oidc.jar.clear()
    oidc.account = { sub: `stranger-${verified}`, email, verified }
    const client = panel.visit()
    t.equal((await ssoThrough(oidc, client)).location, '/login/sso/waiting', `${verified}`)
    t.equal(panel.rows().identities?.length, 0)
    t.match((await client.get('/profile')).location, '/login')
    const other = await client.logIn(cast.uma.email)
    t.equal(other.status, 303)
    t.match((await client.get('/login/sso/waiting')).text, 'You are logged in as')
    await client.post('/profile/sso/waiting', { identity: client.cookies.get('meshpanel-sso-waiting') ?? '' })
    t.equal(panel.rows().identities?.length, 0, 'nor to somebody else')
  }
})

t.test('who logs in as before connects the waiting identity; a form of another browser connects nothing', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: { ...oidc.settings, OIDC_ONLY: 'yes' } })
  oidc.account = { sub: 'number-1', email: cast.tom.email, verified: false }
  const client = panel.visit()
  const waiting = await client.open((await ssoThrough(oidc, client)).location ?? '')
  t.match(waiting.text, 'Log in once as you did before')
  const credentials = { email: cast.tom.email, password: demoPassword }
  const first = await client.submit('/login?other=yes&next=/login/sso/waiting', 'Log in', credentials)
  t.equal(first.location, '/login/sso/waiting')
  const foreign = panel.visit()
  await ssoThrough(oidc, foreign)
  const wrong = { identity: foreign.cookies.get('meshpanel-sso-waiting') ?? '' }
  await client.post('/profile/sso/waiting', wrong)
  t.equal(panel.rows().identities?.length, 0)
  t.match((await client.submitAndFollow('/login/sso/waiting', 'Connect')).notice, 'You can log in with Example ID')
  t.equal((await ssoThrough(oidc, panel.visit(), '/projects')).location, '/projects')
})

t.test('OIDC_EMAIL_TRUSTED connects at once, and only what is verified, and only a first identity', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: { ...oidc.settings, OIDC_EMAIL_TRUSTED: 'yes' } })
  const id = userId(panel, 'tom')
  oidc.account = { sub: 'number-1', email: cast.tom.email, verified: false }
  t.equal((await ssoThrough(oidc, panel.visit())).location, '/login/sso/waiting')
  oidc.account.verified = true
  const client = panel.visit()
  t.equal((await ssoThrough(oidc, client, '/profile')).location, '/profile')
  t.equal((await client.get('/profile')).status, 200)
  t.match(panel.db.select().from(identities).all(), [{ subject: 'number-1', userId: id }])

  oidc.jar.clear()
  oidc.account = { sub: 'number-2', email: cast.tom.email, verified: true }
  t.equal(
    (await ssoThrough(oidc, panel.visit())).location,
    '/login/sso/waiting',
    'the address was given out again there',
  )

  oidc.jar.clear()
  const uma = await panel.signIn('uma')
  panel.db
    .update(users)
    .set({ emailProvedAt: null })
    .where(eq(users.id, userId(panel, 'uma')))
    .run()
  oidc.account = { sub: 'number-3', email: cast.uma.email, verified: true }
  t.equal((await ssoThrough(oidc, panel.visit(), '/profile')).location, '/profile')
  t.match((await uma.get('/profile')).location, '/login', 'whoever set an unconfirmed user up is out')
  t.equal((await panel.visit().logIn(cast.uma.email)).status, 422)
})

t.test('a changed address at the provider changes nothing here', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: { ...oidc.settings, OIDC_EMAIL_TRUSTED: 'yes' } })
  await connectThrough(oidc, await panel.signIn('tom'))
  oidc.account = { sub: 'number-1', email: cast.olga.email, verified: true, name: 'Olga' }
  const client = panel.visit()
  t.equal((await ssoThrough(oidc, client, '/profile')).location, '/profile')
  t.match((await client.get('/profile')).text, cast.tom.email)
  t.match(
    panel.db
      .select()
      .from(users)
      .where(eq(users.id, userId(panel, 'tom')))
      .get(),
    { name: cast.tom.name },
  )
})

t.test('the same number at another provider is somebody else', async (t) => {
  const [first, second] = [await startOidc(t), await startOidc(t)]
  const panel = await startApp(t, { settings: first.settings })
  await connectThrough(first, await panel.signIn('tom'))
  await panel.close()
  const moved = await startApp(t, { settings: second.settings, dataDir: panel.dataDir })
  second.account = { sub: 'number-1', email: 'stranger@x.example', verified: true }
  const client = moved.visit()
  t.equal((await ssoThrough(second, client)).location, '/login')
  t.match((await client.get('/login')).notice, 'Nobody has invited stranger@x.example here')
})

t.test('an invited person becomes a user without a password; a deleted one is invited anew', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: oidc.settings })
  const stella = await panel.signIn('stella')
  const person = { name: 'Nina', email: 'nina@x.example' }
  oidc.account = { sub: 'nina', email: 'Nina@x.example', verified: false, name: 'Nina N.' }
  const invite = () => stella.submitAndFollow('/customer/users', 'Invite', person)
  await invite()
  const client = panel.visit()
  t.equal((await ssoThrough(oidc, client)).location, '/login', 'an unverified address')
  oidc.account.verified = true
  t.equal((await ssoThrough(oidc, client, '/projects')).location, '/')
  const id = userId(panel, 'nina@x.example')
  t.match(panel.db.select().from(users).where(eq(users.id, id)).get(), { name: 'Nina N.', passwordHash: '' })
  t.match((await client.open('/')).text, 'Accept')
  t.match((await client.get('/profile')).text, 'You have no password here')

  t.match((await client.submitAndFollow('/profile/sso', 'Disconnect')).notice, 'Nothing else would log you in')
  panel.db
    .update(sessions)
    .set({ provedAt: panel.app.now() - 11 * minute })
    .run()
  const asked = await client.submit('/profile/removal', 'Delete my user', { email: oidc.account.email ?? '' })
  t.match(asked.text, 'Confirm with Example ID')
  t.notMatch(asked.text, 'name="_proof"')
  const proof = await client.get('/profile/sso/proof?next=/profile/removal')
  t.equal((await client.get(await oidc.visit(proof.location))).status, 303)
  await client.submit('/profile/removal', 'Delete my user', { email: oidc.account.email ?? '' })
  t.equal(panel.rows().identities?.length, 0)

  const again = panel.visit()
  t.equal((await ssoThrough(oidc, again)).location, '/login')
  await invite()
  t.equal((await ssoThrough(oidc, again)).location, '/')
  t.not(userId(panel, 'nina@x.example'), id, 'another user')
})

t.test('a second factor is asked for as ever, unless the provider answers for it', async (t) => {
  const oidc = await startOidc(t, { inIdToken: true })
  const plain = await startApp(t, { settings: oidc.settings })
  const tom = await plain.signIn('tom')
  await enrol(plain, tom)
  await connectThrough(oidc, tom)
  const half = plain.visit()
  t.equal((await ssoThrough(oidc, half, '/projects')).location, '/login/second-factor?next=%2Fprojects')
  t.match((await half.get('/profile')).location, '/login/second-factor')
  await plain.close()

  for (const [amr, location] of [
    [['pwd'], '/login/second-factor?next=%2Fprojects'],
    [['pwd', 'mfa'], '/projects'],
  ] as const) {
    oidc.jar.clear()
    const settings = { ...oidc.settings, OIDC_SECOND_FACTOR: 'mfa' }
    const panel = await startApp(t, { settings, dataDir: plain.dataDir })
    oidc.claims = { amr: [...amr] }
    t.equal((await ssoThrough(oidc, panel.visit(), '/projects')).location, location, `${amr}`)
    await panel.close()
  }
})

t.test('OIDC_ONLY leaves the password to Support', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: { ...oidc.settings, OIDC_ONLY: 'yes' } })
  const page = await panel.visit().get('/login')
  t.notMatch(page.text, 'Password')
  t.match(page.text, 'Log in as Support')
  const client = panel.visit()
  const refused = await client.submit('/login?other=yes', 'Log in', { email: cast.tom.email, password: demoPassword })
  t.equal(refused.status, 422)
  t.match(refused.text, 'Log in with Example ID.')
  const olga = panel.visit()
  const done = await olga.submit('/login?other=yes', 'Log in', { email: cast.olga.email, password: demoPassword })
  t.equal(done.status, 303)
  t.equal((await olga.get('/support/users')).status, 200)
})

t.test('a disabled user stays out, and a reset disconnects', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: oidc.settings })
  await connectThrough(oidc, await panel.signIn('tom'))
  const id = userId(panel, 'tom')
  panel.db.update(users).set({ disabledAt: 1 }).where(eq(users.id, id)).run()
  const client = panel.visit()
  t.equal((await ssoThrough(oidc, client)).location, '/login')
  t.match((await client.get('/login')).notice, 'This user is disabled')
  panel.db.update(users).set({ disabledAt: null }).where(eq(users.id, id)).run()
  const olga = await panel.signIn('olga')
  t.match((await olga.get(`/support/users/${id}`)).text, 'single sign-on is connected')
  await olga.submitAndFollow('/support/users', 'Reset two-factor', {}, cast.tom.email)
  t.equal(panel.rows().identities?.length, 0)
})

t.test('who is logged out while a form of theirs is handled connects and disconnects nothing', async (t) => {
  const oidc = await startOidc(t)
  const panel = await startApp(t, { settings: { ...oidc.settings } })
  const tom = await panel.signIn('tom')
  await connectThrough(oidc, tom)
  const id = userId(panel, 'tom')
  const loggedOut = () => endSessions(panel.db, atCommandLine(panel.app.now()), id)
  const removal = { client: tom, path: '/profile/sso/removal', body: await formBody(tom, {}) }
  t.match((await loseInside(panel, removal, loggedOut)).location, '/login')
  t.equal(panel.rows().identities?.length, 1)

  panel.db.delete(identities).run()
  const waiting = panel.visit()
  oidc.account.email = cast.tom.email
  await ssoThrough(oidc, waiting)
  await waiting.logIn(cast.tom.email)
  const page = await waiting.get('/login/sso/waiting')
  const fields = { identity: page.value('identity') ?? '' }
  const connecting = { client: waiting, path: '/profile/sso/waiting', body: await formBody(waiting, fields) }
  t.match((await loseInside(panel, connecting, loggedOut)).location, '/login')
  t.equal(panel.rows().identities?.length, 0)
})

t.test(
  'the provider confirms who somebody is only by a new login, of their own, and by two factors where they have two',
  async (t) => {
    const oidc = await startOidc(t, { inIdToken: true })
    const panel = await startApp(t, { settings: { ...oidc.settings, OIDC_SECOND_FACTOR: 'mfa' } })
    const tom = await panel.signIn('tom')
    await connectThrough(oidc, tom)
    const longAgo = () => panel.db.update(sessions).set({ provedAt: 1 }).run()
    const proved = async (change?: (start: URL) => void) => {
      longAgo()
      const start = new URL((await tom.get('/profile/sso/proof?next=/profile')).location ?? '')
      if (change) change(start)
      else oidc.jar.clear()
      await tom.get(await oidc.visit(start.href))
      return panel.db
        .select()
        .from(sessions)
        .all()
        .some(({ provedAt }) => provedAt > 1)
    }
    t.equal(await proved(), true)
    oidc.jar.clear()
    oidc.account.sub = 'somebody else'
    t.equal(await proved(), false, 'another login')
    oidc.account.sub = 'number-1'
    t.equal(await proved(), true)
    panel.pass(5 * minute)
    const isOld = await proved((start) => {
      start.searchParams.delete('prompt')
      start.searchParams.delete('max_age')
    })
    t.equal(isOld, false, 'an old login there')
    panel.jump(-5 * minute)

    panel.db.update(sessions).set({ provedAt: panel.app.now() }).run()
    await enrol(panel, tom)
    t.equal(await proved(), false, 'by one factor alone')
    oidc.claims = { amr: ['mfa'] }
    t.equal(await proved(), true)
  },
)
