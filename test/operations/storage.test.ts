import { spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { type Db, openDatabase, writeUnchecked } from '../../src/db/open.ts'
import { imports, letters, projects, throttles } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { type Client, castDatabase, newFolder, type Page, type Panel, startApp } from '../harness.ts'
import { sqlite } from '../plans.ts'
import { type PanelProcess, runCommand, startProcess } from '../process.ts'
import { startOddServer, until } from '../smtp.ts'

// What happens while nothing can be saved: the disk is full, the database read-only or locked.

/** Ways to make writing fail, each with what ends it. */
const failures: Record<string, (panel: Panel) => () => void> = {
  'read-only': (panel) => {
    sqlite(panel).pragma('query_only = ON')
    return () => sqlite(panel).pragma('query_only = OFF')
  },
  locked: (panel) => {
    const other = new Database(join(panel.dataDir, 'panel.db'))
    other.exec('BEGIN EXCLUSIVE')
    return () => other.close()
  },
  full: (panel) => {
    sqlite(panel).pragma(`max_page_count = ${sqlite(panel).pragma('page_count', { simple: true })}`)
    return () => sqlite(panel).pragma('max_page_count = 1000000')
  },
}

/** Creates projects until one cannot be saved: a full disk may have room for a few rows yet. */
async function createUntilRefused(stella: Client): Promise<{ page: Page; identifier: string }> {
  for (let n = 1; n < 300; n++) {
    const identifier = `typed-${n}`
    const page = await stella.submit('/projects', 'Create project', { name: `Typed ${n}`, identifier })
    if (page.status !== 303) return { page, identifier }
  }
  throw new Error('everything could be saved')
}

const projectOf = (panel: Panel, identifier: string) =>
  panel.db.select().from(projects).where(eq(projects.identifier, identifier)).get()

for (const [what, status, words] of [
  ['read-only', 503, /Nothing can be saved now .* read-only for now/],
  ['locked', 503, /The database is busy Another program holds it/],
  ['full', 507, /The disk is full .* until Support makes room/],
] as const) {
  t.test(`while the database is ${what}, a form says so, changes nothing, and is offered again`, async (t) => {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    const end = failures[what]?.(panel)
    const { page, identifier } = await createUntilRefused(stella)
    t.equal(page.status, status)
    t.match(page.text, words)
    t.match(page.text, /Nothing was changed. You can go on reading, and log out./)
    t.match(page.text, /What you typed is kept .* Name Typed \d+ Identifier typed-\d+/)
    t.match(page.text, /Number for Support: [\w-]{36}/)
    t.equal(page.response.headers['retry-after'], status === 503 ? '5' : undefined)
    t.notOk(projectOf(panel, identifier))
    t.equal(panel.app.storage.problem, what)
    t.equal((await stella.get('/projects')).status, 200, 'reading goes on')

    const again = await stella.press(page, 'Send it again')
    t.equal(again.status, status, 'still')
    end?.()
    panel.app.storage.check()
    t.equal(panel.app.storage.problem, undefined)
    const sent = await stella.press(again, 'Send it again')
    t.equal(sent.status, 303)
    t.ok(projectOf(panel, identifier), 'nothing typed was lost')
  })

  t.test(`while the database is ${what}, one reads every page, and logs out for good`, async (t) => {
    const panel = await startApp(t)
    const people = new Map<CastName, Client>()
    for (const who of ['petra', 'stella', 'tom', 'nils', 'olga'] as const) people.set(who, await panel.signIn(who))
    const before = await readEverything(panel, people)
    panel.pass(2 * 60_000)
    const end = failures[what]?.(panel)
    t.same(await readEverything(panel, people), before)

    // Another write has shown by now that nothing can be saved.
    panel.app.storage.check()
    const tom = panel.visit()
    for (const [name, value] of people.get('tom')?.cookies ?? []) tom.cookies.set(name, value)
    const left = await people.get('tom')?.submit('/', 'Log out')
    t.equal(left?.location, '/login')
    t.notOk(people.get('tom')?.cookies.has('meshpanel'), 'the cookie is gone')
    t.match((await tom.get('/projects')).location, '/login', 'and useless to anybody who kept it')

    end?.()
    t.match((await tom.get('/projects')).location, '/login')
    panel.app.storage.check()
    t.match((await tom.get('/projects')).location, '/login')
    t.equal(panel.rows().sessions?.length, 4, 'its row went as soon as it could')
  })
}

/** The status of each page, for each of them. */
async function readEverything(panel: Panel, people: Map<CastName, Client>): Promise<Record<string, number>> {
  const values: Record<string, string> = {
    customer: 'acme',
    identifier: 'acme',
    project: 'website',
    user: '5',
    letter: '1',
  }
  const answers: Record<string, number> = {}
  for (const { method, url } of panel.routes) {
    // The probes say that they are not ready, as they should.
    if (method !== 'GET' || url.startsWith('/assets/') || url.startsWith('/health/')) continue
    const path = url.replaceAll(/:(\w+)/g, (_, name: string) => values[name] ?? '1')
    for (const [who, client] of people) answers[`${who} ${path}`] = (await client.get(path)).status
  }
  return answers
}

t.test('people who keep reading stay logged in, although their visits cannot be saved', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  sqlite(panel).pragma('query_only = ON')
  for (let minutes = 0; minutes < 60; minutes += 20) {
    panel.pass(20 * 60_000)
    t.equal(
      (await olga.get('/support/accounts')).status,
      200,
      'Support is logged out after 30 minutes without a request',
    )
  }
  panel.pass(31 * 60_000)
  t.match((await olga.get('/support/accounts')).location, '/login')
})

