import t from 'tap'
import { asUserId } from '../../src/db/ids.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { hashPassword } from '../../src/people/log-in/passwords.ts'
import { type Attempt, admit, forgive } from '../../src/people/log-in/throttle/data.ts'
import { Client, type Panel, startApp } from '../harness.ts'
import { linkIn, startMailServer } from '../smtp.ts'

const second = 1_000
const minute = 60 * second

async function guess(panel: Panel, email: string, times: number): Promise<number[]> {
  const statuses: number[] = []
  for (let n = 0; n < times; n++) statuses.push((await panel.visit().logIn(email, 'a wrong password')).status)
  return statuses
}

t.test('guessing at one log-in is slowed down, known or unknown, and never for more than 15 minutes', async (t) => {
  for (const email of [cast.tom.email, 'nobody@nowhere.example']) {
    const panel = await startApp(t)
    t.same(await guess(panel, email, 6), [422, 422, 422, 422, 422, 429])
    const right = await panel.visit().logIn(email, demoPassword)
    t.equal(right.status, 429, 'the right password does not get through either')
    t.match(right.problem, 'Too many attempts. Try again in 5 seconds.')
    t.equal(right.response.headers['retry-after'], '5')
    t.equal(right.value('email'), email, 'what was typed is kept')

    for (let tries = 0; tries < 12; tries++) {
      panel.pass(15 * minute)
      t.equal((await guess(panel, email, 1))[0], 422, 'after 15 minutes another try is open')
    }
    t.equal((await guess(panel, email, 1))[0], 429)
  }
})

t.test('a restart forgets no attempt', async (t) => {
  const first = await startApp(t)
  await guess(first, cast.tom.email, 5)
  await first.close()
  const second = await startApp(t, { dataDir: first.dataDir })
  t.equal((await second.visit().logIn(cast.tom.email)).status, 429)
})

t.test('the count starts again with a log-in, and others are not slowed down', async (t) => {
  const panel = await startApp(t)
  await guess(panel, cast.tom.email, 4)
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 303)
  t.same(await guess(panel, cast.tom.email, 4), [422, 422, 422, 422])
  await guess(panel, cast.tom.email, 2)
  t.equal((await panel.visit().logIn(cast.stella.email)).status, 303)
})

t.test('parallel guesses count, too', async (t) => {
  const panel = await startApp(t)
  const form = await panel.visit().get('/login')
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => panel.visit().logIn(cast.tom.email, 'a wrong password')),
  )
  t.equal(form.status, 200)
  t.equal(answers.filter(({ status }) => status === 422).length, 5)
})

t.test('an address has 30 attempts a minute, whatever the log-ins; a /64 of IPv6 is one address', async (t) => {
  const { db, app } = await startApp(t)
  const at = app.now()
  const attempt = (n: number, address: string) => admit(db, { account: `user${n}@x.example`, address }, at + n)
  for (let n = 0; n < 30; n++) t.equal(attempt(n, `2001:db8:1:2::${n.toString(16)}`), 0)
  t.equal(attempt(30, '2001:db8:1:2:ffff::1'), minute - 30)
  t.equal(attempt(31, '2001:db8:1:3::1'), 0, 'another network')
  t.equal(attempt(32, '192.0.2.1'), 0)
  t.equal(admit(db, { account: 'other@x.example', address: '2001:db8:1:2::1' }, at + minute), 0, 'a minute later')

  for (let n = 0; n < 60; n++) {
    const own = { account: `own${n}@x.example`, address: '192.0.2.2' }
    t.equal(admit(db, own, at), 0, 'log-ins that succeed count for nothing')
    forgive(db, own)
  }
})

t.test('asking for a new password is slowed down, without a word on whether the address is known', async (t) => {
  for (const email of [cast.tom.email, 'nobody@nowhere.example']) {
    const panel = await startApp(t)
    const statuses: number[] = []
    const ask = () => panel.visit().submit('/password-reset', 'Send link', { email })
    t.equal((await ask()).status, 303)
    t.match((await ask()).error('email'), /just asked for with this address.*Try again in 5 minutes/)
    for (let n = 0; n < 6; n++) {
      panel.pass(15 * minute)
      const page = await ask()
      statuses.push(page.status)
      if (n === 5) t.match(page.error('email'), 'links were asked for with this address today. Try again in 30 minutes')
    }
    t.same(statuses, [303, 303, 303, 303, 303, 429])
    panel.pass(30 * minute)
    t.equal((await ask()).status, 303)
    t.equal((await panel.visit().logIn(cast.tom.email)).status, 303, 'it slows down no log-in')
  }
})

const words = 'correct horse battery staple'

