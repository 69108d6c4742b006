import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { TOTP } from 'otpauth'
import t, { type Test } from 'tap'
import { accounts, invitations, letters, records, sessions } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { pruneBackups } from '../../src/operations/backups/folder.ts'
import { type Panel, startApp } from '../harness.ts'
import { runCommand } from '../process.ts'
import { pause, startMailServer, until } from '../smtp.ts'

// A clock that jumps harms nobody: waits keep to their longest, and nothing is destroyed while it cannot be right.

const minute = 60_000
const day = 24 * 60 * minute

t.test('after a day ahead and back, nobody waits longer than the longest wait', async (t) => {
  const panel = await startApp(t)
  const known = await panel.signIn('tom')
  panel.jump(day)
  for (let n = 0; n < 9; n++) {
    await panel.visit().logIn(cast.tom.email, 'a wrong password')
    panel.jump(minute)
  }
  panel.jump(-day)
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 429, 'the wait itself goes on')
  panel.jump(15 * minute)
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 303)
  t.equal((await known.get('/projects')).status, 200, 'and nobody was logged out')
})

t.test('an address that used up its tries while the clock was ahead has them again a minute later', async (t) => {
  const panel = await startApp(t)
  panel.jump(day)
  for (let n = 0; n < 31; n++) await panel.visit().logIn(`nobody${n}@nowhere.example`, 'a wrong password')
  panel.jump(-day)
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 429)
  panel.jump(minute)
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 303)
})

t.test('links, resending, requests and codes of two-factor log-in work again when the clock is back', async (t) => {
  const panel = await startApp(t)
  panel.jump(day)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')
  const page = await tom.open('/profile/two-factor')
  const secret = page.root.querySelector('main li code')?.textContent.replaceAll(/\s/g, '') ?? ''
  const code = () => new TOTP({ secret }).generate({ timestamp: panel.app.now() })
  t.equal((await tom.press(page, 'Switch on', { code: code() })).status, 200)
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  for (let n = 0; n < 8; n++) {
    await panel.visit().submit('/password-reset', 'Send link', { email: cast.dora.email })
    panel.jump(5 * minute)
  }
  panel.jump(-day)

  t.equal((await stella.submit('/customer/users', 'Resend')).status, 303)
  const ask = () => panel.visit().submit('/password-reset', 'Send link', { email: cast.dora.email })
  t.equal((await ask()).status, 429, 'the wait itself goes on')
  panel.jump(15 * minute)
  t.equal((await ask()).status, 303)
  const again = panel.visit()
  await again.logIn(cast.tom.email)
  t.equal((await again.submit('/login/second-factor', 'Log in', { code: code() })).status, 303)
  const replay = panel.visit()
  await replay.logIn(cast.tom.email)
  t.equal((await replay.submit('/login/second-factor', 'Log in', { code: code() })).status, 422, 'each works once')
})

/** A panel whose customer Initech was deleted just now. */
async function withDeleted(t: Test): Promise<Panel> {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/initech/removal', 'Delete customer', { identifier: 'initech' })
  t.type(initech(panel)?.deletedAt, 'number')
  await panel.close()
  return panel
}

const initech = ({ db }: Panel) => db.select().from(accounts).where(eq(accounts.identifier, 'initech')).get()

t.test('one start with the clock 31 days ahead purges nothing, and Support and the doctor read why', async (t) => {
  const { dataDir } = await withDeleted(t)
  const wrong = await startApp(t, { dataDir, ahead: 31 * day })
  const olga = await wrong.signIn('olga')
  await pause(50)
  t.equal(initech(wrong)?.purgedAt, null)
  const home = await olga.get('/')
  t.match(home.text, /The server’s clock says .* and the panel last ran on .* Nothing that was deleted is removed/)
  t.match((await wrong.visit().get('/metrics')).body, /^meshpanel_clock_right 0$/m)
  const stella = await wrong.signIn('stella')
  t.notMatch((await stella.get('/')).text, 'clock')
  await stella.submit('/projects', 'Create project', { name: 'Later', identifier: 'later' })
  await wrong.close()

  const right = await startApp(t, { dataDir })
  await pause(50)
  t.match(right.app.clock.trouble, { kind: 'behind' }, 'what was recorded in that time is later than now')
  t.equal(initech(right)?.purgedAt, null)
  await right.close()
  t.match(await runCommand(['doctor'], dataDir).done, { code: 1, out: /^problem {2}clock: The server’s clock says/m })
})

t.test('a month without running is not a wrong clock: Support says so, and overdue data goes', async (t) => {
  const { dataDir } = await withDeleted(t)
  const panel = await startApp(t, { dataDir, ahead: 31 * day })
  const olga = await panel.signIn('olga')
  const after = await olga.submitAndFollow('/', 'The clock is right')
  t.match(after.notice, 'The clock is taken for right')
  t.notMatch(after.text, 'The server’s clock')
  t.notOk(after.hasButton('The clock is right'))
  t.match(panel.db.select().from(records).all().at(-1), { kind: 'installation.clock-confirmed', bySupport: true })
  await panel.close()
  const next = await startApp(t, { dataDir, ahead: 31 * day })
  await until('it is purged', () => initech(next)?.purgedAt)
  t.equal(next.app.clock.trouble, undefined)
})

