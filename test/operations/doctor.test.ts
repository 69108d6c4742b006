import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type OutgoingHttpHeaders } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { backupName } from '../../src/operations/backups/folder.ts'
import { makeBackup } from '../../src/operations/backups/make.ts'
import { certificate } from '../certificate.ts'
import { castDatabase, newFolder, startApp } from '../harness.ts'
import { runCommand, startProcess } from '../process.ts'
import { deadAddress, startMailServer } from '../smtp.ts'

const day = 24 * 3_600_000

type Settings = Record<string, string>

const unlikePools = 'UPDATE pool_sums SET amount = amount + 7'
const unlikeNames = "UPDATE memberships SET search = 'nobody' WHERE rowid = (SELECT min(rowid) FROM memberships)"

/** What the doctor says of a panel with the cast, which somebody has started once and then done something to. */
async function examine(
  t: Test,
  { harm, settings = {}, args = [] }: { harm?: (dataDir: string) => void; settings?: Settings; args?: string[] },
) {
  const panel = await startApp(t)
  await panel.close()
  harm?.(panel.dataDir)
  return runCommand(['doctor', ...args], panel.dataDir, '', { PUBLIC_URL: 'http://localhost:1', ...settings }).done
}

t.test('the doctor finds no problem while a healthy panel runs, and says so line by line', async (t) => {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  const panel = await startProcess(dataDir)
  t.teardown(panel.kill)
  t.match(await runCommand(['backup'], dataDir).done, { code: 0 })
  const mail = await startMailServer(t)
  const settings = { PUBLIC_URL: panel.url, SMTP_URL: mail.url, SUPPORT_EMAIL: 'help@panel.example' }
  const { code, out, err } = await runCommand(['doctor'], dataDir, '', settings).done
  t.equal(code, 0)
  t.equal(err, '')
  const lines = out.trimEnd().split('\n')
  const copies = lines.filter((line) => line.includes('copies:'))
  t.match(
    copies,
    [/^warning {2}copies: backups stay on this machine, .* — set BACKUP_TO/],
    'what only an operator can set',
  )
  for (const line of lines.filter((line) => !copies.includes(line))) t.match(line, /^ok {7}\S/)
  for (const what of [
    'configuration',
    'rights',
    'secrets',
    'disk',
    'a panel runs',
    'integrity',
    'migrations',
    'pragmas',
    'figures',
    'clock',
    'backups',
    'mail',
    'outside',
  ])
    t.ok(
      lines.some((line) => line.includes(what)),
      what,
    )
  t.equal((await fetch(`${panel.url}/login`)).status, 200, 'the panel goes on')
  t.equal(await panel.stop(), 0)
})

