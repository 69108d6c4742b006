import t from 'tap'
import { users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { type Client, publicUrl, startApp } from '../harness.ts'

const minute = 60_000
const hour = 60 * minute
const https = { PUBLIC_URL: 'https://panel.example.com', TRUST_PROXY: '127.0.0.1' }
const byProxy = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' }
const words = 'correct horse battery staple'

function csrfOf(page: Awaited<ReturnType<Client['get']>>): string {
  return page.root.querySelector('input[name="_csrf"]')?.getAttribute('value') ?? ''
}

t.test('an unknown address and a wrong password read the same', async (t) => {
  const panel = await startApp(t)
  const visitor = panel.visit()
  const wrong = await visitor.logIn(cast.tom.email, 'not the password')
  const unknown = await visitor.logIn('tom@unknown.example', 'not the password')
  t.equal(wrong.status, 422)
  t.match(wrong.error('email'), 'The e-mail or the password is wrong')
  t.equal(
    unknown.withoutTokens.replaceAll('tom@unknown.example', ''),
    wrong.withoutTokens.replaceAll(cast.tom.email, ''),
  )
  t.equal(wrong.value('email'), cast.tom.email, 'what was typed stays')
  t.notMatch(wrong.body, 'not the password', 'but never the password')
  t.same(panel.rows().sessions, [])
})

t.test('the e-mail may be typed in any case, with spaces around', async (t) => {
  const panel = await startApp(t)
  t.equal((await panel.visit().logIn('  TOM@ACME.Example ')).status, 303)
})

t.test('a disabled user cannot log in, and learns why only with the right password', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/users', 'Disable', {}, cast.tom.email)
  const right = await panel.visit().logIn(cast.tom.email)
  t.equal(right.status, 422)
  t.match(right.error('email'), 'disabled')
  t.notMatch((await panel.visit().logIn(cast.tom.email, 'wrong')).text, 'disabled')
})

t.test('log-in returns to the page that was asked for', async (t) => {
  const panel = await startApp(t)
  const visitor = panel.visit()
  const asked = await visitor.get('/customer/users?q=tom&page=1')
  t.equal(asked.status, 303)
  const form = await visitor.open(asked.location ?? '')
  const wrong = await visitor.press(form, 'Log in', { email: cast.stella.email, password: 'wrong' })
  const right = await visitor.press(wrong, 'Log in', { email: cast.stella.email, password: demoPassword })
  t.equal(right.location, '/customer/users?q=tom&page=1', 'after a wrong try, too')
})

t.test('log-in goes to own pages only', async (t) => {
  const panel = await startApp(t)
  for (const next of [
    'https://evil.example/',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'javascript:alert(1)',
    '/%0d%0aSet-Cookie: a=b\r\nx',
    '/\u0000',
    'evil',
    '/login',
    '',
  ]) {
    const answer = await panel.visit().logIn(cast.tom.email, demoPassword, next)
    t.ok(
      ['/', '/%0d%0aSet-Cookie:%20a=b'].includes(answer.location ?? ''),
      `${JSON.stringify(next)} → ${answer.location}`,
    )
  }
  t.equal((await (await panel.signIn('tom')).get('/login?next=//evil.example')).location, '/')
})

t.test('a visitor’s page views make no session: no row, no session cookie', async (t) => {
  const panel = await startApp(t)
  const visitor = panel.visit()
  for (const path of ['/', '/login', '/password-reset', '/nothing', '/invitations/nothing']) await visitor.get(path)
  t.same([...visitor.cookies.keys()].sort(), ['meshpanel-form', 'meshpanel-log-in'])
  t.same(panel.rows().sessions, [])
})

