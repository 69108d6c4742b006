import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { accountSecurity, letters, sessions } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { Authenticator } from '../authenticator.ts'
import { accountId, type Client, type Fields, type Panel, startApp } from '../harness.ts'
import { codeOf, enrol } from '../two-factor.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const empty = { secondFactorFrom: '', sessionHours: '', idleMinutes: '', networks: '' }
const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10)

/** What Acme asks for, in the database. */
const rulesOf = ({ db }: Panel) => db.select().from(accountSecurity).get()

const save = (client: Client, fields: Fields) =>
  client.submitAndFollow('/customer/security', 'Save', { ...empty, ...fields })

/** Stella’s security settings, as if an earlier session of hers had saved them. */
async function secured(t: Test, fields: Fields) {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  if (fields.secondFactorFrom) await enrol(panel, stella)
  const page = await save(stella, fields)
  t.match(page.notice, 'were saved', 'saved')
  return { panel, stella }
}

t.test('an account is closed to other addresses, on pages and for tokens', async (t) => {
  const { panel, stella } = await secured(t, { networks: '127.0.0.0/8, 192.0.2.7' })
  t.equal(rulesOf(panel)?.networks, '127.0.0.0/8 192.0.2.7')
  const tom = await panel.signIn('tom')
  t.equal((await tom.get('/projects')).status, 200, 'from one of them')
  panel.db.update(accountSecurity).set({ networks: '192.0.2.7' }).run()
  const refused = await tom.get('/projects')
  t.equal(refused.status, 403)
  t.match(refused.text, 'Acme is closed to this address')
  t.match(refused.text, '127.0.0.1')
  t.notMatch(refused.text, 'Website', 'nothing of it is shown')
  t.notMatch((await tom.get('/')).text, 'Website', 'nor at Home')
  const rows = panel.rows()
  t.equal((await stella.post('/customer/account/name', { name: 'Other', version: '1' })).status, 403)
  t.same(panel.rows(), rows, 'and nothing is changed')
  for (const page of ['/profile', '/', '/active-account']) t.equal((await tom.get(page)).status, 200, `${page} is open`)
})

t.test('who works in the Partner Area is held by the partner’s rules, whatever account is active', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  t.match((await petra.get('/')).text, 'Acme')
  panel.db
    .insert(accountSecurity)
    .values({ accountId: accountId(panel, 'cloudhaus'), networks: '192.0.2.7' })
    .run()
  t.equal((await petra.get('/partner/customers')).status, 403)
  for (const page of ['/', '/search?q=acme', '/partner/customers/acme']) {
    const text = (await petra.get(page)).text
    t.notMatch(text.replaceAll('acme', ''), 'Acme', `${page} shows none of its customers`)
  }
})

t.test('nobody shuts themselves out without being asked', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const asked = await stella.submit('/customer/security', 'Save', { ...empty, networks: '192.0.2.0/24' })
  t.equal(asked.status, 422)
  t.match(asked.text, 'Your own address, 127.0.0.1, is in none of these ranges')
  t.equal(rulesOf(panel), undefined)
  await stella.press(asked, 'Save', { away: 'yes' })
  t.equal(rulesOf(panel)?.networks, '192.0.2.0/24', 'who says so means it')
  t.equal((await stella.get('/customer/security')).status, 403)

  const olga = await panel.signIn('olga')
  const lifted = await olga.submitAndFollow('/support/accounts/acme/security', 'Take it back')
  t.match(lifted.notice, 'Acme asks for nothing more')
  t.equal((await stella.get('/customer/security')).status, 200, 'Support lets its people in again')
  t.match((await stella.get('/customer/history')).text, 'changed the security settings')
})

