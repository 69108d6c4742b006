import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { addDomain, noteCheck, removeDomain } from '../../src/accounts/sso/data/domains.ts'
import { saveAccountProvider } from '../../src/accounts/sso/data/provider.ts'
import { identities, sessions, users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { byItself } from '../../src/records/record.ts'
import { seal } from '../../src/secrets.ts'
import { accountId, type Client, type Page, type Panel, startApp, userId } from '../harness.ts'
import { type Oidc, startOidc } from '../oidc.ts'

const start = (t: Test) => startApp(t, { settings: { OUTSIDE_ALLOW: '127.0.0.0/8' } })

/** An account brings a provider along, and has proved the domain of its people. */
function bring({ app, db }: Panel, oidc: Oidc, account: string, emailTrusted = false) {
  const [by, id] = [byItself(app.now()), accountId({ db }, account)]
  const clientSecret = seal(app.secrets, 'a-secret-of-the-panel-alone')
  const wanted = { issuer: new URL(oidc.issuer).href, clientId: 'panel', clientSecret, emailTrusted, version: 0 }
  saveAccountProvider(db, by, id, wanted)
  const domain = addDomain(db, by, id, `${account}.example`)
  if (typeof domain === 'string') throw new Error(domain)
  noteCheck(db, by, domain, true)
  return domain
}

async function through(oidc: Oidc, client: Client, domain: string): Promise<Page> {
  const started = await client.get(`/login/sso/account?domain=${domain}&next=/projects`)
  return client.get(await oidc.visit(started.location))
}

const isIn = async (client: Client) => (await client.get('/profile')).status === 200
const elsewhere = /does not belong to/

async function refused(t: Test, client: Client, back: Page, words: RegExp) {
  const page = back.location ? await client.open(back.location) : back
  t.match(page.text, words)
  t.notOk(await isIn(client))
}

t.test(
  'the login page asks for the address first where an account has a provider, and tells nothing of users',
  async (t) => {
    const oidc = await startOidc(t)
    const panel = await start(t)
    const client = panel.visit()
    t.ok((await client.get('/login')).root.querySelector('input[name=password]'), 'without one, it is as ever')

    const domain = bring(panel, oidc, 'acme')
    const first = await client.get('/login')
    t.notOk(first.root.querySelector('input[name=password]'))
    t.ok(first.root.querySelector('input[name=email]')?.getAttribute('autocomplete')?.includes('webauthn'))
    const wayOf = async (email: string) => {
      const { status, location } = await client.submit('/login?next=/projects', 'Continue', { email })
      t.equal(status, 303)
      return client.open(location ?? '')
    }
    const [known, unknown] = [await wayOf(cast.tom.email), await wayOf('nobody@Acme.example')]
    for (const page of [known, unknown]) {
      const links = page.root.querySelectorAll('.narrow a').map((a) => a.getAttribute('href'))
      t.same(links, [
        '/login/sso/account?domain=acme.example&next=%2Fprojects',
        '/login?other=yes&next=%2Fprojects',
        '/login',
      ])
      t.match(page.text, 'Continue with Acme’s login')
      t.notOk(page.root.querySelector('.narrow form'), 'it leads there by a link')
    }
    const other = await wayOf('uma@umbrella.example')
    t.ok(other.root.querySelector('input[name=password]'))
    t.equal(other.root.querySelector('input[name=email]')?.getAttribute('value'), 'uma@umbrella.example')
    const both = { email: cast.tom.email, password: demoPassword }
    t.equal((await client.submit('/login?other=yes', 'Log in', both)).status, 303, 'both at once log in as ever')

    removeDomain(panel.db, byItself(panel.app.now()), domain)
    t.ok((await panel.visit().get('/login')).root.querySelector('input[name=password]'))
  },
)

t.test('a person connects by logging in once as before, and logs in there from then on', async (t) => {
  const oidc = await startOidc(t)
  const panel = await start(t)
  bring(panel, oidc, 'acme')
  const tom = panel.visit()
  const asked = await through(oidc, tom, 'acme.example')
  t.equal(asked.location, '/login/sso/waiting')
  t.match((await tom.get('/login/sso/waiting')).text, 'is not connected with your login at the login of Acme')
  await tom.logIn(cast.tom.email)
  await tom.submit('/login/sso/waiting', 'Connect')
  t.same(
    panel.db
      .select()
      .from(identities)
      .all()
      .map((row) => row.userId),
    [userId(panel, 'tom')],
  )
  const out = await tom.submit('/', 'Log out')
  t.equal(out.location, '/login', 'that session did not begin there')

  oidc.jar.clear()
  t.equal((await through(oidc, tom, 'acme.example')).location, '/projects')
  t.ok(await isIn(tom))
  const row = panel.db
    .select()
    .from(sessions)
    .where(eq(sessions.ssoAccountId, accountId(panel, 'acme')))
    .get()
  t.equal(row?.userId, userId(panel, 'tom'))
  t.equal(row?.ssoFactors, false, 'it answers for no second factor')
  t.equal((await tom.submit('/', 'Log out')).location, '/login/sso/ended')
  t.match((await tom.get('/login/sso/ended')).body, `${oidc.issuer}/session/end`)
})

t.test(
  'with addresses that are trusted, people are connected at once, but never with one that is refused',
  async (t) => {
    const oidc = await startOidc(t)
    const panel = await start(t)
    bring(panel, oidc, 'acme', true)
    const tom = panel.visit()
    oidc.account.verified = false
    await refused(t, tom, await through(oidc, tom, 'acme.example'), /Nobody has invited you here/)
    t.same(panel.db.select().from(identities).all(), [])
    oidc.jar.clear()
    oidc.account.verified = undefined
    t.equal((await through(oidc, tom, 'acme.example')).location, '/projects')
    t.ok(await isIn(tom))

    const uma = panel.visit()
    oidc.jar.clear()
    oidc.account = { sub: 'number-2', email: cast.uma.email, verified: true }
    await refused(t, uma, await through(oidc, uma, 'acme.example'), elsewhere)
    const stranger = panel.visit()
    oidc.jar.clear()
    oidc.account = { sub: 'number-3', email: 'new@acme.example', verified: true }
    await refused(t, stranger, await through(oidc, stranger, 'acme.example'), /Nobody has invited new@acme\.example/)
  },
)

t.test('an invited person with an address of the domain becomes a user there', async (t) => {
  const oidc = await startOidc(t)
  const panel = await start(t)
  bring(panel, oidc, 'acme', true)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  oidc.account = { sub: 'number-9', email: 'nora@acme.example', name: 'Nora N.' }
  const nora = panel.visit()
  t.equal((await through(oidc, nora, 'acme.example')).location, '/')
  const row = panel.db.select().from(users).where(eq(users.email, 'nora@acme.example')).get()
  t.same([row?.name, row?.passwordHash], ['Nora N.', ''])
})

t.test('takeover: a domain whose record disappeared signs nobody in', async (t) => {
  const oidc = await startOidc(t)
  const panel = await start(t)
  const domain = bring(panel, oidc, 'acme', true)
  const tom = panel.visit()
  await through(oidc, tom, 'acme.example')
  t.ok(await isIn(tom))
  const started = await panel.visit().get('/login/sso/account?domain=acme.example')
  t.match(started.location, oidc.issuer)

  const [late, underWay] = [panel.visit(), panel.visit()]
  const begun = await underWay.get('/login/sso/account?domain=acme.example')
  oidc.jar.clear()
  const back = await oidc.visit(begun.location)
  for (const hours of [24, 48]) noteCheck(panel.db, byItself(panel.app.now() + hours * 3_600_000), { ...domain }, false)
  t.equal((await late.get('/login/sso/account?domain=acme.example')).location, '/login?other=yes&next=%2F')
  await refused(t, underWay, await underWay.get(back), /or was begun elsewhere/)
})

t.test('takeover: two issuers with one subject are two people', async (t) => {
  const [oidc, theirs] = [await startOidc(t), await startOidc(t)]
  const panel = await start(t)
  bring(panel, oidc, 'acme', true)
  bring(panel, theirs, 'umbrella', true)
  await through(oidc, panel.visit(), 'acme.example')
  theirs.account = { sub: oidc.account.sub, email: cast.tom.email, verified: true }
  const mallory = panel.visit()
  await refused(t, mallory, await through(theirs, mallory, 'umbrella.example'), elsewhere)
  theirs.jar.clear()
  theirs.account = { sub: oidc.account.sub, email: cast.uma.email, verified: true }
  await through(theirs, mallory, 'umbrella.example')
  t.match((await mallory.get('/profile')).text, cast.uma.email)
})

t.test('takeover: an account that names another’s issuer signs in none of its people', async (t) => {
  const oidc = await startOidc(t)
  const panel = await start(t)
  bring(panel, oidc, 'acme', true)
  bring(panel, oidc, 'umbrella', true)
  await through(oidc, panel.visit(), 'acme.example')
  const mallory = panel.visit()
  oidc.jar.clear()
  await refused(t, mallory, await through(oidc, mallory, 'umbrella.example'), elsewhere)

  // A code that was asked for by one account is brought to the callback of the other.
  oidc.jar.clear()
  const victim = panel.visit()
  const begun = await victim.get('/login/sso/account?domain=acme.example')
  const back = await oidc.visit(begun.location)
  t.match(back, '/login/sso/callback/acme?')
  await refused(t, victim, await victim.get(back.replace('/acme?', '/umbrella?')), /or was begun elsewhere/)
})

t.test('takeover: a person whose address leaves the domain is no longer signed in there', async (t) => {
  const oidc = await startOidc(t)
  const panel = await start(t)
  bring(panel, oidc, 'acme', true)
  await through(oidc, panel.visit(), 'acme.example')
  const email = 'tom@elsewhere.example'
  panel.db
    .update(users)
    .set({ email, emailKey: email })
    .where(eq(users.id, userId(panel, 'tom')))
    .run()
  const tom = panel.visit()
  oidc.jar.clear()
  await refused(t, tom, await through(oidc, tom, 'acme.example'), elsewhere)
})

t.test('takeover: an unverified address connects nobody, also where nothing is said', async (t) => {
  const oidc = await startOidc(t)
  const panel = await start(t)
  bring(panel, oidc, 'acme')
  for (const verified of [false, undefined]) {
    oidc.jar.clear()
    oidc.account.verified = verified
    const tom = panel.visit()
    await through(oidc, tom, 'acme.example')
    t.notOk(await isIn(tom))
  }
  t.same(panel.db.select().from(identities).all(), [])
})

t.test('the provider of an account ends by its log-out the sessions that it began, and no others', async (t) => {
  const oidc = await startOidc(t)
  const panel = await start(t)
  oidc.panel = panel
  bring(panel, oidc, 'acme', true)
  const [tom, here] = [panel.visit(), panel.visit()]
  await through(oidc, tom, 'acme.example')
  await here.logIn(cast.tom.email)
  t.ok(await isIn(tom))
  await tom.get('/')
  await oidc.logOut(`${oidc.issuer}/session/end`)
  t.same(
    oidc.told.map(({ status }) => status),
    [200],
  )
  t.notOk(await isIn(tom))
  t.ok(await isIn(here))
})
