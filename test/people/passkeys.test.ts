import { eq } from 'drizzle-orm'
import t from 'tap'
import { passkeys, sessions, users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { setPasswordByMail } from '../../src/people/data/users.ts'
import { byItself } from '../../src/records/record.ts'
import { Authenticator, askedOn } from '../authenticator.ts'
import { startApp, userId } from '../harness.ts'

const minute = 60_000

t.test('a passkey is added, logs in with both factors at once, and is removed; letters tell of it', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const phone = new Authenticator()
  t.equal((await phone.addTo(tom, 'Phone')).location, '/profile/passkeys')
  const list = await tom.get('/profile/passkeys')
  t.match(list.row('Phone'), 'On one device or key')
  t.match(list.row('Phone'), 'never')

  const elsewhere = panel.visit()
  t.equal((await phone.logIn(elsewhere, {}, '/projects?q=web')).location, '/projects?q=web')
  t.equal((await elsewhere.get('/projects')).status, 200)
  const began = panel.db.select().from(sessions).orderBy(sessions.id).all().at(-1)
  t.equal(began?.secondFactor, true)
  t.ok(panel.app.now() - (began?.provedAt ?? 0) < minute, 'and it has just been proved')
  t.notMatch((await tom.get('/profile/passkeys')).row('Phone'), 'never')

  const { id } = panel.db.select().from(passkeys).all()[0] ?? {}
  const named = await tom.submit(`/profile/passkeys/${id}`, 'Save name', { name: 'Old phone' })
  t.match((await tom.open(named.location ?? '')).notice, 'is called Old phone now')
  const removed = await tom.submit(`/profile/passkeys/${id}`, 'Remove passkey')
  t.match((await tom.open(removed.location ?? '')).notice, 'Old phone was removed')
  t.equal((await phone.logIn(panel.visit())).status, 422)

  const told = panel.rows().letters?.map((letter) => (letter as { subject: string }).subject)
  t.match(told, ['A passkey was added to your user', 'New login to your user', 'A passkey of your user was removed'])
  const kinds = panel.rows().records?.map((one) => (one as { kind: string }).kind) ?? []
  t.ok(kinds.includes('user.passkey-added') && kinds.includes('user.passkey-removed'))
})

t.test('whatever is wrong with an answer, it logs nobody in', async (t) => {
  const panel = await startApp(t)
  const phone = new Authenticator()
  await phone.addTo(await panel.signIn('tom'))
  const other = new Authenticator()
  await other.addTo(await panel.signIn('uma'))
  const lies = {
    'another challenge': { challenge: 'AAAA' },
    'another origin': { origin: 'https://panel.example' },
    'another host': { host: 'panel.example' },
    'a user who was not recognised': { unverified: true },
    'another key': { forged: true },
    'another user’s handle': { userHandle: other.keys[0]?.user ?? '' },
    'no handle': { userHandle: '' },
    'another user’s passkey': { id: other.keys[0]?.id ?? '' },
    'an unknown passkey': { id: 'AAAA' },
  }
  for (const [what, lie] of Object.entries(lies)) {
    panel.pass(20 * minute)
    const client = panel.visit()
    const answer = await phone.logIn(client, lie)
    t.equal(answer.status, 422, what)
    t.match(answer.text, 'This passkey was not accepted', what)
    t.equal((await client.get('/profile')).location?.startsWith('/login'), true, what)
  }
  for (const credential of ['', '{', '[]', 'null', '{"id":1}', '{"id":"AAAA","type":"public-key"}']) {
    panel.pass(20 * minute)
    t.equal((await panel.visit().submit('/login', 'Log in with a passkey', { credential })).status, 422, credential)
  }
  panel.pass(20 * minute)
  t.equal((await phone.logIn(panel.visit())).status, 303, 'the honest answer does')
})