t.test('secrets are not offered again, and nobody logs in', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  sqlite(panel).pragma('query_only = ON')
  const logIn = await panel.visit().logIn(cast.stella.email)
  t.equal(logIn.status, 503)
  t.match(logIn.text, 'Nothing can be saved now')
  const change = await tom.submit('/profile', 'Change password', {
    current: 'demo-demo-demo',
    password: 'a new passphrase of mine',
    repeated: 'a new passphrase of mine',
  })
  t.equal(change.status, 503)
  for (const page of [logIn, change]) {
    t.notOk(page.hasButton('Send it again'))
    t.notMatch(page.body, /demo-demo-demo|a new passphrase/)
  }
})

t.test('lines that were pasted for an import are kept, and nothing of it stays half done', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const end = failures.full?.(panel)
  const text = `name\n${Array.from({ length: 900 }, (_, n) => `Customer ${n} ${'x'.repeat(20)}`).join('\n')}`
  const page = await petra.upload('/partner/imports', 'Check the file', { name: '', bytes: Buffer.alloc(0) })
  t.equal(page.status, 422, 'a form with no file')
  const boundary = 'b'.repeat(20)
  const fields = Object.entries({ ...hiddenFields(page), text }).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const refused = await petra.postRaw(
    '/partner/imports',
    `${fields.join('')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--${boundary}--\r\n`,
    { 'content-type': `multipart/form-data; boundary=${boundary}` },
  )
  t.equal(refused.status, 507)
  t.match(refused.text, 'Customer 899')
  end?.()
  panel.app.storage.check()
  await until('what was read of it is gone', () => panel.db.select().from(imports).all().length === 0)
  const sent = await petra.press(refused, 'Send it again')
  t.equal(sent.status, 303)
  t.match((await petra.open(sent.location ?? '')).text, '900 rows')
})

function hiddenFields(page: Page): Record<string, string> {
  const inputs = page.form('Check the file').form.querySelectorAll('input[type="hidden"]')
  return Object.fromEntries(
    inputs.map((input) => [input.getAttribute('name') ?? '', input.getAttribute('value') ?? '']),
  )
}