/** A browser at an address of its own, behind a proxy. */
function at(panel: Panel, address: string): Client {
  return new Client({
    inject: (request) => panel.app.inject({ ...request, headers: { ...request.headers, 'x-forwarded-for': address } }),
  })
}

const behindProxy = { TRUST_PROXY: '127.0.0.1' }

/** Somebody who knows an address guesses from everywhere, until strangers wait for more than a minute. */
async function besiege(panel: Panel, email: string): Promise<void> {
  let n = 0
  const wrong = () => at(panel, `198.51.100.${n++}`).logIn(email, 'a wrong password')
  for (let tries = 0; tries < 5; tries++) await wrong()
  for (const wait of [5, 10, 20, 40]) {
    panel.pass(wait * second)
    await wrong()
  }
  const another = await at(panel, '198.51.100.99').logIn(email, demoPassword)
  if (another.status !== 429) throw new Error(`a strange browser gets ${another.status}`)
}

t.test('strangers keep nobody out of a browser in which they have logged in before', async (t) => {
  const panel = await startApp(t, { settings: behindProxy })
  const tom = at(panel, '192.0.2.1')
  await tom.logIn(cast.tom.email)
  await tom.submit('/', 'Log out')
  await besiege(panel, cast.tom.email)
  t.equal((await tom.logIn(cast.tom.email)).status, 303)

  // Not even from the same address, with all its tries used up.
  for (let n = 0; n < 30; n++) await at(panel, '192.0.2.1').logIn(`nobody${n}@nowhere.example`, 'a wrong password')
  t.equal((await at(panel, '192.0.2.1').logIn(cast.stella.email)).status, 429)
  await tom.submit('/', 'Log out')
  t.equal((await tom.logIn(cast.tom.email)).status, 303)
  t.equal((await at(panel, '192.0.2.9').logIn(cast.tom.email)).status, 429, 'strangers still wait')
})

t.test('guessing in a known browser is slowed down as well', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  await tom.submit('/', 'Log out')
  const statuses: number[] = []
  for (let n = 0; n < 6; n++) statuses.push((await tom.logIn(cast.tom.email, 'a wrong password')).status)
  t.same(statuses, [422, 422, 422, 422, 422, 429])
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 303, 'which slows down nobody else')
  panel.pass(5 * second)
  t.equal((await tom.logIn(cast.tom.email)).status, 303)
})

t.test('the cookie of a known browser names nobody, serves one user and ends with the password', async (t) => {
  const panel = await startApp(t, { settings: behindProxy })
  const tom = await panel.signIn('tom')
  const cookie = tom.cookies.get('meshpanel-browser') ?? ''
  t.match(cookie, /^[\w-]{22}\.[\w-]{43}$/)
  t.notOk(JSON.stringify(panel.rows()).includes(cookie.slice(0, 22)), 'the panel does not keep it')
  const withCookie = (value: string) => {
    const client = panel.visit()
    client.cookies.set('meshpanel-browser', value)
    return client
  }

  // Answers to an address do not depend on whose cookie it is, nor on whether somebody has the address.
  const unknown = 'nobody@nowhere.example'
  for (const email of [cast.stella.email, unknown]) {
    await besiege(panel, email)
    for (const value of [cookie, `${cookie}x`, 'nonsense', `.${'x'.repeat(500)}`, cookie.replace(/^./, '_')]) {
      const answer = await withCookie(value).logIn(email)
      t.equal(answer.status, 429, `${email} with ${value.slice(0, 30)}`)
      t.notOk(answer.response.cookies.some(({ name }) => name === 'meshpanel-browser'))
    }
  }

  await besiege(panel, cast.tom.email)
  t.equal((await withCookie(cookie).logIn(cast.tom.email)).status, 303)
  t.equal(
    (await withCookie(cookie.replace(/^./, (first) => (first === 'x' ? 'y' : 'x'))).logIn(cast.tom.email)).status,
    429,
  )
  const shared = withCookie(cookie)
  await shared.logIn(cast.dora.email)
  await shared.submit('/', 'Log out')
  await besiege(panel, cast.dora.email)
  t.equal((await shared.logIn(cast.dora.email)).status, 303, 'one browser serves several users')
  await shared.submit('/', 'Log out')
  t.equal((await shared.logIn(cast.tom.email)).status, 303)

  await tom.submit('/profile', 'Change password', { current: demoPassword, password: words, repeated: words })
  panel.pass(15 * minute)
  await besiege(panel, cast.tom.email)
  t.equal((await withCookie(cookie).logIn(cast.tom.email, words)).status, 429, 'a cookie from before serves no more')
  await tom.submit('/', 'Log out')
  t.equal((await tom.logIn(cast.tom.email, words)).status, 303, 'the browser that changed it does')
})