t.test('a challenge is answered once, for five minutes, in its browser, and for what it was made for', async (t) => {
  const panel = await startApp(t)
  const phone = new Authenticator()
  const tom = await panel.signIn('tom')
  await phone.addTo(tom)
  const answered = async (act: (client: ReturnType<typeof panel.visit>) => Promise<void>) => {
    const client = panel.visit()
    const page = await client.get('/login')
    const credential = phone.get(askedOn(page, '/login/passkey'))
    const cookie = client.cookies.get('meshpanel-log-in') ?? ''
    await act(client)
    return { client, page, credential, cookie, send: () => client.press(page, 'Log in with a passkey', { credential }) }
  }
  const once = await answered(async () => {})
  t.equal((await once.send()).status, 303)
  const again = panel.visit()
  const page = await again.get('/login')
  again.cookies.set('meshpanel-log-in', once.cookie)
  t.equal(
    (await again.press(page, 'Log in with a passkey', { credential: once.credential })).status,
    422,
    'the same answer and cookie again',
  )
  t.equal((await (await answered(async () => panel.pass(5 * minute))).send()).status, 422, 'after five minutes')
  t.equal((await (await answered(async (client) => void client.cookies.delete('meshpanel-log-in'))).send()).status, 422)
  const early = await answered(async () => panel.jump(-60 * minute))
  t.equal((await early.send()).status, 422, 'a clock that was ahead')
  panel.jump(60 * minute)

  panel.pass(11 * minute)
  const asked = await tom.submit('/profile', 'Download my data')
  t.match(asked.title, 'Confirm that it is you')
  const stolen = await answered(async () => {})
  tom.cookies.set('meshpanel-proof', stolen.cookie)
  const proof = await tom.press(asked, 'Confirm with a passkey', { _credential: stolen.credential })
  t.equal(proof.status, 403, 'a challenge of the log-in proves nothing in a session')
})

t.test('a counter that falls is refused, and the owner is told; one that stays 0 is none', async (t) => {
  const panel = await startApp(t)
  const phone = new Authenticator()
  await phone.addTo(await panel.signIn('tom'))
  t.equal((await phone.logIn(panel.visit(), { counter: 7 })).status, 303)
  const before = panel.rows().letters?.length ?? 0
  for (const counter of [7, 3, 0]) t.equal((await phone.logIn(panel.visit(), { counter })).status, 422, `${counter}`)
  const letters = panel.rows().letters?.slice(before) as { subject: string }[]
  t.same(
    letters.map(({ subject }) => subject),
    Array(3).fill('A passkey of yours was refused'),
  )
  t.equal((await phone.logIn(panel.visit(), { counter: 8 })).status, 303)

  const synced = new Authenticator()
  synced.counts = false
  await synced.addTo(await panel.signIn('uma'))
  for (const _ of [1, 2]) t.equal((await synced.logIn(panel.visit())).status, 303)
})

t.test('log-ins by passkey are slowed down by passkey and by address', async (t) => {
  const panel = await startApp(t)
  const phone = new Authenticator()
  await phone.addTo(await panel.signIn('tom'))
  const statuses: number[] = []
  for (let n = 0; n < 6; n++) statuses.push((await phone.logIn(panel.visit(), { forged: true })).status)
  t.same(statuses, [422, 422, 422, 422, 422, 429])
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 303, 'the password has its own count')
})

t.test('disabled, deleted, reset or removed between challenge and answer: nobody gets in', async (t) => {
  const panel = await startApp(t)
  const phone = new Authenticator()
  const tom = await panel.signIn('tom')
  await phone.addTo(tom)
  const id = userId(panel, 'tom')
  const client = panel.visit()
  const start = async () => {
    const page = await client.get('/login')
    return { page, credential: phone.get(askedOn(page, '/login/passkey')) }
  }
  const disabled = await start()
  panel.db.update(users).set({ disabledAt: 1 }).where(eq(users.id, id)).run()
  const refused = await client.press(disabled.page, 'Log in with a passkey', { credential: disabled.credential })
  t.match(refused.text, 'This user is disabled')
  t.equal((await client.get('/profile')).location?.startsWith('/login'), true)
  panel.db.update(users).set({ disabledAt: null }).where(eq(users.id, id)).run()

  const removed = await start()
  const olga = await panel.signIn('olga')
  t.match((await olga.submitAndFollow('/support/users', 'Reset two-factor', {}, cast.tom.email)).notice, 'were reset')
  t.equal((await client.press(removed.page, 'Log in with a passkey', { credential: removed.credential })).status, 422)
  t.equal(panel.rows().passkeys?.length, 0)
  t.match((await tom.get('/profile')).location, '/login', 'and all sessions have ended')
})

t.test('as proof: by the own passkey, once, in the session that asked', async (t) => {
  const panel = await startApp(t)
  const [tom, uma] = [await panel.signIn('tom'), await panel.signIn('uma')]
  const [phone, foreign] = [new Authenticator(), new Authenticator()]
  await phone.addTo(tom)
  await foreign.addTo(uma)
  panel.pass(11 * minute)
  const asked = await tom.submit('/profile/passkeys', 'Add a passkey')
  t.equal(asked.status, 403)
  const action = '/profile/passkeys/new'
  const wanted = askedOn(asked, action)
  t.equal(wanted.get?.userVerification, 'required')
  const press = (credential: string, page = asked) =>
    tom.press(page, 'Confirm with a passkey', { _credential: credential })
  const wrong = await press(foreign.get(wanted, { id: foreign.keys[0]?.id ?? '' }))
  t.equal(wrong.status, 403, 'another user’s passkey')
  t.match(wrong.text, 'This passkey was not accepted')
  t.match((await press(phone.get(askedOn(wrong, action), { unverified: true }), wrong)).status, 403)

  const fresh = await tom.submit('/profile/passkeys', 'Add a passkey')
  t.equal((await press(phone.get(askedOn(fresh, action)), fresh)).location, action)
  t.equal((await tom.get(action)).status, 200)

  panel.pass(11 * minute)
  const late = await tom.submit('/profile/passkeys', 'Add a passkey')
  const credential = phone.get(askedOn(late, action))
  panel.db.delete(sessions).run()
  t.match((await press(credential, late)).location, '/login', 'a session that ended in between')
})

