import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import Database from 'better-sqlite3'
import t from 'tap'
import { cast } from '../../src/demo.ts'
import { castDatabase, newFolder, type Page, startApp } from '../harness.ts'
import { hearPrepared, planOf, sqlite } from '../plans.ts'
import { type PanelProcess, startProcess } from '../process.ts'
import { pause, startMailServer, startOddServer, until } from '../smtp.ts'

const hour = 3_600_000
const token = 'a-token-for-prometheus'

t.test('the probes are plain and tiny, and use no session', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const before = panel.rows()
  panel.pass(hour)
  for (const [path, words] of [
    ['/health/live', 'live\n'],
    ['/health/ready', 'ready\n'],
  ] as const) {
    const page = await tom.get(path)
    t.equal(page.status, 200)
    t.equal(page.body, words)
    t.match(page.response.headers['content-type'], 'text/plain')
    t.equal(page.response.headers['cache-control'], 'no-store')
    t.notOk(page.response.headers['set-cookie'])
  }
  t.strictSame(panel.rows(), before, 'the session was not used, and what was written to try is gone')
})

t.test('the panel is not ready when its database cannot be read, but lives', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  sqlite(panel).exec('ALTER TABLE sessions RENAME TO elsewhere')
  const ready = await tom.get('/health/ready')
  t.equal(ready.status, 503)
  t.equal(ready.body, 'not ready: the database cannot be read\n')
  t.equal((await tom.get('/health/live')).status, 200)
  sqlite(panel).exec('ALTER TABLE elsewhere RENAME TO sessions')
  t.equal((await tom.get('/health/ready')).status, 200)
})

t.test('the panel is not ready when a migration is missing', async (t) => {
  const panel = await startApp(t)
  sqlite(panel).exec(
    'DELETE FROM __drizzle_migrations WHERE created_at = (SELECT max(created_at) FROM __drizzle_migrations)',
  )
  const ready = await panel.visit().get('/health/ready')
  t.equal(ready.status, 503)
  t.match(ready.body, 'migrations are missing')
})

t.test('the panel is not ready when nothing can be saved, and a probe detects that', async (t) => {
  const panel = await startApp(t)
  const visitor = panel.visit()
  t.equal((await visitor.get('/health/ready')).status, 200)
  sqlite(panel).pragma('query_only = ON')
  t.equal((await visitor.get('/health/ready')).status, 200, 'it does not write at each look')
  panel.pass(10_000)
  const ready = await visitor.get('/health/ready')
  t.equal(ready.status, 503)
  t.match(ready.body, 'nothing can be saved (read-only)')
  sqlite(panel).pragma('query_only = OFF')
  panel.app.storage.check()
  t.equal((await visitor.get('/health/ready')).status, 200)
})

t.test('a panel that stops is not ready first, ends what is under way, and closes connections', async (t) => {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  // A mail server that takes a letter, but says so late.
  let take: (() => void) | undefined
  const mail = await startOddServer(t, (socket) => {
    socket.write('220 slow\r\n')
    let body: string | undefined
    socket.on('data', (chunk) => {
      if (body === undefined) {
        const isData = chunk.toString().startsWith('DATA')
        if (isData) body = ''
        socket.write(isData ? '354 go on\r\n' : '250 ok\r\n')
        return
      }
      body += chunk.toString()
      if (body.endsWith('\r\n.\r\n')) take = () => socket.write('250 taken\r\n')
    })
  })
  const settings = { SMTP_URL: mail.url, TWO_FACTOR: 'optional' }
  const panel = await startProcess(dataDir, { settings })
  t.teardown(panel.kill)
  const stella = panel.visit()
  await stella.logIn(cast.stella.email)
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  await until('the letter is on its way', () => take)

  const asking = await beginRequest(panel, '/health/ready')
  const stopped = panel.stop()
  await until('it takes no more connections', () => refused(panel))
  const answered = await asking.finish()
  t.match(answered, /^HTTP\/1.1 503 /)
  t.match(answered, /^connection: close\r$/im)
  t.match(answered, 'not ready: it is stopping')

  take?.()
  t.equal(await stopped, 0)
  const after = new Database(join(dataDir, 'panel.db'), { readonly: true })
  t.equal(after.prepare('SELECT state FROM letters').pluck().get(), 'sent', 'the letter under way was finished')
  after.close()
})

