import { eq } from 'drizzle-orm'
import t from 'tap'
import { users } from '../../src/db/schema.ts'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { type Client, type Page, type Panel, startApp } from '../harness.ts'
import { codeOf, enrol } from '../two-factor.ts'

const minute = 60_000

/** The first step of a log-in, as somebody who has a second one. */
async function passwordOnly(panel: Panel, who: CastName, next = '/'): Promise<{ client: Client; second: Page }> {
  const client = panel.visit()
  const first = await client.logIn(cast[who].email, demoPassword, next)
  return { client, second: await client.get(first.location ?? '') }
}

t.test('recovery codes can be downloaded, without a script', async (t) => {
  const panel = await startApp(t)
  const { codes, done } = await enrol(panel, await panel.signIn('tom'))
  const [, text = ''] = (done.link('Download') ?? '').split('data:text/plain,')
  t.same(decodeURIComponent(text).split('\n'), codes)
})

t.test('with a second factor the password alone opens nothing; password and code do', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const { secret, codes, done } = await enrol(panel, tom)
  t.match(done.title, 'Two-factor login is on')
  t.equal(new Set(codes).size, 10)
  t.equal((await tom.get('/profile')).status, 200, 'this session goes on')

  const { client, second } = await passwordOnly(panel, 'tom', '/projects?q=web')
  t.match(second.title, 'Second step')
  t.match((await client.get('/projects')).location, '/login/second-factor', 'nothing opens yet')
  const before = panel.rows().users
  t.equal((await client.postRaw('/profile/name', 'name=Tim')).status, 303)
  t.strictSame(panel.rows().users, before)

  t.match((await client.press(second, 'Log in', { code: '000000' })).error('code'), 'This code is wrong')
  panel.pass(minute)
  const halfId = client.cookies.get('meshpanel')
  const right = await client.press(second, 'Log in', { code: codeOf(panel, secret) })
  t.equal(right.location, '/projects?q=web', 'log-in returns to the page asked for')
  t.not(client.cookies.get('meshpanel'), halfId, 'a new session id at the second step')
  t.equal((await client.get('/projects')).status, 200)
})

t.test('a code works once, and so does a recovery code', async (t) => {
  const panel = await startApp(t)
  const { secret, codes } = await enrol(panel, await panel.signIn('tom'))
  const answers = async (code: string) => {
    const { client, second } = await passwordOnly(panel, 'tom')
    return (await client.press(second, 'Log in', { code })).status
  }
  t.equal(await answers(codeOf(panel, secret)), 422, 'the code that switched it on is used')
  panel.pass(minute)
  const code = codeOf(panel, secret)
  t.equal(await answers(code), 303)
  t.equal(await answers(code), 422)

  const [recovery = ''] = codes
  t.equal(await answers(recovery.toUpperCase()), 303, 'in any case')
  t.equal(await answers(recovery), 422)
  t.equal(await answers((codes[1] ?? '').replaceAll('-', '')), 303, 'without hyphens')
  const kept = JSON.stringify(panel.rows())
  t.notOk(
    codes.some((each) => kept.includes(each) || kept.includes(each.replaceAll('-', ''))),
    'codes are kept hashed',
  )
  t.notOk(kept.includes(secret), 'the secret is kept sealed')
})

t.test('parallel tries of one code let one in', async (t) => {
  const panel = await startApp(t)
  const { codes } = await enrol(panel, await panel.signIn('tom'))
  const tries = await Promise.all(Array.from({ length: 4 }, () => passwordOnly(panel, 'tom')))
  const answers = await Promise.all(
    tries.map(({ client, second }) => client.press(second, 'Log in', { code: codes[0] ?? '' })),
  )
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
})

t.test('guessing codes is slowed down', async (t) => {
  const panel = await startApp(t)
  await enrol(panel, await panel.signIn('tom'))
  const { client, second } = await passwordOnly(panel, 'tom')
  const statuses: number[] = []
  for (let n = 0; n < 6; n++) statuses.push((await client.press(second, 'Log in', { code: '000000' })).status)
  t.equal(statuses.at(-1), 429)
})

t.test('Support needs it, and partners if configured; until it is on, nothing else opens', async (t) => {
  for (const [setting, required, free] of [
    ['support', ['olga'], ['petra', 'tom']],
    ['partners', ['olga', 'petra', 'max'], ['tom']],
    ['optional', [], ['olga', 'petra', 'tom']],
  ] as const) {
    const panel = await startApp(t, { settings: { TWO_FACTOR: setting } })
    for (const who of required) {
      const client = await panel.signIn(who)
      t.equal((await client.get('/')).location, '/profile/two-factor', `${setting}: ${who}`)
      t.match((await client.open('/support/accounts')).problem, 'requires it of you')
      const before = panel.rows().accounts
      const page = await client.open('/')
      const csrf = page.root.querySelector('input[name="_csrf"]')?.getAttribute('value') ?? ''
      t.equal((await client.postRaw('/support/accounts', `_csrf=${csrf}&name=X&identifier=xx`)).status, 403)
      t.strictSame(panel.rows().accounts, before)
      await enrol(panel, client)
      t.equal((await client.get('/')).status, 200)
    }
    for (const who of free) t.equal((await (await panel.signIn(who)).get('/')).status, 200, `${setting}: ${who}`)
  }
})