t.test('an import stops when the disk is full, and continues when there is room: each row once', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  // As many invitations as may go out at once.
  const admin = (n: number) => (n % 4 === 0 ? `Admin ${n},admin${n}@x.example` : ',')
  const rows = Array.from({ length: 400 }, (_, n) => `Customer ${n},imported-${n},${admin(n)}`)
  const file = { name: 'c.csv', bytes: Buffer.from(`name,identifier,admin name,admin e-mail\n${rows.join('\n')}`) }
  const checked = await petra.upload('/partner/imports', 'Check the file', file)
  const end = failures.full?.(panel)
  await petra.press(checked, 'Import 400 customers')
  await until('the disk is full', () => panel.app.storage.problem === 'full')
  const one = () => panel.db.select().from(imports).get()
  t.equal(one()?.state, 'running')
  end?.()
  panel.app.storage.check()
  await until('the import is done', () => one()?.state === 'done')
  const made = panel.rows().accounts?.filter((row) => String((row as { name: string }).name).startsWith('Customer '))
  t.equal(made?.length, 400)
  t.equal(panel.db.select().from(letters).all().length, 100)
  t.match((await petra.open(checked.path)).text, '400 done')
})

t.test('a letter that was sent while that could not be noted is not sent again', async (t) => {
  const taker = await startTaker(t)
  const panel = await startApp(t, { settings: { SMTP_URL: taker.url } })
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  await until('the letter is with the server', () => taker.letters() === 1)
  sqlite(panel).pragma('query_only = ON')
  taker.take()
  await until('it cannot be noted', () => panel.app.storage.problem)
  for (let times = 0; times < 3; times++) {
    panel.pass(2 * 60_000)
    panel.app.wakeMail()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const state = () => panel.db.select().from(letters).get()?.state
  t.equal(state(), 'waiting')
  sqlite(panel).pragma('query_only = OFF')
  panel.app.storage.check()
  t.equal(state(), 'sent')
  panel.app.wakeMail()
  await stella.submit('/customer/users', 'Invite', { name: 'Hans', email: 'hans@acme.example' })
  await until('the next letter comes', () => taker.letters() === 2)
  taker.take()
  t.match(taker.text(), /^To: Hans <hans@acme.example>/m, 'which is another')
})

t.test('a password reset that was asked for is written when there is room', async (t) => {
  const panel = await startApp(t)
  const visitor = panel.visit()
  const page = await visitor.get('/password-reset')
  t.equal((await visitor.press(page, 'Send link', { email: cast.tom.email })).status, 303)
  // Its letter is written a moment after the answer.
  const end = failures['read-only']?.(panel)
  await until('it could not be written', () => panel.app.storage.problem)
  t.same(panel.db.select().from(letters).all(), [])
  end?.()
  panel.app.storage.check()
  t.match(panel.db.select().from(letters).all(), [{ email: cast.tom.email }])
})

t.test('what undoes itself on a full disk, a part of a write too, fails for the reason that it had', async (t) => {
  const { db, close } = openDatabase(newFolder())
  t.teardown(close)
  db.$client.pragma(`max_page_count = ${db.$client.pragma('page_count', { simple: true })}`)
  const insert = (tx: Db) =>
    tx
      .insert(throttles)
      .values({ key: 'x'.repeat(100_000), tries: 1, at: 1 })
      .run()
  t.throws(() => writeUnchecked(db, (tx) => writeUnchecked(tx, insert)), { code: 'SQLITE_FULL' })
  t.same(db.select().from(throttles).all(), [])
})

t.test('an error page comes also when nothing can be read any more', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const client = sqlite(panel)
  const prepare = client.prepare.bind(client)
  let broken = false
  client.prepare = ((source: string) => {
    broken ||= source.includes('from "projects"')
    if (broken) throw Object.assign(new Error('disk I/O error at /secret/place'), { code: 'SQLITE_IOERR_READ' })
    return prepare(source)
  }) as typeof client.prepare
  const page = await stella.get('/projects')
  t.equal(page.status, 500)
  t.match(page.text, /Something went wrong .* Number for Support: [\w-]{36}/)
  t.notMatch(page.body, /secret|SQLITE|I\/O/)
})

