import t from 'tap'
import { cast, demoPassword } from '../../src/demo.ts'
import { type Panel, startApp } from '../harness.ts'

const day = 86_400_000
const settings = { SUPPORT_EMAIL: 'help+panel@bücher.example' }

/** The fields of security.txt, in their order. */
async function fieldsOf(panel: Panel): Promise<[string, string][]> {
  const file = await panel.visit().get('/.well-known/security.txt')
  t.equal(file.status, 200)
  t.match(file.response.headers['content-type'], /^text\/plain; charset=utf-8$/)
  return file.body
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, name = '', value = ''] = /^([\w-]+): (\S.*)$/.exec(line) ?? []
      return [name, value]
    })
}

t.test('security.txt names Support’s address, its own address and a day within the year', async (t) => {
  const panel = await startApp(t, { settings: { ...settings, PUBLIC_URL: 'https://panel.example.com' } })
  const fields = await fieldsOf(panel)
  t.same(
    fields.map(([name]) => name),
    ['Contact', 'Expires', 'Canonical', 'Preferred-Languages'],
  )
  const { Contact, Canonical, Expires = '' } = Object.fromEntries(fields)
  t.equal(Contact, 'mailto:help%2Bpanel@xn--bcher-kva.example')
  t.equal(Canonical, 'https://panel.example.com/.well-known/security.txt')
  const left = Date.parse(Expires) - panel.app.now()
  t.ok(left > 170 * day && left < 365 * day, Expires)

  panel.pass(200 * day)
  const later = Object.fromEntries(await fieldsOf(panel))
  t.ok(Date.parse(later.Expires ?? '') > panel.app.now(), 'a panel that runs for long has none that expired')
})

t.test('an installation on plain http has no canonical address', async (t) => {
  const panel = await startApp(t, { settings })
  t.notOk((await fieldsOf(panel)).some(([name]) => name === 'Canonical'))
})

t.test('an installation without an address of Support has no security.txt', async (t) => {
  const panel = await startApp(t)
  const missing = await panel.visit().get('/.well-known/security.txt')
  t.equal(missing.status, 404)
  t.notMatch(missing.body, /^Contact/m)
})

t.test('looking at security.txt does not use a session', async (t) => {
  const panel = await startApp(t, { settings })
  const tom = await panel.signIn('tom')
  const before = panel.rows()
  panel.pass(day / 24)
  const file = await tom.get('/.well-known/security.txt')
  t.equal(file.status, 200)
  t.notOk(file.response.headers['set-cookie'])
  t.strictSame(panel.rows(), before)
})

t.test('a password manager finds where to change the password, after log-in too', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const led = await tom.get('/.well-known/change-password')
  t.equal(led.status, 303)
  const [path = '', section] = led.location?.split('#') ?? []
  const heading = (await tom.open(path)).root.querySelector(`#${section}`)
  t.equal(heading?.text, 'Password')
  const form = heading?.parentNode?.querySelector('form[action="/profile/password"]')
  t.ok(form?.querySelector('input[autocomplete="new-password"]'), 'there it is changed')

  const visitor = panel.visit()
  const sent = await visitor.get('/.well-known/change-password')
  t.equal(sent.location, '/login?next=%2F.well-known%2Fchange-password')
  const loggedIn = await visitor.submit(sent.location ?? '', 'Log in', {
    email: cast.tom.email,
    password: demoPassword,
  })
  t.equal(loggedIn.location, '/.well-known/change-password')
  t.equal((await visitor.get(loggedIn.location ?? '')).location, led.location)

  const nothing = '/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200'
  t.equal((await visitor.get(nothing)).status, 404, 'so that programs can trust the answer')
})