t.test('cookies are HttpOnly and SameSite=Lax; under https also Secure, with the __Host- prefix', async (t) => {
  const panel = await startApp(t)
  const plain = (await panel.visit().logIn(cast.tom.email)).response.cookies
  t.ok(plain.length > 0)
  for (const cookie of plain) {
    t.match(cookie, { httpOnly: true, sameSite: 'Lax', path: '/' })
    t.notOk(cookie.secure || cookie.domain || cookie.expires)
    if (cookie.name !== 'meshpanel-browser') t.notOk(cookie.maxAge, `${cookie.name} ends with the browser`)
  }

  const secure = await startApp(t, { settings: https })
  const form = await secure.app.inject({ url: '/login', headers: byProxy })
  const csrf = /name="?_csrf"? value="([^"]*)"/.exec(form.body)?.[1] ?? ''
  const answer = await secure.app.inject({
    method: 'POST',
    url: '/login',
    headers: {
      ...byProxy,
      'content-type': 'application/x-www-form-urlencoded',
      cookie: form.cookies.map(({ name, value }) => `${name}=${value}`).join('; '),
    },
    payload: new URLSearchParams({ _csrf: csrf, email: cast.tom.email, password: demoPassword }).toString(),
  })
  t.equal(answer.statusCode, 303)
  for (const cookie of [...form.cookies, ...answer.cookies]) {
    t.match(cookie.name, /^__Host-/)
    t.match(cookie, { httpOnly: true, sameSite: 'Lax', path: '/', secure: true })
  }
  t.match(panel.rows().sessions, [{ ip: '127.0.0.1' }])
  t.match(secure.rows().sessions, [{ ip: '203.0.113.7' }], 'the proxy says from where')
})

t.test('only a trusted proxy may say from where a request comes', async (t) => {
  const panel = await startApp(t)
  const client = panel.visit()
  const form = await client.get('/login')
  await client.postRaw(
    '/login',
    new URLSearchParams({ _csrf: csrfOf(form), email: cast.tom.email, password: demoPassword }).toString(),
    { 'x-forwarded-for': '203.0.113.7' },
  )
  t.match(panel.rows().sessions, [{ ip: '127.0.0.1' }])
})

t.test('under https a request that did not come by https is told what to fix', async (t) => {
  const panel = await startApp(t, { settings: https })
  const form = await panel.app.inject({ url: '/login', headers: byProxy })
  const answer = await panel.app.inject({
    method: 'POST',
    url: '/login',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      cookie: form.cookies.map(({ name, value }) => `${name}=${value}`).join('; '),
    },
    payload: new URLSearchParams({
      _csrf: /name="?_csrf"? value="([^"]*)"/.exec(form.body)?.[1] ?? '',
      email: cast.tom.email,
      password: demoPassword,
    }).toString(),
  })
  t.match(answer.body, 'TRUST_PROXY')
  t.same(panel.rows().sessions, [])
})

t.test('the session’s id is new at log-in, hashed at rest, and dead after log-out', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const first = tom.cookies.get('meshpanel') ?? ''
  t.ok(first)
  const id = decodeURIComponent(first).split('.')[0] ?? ''
  t.notOk(JSON.stringify(panel.rows().sessions).includes(id))

  const kept = new Map(tom.cookies)
  const out = await tom.submitAndFollow('/', 'Log out')
  t.match(out.notice, 'You are logged out')
  t.same(panel.rows().sessions, [])
  const thief = panel.visit()
  for (const [name, value] of kept) thief.cookies.set(name, value)
  t.match((await thief.get('/projects')).location, /^\/login/)

  await thief.logIn(cast.tom.email)
  t.ok(thief.cookies.get('meshpanel'))
  t.not(thief.cookies.get('meshpanel'), first, 'an id from before log-in is not taken over')
})

t.test(
  'a session ends after 8 hours unused, and after 7 days at all; Support’s after 30 minutes and 12 hours',
  async (t) => {
    for (const [who, idle, absolute, step] of [
      ['tom', 8 * hour, 7 * 24 * hour, 7 * hour],
      ['olga', 30 * minute, 12 * hour, 29 * minute],
    ] as const) {
      const panel = await startApp(t)
      const unused = await panel.signIn(who)
      panel.pass(idle + minute)
      t.match((await unused.get('/profile')).location, '/login', `${who} was away too long`)

      const busy = await panel.signIn(who)
      let passed = 0
      for (; passed + step < absolute; passed += step) {
        panel.pass(step)
        if ((await busy.get('/profile')).status !== 200) break
      }
      t.ok(passed + step >= absolute, `${who} works on for ${passed / hour} hours`)
      panel.pass(absolute - passed + minute)
      t.match((await busy.get('/profile')).location, '/login', `${who} logs in again after all`)
      t.same(panel.rows().sessions, [], 'and the row is gone')
    }
  },
)

