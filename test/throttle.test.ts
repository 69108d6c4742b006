import t from 'tap'
import { cast, demoPassword } from '../src/demo.ts'
import { admit, forgive } from '../src/throttle/data.ts'
import { type Panel, startApp } from './harness.ts'

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

t.test('who logs in begins anew, and others are not slowed down by it', async (t) => {
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