t.test('on a full disk people can read and log out, and everything continues when there is room', async (t) => {
  const dataDir = smallDisk(t)
  if (!dataDir) return
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  const panel = await startProcess(dataDir, { settings: { TWO_FACTOR: 'optional', LOG_LEVEL: 'info' } })
  t.teardown(panel.kill)
  const [stella, tom] = [panel.visit(), panel.visit()]
  await stella.logIn(cast.stella.email)
  await tom.logIn(cast.tom.email)
  const kept = panel.visit()
  for (const [name, value] of tom.cookies) kept.cookies.set(name, value)
  await stella.submit('/customer/users', 'Invite', { name: 'Early', email: 'early@acme.example' })

  const filler = join(dataDir, 'filler')
  fill(filler)
  const { page, identifier } = await createUntilRefused(stella)
  t.equal(page.status, 507)
  t.match(page.text, `Identifier ${identifier}`)
  for (const path of ['/', '/projects', '/projects/website', '/customer/users', '/customer/history'])
    t.equal((await stella.get(path)).status, 200, path)
  for (let times = 0; times < 5; times++) {
    const again = await stella.submit('/customer/users', 'Invite', { name: 'Late', email: `late${times}@acme.example` })
    t.equal(again.status, 507)
  }
  t.equal((await stella.get('/health/ready')).body, 'not ready: nothing can be saved (full)\n')
  t.equal((await stella.get('/health/live')).status, 200)
  t.match((await stella.get('/metrics')).body, /^meshpanel_writable 0$/m)
  await tom.submitAndFollow('/', 'Log out')
  t.notOk(tom.cookies.has('meshpanel'))
  t.match((await kept.get('/projects')).location, '/login')
  t.equal(saidTimes(panel, 'nothing can be saved'), 1, 'the log says it once')

  rmSync(filler)
  await until('there is room', () => saidTimes(panel, 'things can be saved again') === 1)
  t.equal((await stella.get('/health/ready')).status, 200)
  t.equal((await stella.press(page, 'Send it again')).status, 303)
  t.match((await stella.get('/projects')).text, identifier)
  t.match((await kept.get('/projects')).location, '/login')
  t.equal(await panel.stop(), 0)
  const database = new Database(join(dataDir, 'panel.db'))
  t.equal(database.pragma('integrity_check', { simple: true }), 'ok')
  t.equal(database.prepare('SELECT count(*) FROM sessions').pluck().get(), 1)
  database.close()

  fill(filler)
  const refused = await startProcess(dataDir, { settings: { TWO_FACTOR: 'optional' } })
  t.teardown(refused.kill)
  t.match(refused.printed(), /^DATA_DIR \S+: the disk is full.*\n$/, 'a start without room says so in one line')
})

const saidTimes = (panel: PanelProcess, words: string) => panel.printed().split(`"${words}"`).length - 1

/** A file system of a few MiB, for as long as the test runs. Undefined where this process may mount none. */
function smallDisk(t: Test): string | undefined {
  const folder = newFolder()
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder])
  if (status !== 0) {
    t.comment(`no disk of its own: ${(error ?? stderr).toString().trim()}. The tests with max_page_count stand for it.`)
    t.pass('skipped: a small disk needs the right to mount')
    return undefined
  }
  t.teardown(() => spawnSync('umount', [folder]))
  return folder
}

/** Takes all room that is left. */
function fill(file: string): void {
  for (const bytes of [1 << 20, 1 << 16, 1 << 12])
    for (;;) {
      try {
        writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' })
      } catch {
        break
      }
    }
}

/** A mail server that says that it has taken a letter only when it is told to. */
async function startTaker(t: Test) {
  const waiting: (() => void)[] = []
  const texts: string[] = []
  const { url } = await startOddServer(t, (socket) => {
    socket.write('220 ready\r\n')
    let body: string | undefined
    socket.on('data', (chunk) => {
      if (body === undefined) {
        const isData = chunk.toString().startsWith('DATA')
        if (isData) body = ''
        socket.write(isData ? '354 go on\r\n' : '250 ok\r\n')
        return
      }
      body += chunk.toString()
      if (!body.endsWith('\r\n.\r\n')) return
      texts.push(body)
      waiting.push(() => socket.write('250 taken\r\n'))
      body = undefined
    })
  })
  return { url, letters: () => texts.length, text: () => texts.at(-1) ?? '', take: () => waiting.shift()?.() }
}

