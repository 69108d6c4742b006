import { brotliDecompressSync } from 'node:zlib'
import t from 'tap'
import { invitations, letters, projects } from '../../src/db/schema.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { startApp } from '../harness.ts'

t.test('a form that is sent twice does the thing once, and answers the same', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/projects')
  const form = { name: 'Intranet', identifier: 'intranet' }
  const first = await stella.press(page, 'Create project', form)
  const again = await stella.press(page, 'Create project', form)
  t.equal(first.location, '/projects/intranet')
  t.equal(again.location, first.location)
  t.match((await stella.open(again.location ?? '')).notice, 'Intranet was created')
  t.equal(
    panel.db
      .select()
      .from(projects)
      .all()
      .filter(({ identifier }) => identifier === 'intranet').length,
    1,
  )
})

t.test('two clicks at once resend an invitation once', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  panel.pass(resendGap)
  const page = await stella.open('/customer/users')
  const answers = await Promise.all([stella.press(page, 'Resend'), stella.press(page, 'Resend')])
  t.same(
    answers.map(({ location }) => location),
    ['/customer/users', '/customer/users'],
  )
  t.equal(panel.db.select().from(letters).all().length, 2, 'the first letter and one more')

  panel.pass(resendGap)
  await stella.submit('/customer/users', 'Resend')
  t.equal(panel.db.select().from(letters).all().length, 3, 'the button of a new page does it again')
})

t.test('a form that was refused, or filled in otherwise, is a new one', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/customer/users')
  const wrong = { name: 'Greta', email: 'greta' }
  t.equal((await stella.press(page, 'Invite', wrong)).status, 422)
  t.equal((await stella.press(page, 'Invite', wrong)).status, 422)
  t.equal((await stella.press(page, 'Invite', { name: 'Greta', email: 'greta@acme.example' })).status, 303)
  t.equal((await stella.press(page, 'Invite', { name: 'Gustav', email: 'gustav@acme.example' })).status, 303)
  t.equal(panel.db.select().from(invitations).all().length, 2)
})

t.test('what one user sent is not another’s answer', async (t) => {
  const panel = await startApp(t)
  const [stella, ines] = [await panel.signIn('stella'), await panel.signIn('ines')]
  const form = { name: 'Intranet', identifier: 'intranet', _once: 'the same' }
  await stella.submit('/projects', 'Create project', form)
  await ines.submit('/projects', 'Create project', form)
  t.equal(
    panel.db
      .select()
      .from(projects)
      .all()
      .filter(({ identifier }) => identifier === 'intranet').length,
    2,
  )
})

t.test('a form of another session changes nothing, says why, and keeps what was typed to be sent again', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/projects')
  const again = await panel.signIn('stella')
  const before = panel.rows().projects
  const foreign = await again.press(page, 'Create project', { name: 'Intranet', identifier: 'intranet' })
  t.equal(foreign.status, 403)
  t.match(foreign.text, /out of date.*Nothing was changed.*Intranet/)
  t.strictSame(panel.rows().projects, before)
  t.equal((await again.press(foreign, 'Send it again')).location, '/projects/intranet')

  // Somebody else reads nothing of it.
  const petra = await panel.signIn('petra')
  const mixed = await petra.press(page, 'Create project', { name: 'Extranet', identifier: 'extranet' })
  t.equal(mixed.status, 403)
  t.notMatch(mixed.body, 'Extranet')
  t.notOk(mixed.hasButton('Send it again'))
})

t.test(
  'a form without a valid token is offered again only to the person who typed it, and never with a password in it',
  async (t) => {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    const page = await stella.open('/profile')
    const again = await panel.signIn('stella')
    const secret = await again.press(page, 'Change password', { current: 'a', password: 'b', repeated: 'c' })
    t.equal(secret.status, 403)
    t.notOk(secret.hasButton('Send it again'))
    for (const headers of [{ origin: '' }, { origin: 'https://evil.example', 'sec-fetch-site': 'none' }]) {
      const forged = await stella.postRaw('/profile/name', 'name=Evil&version=1', headers)
      t.equal(forged.status, 403)
      t.notMatch(forged.body, 'Evil')
    }
  },
)

t.test('a form kept open while rights were taken changes nothing', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'tom@acme.example')
  const kept = await tom.open('/projects')
  await stella.submit('/customer/users', 'Save', { role: 'member' }, 'tom@acme.example')
  const before = panel.rows().projects
  const refused = await tom.press(kept, 'Create project', { name: 'Intranet', identifier: 'intranet' })
  t.equal(refused.status, 403)
  t.match(refused.text, 'Your role in this account does not allow this')
  t.strictSame(panel.rows().projects, before)
})

t.test('an edit made on an older version answers 409 and shows both values', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const kept = await stella.open('/profile')
  await stella.submit('/profile', 'Save name', { name: 'Stella One' })
  const stale = await stella.press(kept, 'Save name', { name: 'Stella Two' })
  t.equal(stale.status, 409)
  t.match(stale.error('name'), 'Stella One')
  t.equal(stale.value('name'), 'Stella Two')
  t.equal((await stella.press(stale, 'Save name')).status, 303, 'sent again it holds')
  t.match((await stella.open('/profile')).text, 'You are Stella Two')
})

t.test('an answer is compressed where the browser takes it, unless its length could betray a secret', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.get('/')
  const cookie = [...petra.cookies].map((pair) => pair.join('=')).join('; ')
  const ask = async (url: string, headers: Record<string, string>, method: 'GET' | 'POST' = 'GET') =>
    panel.app.inject({ method, url, headers: { cookie, 'accept-encoding': 'br, gzip', ...headers } })
  const encoding = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).headers['content-encoding']
  const own = { 'sec-fetch-site': 'same-origin' }

  const page = await ask('/partner/customers', own)
  t.equal(page.headers['content-encoding'], 'br')
  t.match(page.headers.vary, /accept-encoding/i)
  t.match(brotliDecompressSync(page.rawPayload).toString(), '<h1>Customers</h1>')
  t.equal(await encoding('/partner/customers?download=csv', own), 'br')
  t.equal(await encoding('/partner/customers', { ...own, 'accept-encoding': 'gzip' }), 'gzip')
  t.equal(await encoding('/partner/customers', { 'sec-fetch-site': 'none' }), 'br', 'an address that somebody typed')
  const style = petra.get('/').then(({ root }) => root.querySelector('link[rel="stylesheet"]')?.getAttribute('href'))
  t.equal(await encoding((await style) ?? '', { 'sec-fetch-site': 'cross-site' }), 'br', 'it holds nothing secret')

  t.equal(await encoding('/partner/customers', { ...own, 'accept-encoding': 'identity' }), undefined)
  t.equal(await encoding('/partner/customers', { ...own, 'accept-encoding': 'br;q=0, *' }), undefined, 'refused')
  for (const site of ['cross-site', 'same-site'])
    t.equal(await encoding('/partner/customers?q=guess', { 'sec-fetch-site': site }), undefined, site)
  t.equal((await ask('/partner/customers?q=guess', {})).headers['content-encoding'], undefined, 'who asks is not said')
  t.equal(await encoding(`/invitations/${'x'.repeat(43)}`, own), undefined, 'an address that is a secret')
  const refused = await ask('/partner/customers', own, 'POST')
  t.equal(refused.statusCode, 403)
  t.equal(refused.headers['content-encoding'], undefined, 'what answers a form')
})