t.test('only the own passkeys are shown, named and removed', async (t) => {
  const panel = await startApp(t)
  const [tom, uma] = [await panel.signIn('tom'), await panel.signIn('uma')]
  await new Authenticator().addTo(tom, 'Phone')
  const { id } = panel.db.select().from(passkeys).all()[0] ?? {}
  const before = panel.rows().passkeys
  t.equal((await uma.get(`/profile/passkeys/${id}`)).status, 404)
  t.equal((await uma.post(`/profile/passkeys/${id}/name`, { name: 'Mine' })).status, 404)
  t.equal((await uma.post(`/profile/passkeys/${id}/removal`)).status, 404)
  t.strictSame(panel.rows().passkeys, before)
  t.notMatch((await uma.get('/profile/passkeys')).text, 'Phone')
})

t.test('an answer to adding is taken once, in its session, and for its user alone', async (t) => {
  const panel = await startApp(t)
  const [tom, uma] = [await panel.signIn('tom'), await panel.signIn('uma')]
  const phone = new Authenticator()
  const page = await tom.get('/profile/passkeys/new')
  const credential = phone.create(askedOn(page, '/profile/passkeys'))
  uma.cookies.set('meshpanel-adding', tom.cookies.get('meshpanel-adding') ?? '')
  t.equal((await uma.post('/profile/passkeys', { name: 'Mine', credential })).status, 422, 'in another session')
  t.equal((await tom.press(page, 'Continue', { name: 'Phone', credential })).status, 303)
  t.equal((await tom.press(page, 'Continue', { name: 'Again', credential })).status, 422)
  for (const lie of [
    { challenge: 'AAAA' },
    { origin: 'https://panel.example' },
    { host: 'x.example' },
    { unverified: true },
  ]) {
    const another = await tom.get('/profile/passkeys/new')
    const wrong = phone.create(askedOn(another, '/profile/passkeys'), lie)
    t.equal((await tom.press(another, 'Continue', { name: 'Wrong', credential: wrong })).status, 422)
  }
  t.equal(panel.rows().passkeys?.length, 1)
  const asked = askedOn(await tom.get('/profile/passkeys/new'), '/profile/passkeys')
  t.same(
    asked.create?.excludeCredentials.map(({ id }) => id),
    [phone.keys[0]?.id],
    'the authenticator is told what it has',
  )
  t.equal(Buffer.from(asked.create?.user.id ?? '', 'base64url').length, 32, 'and the user is 32 random bytes')
})

t.test('twenty are the most; adding asks for proof first', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  for (let n = 1; n <= 20; n++) t.equal((await new Authenticator().addTo(tom, `Key ${n}`)).status, 303)
  t.match((await new Authenticator().addTo(tom, 'Key 21')).text, 'You have 20 passkeys')
  t.equal(panel.rows().passkeys?.length, 20)
  panel.pass(11 * minute)
  t.equal((await tom.get('/profile/passkeys/new')).location, '/profile/passkeys')
  t.equal((await tom.post('/profile/passkeys', { name: 'X', credential: '{}' })).status, 403)
  t.notMatch((await tom.get('/profile/passkeys')).text, demoPassword)
})

t.test('who proves a mailbox ends the passkeys of whoever set its user up before', async (t) => {
  const panel = await startApp(t)
  const phone = new Authenticator()
  await phone.addTo(await panel.signIn('tom'))
  const [user] = panel.db.select().from(users).where(eq(users.email, cast.tom.email)).all()
  if (!user) throw new Error('There is no Tom.')
  const actor = { ...byItself(panel.app.now()), userId: user.id }
  setPasswordByMail(panel.db, actor, user, 'another hash')
  t.equal(panel.rows().passkeys?.length, 1, 'a proved one keeps them')
  panel.db.update(users).set({ emailProvedAt: null }).run()
  setPasswordByMail(panel.db, actor, { ...user, emailProvedAt: null }, 'a third hash')
  t.equal(panel.rows().passkeys?.length, 0)
  t.equal((await phone.logIn(panel.visit())).status, 422)
})