t.test('what matters most asks again after ten minutes, and keeps what was sent', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const accounts = await olga.get('/support/accounts')
  panel.pass(11 * minute)
  const asked = await olga.press(accounts, 'Make partner', {}, 'umbrella')
  t.equal(asked.status, 403)
  t.match(asked.title, 'Confirm that it is you')
  t.match((await olga.get('/support/accounts')).row('umbrella'), 'Customer of Rival', 'nothing was changed yet')

  const wrong = await olga.press(asked, 'Confirm', { _proof: 'a wrong password' })
  t.match(wrong.error('_proof'), 'The password is wrong')
  t.match((await olga.press(wrong, 'Confirm', { _proof: demoPassword })).location, '/support/accounts')
  t.match((await olga.get('/support/accounts')).row('umbrella'), 'Partner')
  t.equal(
    (await olga.submit('/support/accounts', 'Make customer', {}, 'umbrella')).status,
    303,
    'and not again within ten minutes',
  )
})

t.test('with a second factor it is the code that is asked for again', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const { secret } = await enrol(panel, tom)
  panel.pass(11 * minute)
  const asked = await tom.submit('/profile/two-factor', 'Switch off')
  t.match((await tom.press(asked, 'Confirm', { _proof: demoPassword })).error('_proof'), 'This code is wrong')
  t.equal((await tom.press(asked, 'Confirm', { _proof: codeOf(panel, secret) })).status, 303)
  t.match((await tom.get('/profile')).text, 'Your password alone logs you in')
})

t.test('Support resets it for who has lost everything, ends the sessions, and the owner gets a letter', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  await enrol(panel, tom)
  const olga = await panel.signIn('olga')
  t.match(
    (await olga.submitAndFollow('/support/users', 'Reset two-factor', {}, cast.tom.email)).notice,
    'Two-factor login and passkeys of Tom were reset',
  )
  t.match((await tom.get('/profile')).location, '/login')
  t.equal((await panel.signIn('tom')).cookies.has('meshpanel'), true)
  t.match((await olga.get('/support/mail')).row(cast.tom.email), 'reset by Support')
})

t.test('a log-in that has given only the password stays nothing when the second factor goes', async (t) => {
  const goes: Record<string, (panel: Panel, tom: Client) => Promise<unknown>> = {
    'Tom switches it off': (_panel, tom) => tom.submit('/profile/two-factor', 'Switch off'),
    'Support resets it': async (panel) =>
      (await panel.signIn('olga')).submit('/support/users', 'Reset two-factor', {}, cast.tom.email),
  }
  for (const [how, act] of Object.entries(goes)) {
    const panel = await startApp(t)
    const tom = await panel.signIn('tom')
    const { secret } = await enrol(panel, tom)
    const { client, second } = await passwordOnly(panel, 'tom')
    panel.pass(minute)
    const whole = await passwordOnly(panel, 'tom')
    await whole.client.press(whole.second, 'Log in', { code: codeOf(panel, secret) })
    await act(panel, tom)

    t.match((await client.get('/profile')).location, /^\/login\?/, how)
    t.not((await client.press(second, 'Log in', { code: '000000' })).location, '/', how)
    t.equal((await client.get('/profile')).status, 303, how)
    t.equal((await tom.get('/profile')).status === 200, how === 'Tom switches it off', 'Tom’s own session goes on')
    t.equal((await whole.client.get('/profile')).status === 200, how === 'Tom switches it off', 'so does a full log-in')
    t.equal((await panel.visit().logIn(cast.tom.email)).location, '/', 'the password alone logs in from now on')

    // Switched on again, everything that was open is asked for the new code.
    const other = await panel.signIn('tom')
    const again = await panel.signIn('tom')
    await enrol(panel, again)
    t.match((await other.get('/profile')).location, '/login/second-factor', how)
  }
})

t.test('an enrolment made for somebody else, or changed, is refused', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const stella = await panel.signIn('stella')
  const toms = await tom.get('/profile/two-factor')
  const sealed = toms.root.querySelector('input[name="secret"]')?.getAttribute('value') ?? ''
  const secret = toms.root.querySelector('main code')?.textContent.replaceAll(' ', '') ?? ''
  for (const forged of [sealed, `${sealed.slice(0, -2)}AA`, 'nothing']) {
    t.equal((await stella.post('/profile/two-factor', { secret: forged, code: codeOf(panel, secret) })).status, 400)
  }
  t.match((await stella.get('/profile')).text, 'Your password alone logs you in')
})

t.test('a recovery code helps where the stored secret is damaged', async (t) => {
  const panel = await startApp(t)
  const { secret, codes } = await enrol(panel, await panel.signIn('tom'))
  panel.db.update(users).set({ totpSecret: 'damaged' }).where(eq(users.email, cast.tom.email)).run()
  panel.pass(minute)
  const { client, second } = await passwordOnly(panel, 'tom')
  t.equal((await client.press(second, 'Log in', { code: codeOf(panel, secret) })).status, 422)
  t.equal((await client.press(second, 'Log in', { code: codes[0] ?? '' })).status, 303)
})