t.test('who gave only the password has not logged in: the browser stays unknown', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const tom = await panel.signIn('tom')
  await tom.open('/profile/two-factor')
  db.run("UPDATE users SET totp_secret = 'sealed' WHERE name = 'Tom'")
  const half = await panel.visit().logIn(cast.tom.email)
  t.match(half.location, '/login/second-factor')
  t.notOk(half.response.cookies.some(({ name }) => name === 'meshpanel-browser'))
})

t.test('a mailed reset lets its owner in at once, whatever strangers do', async (t) => {
  const mail = await startMailServer(t)
  const panel = await startApp(t, { settings: { ...behindProxy, SMTP_URL: mail.url } })
  await besiege(panel, cast.tom.email)
  const tom = at(panel, '192.0.2.1')
  await tom.submit('/password-reset', 'Send link', { email: cast.tom.email })
  const link = linkIn((await mail.letterTo(cast.tom.email)).mail.text, 'http://localhost:3000', '/password-reset/')
  await tom.submit(link, 'Change password', { password: words, repeated: words })
  t.equal((await at(panel, '192.0.2.2').logIn(cast.tom.email, words)).status, 303, 'the count starts again')
  await besiege(panel, cast.tom.email)
  t.equal((await at(panel, '192.0.2.2').logIn(cast.tom.email, words)).status, 429, 'strangers are at it again')
  t.equal((await tom.logIn(cast.tom.email, words)).status, 303, 'but the browser that followed the link is known')
})

t.test('strangers cannot use up the requests for a new password of a known browser', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  await tom.submit('/', 'Log out')
  const ask = (client: Client) => client.submit('/password-reset', 'Send link', { email: cast.tom.email })
  for (let n = 0; n < 5; n++) await ask(panel.visit())
  t.equal((await ask(panel.visit())).status, 429)
  t.equal((await ask(tom)).status, 303)
})

t.test('what is asked within a session is counted for that session alone', async (t) => {
  const panel = await startApp(t, { settings: behindProxy })
  const tom = at(panel, '192.0.2.1')
  await tom.logIn(cast.tom.email)
  const elsewhere = at(panel, '192.0.2.2')
  await elsewhere.logIn(cast.tom.email)
  await besiege(panel, cast.tom.email)
  for (let n = 0; n < 30; n++) await at(panel, '192.0.2.1').logIn(`nobody${n}@nowhere.example`, 'a wrong password')

  const change = (client: Client, current: string) =>
    client.submit('/profile', 'Change password', { current, password: words, repeated: words })
  for (let n = 0; n < 5; n++) t.equal((await change(elsewhere, 'a wrong password')).status, 422)
  t.equal((await change(elsewhere, demoPassword)).status, 429, 'guessing there is slowed down')
  panel.pass(11 * minute)
  await besiege(panel, cast.tom.email)
  const asked = await tom.submit('/profile', 'Change e-mail', { email: 'tommy@acme.example' })
  t.match(asked.title, 'Confirm that it is you')
  t.equal((await tom.press(asked, 'Confirm', { _proof: demoPassword })).status, 303, 'a proof')
  t.equal((await change(tom, demoPassword)).status, 303, 'and a change of the password')
})

t.test('a flood of log-ins from one address, or from many, leaves room for others to log in', async (t) => {
  const panel = await startApp(t, { settings: behindProxy })
  const tom = at(panel, '192.0.2.1')
  await tom.logIn(cast.tom.email)
  await tom.submit('/', 'Log out')
  const stella = at(panel, '192.0.2.2')
  const [tomsForm, stellasForm] = [await tom.open('/login'), await stella.open('/login')]
  const flood = async (addressOf: (n: number) => string) => {
    const forms = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const client = at(panel, addressOf(n))
        return { client, page: await client.open('/login') }
      }),
    )
    return forms.map(({ client, page }, n) =>
      client.press(page, 'Log in', { email: `nobody${n}@nowhere.example`, password: 'a wrong password' }),
    )
  }
  const counted = async (answers: Promise<{ status: number }>[]) =>
    (await Promise.all(answers)).map(({ status }) => status)

  const one = await flood(() => '198.51.100.1')
  const passed = stella.press(stellasForm, 'Log in', { email: cast.stella.email, password: demoPassword })
  t.equal((await passed).status, 303, 'a stranger from elsewhere')
  const ofOne = await counted(one)
  t.ok(ofOne.every((status) => [422, 429, 503].includes(status)))

  const many = await flood((n) => `203.0.113.${n}`)
  const known = tom.press(tomsForm, 'Log in', { email: cast.tom.email, password: demoPassword })
  const changed = stella.submit('/profile', 'Change password', {
    current: demoPassword,
    password: words,
    repeated: words,
  })
  t.equal((await known).status, 303, 'a known browser')
  t.equal((await changed).status, 303, 'somebody in a session')
  t.ok((await counted(many)).every((status) => [422, 503].includes(status)))
})