t.test(
  'a form without the right token changes nothing: missing, made up, another session’s, in the query or a header',
  async (t) => {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    const ines = await panel.signIn('ines')
    const own = csrfOf(await stella.get('/projects'))
    const foreign = csrfOf(await ines.get('/projects'))
    const visitors = csrfOf(await panel.visit().get('/login'))
    const before = panel.rows().projects
    const body = (token: string) =>
      new URLSearchParams({
        ...(token ? { _csrf: token } : {}),
        _account: 'acme',
        name: 'X',
        identifier: 'xx',
      }).toString()
    for (const token of ['', 'made-up', foreign, visitors, `${own}x`])
      t.equal((await stella.postRaw('/projects', body(token))).status, 403, token)
    t.equal((await stella.postRaw(`/projects?_csrf=${encodeURIComponent(own)}`, body(''))).status, 403)
    for (const header of ['csrf-token', 'x-csrf-token', 'xsrf-token', 'x-xsrf-token'])
      t.equal((await stella.postRaw('/projects', body(''), { [header]: own })).status, 403, header)
    t.strictSame(panel.rows().projects, before)
    t.equal((await stella.postRaw('/projects', body(own))).status, 303, 'the right one is taken')

    t.equal((await panel.visit().postRaw('/login', `email=${cast.tom.email}&password=${demoPassword}`)).status, 403)
  },
)

t.test('a form that another site sends changes nothing, even with the right token', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const token = csrfOf(await stella.get('/projects'))
  const body = new URLSearchParams({ _csrf: token, _account: 'acme', name: 'X', identifier: 'xx' }).toString()
  const before = panel.rows().projects
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${publicUrl}.evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]) {
    const answer = await stella.postRaw('/projects', body, headers)
    t.equal(answer.status, 403, JSON.stringify(headers))
    t.match(answer.text, 'sent by another site')
  }
  t.strictSame(panel.rows().projects, before)
  t.equal((await stella.postRaw('/projects', body, { 'sec-fetch-site': 'same-origin' })).status, 303)
})

t.test('only plain forms of a sensible size are read', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const token = csrfOf(await stella.get('/projects'))
  const fields = `_csrf=${encodeURIComponent(token)}&_account=acme&name=X&identifier=xx`
  const before = panel.rows().projects
  for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'application/xml', '']) {
    const answer = await stella.postRaw('/projects', type === 'application/json' ? '{}' : fields, {
      'content-type': type,
    })
    t.equal(answer.status, 415, type)
  }
  t.equal((await stella.postRaw('/projects', `${fields}&name2=${'x'.repeat(65_536)}`)).status, 413)
  t.equal((await stella.postRaw('/projects', fields + '&f=1'.repeat(101))).status, 400, 'more than 100 fields')
  const unknown = await stella.postRaw('/projects', `${fields}&owner=1`)
  t.equal(unknown.status, 400)
  t.match(unknown.text, 'a field that this page does not have')
  t.equal((await stella.postRaw('/projects', `${fields}&name=Y`)).status, 400, 'a field twice')
  t.equal((await stella.postRaw('/projects', `${fields}&__proto__=1`)).status, 400)
  t.strictSame(panel.rows().projects, before)
})

t.test('every answer carries the headers that keep a browser safe', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (const path of ['/', '/projects', '/nothing', '/login', '/customer/users']) {
    const { headers } = (await stella.get(path)).response
    t.equal(
      headers['content-security-policy'],
      "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;font-src 'self';connect-src 'self';form-action 'self';frame-ancestors 'none';base-uri 'self'",
      path,
    )
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
    })
    t.notOk(headers['strict-transport-security'], 'HSTS belongs to https')
    t.notOk(headers['x-powered-by'] || headers.server)
  }
  for (const path of ['/invitations/nothing', '/password-reset/nothing', '/setup/nothing'])
    t.equal((await panel.visit().get(path)).response.headers['referrer-policy'], 'no-referrer', path)
  const secure = await startApp(t, { settings: https })
  const { headers } = await secure.app.inject({ url: '/login', headers: byProxy })
  t.match(headers['strict-transport-security'], /max-age=31536000/)
})

t.test('assets are cached for ever under an address of their content; no other file is served', async (t) => {
  const panel = await startApp(t)
  const { assets } = panel.app
  const css = await panel.visit().get(`${assets}app.css`)
  t.equal(css.status, 200)
  t.match(css.response.headers['cache-control'], /max-age=31536000.*immutable/)
  for (const path of ['.env', '../../package.json', '%2e%2e/package.json', '..%2fpackage.json', '', 'app.css%00.js'])
    t.ok((await panel.visit().get(`${assets}${path}`)).status >= 400, path)
})