t.test('each finding says what is wrong and what to do about it, and a problem ends with 1', async (t) => {
  const inDatabase = (statements: string) => (dataDir: string) => {
    const sqlite = new Database(join(dataDir, 'panel.db'))
    sqlite.exec(statements)
    sqlite.close()
  }
  const oldBackup = (dataDir: string) => {
    const name = `scheduled-${new Date(Date.now() - 3 * day).toISOString().replaceAll(':', '-')}.db`
    mkdirSync(join(dataDir, 'backups'))
    for (const end of ['', '.secrets']) writeFileSync(join(dataDir, 'backups', name + end), '')
  }
  const cases: [string, RegExp, number, { harm?: (dataDir: string) => void; settings?: Settings }][] = [
    ['a setting', /^problem {2}configuration: PORT must be .* — set it/m, 1, { settings: { PORT: 'eighty' } }],
    [
      'no database',
      /^problem {2}there is no database in .*, but .*secrets is there — restore a backup/m,
      1,
      { harm: (dataDir) => rmSync(join(dataDir, 'panel.db')) },
    ],
    ['plain http', /^warning {2}PUBLIC_URL .* is plain http/m, 0, { settings: { PUBLIC_URL: 'http://panel.invalid' } }],
    ['no proxy', /^warning {2}TRUST_PROXY is empty/m, 0, { settings: { PUBLIC_URL: 'https://panel.invalid' } }],
    [
      'a folder that others look into',
      /^warning {2}others may look into .* — run chmod 700/m,
      0,
      { harm: (dataDir) => chmodSync(dataDir, 0o755) },
    ],
    [
      'a folder that others write to',
      /^problem {2}others may write to .* — run chmod 700/m,
      1,
      { harm: (dataDir) => chmodSync(dataDir, 0o777) },
    ],
    [
      'a database that others read',
      /^problem {2}others may read .*panel\.db .* — run chmod 600/m,
      1,
      {
        harm: (dataDir) => {
          chmodSync(dataDir, 0o755)
          chmodSync(join(dataDir, 'panel.db'), 0o644)
        },
      },
    ],
    [
      'secrets that others read',
      /^problem {2}others may read .*secrets .* — run chmod 600 .*rotate-secrets/m,
      1,
      { harm: (dataDir) => chmodSync(join(dataDir, 'secrets'), 0o644) },
    ],
    [
      'secrets that are gone',
      /^problem {2}.*secrets is missing — bring it back/m,
      1,
      { harm: (dataDir) => renameSync(join(dataDir, 'secrets'), join(dataDir, 'moved')) },
    ],
    ['a damaged database', /^problem {2}.*panel\.db is damaged.* — see “Restore a backup”/m, 1, { harm: scribble }],
    [
      'a newer database',
      /^problem {2}.*newer version/m,
      1,
      { harm: inDatabase("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 99999999999999)") },
    ],
    [
      'a migration that waits',
      /^warning {2}migrations: \d+ of \d+ are applied — /m,
      0,
      {
        harm: inDatabase(
          'DELETE FROM __drizzle_migrations WHERE created_at = (SELECT max(created_at) FROM __drizzle_migrations)',
        ),
      },
    ],
    [
      'a clock that went back',
      /^problem {2}clock: The server’s clock says .*, but the panel was used until .* — set the clock/m,
      1,
      {
        harm: inDatabase(
          `INSERT INTO records (at, kind, by_support, change) VALUES (${Date.now() + day}, 'user.created', 0, '{}')`,
        ),
      },
    ],
    [
      'a pool that was changed from outside',
      /^problem {2}figures: the pool of cloudhaus has \d+ of “projects” allocated, but its customers have \d+ — stop the panel and run migrate --recount/m,
      1,
      { harm: inDatabase(unlikePools) },
    ],
    [
      'a name in lists that was changed from outside',
      /^problem {2}figures: in memberships, 1 row is searched .* — stop the panel and run migrate --recount/m,
      1,
      { harm: inDatabase(unlikeNames) },
    ],
    ['an old backup', /^problem {2}backups: the last good one is 3 days old — /m, 1, { harm: oldBackup }],
    ['no backups at all', /^warning {2}BACKUP_EVERY_HOURS is 0/m, 0, { settings: { BACKUP_EVERY_HOURS: '0' } }],
    [
      'a dead mail server',
      /^problem {2}mail: .*ECONNREFUSED.* — look at SMTP_URL/m,
      1,
      { settings: { SMTP_URL: await deadAddress() } },
    ],
    [
      'a panel that is not running',
      /^warning {2}outside: http:\/\/localhost:1 cannot be reached .* — start the panel/m,
      0,
      {},
    ],
  ]
  for (const [what, line, code, how] of cases) t.match(await examine(t, how), { code, out: line, err: '' }, what)
})

t.test('migrate --recount sets right what the doctor finds in figures', async (t) => {
  const panel = await startApp(t)
  await panel.close()
  const settings = { PUBLIC_URL: 'http://localhost:1' }
  const doctor = () => runCommand(['doctor'], panel.dataDir, '', settings).done
  const sqlite = new Database(join(panel.dataDir, 'panel.db'))
  const right = sqlite.prepare('SELECT * FROM pool_sums ORDER BY partner_id, resource_id').all()
  const names = sqlite.prepare('SELECT rowid, search, sort_key FROM memberships ORDER BY rowid').all()
  t.ok(right.length > 0)
  sqlite.exec(`${unlikePools}; ${unlikeNames}`)
  t.match(await doctor(), { code: 1, out: /problem {2}figures: the pool/ })
  const recounted = await runCommand(['migrate', '--recount'], panel.dataDir, '', settings).done
  t.match(recounted, { code: 0, out: /pools, names in lists and search indexes were made anew\.\n$/ })
  t.same(sqlite.prepare('SELECT * FROM pool_sums ORDER BY partner_id, resource_id').all(), right)
  t.same(sqlite.prepare('SELECT rowid, search, sort_key FROM memberships ORDER BY rowid').all(), names)
  sqlite.close()
  t.match(await doctor(), { code: 0, out: /^ok {7}figures: /m })
})

t.test('the doctor changes nothing', async (t) => {
  let before = Buffer.alloc(0)
  let folder = ''
  await examine(t, {
    harm: (dataDir) => {
      folder = dataDir
      before = readFileSync(join(dataDir, 'panel.db'))
    },
  })
  t.ok(readFileSync(join(folder, 'panel.db')).equals(before))
})

t.test('doctor --send really sends a letter, and tells of a server that refuses it', async (t) => {
  const mail = await startMailServer(t)
  const settings = { SMTP_URL: mail.url, PANEL_NAME: 'Häuser' }
  const sent = await examine(t, { settings, args: ['--send', 'ops@panel.example'] })
  t.match(sent, { code: 0, out: /^ok {7}mail: the server took an e-mail to ops@panel\.example/m })
  const { mail: letter } = await mail.letterTo('ops@panel.example')
  t.equal(letter.subject, 'Häuser: an e-mail to try the mail server')
  mail.refuse({ at: 'data', code: 550, words: 'we know no such sender' })
  t.match(await examine(t, { settings, args: ['--send', 'ops@panel.example'] }), {
    code: 1,
    out: /^problem {2}mail: .*we know no such sender/m,
  })
  t.match(await examine(t, { args: ['--send', 'ops@panel.example'] }), { code: 1, out: /SMTP_URL is not set — set it/ })
  t.match(await examine(t, { args: ['--send', 'a@x.example, b@y.example'] }), { code: 2, err: /^--send: .*\n$/ })
})