t.test('one account, one address and all strangers together have a part of the queue each', async (t) => {
  /** All ask at once; returns how many are served. */
  const served = async (times: number, asker: (n: number) => Attempt) => {
    const all = Array.from({ length: times }, async (_, n) => hashPassword(words, asker(n)))
    return async () => (await Promise.allSettled(all)).filter(({ status }) => status === 'fulfilled').length
  }
  const one = await served(12, () => ({ account: 'tom', address: '192.0.2.1' }))
  const beside = await served(3, () => ({ account: 'stella', address: '192.0.2.2' }))
  t.equal(await one(), 6, 'two at work, and four that wait for one account')
  t.equal(await beside(), 3)

  const network = await served(12, (n) => ({ account: `user ${n}`, address: `2001:db8:1:2::${n}` }))
  const elsewhere = await served(3, (n) => ({ account: `user ${n}`, address: '2001:db8:1:3::1' }))
  t.equal(await network(), 10, 'eight that wait from one network')
  t.equal(await elsewhere(), 3)

  const strangers = await served(60, (n) => ({ account: `user ${n}`, address: `192.0.2.${n}` }))
  const known = await served(6, (n) => ({ account: `browser ${n}`, address: undefined }))
  t.equal(await strangers(), 34, 'all strangers wait in one queue')
  t.equal(await known(), 6, 'and those who are known in another')

  const owner = await served(60, (n) => ({ account: `browser ${n}`, address: undefined, owner: asUserId(1) }))
  const others = await served(20, (n) => ({
    account: `browser ${n} of another`,
    address: undefined,
    owner: asUserId(2 + n),
  }))
  t.equal(await owner(), 6, 'all browsers of one user together')
  t.equal(await others(), 20)
})

t.test('one user with many browsers and sessions keeps no other known user waiting', async (t) => {
  const panel = await startApp(t, { settings: behindProxy })
  const [tom, stella] = [at(panel, '192.0.2.1'), at(panel, '192.0.2.2')]
  await tom.logIn(cast.tom.email)
  await stella.logIn(cast.stella.email)
  await stella.submit('/', 'Log out')
  const browsers: Client[] = []
  const sessions: Client[] = []
  for (let n = 0; n < 12; n++) {
    for (const clients of [browsers, sessions]) {
      const client = at(panel, `198.51.100.${n}`)
      await client.logIn(cast.tom.email)
      clients.push(client)
    }
    await browsers[n]?.submit('/', 'Log out')
  }
  const forms = await Promise.all(
    [...browsers, ...sessions].map(async (client, n) => {
      const [path, button, fields] =
        n < 12
          ? (['/login', 'Log in', { email: cast.tom.email, password: 'a wrong password' }] as const)
          : (['/profile', 'Change password', { current: 'a wrong one', password: words, repeated: words }] as const)
      return { client, button, fields, page: await client.open(path) }
    }),
  )
  const form = await stella.open('/login')
  const flood = forms.flatMap(({ client, button, fields, page }) =>
    [1, 2, 3, 4].map((_once) => client.press(page, button, { ...fields, _once: String(_once) })),
  )
  t.equal((await stella.press(form, 'Log in', { email: cast.stella.email, password: demoPassword })).status, 303)
  const statuses = (await Promise.all(flood)).map(({ status }) => status)
  t.ok(statuses.filter((status) => status === 422).length <= 12, 'a few of Tom’s are looked at')
  t.ok(statuses.every((status) => status === 422 || status === 503))
})

t.test('one sees one’s own sessions, and ends any of them', async (t) => {
  const panel = await startApp(t)
  const here = await panel.signIn('tom')
  const there = await panel.signIn('tom')
  const stella = await panel.signIn('stella')
  const profile = await here.get('/profile')
  t.match(profile.text, 'My sessions 2')
  t.equal(profile.tableRows.filter((row) => row.includes('this one')).length, 1)

  t.match((await here.submitAndFollow('/profile', 'End')).notice, 'The session was ended')
  t.equal((await there.get('/profile')).status, 303, 'the other browser is logged out')
  t.equal((await here.get('/profile')).status, 200)

  const ids = panel.rows().sessions as { id: number; user_id: number }[]
  for (const { id } of ids) await here.post(`/profile/sessions/${id}/removal`)
  t.equal((await stella.get('/profile')).status, 200, 'nobody ends another’s')
})