t.test(
  'a data folder that is moved away is noticed at the next form, nothing is acknowledged, and everything continues when it is back',
  async (t) => {
    const dataDir = newFolder()
    copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
    const panel = await startProcess(dataDir, { settings: { TWO_FACTOR: 'optional' } })
    t.teardown(panel.kill)
    const stella = panel.visit()
    await stella.logIn(cast.stella.email)
    const form = await stella.get('/projects')
    renameSync(dataDir, `${dataDir}-away`)
    t.teardown(() => rmSync(`${dataDir}-away`, { recursive: true, force: true }))

    const page = await stella.press(form, 'Create project', { name: 'Typed', identifier: 'typed' })
    t.equal(page.status, 503)
    t.match(page.text, /The data is not in its place .* Nothing was changed. .* What you typed is kept/)
    t.match(await stella.get('/health/ready'), { status: 503, body: 'not ready: nothing can be saved (moved)\n' })
    t.match((await stella.get('/metrics')).body, /^meshpanel_writable 0$/m)
    t.equal((await stella.get('/projects')).status, 200, 'reading goes on')
    t.notOk(existsSync(dataDir), 'it is not created again')

    renameSync(`${dataDir}-away`, dataDir)
    await until('it is noticed', async () => (await stella.get('/health/ready')).status === 200)
    t.notMatch((await stella.get('/projects')).text, 'Typed')
    t.equal((await stella.press(page, 'Send it again')).status, 303)
    t.match((await stella.get('/projects')).text, 'Typed')
    t.equal(await panel.stop(), 0)
  },
)

t.test('whatever happens to the files of the database is noticed within five seconds, without a request', async (t) => {
  const ways: Record<string, (file: string) => void> = {
    'the database was deleted': (file) => rmSync(file),
    'its log was deleted': (file) => rmSync(`${file}-wal`),
    'another database was put in its place': (file) => {
      copyFileSync(file, `${file}.copy`)
      renameSync(`${file}.copy`, file)
    },
  }
  for (const [what, way] of Object.entries(ways)) {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    way(join(panel.dataDir, 'panel.db'))
    await until(what, () => panel.app.storage.problem === 'moved')
    const identifier = 'typed'
    t.equal((await stella.submit('/projects', 'Create project', { name: 'Typed', identifier })).status, 503, what)
    t.equal(projectOf(panel, identifier), undefined)
  }
})

/** Overwrites pages in the middle of a database file. */
function scribble(file: string): void {
  const descriptor = openSync(file, 'r+')
  for (let page = 8; page < statSync(file).size / 4096; page += 2)
    writeSync(descriptor, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096)
  closeSync(descriptor)
}

t.test('a damaged database does not start: one line names the file and what to do', async (t) => {
  const harms: Record<string, (file: string) => void> = {
    'pages in its middle': scribble,
    'its beginning': (file) => {
      const descriptor = openSync(file, 'r+')
      writeSync(descriptor, Buffer.alloc(100, 0xa5), 0, 100, 0)
      closeSync(descriptor)
    },
    'cut off': (file) => truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096),
  }
  for (const [what, harm] of Object.entries(harms)) {
    const panel = await startApp(t)
    await panel.close()
    harm(join(panel.dataDir, 'panel.db'))
    const { code, err } = await runCommand(['start'], panel.dataDir).done
    t.equal(code, 2, what)
    t.match(err, /^DATA_DIR .*panel\.db is damaged; restore a backup .* in the README\) \(\w+\)\.\n$/, what)
  }
})

t.test('damage that is found while the panel runs stops all writes, and everybody reads why', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const form = await stella.get('/projects')
  const client = sqlite(panel)
  client.pragma('wal_checkpoint(TRUNCATE)')
  scribble(client.name)
  client.pragma('shrink_memory')
  const page = await stella.press(form, 'Create project', { name: 'Typed', identifier: 'typed' })
  t.equal(page.status, 503)
  t.match(page.text + page.body, /The database is damaged/)
  t.equal(panel.app.storage.problem, 'damaged')
  t.equal(panel.app.storage.check(), 'damaged', 'it does not heal by a write that succeeds')
  t.equal((await panel.visit().get('/health/ready')).status, 503)
  t.match((await panel.visit().get('/metrics')).body, /^meshpanel_writable 0$/m)
  t.equal((await panel.visit().get('/health/live')).status, 200)
})