t.test('from a day on, an account is closed to people without a second factor', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')
  const from = dayOf(panel.app.now() + 2 * day)
  const without = await save(stella, { secondFactorFrom: from })
  t.match(without.text, 'Set up two-factor login or a passkey for yourself first')
  t.equal(rulesOf(panel), undefined)
  const { secret } = await enrol(panel, stella)
  await save(stella, { secondFactorFrom: from })
  t.equal(rulesOf(panel)?.secondFactorFrom, Date.parse(from))
  const page = await stella.get('/customer/users?factor=none')
  t.match(page.text, 'Tom', 'who has none is listed')
  t.notMatch(page.root.querySelector('#list')?.text, 'Stella')
  const told = panel.db.select().from(letters).where(eq(letters.subject, 'Acme asks for two-factor login')).all()
  t.same(told.map(({ email }) => email).includes(cast.tom.email), true, 'and told')
  t.notOk(told.some(({ email }) => email === cast.stella.email))
  t.match((await tom.get('/')).text, 'Acme asks for two-factor login from')
  t.equal((await tom.get('/projects')).status, 200, 'not before that day')

  panel.pass(3 * day)
  const later = await panel.signIn('tom')
  const refused = await later.get('/projects')
  t.equal(refused.status, 403)
  t.match(refused.text, 'Acme asks for two-factor login')
  t.match((await later.get('/')).text, 'Acme is closed to you until')
  await enrol(panel, later)
  t.equal((await later.get('/projects')).status, 200, 'open again')
  const again = panel.visit()
  await again.logIn(cast.stella.email)
  await again.submit('/login/second-factor', 'Log in', { code: codeOf(panel, secret) })
  t.equal((await again.get('/customer/users')).status, 200)
})

t.test('after some hours, and after a break, people confirm who they are and go on', async (t) => {
  const { panel } = await secured(t, { sessionHours: '2', idleMinutes: '30' })
  const tom = await panel.signIn('tom')
  panel.pass(29 * minute)
  t.equal((await tom.get('/projects')).status, 200)
  panel.pass(31 * minute)
  const asked = await tom.get('/projects?q=web')
  t.equal(asked.status, 403, 'a break that is too long')
  t.match(asked.text, 'Confirm that it is you')
  panel.pass(2 * minute)
  t.equal((await tom.get('/projects')).status, 403, 'asking again does not end it')
  t.equal((await tom.press(asked, 'Confirm', { _proof: 'wrong' })).status, 403)
  const done = await tom.press(asked, 'Confirm', { _proof: demoPassword })
  t.equal(done.location, '/projects?q=web', 'back to the page')
  t.equal((await tom.get('/projects')).status, 200)
  for (let n = 0; n < 5; n++) {
    panel.pass(25 * minute)
    await tom.get('/projects')
  }
  t.equal((await tom.get('/projects')).status, 403, 'more than two hours after that')
})

t.test('what was typed is sent once the person has confirmed', async (t) => {
  const { panel, stella } = await secured(t, { idleMinutes: '15' })
  const page = await stella.get('/customer/account')
  panel.pass(16 * minute)
  const asked = await stella.press(page, 'Save name', { name: 'Acme Two' })
  t.equal(asked.status, 403)
  t.notMatch((await stella.get('/')).text, 'Acme Two')
  const saved = await stella.press(asked, 'Confirm', { _proof: demoPassword })
  t.equal(saved.location, '/customer/account')
  t.match((await stella.get('/customer/account')).text, 'Acme Two')
  t.equal(panel.db.select().from(sessions).all().at(-1)?.longestIdle, 0)
})