const ours = {
  'content-security-policy': "default-src 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=31536000',
}

t.test('through PUBLIC_URL the doctor sees certificate, headers and clock as users’ browsers do', async (t) => {
  const now = Date.now()
  const cases: [string, RegExp, number, { until?: number; trusted?: boolean; headers?: OutgoingHttpHeaders }][] = [
    ['all well', /^ok {7}certificate: good until .* 89 days\nok {7}outside: the panel answers/m, 0, {}],
    [
      'soon expired',
      /^warning {2}certificate: good until .* another 4 days — see why/m,
      0,
      { until: now + 5 * day - 1_000 },
    ],
    ['expired', /^problem {2}certificate: it expired on .* — renew it/m, 1, { until: now - day }],
    [
      'not trusted',
      /^problem {2}certificate: browsers do not trust it \(.*SELF_SIGNED.*\) — get one/m,
      1,
      { trusted: false },
    ],
    [
      'a header lost',
      /^problem {2}headers: strict-transport-security did not arrive/m,
      1,
      { headers: { ...ours, 'strict-transport-security': '' } },
    ],
    [
      'a weaker header',
      /^problem {2}headers: content-security-policy did not arrive/m,
      1,
      { headers: { ...ours, 'content-security-policy': '*' } },
    ],
    ['another program', /^problem {2}outside: what answers .* is not the panel/m, 1, { headers: {} }],
    [
      'another clock',
      /^problem {2}clock: it is \d{5} seconds off that of proxy — keep both/m,
      1,
      { headers: { ...ours, server: 'proxy', date: new Date(now - day / 2).toUTCString() } },
    ],
  ]
  for (const [what, line, code, { until = now + 90 * day - 1_000, trusted = true, headers = ours }] of cases) {
    const pair = certificate(now - 10 * day, until)
    const server = createHttps(pair, (_request, answer) => answer.writeHead(200, headers).end())
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
    t.teardown(() => server.close())
    const authority = join(newFolder(), 'authority.pem')
    writeFileSync(authority, pair.cert)
    const settings = {
      PUBLIC_URL: `https://localhost:${(server.address() as AddressInfo).port}`,
      TRUST_PROXY: '127.0.0.1',
      ...(trusted ? { NODE_EXTRA_CA_CERTS: authority } : {}),
    }
    t.match(await examine(t, { settings }), { code, out: line }, what)
  }
})

t.test('a running panel that its address does not lead to is a problem', async (t) => {
  const dataDir = newFolder()
  const panel = await startProcess(dataDir)
  t.teardown(panel.kill)
  t.match(await runCommand(['doctor'], dataDir, '', { PUBLIC_URL: 'http://localhost:1' }).done, {
    code: 1,
    out: /^problem {2}outside: .* — look at the reverse proxy/m,
  })
  const other = createHttp((_request, answer) => answer.end('Hello'))
  await new Promise<void>((resolve) => other.listen(0, 'localhost', resolve))
  t.teardown(() => other.close())
  const settings = { PUBLIC_URL: `http://localhost:${(other.address() as AddressInfo).port}` }
  t.match(await runCommand(['doctor'], dataDir, '', settings).done, { code: 1, out: /is not the panel/ })
})

/** Damages pages in the middle of the database. */
function scribble(dataDir: string): void {
  const file = join(dataDir, 'panel.db')
  const bytes = readFileSync(file)
  for (let page = 8; page < statSync(file).size / 4096; page += 2) bytes.fill(0xa5, page * 4096, page * 4096 + 4096)
  writeFileSync(file, bytes)
}

t.test(
  'doctor says how old the newest copy of the backups is, or that it is missing or cannot be reached',
  async (t) => {
    const { dataDir } = await startApp(t)
    const there = newFolder()
    const asked = async (settings: Record<string, string>) =>
      (await runCommand(['doctor'], dataDir, '', { ...settings, LOG_LEVEL: 'silent' }).done).out
    t.match(await asked({ BACKUP_TO: there }), /^warning {2}copies: there is none yet in /m)
    t.match(await asked({ BACKUP_TO: there }), /^warning {2}copies: .* is on the same disk as DATA_DIR/m)
    t.match(await asked({ BACKUP_TO: join(there, 'gone') }), /^problem {2}copies: .*gone/m)
    for (const [days, words] of [
      [9, /^problem {2}copies: the newest in .* is 9 days old/m],
      [0, /^ok +copies: the newest in .* is .* old/m],
    ] as const) {
      const at = Date.now() - days * 24 * 3_600_000
      await makeBackup(dataDir, join(there, backupName('scheduled', at)), { at })
      t.match(await asked({ BACKUP_TO: there }), words)
    }
  },
)