t.test('a panel stops within ten seconds, however slow its clients are', async (t) => {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  const mail = await startOddServer(t, (socket) => socket.write('220 and nothing more\r\n'))
  const panel = await startProcess(dataDir, { settings: { SMTP_URL: mail.url, TWO_FACTOR: 'optional' } })
  t.teardown(panel.kill)
  const stella = panel.visit()
  await stella.logIn(cast.stella.email)
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  await until('the letter is on its way', () => mail.connections() > 0)
  await beginRequest(panel, '/login')
  t.equal(await panel.stop(), 0)
  const after = new Database(join(dataDir, 'panel.db'), { readonly: true })
  t.match(
    after.prepare('SELECT state, attempts FROM letters').get(),
    { state: 'waiting', attempts: 0 },
    'it did not wait for the mail server, which would have been given up after 30 seconds',
  )
  after.close()
})

t.test('metrics count requests by pattern, and say how the database, letters, log-ins and backups are', async (t) => {
  const mail = await startMailServer(t)
  mail.refuse({ at: 'data', code: 451, words: 'later' })
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  mkdirSync(join(panel.dataDir, 'backups'))
  const put = (name: string, bytes: number) => writeFileSync(join(panel.dataDir, 'backups', name), 'x'.repeat(bytes))
  put('scheduled-2023-11-14T22-13-20.000Z.db', 1234)
  put('scheduled-2023-11-14T22-13-20.000Z.db.secrets', 44)
  // What migrations leave, what has lost its key and what is unfinished is no good backup.
  put('before-migration-2023-12-01T00-00-00.000Z.db', 10)
  put('scheduled-2023-12-01T00-00-00.000Z.db', 20)
  put('scheduled-2023-12-02T00-00-00.000Z.db.partial', 30)
  const stella = await panel.signIn('stella')
  await panel.visit().logIn(cast.stella.email, 'not the password')
  await stella.get('/projects/website')
  await stella.get('/projects/nothing')
  await stella.get('/no/such/address')
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  await until('the letter was tried', () => mail.refused.length > 0)
  panel.pass(60_000)

  const page = await panel.visit().get('/metrics')
  t.equal(page.status, 200)
  t.match(page.response.headers['content-type'], 'text/plain; version=0.0.4')
  t.equal(page.response.headers['cache-control'], 'no-store')
  const requests = (labels: string) => sample(page, `meshpanel_http_request_seconds_count{${labels}}`)
  t.equal(requests('method="GET",route="/projects/:project",status="200"'), 1)
  t.equal(requests('method="GET",route="/projects/:project",status="404"'), 1)
  t.equal(requests('method="GET",route="none",status="404"'), 1)
  t.notMatch(page.body, /website|nothing|such/, 'no address stands in it')
  t.equal(sample(page, 'meshpanel_log_ins_total{result="succeeded"}'), 1)
  t.equal(sample(page, 'meshpanel_log_ins_total{result="wrong password"}'), 1)
  t.equal(sample(page, 'meshpanel_log_ins_total{result="wrong code"}'), 0)
  t.equal(sample(page, 'meshpanel_letters{state="waiting"}'), 1)
  t.equal(sample(page, 'meshpanel_letters{state="sent"}'), 0)
  t.ok(sample(page, 'meshpanel_oldest_waiting_letter_seconds') >= 60)
  t.equal(sample(page, 'meshpanel_sessions'), 1)
  t.ok(sample(page, 'meshpanel_database_bytes') > 100_000)
  t.ok(sample(page, 'meshpanel_database_wal_bytes') > 0)
  t.ok(sample(page, 'meshpanel_disk_free_bytes') > 0)
  t.ok(sample(page, 'meshpanel_write_seconds_count') >= 3)
  t.equal(sample(page, 'meshpanel_writable'), 1)
  t.equal(sample(page, 'meshpanel_last_backup_timestamp_seconds'), 1_700_000_000)
  t.equal(sample(page, 'meshpanel_last_backup_bytes'), 1234)
  t.ok(sample(page, 'process_cpu_seconds_total') > 0)
  t.ok(sample(page, 'process_resident_memory_bytes') > 0)
  t.ok(sample(page, 'nodejs_eventloop_lag_p99_seconds') >= 0)
})