t.test('bad values are refused at their fields, and another’s save is not lost', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await enrol(panel, stella)
  for (const [fields, words] of [
    [{ secondFactorFrom: '2026-02-30' }, 'Enter a date'],
    [{ secondFactorFrom: dayOf(panel.app.now() - 2 * day) }, 'This day is over'],
    [{ sessionHours: '0' }, 'Enter 1 to 168 hours'],
    [{ sessionHours: '1000' }, 'Enter 1 to 168 hours'],
    [{ idleMinutes: '5' }, 'Enter 15 to 480 minutes'],
    [{ networks: '10.0.0.0/40' }, 'Enter IP addresses'],
  ] as [Fields, string][]) {
    const page = await save(stella, fields)
    t.match(page.text, words)
    t.equal(rulesOf(panel), undefined)
  }
  const open = await stella.open('/customer/security')
  await save(stella, { sessionHours: '3' })
  const stale = await stella.press(open, 'Save', { ...empty, sessionHours: '5' })
  t.match(stale.text, 'Somebody has changed these settings')
  t.equal(rulesOf(panel)?.sessionTime, 3 * hour)
  await stella.press(stale, 'Save')
  t.equal(rulesOf(panel)?.sessionTime, 5 * hour)
})

t.test('members and other accounts neither see nor change it', async (t) => {
  const { panel } = await secured(t, { sessionHours: '3' })
  const rows = panel.rows()
  t.equal((await (await panel.signIn('tom')).get('/customer/security')).status, 403, 'a Customer User')
  const ines = await panel.signIn('ines')
  await ines.post('/customer/security', { ...empty, version: '0', sessionHours: '9', _account: 'acme' })
  t.same(panel.rows().account_security, rows.account_security)
})

t.test('where a second factor is asked for, the password alone neither makes a new one nor a token', async (t) => {
  const oidc = {
    OIDC_ISSUER: 'http://127.0.0.1:9',
    OIDC_CLIENT_ID: 'panel',
    OIDC_CLIENT_SECRET: 'secret',
    OIDC_NAME: 'Example ID',
  }
  const panel = await startApp(t, { settings: oidc })
  const phone = new Authenticator()
  await phone.addTo(await panel.signIn('tom'))
  const id = accountId(panel, 'acme')
  const secondFactorFrom = panel.app.now() - day
  const thief = await panel.signIn('tom')
  const minted = await thief.submit('/profile/tokens', 'Create token', {
    name: 'Old',
    scopes: 'projects:read',
    days: '30',
  })
  t.equal(minted.status, 200)
  panel.db.insert(accountSecurity).values({ accountId: id, secondFactorFrom }).run()
  t.equal((await thief.get('/projects')).status, 403)
  const factors = ({ users, passkeys, api_tokens: tokens, recovery_codes: codes }: Record<string, unknown[]>) => ({
    ...{ users, passkeys, codes },
    tokens: tokens?.map((row) => ({ ...(row as object), remind_at: null })),
  })
  const rows = factors(panel.rows())
  const asked = await thief.submit('/profile/two-factor', 'Switch on', { code: '000000' })
  t.match(asked.text, 'Confirm that it is you')
  t.notOk(asked.root.querySelector('[name=_proof]'), 'by the passkey alone')
  t.equal((await thief.press(asked, 'Confirm with a passkey', { _proof: demoPassword })).status, 403)
  t.equal((await thief.post('/profile/tokens/1/rotation', { earlier: 'now', _proof: demoPassword })).status, 403)
  t.same(factors(panel.rows()), rows)
  t.equal((await thief.get('/profile/sso/new')).location, '/profile/sso', 'nor connects a login at the provider')
  t.equal((await thief.get('/profile/passkeys/new')).location, '/profile/passkeys')

  const page = await thief.get('/projects')
  t.match(page.text, 'Acme asks for your passkey')
  t.equal((await phone.prove(thief, page, '/session/proof')).location, '/projects')
  t.equal((await thief.get('/projects')).status, 200, 'with the passkey, it is open')
})

t.test('a new password is no second factor, and no fresh proof of one', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  await enrol(panel, tom)
  panel.pass(2 * hour)
  const words = 'correct horse battery staple'
  await tom.submit('/profile', 'Change password', { current: demoPassword, password: words, repeated: words })
  const asked = await tom.submit('/profile/two-factor', 'Switch off')
  t.equal(asked.status, 403)
  t.match(asked.text, 'Confirm that it is you')
})