t.test(
  'when Support says that a clock that was ahead is right again, what it dated too late is brought back',
  async (t) => {
    const panel = await startApp(t)
    panel.jump(40 * day)
    const stella = await panel.signIn('stella')
    await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
    panel.jump(-40 * day)
    t.match(panel.app.clock.look(), { kind: 'behind' })
    const olga = await panel.signIn('olga')
    await olga.submitAndFollow('/', 'The clock is right')
    const at = panel.app.now()
    const invitation = panel.db.select().from(invitations).get()
    t.ok(invitation && invitation.expiresAt <= at + 7 * day && invitation.expiresAt > at + 6 * day)
    for (const session of panel.db.select().from(sessions).all())
      t.ok(session.createdAt <= at && session.lastSeenAt <= at && session.provedAt <= at)
    t.equal(panel.app.clock.look(), undefined)
    t.equal((await stella.get('/projects')).status, 200, 'nobody is logged out by it')
    panel.jump(-2 * day)
    t.match(panel.app.clock.look(), { kind: 'behind' }, 'another jump is seen')
  },
)

t.test('a clock that runs as it should is noted each minute, and believed', async (t) => {
  const panel = await startApp(t)
  for (let hours = 0; hours < 80; hours += 20) {
    panel.jump(20 * 60 * minute)
    t.equal(panel.app.clock.look(), undefined)
  }
  panel.jump(25 * 60 * minute)
  t.match(panel.app.clock.look(), { kind: 'ahead' })
})

t.test('a proof of who somebody is, given while the clock was ahead, is asked for again', async (t) => {
  const panel = await startApp(t)
  panel.jump(day)
  const tom = await panel.signIn('tom')
  panel.jump(-day)
  const page = await tom.submit('/profile', 'Change e-mail', { email: 'tom2@acme.example', password: demoPassword })
  t.equal(page.status, 403)
  t.match(page.title, 'Confirm that it is you')
})

t.test('a session outlives a clock that was ahead for longer than it lives unused', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const kept = panel.visit()
  for (const [name, value] of tom.cookies) kept.cookies.set(name, value)
  panel.jump(2 * day)
  t.match((await tom.get('/projects')).location, '/login', 'until then it counts as ended')
  panel.jump(-2 * day)
  t.equal((await kept.get('/projects')).status, 200)
})

t.test('no e-mail is given up or withdrawn for its age while the clock cannot be right', async (t) => {
  const server = await startMailServer(t)
  const panel = await startApp(t, { settings: { SMTP_URL: 'smtp://127.0.0.1:1' } })
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  const letter = () => panel.db.select().from(letters).get()
  await until('it has to wait', () => letter()?.error)
  panel.jump(9 * day)
  panel.app.wakeMail()
  await pause(100)
  t.match(letter(), { state: 'waiting', body: /./ })
  await panel.close()
  const next = await startApp(t, { dataDir: panel.dataDir, settings: { SMTP_URL: server.url } })
  next.app.wakeMail()
  t.ok(await server.letterTo('greta@acme.example'))
})

t.test('a backup dated in the future does not replace another, and a wrong clock removes none', async (t) => {
  const panel = await startApp(t, { settings: { BACKUP_KEEP: '2' } })
  const folder = join(panel.dataDir, 'backups')
  mkdirSync(folder)
  const at = Date.now()
  const name = (time: number) => `scheduled-${new Date(time).toISOString().replaceAll(':', '-')}.db`
  const times = [at + 40 * day, at - 3 * day, at - 2 * day, at - day]
  for (const time of times) for (const end of ['', '.secrets']) writeFileSync(join(folder, name(time) + end), 'x')
  pruneBackups(panel.dataDir, 2, at)
  const left = () => readdirSync(folder).filter((file) => file.endsWith('.db'))
  t.same(left().sort(), [at + 40 * day, at - 2 * day, at - day].map(name).sort())

  panel.jump(31 * day)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/backups', 'Back up now')
  await until('it is made', () => left().some((file) => file.startsWith('manual-')))
  await pause(100)
  t.equal(left().length, 4, 'nothing was removed')
})

t.test('an import that has to wait waits no longer when a clock that was ahead is back', async (t) => {
  const panel = await startApp(t)
  // As many e-mails to one address as are allowed in a day.
  const text = [
    'name,identifier,admin name,admin e-mail',
    ...'abcdef'.split('').map((n) => `C ${n},wait-${n},Ann,ann@wait.example`),
  ]
  panel.jump(2 * day)
  const petra = await panel.signIn('petra')
  const checked = await petra.submitAndFollow('/partner/imports', 'Check the file', { text: text.join('\n') })
  await petra.press(checked, 'Import 6 customers')
  await until('it waits', async () => (await petra.get(checked.path)).text.includes('Waiting until'))
  panel.jump(-2 * day)
  t.notMatch((await petra.get(checked.path)).text, 'Waiting until')
})