t.test('metrics are counted by an index, up to a number, and not at each look', async (t) => {
  const panel = await startApp(t)
  const queries = hearPrepared(panel)
  await panel.visit().get('/metrics')
  const counting = [...queries].filter((query) => /from "(letters|sessions)"/.test(query))
  t.equal(counting.length, 3)
  for (const query of counting) {
    const plan = planOf(panel, query)
    t.match(plan, /SEARCH (letters|sessions) USING (COVERING )?INDEX (letters_(state|due)|sessions_last_seen)/, query)
    t.notMatch(plan, /SCAN (letters|sessions)/, query)
    t.match(query, / limit \+\?|min\(/, 'it ends')
  }
  queries.clear()
  await panel.visit().get('/metrics')
  t.same(
    [...queries].filter((query) => /from "(letters|sessions)"/.test(query)),
    [],
  )
})

t.test('without a token only this machine reads the metrics, and through no proxy', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const nothing = await tom.get('/metrics-of-nobody')
  const ask = (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
    panel.app.inject({ url: '/metrics', headers, remoteAddress })
  t.equal((await ask({})).statusCode, 200)
  t.equal((await ask({ host: '[::1]:3000' }, '::1')).statusCode, 200)
  t.equal((await ask({}, '::ffff:127.0.0.1')).statusCode, 200)
  for (const [headers, address] of [
    [{}, '192.0.2.7'],
    [{}, '::ffff:192.0.2.7'],
    [{ 'x-forwarded-for': '127.0.0.1' }],
    [{ forwarded: 'for=127.0.0.1' }],
    [{ host: 'panel.example.com' }],
    [{ host: 'localhost.example.com' }],
    [{ authorization: `Bearer ${token}` }, '192.0.2.7'],
  ] as [Record<string, string>, string?][]) {
    const answer = await ask(headers, address)
    t.equal(answer.statusCode, 404, JSON.stringify(headers))
    t.notMatch(answer.body, 'meshpanel_')
  }
  const denied = await tom.get('/metrics', { 'x-forwarded-for': '127.0.0.1' })
  t.equal(denied.status, 404)
  t.equal(withoutForms(denied), withoutForms(nothing), 'it reads as what does not exist')
  t.same(
    Object.keys(denied.response.headers).sort(),
    Object.keys(nothing.response.headers).sort(),
    'the headers are the same too',
  )

  const behind = await startApp(t, { settings: { TRUST_PROXY: '127.0.0.1' } })
  t.equal((await behind.app.inject({ url: '/metrics' })).statusCode, 404, 'with a proxy it takes a token')
})

t.test('with a token set, only requests that carry it read the metrics', async (t) => {
  const { app } = await startApp(t, { settings: { METRICS_TOKEN: token, TRUST_PROXY: '127.0.0.1' } })
  const ask = (authorization?: string) =>
    app.inject({
      url: '/metrics',
      remoteAddress: '192.0.2.7',
      headers: authorization === undefined ? {} : { authorization },
    })
  t.equal((await ask(`Bearer ${token}`)).statusCode, 200)
  for (const wrong of [
    undefined,
    '',
    'Bearer ',
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    `Basic ${token}`,
    token,
  ])
    t.equal((await ask(wrong)).statusCode, 404, String(wrong))
  t.equal((await app.inject({ url: '/metrics' })).statusCode, 404, 'not even this machine')
})

t.test(
  'the log finds requests, log-ins, refusals and mail failures, and holds nothing personal or secret',
  async (t) => {
    const dataDir = newFolder()
    copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
    const mail = await startMailServer(t)
    mail.refuse({ at: 'recipient', code: 550, words: 'no greta@acme.example here' })
    const settings = { LOG_LEVEL: 'info', TWO_FACTOR: 'optional', SMTP_URL: mail.url, METRICS_TOKEN: token }
    const panel = await startProcess(dataDir, { settings })
    t.teardown(panel.kill)
    const stella = panel.visit()
    await stella.logIn(cast.stella.email, 'a wrong-password')
    await stella.logIn('nobody.known@acme.example', 'a wrong-password')
    await stella.logIn(cast.stella.email)
    await stella.submit('/customer/users', 'Invite', { name: 'Greta Geheim', email: 'greta@acme.example' })
    await stella.get('/partner/customers')
    await stella.get('/projects/nothing?q=a-search')
    await stella.get('/metrics', { authorization: `Bearer ${token}` })
    await stella.get('/health/ready')
    await until('the mail failure is logged', () => panel.printed().includes('a letter failed'))

    const other = new Database(join(dataDir, 'panel.db'))
    const slow = () =>
      linesOf(panel).filter(
        ({ msg, level, req }) =>
          msg === 'request completed' && level === 40 && req?.method === 'POST' && req.path === '/projects',
      )
    const whileHeld = async (): Promise<Page> => {
      other.exec('BEGIN IMMEDIATE')
      const page = await stella.submit('/projects', 'Create project', { name: 'Later', identifier: 'later' })
      other.exec('ROLLBACK')
      if (slow().length > 0) return page
      // A worker found out first that nothing can be saved, so that the form did not wait for the lock.
      await pause(6_000)
      return whileHeld()
    }
    const busy = await whileHeld()
    other.exec('ALTER TABLE project_access RENAME TO elsewhere')
    const broken = await stella.get('/projects/website')
    other.exec('ALTER TABLE elsewhere RENAME TO project_access')
    const stellaId = other.prepare('SELECT id FROM users WHERE email = ?').pluck().get(cast.stella.email)
    const letterId = other.prepare('SELECT id FROM letters').pluck().get()
    other.close()
    await panel.stop()

    const lines = linesOf(panel)
    const said = (msg: string) => lines.filter((line) => line.msg === msg)
    t.same(
      said('log-in').map(({ result, user }) => [result, user]),
      [
        ['wrong password', stellaId],
        ['wrong password', undefined],
      ],
    )
    t.match(said('logged in'), [{ user: stellaId, reqId: /^[\w-]{36}$/ }])
    t.match(said('a letter failed'), [{ level: 40, letter: letterId, responseCode: 550 }])
    t.match(
      said('request refused').map(({ status }) => status),
      [403, 404],
    )
    for (const [page, status] of [
      [busy, 503],
      [broken, 500],
    ] as const) {
      t.equal(page.status, status)
      const id = page.root.querySelector('main p code')?.textContent ?? ''
      t.match(id, /^[\w-]{36}$/)
      const own = lines.filter(({ reqId }) => reqId === id)
      t.match(own, [
        { msg: 'request failed', level: 50, err: { message: String } },
        {
          msg: 'request completed',
          res: { statusCode: status },
          responseTime: Number,
          req: { method: String, path: String },
        },
      ])
    }
    t.match(slow(), [{ req: { route: '/projects' } }], 'what took long is a warning')
    for (const line of lines.filter(({ req }) => req)) t.ok(line.reqId, 'each line of a request has its number')
    t.same(
      said('request completed').filter(({ req }) => /health|metrics/.test(req?.path ?? '')),
      [],
    )

    const printed = panel.printed()
    for (const secret of [
      'demo-demo-demo',
      'wrong-password',
      'a-search',
      'Geheim',
      token,
      'acme.example',
      ...stella.cookies.values(),
      ...[...stella.cookies.values()].map((value) => decodeURIComponent(value)),
    ])
      t.notOk(printed.includes(secret), `the log does not hold ${secret}`)
  },
)

type Line = {
  level: number
  msg: string
  reqId?: string
  req?: { method: string; path: string }
  result?: string
  user?: number
  status?: number
}

function linesOf(panel: PanelProcess): Line[] {
  return panel
    .printed()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
}

function sample(page: Page, name: string): number {
  const line = page.body.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1))
}

/** What differs at each look: form tokens, and the address that is looked at. */
function withoutForms(page: Page): string {
  return page.body.replaceAll(/value="[^"]*"/g, '')
}

/** Sends a request without its last line. */
async function beginRequest(panel: PanelProcess, path: string) {
  const socket = connect(Number(new URL(panel.url).port), 'localhost')
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n`, () => resolve()))
  return {
    finish: () => {
      const answer = text(socket)
      socket.write('\r\n')
      return answer
    },
  }
}

let refusals = 0
function refused({ url }: PanelProcess): boolean {
  const socket = connect(Number(new URL(url).port), 'localhost')
  socket.on('error', () => refusals++)
  socket.on('connect', () => socket.destroy())
  return refusals > 0
}