t.test('an error page says what to do, and shows nothing of the inside', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const client = panel.db.$client
  client.exec('ALTER TABLE projects RENAME TO gone')
  const broken = await stella.get('/projects')
  client.exec('ALTER TABLE gone RENAME TO projects')
  t.equal(broken.status, 500)
  t.match(broken.text, /Something went wrong.*nothing was changed/)
  t.match(broken.text, /[0-9a-f]{8}-[0-9a-f]{4}-/, 'the request’s number, for Support')
  for (const inside of ['SqliteError', 'select ', 'no such table', 'at ', '.ts:', panel.dataDir])
    t.notOk(broken.text.includes(inside), inside)
})

t.test('the first operator is created by the one-time link, once', async (t) => {
  const panel = await startApp(t, { empty: true })
  const path = `/setup/${panel.app.setupToken}`
  const visitor = panel.visit()
  t.equal((await visitor.get('/setup/wrong')).status, 404)
  t.match((await visitor.get('/login')).text, 'Nobody can log in yet. The panel’s log has a link')
  const owner = { email: 'owner@example.com', name: 'Owner' }

  for (const [password, why] of [
    ['short', 'at least 12'],
    ['', 'Choose a password'],
    ['passwordpassword', 'easy to guess'],
    ['aaaaaaaaaaaaaaaa', 'easy to guess'],
    ['owner@example.com', 'your own name'],
    [`${words}${'x'.repeat(256)}`, 'at most 256 bytes'],
  ] as const) {
    const page = await visitor.submit(path, 'Create operator', { ...owner, password, repeated: password })
    t.equal(page.status, 422, password.slice(0, 20))
    t.match(page.error('password'), why)
    t.equal(page.value('email'), owner.email)
    t.notOk(page.value('password'), 'a password is never sent back')
  }
  const differs = await visitor.submit(path, 'Create operator', { ...owner, password: words, repeated: `${words}!` })
  t.match(differs.error('repeated'), 'differ')
  t.same(panel.rows().users, [])

  const done = await visitor.submitAndFollow(path, 'Create operator', { ...owner, password: words, repeated: words })
  t.equal(done.path, '/')
  t.match(done.notice, 'Welcome, Owner')
  t.match(panel.rows().users, [{ email: owner.email, operator: 1 }])
  t.equal((await panel.visit().get(path)).status, 404, 'the link works once')
  t.notOk(JSON.stringify(panel.rows()).includes(words))
})

t.test('a new password ends all other sessions, keeps this one, and wants the present one', async (t) => {
  const panel = await startApp(t)
  const [tom, elsewhere] = [await panel.signIn('tom'), await panel.signIn('tom')]
  const before = panel.rows().users
  const wrong = await tom.submit('/profile', 'Change password', { current: 'no', password: words, repeated: words })
  t.match(wrong.error('current'), 'not your current password')
  t.strictSame(panel.rows().users, before)
  const id = tom.cookies.get('meshpanel')
  const done = await tom.submitAndFollow('/profile', 'Change password', {
    current: demoPassword,
    password: words,
    repeated: words,
  })
  t.match(done.notice, 'All your other sessions have ended')
  t.not(tom.cookies.get('meshpanel'), id)
  t.match((await elsewhere.get('/')).location, /^\/login/)
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 422)
  t.equal((await panel.visit().logIn(cast.tom.email, words)).status, 303)
})

t.test('a password counts in any Unicode form, and to its last byte', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const long = `Zwölf Boxkämpfer ${'y'.repeat(200)}`
  await tom.submit('/profile', 'Change password', { current: demoPassword, password: long, repeated: long })
  t.equal((await panel.visit().logIn(cast.tom.email, long.normalize('NFD'))).status, 303)
  t.equal((await panel.visit().logIn(cast.tom.email, long.slice(0, -1))).status, 422)
})

t.test('before there is anybody of Support, the log-in says how to begin', async (t) => {
  const panel = await startApp(t)
  t.notMatch((await panel.visit().open('/login')).text, 'Nobody can log in yet')
  panel.db.update(users).set({ operator: false }).run()
  t.match((await panel.visit().open('/login')).text, 'The panel’s log has a link')
})
