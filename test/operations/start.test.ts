import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { misspeltSettings, readConfig, root } from '../../src/config.ts'
import { openDatabase } from '../../src/db/open.ts'
import { StartError } from '../../src/db/start-error.ts'
import { ConfigError, settingNames } from '../../src/settings.ts'
import { newFolder, startApp } from '../harness.ts'
import { runCommand as run, runCommand, startProcess } from '../process.ts'
import { unpackRelease } from '../releases/releases.ts'
import { until } from '../smtp.ts'

const folder = newFolder()
const fileWith = (name: string, text: string) => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
const secretFiles = [
  join(folder, 'none'),
  folder,
  fileWith('empty', ' \n'),
  fileWith('large', 'x'.repeat(64 * 1024 + 1)),
]

/** For each setting what it must not be: `start` ends with one line that names the setting, and exit code 2. */
const wrongSettings: Record<string, string[]> = {
  PORT: ['eighty', '-1', '70000', '80.5'],
  PUBLIC_URL: ['panel.example.com', 'ftp://panel.example.com', 'https://panel.example.com/?a', 'https://u:p@x.example'],
  SMTP_URL: ['mail.example.com', 'http://mail.example.com', 'smtp://u:100%@mail.example.com'],
  SMTP_URL_FILE: secretFiles,
  MAIL_FROM: ['nobody', 'a@x.example, b@y.example'],
  SUPPORT_EMAIL: ['nobody', 'a@x.example,b@y.example'],
  TRUST_PROXY: ['everybody', '10.0.0.0/33', 'true'],
  OUTSIDE_ALLOW: ['everywhere', '10.0.0.0/33'],
  OIDC_ISSUER: ['login', 'http://login.example', 'https://login.example/?a=b', 'https://a:b@login.example'],
  OIDC_CLIENT_ID: ['two words'],
  OIDC_CLIENT_SECRET: ['two words'],
  OIDC_CLIENT_SECRET_FILE: secretFiles,
  OIDC_NAME: ['x'.repeat(41)],
  OIDC_EMAIL_TRUSTED: ['maybe'],
  OIDC_SECOND_FACTOR: ['two words'],
  OIDC_ONLY: ['maybe'],
  DNS_SERVERS: ['ns.example.com', '10.0.0.53:x'],
  TWO_FACTOR: ['always'],
  PARTNER_REQUESTS: ['partners'],
  LOG_LEVEL: ['loud'],
  METRICS_TOKEN: ['too-short', 'with spaces in between them'],
  METRICS_TOKEN_FILE: [...secretFiles, fileWith('short', 'too-short')],
  PANEL_NAME: ['x'.repeat(41), 'two\nlines'],
  BACKUP_EVERY_HOURS: ['daily', '-1', '1.5', '9000'],
  BACKUP_KEEP: ['all', '0', '10001'],
  BACKUP_TO: ['backups', 'ftp://host/backups', 'sftp://user:geheim@host/backups', 's3://'],
  REPLICATE_TO: ['replica', 'ftp://host/replica', 'sftp://user:geheim@host/replica', 's3://bucket/replica?x=1'],
  REPLICATE_KEEP_HOURS: ['long', '0', '9000'],
  SFTP_KEY_FILE: [folder, join(folder, 'nothing')],
  SFTP_KNOWN_HOSTS_FILE: [folder, join(folder, 'nothing')],
  S3_ENDPOINT: ['s3.example.com', 'ftp://s3.example.com'],
  AWS_REGION: ['over there', 'EU?'],
  AWS_ACCESS_KEY_ID: ['with spaces'],
  AWS_SECRET_ACCESS_KEY: ['with spaces'],
  AWS_SECRET_ACCESS_KEY_FILE: secretFiles,
  // These show only when they are used.
  DATA_DIR: [fileWith('file', ''), join(folder, 'file', 'in', 'it'), '/proc/none', join(folder, 'x'.repeat(300))],
  HOST: ['no-such-name.invalid', '999.0.0.1', '192.0.2.1'],
}

t.test('every setting is checked at the start, and the error names it', async (t) => {
  t.same(Object.keys(wrongSettings).sort(), [...settingNames].sort(), 'none is forgotten')
  for (const [name, values] of Object.entries(wrongSettings).filter(([name]) => !/^(DATA_DIR|HOST)$/.test(name))) {
    for (const value of values) {
      t.throws(
        () => readConfig({}, { [name]: value }),
        { constructor: ConfigError, message: new RegExp(name.replace('_FILE', '')) },
        `${name}=${value.slice(0, 80)}`,
      )
    }
  }
  t.notMatch(
    message(() => readConfig({}, { SMTP_URL: 'http://user:geheim@mail' })),
    'geheim',
    'a password is not repeated',
  )
})

t.test('a setting that cannot work ends the start with one line and exit code 2', async (t) => {
  const starts = [
    ...['DATA_DIR', 'HOST'].flatMap((name) => (wrongSettings[name] ?? []).map((value) => [name, value] as const)),
    ['SMTP_URL_FILE', folder] as const,
    ['PUBLIC_URL', 'nowhere'] as const,
  ]
  for (const [name, value] of starts) {
    const { code, err } = await run(['start'], newFolder(), '', { PORT: '0', [name]: value }).done
    t.equal(code, 2, `${name}=${value.slice(0, 80)}`)
    t.match(err, name)
    t.equal(err.trim().split('\n').length, 1, err)
  }
})

t.test('settings that are wrong are named together, a line each', (t) => {
  t.equal(
    message(() => readConfig({}, { PORT: 'eighty', LOG_LEVEL: 'loud', METRICS_TOKEN: 'geheim' })),
    [
      'Error: PORT must be a number from 0 to 65535. It is “eighty”.',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent. It is “loud”.',
      'METRICS_TOKEN must have at least 16 characters, of ASCII and without spaces.',
    ].join('\n'),
  )
  t.end()
})

t.test('the README names every setting', async (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  for (const name of settingNames) t.ok(readme.includes(`\`${name}\``), name)
})

t.test('without settings the panel listens on loopback and knows its own address', async (t) => {
  t.match(readConfig({}, {}), {
    host: '127.0.0.1',
    port: 3000,
    publicUrl: 'http://localhost:3000',
    dataDir: 'data',
    trustProxy: [],
    twoFactor: 'support',
  })
  t.equal(readConfig({}, { PORT: '8080' }).publicUrl, 'http://localhost:8080')
})

t.test('an empty installation prints a set-up link once, keeps its data, and stops cleanly', async (t) => {
  const dataDir = newFolder()
  const first = await start(t, dataDir)
  await until('the link is printed', () => /http:\/\/localhost:\d+\/setup\/[\w-]{43}\n/.test(first.printed()))
  t.equal((await fetch(`${first.url}/login`)).status, 200)
  t.equal(statSync(join(dataDir, 'secrets')).mode & 0o777, 0o600, 'only the owner reads the secrets')

  const operator = run(
    ['create-operator', '--email', 'ops@panel.example', '--name', 'Ops'],
    dataDir,
    'a long enough passphrase\n',
  )
  t.match(
    await operator.done,
    { code: 0, out: /Ops \(ops@panel.example\) is of Support now/ },
    'beside the running panel',
  )

  t.equal(await first.stop(), 0, 'SIGTERM ends it well')
  const second = await start(t, dataDir)
  t.notMatch(second.printed(), '/setup/', 'there is an operator now')
  t.equal(await second.stop(), 0)
})

t.test('create-operator says in one line what is wrong', async (t) => {
  const dataDir = newFolder()
  const short = await run(['create-operator', '--email', 'ops@panel.example', '--name', 'Ops'], dataDir, 'short').done
  t.match(short, { code: 2, err: /^The password: Use at least 12 characters.*\n$/ })
  const address = await run(
    ['create-operator', '--email', 'nobody', '--name', 'Ops'],
    dataDir,
    'a long enough passphrase',
  ).done
  t.match(address, { code: 2, err: /^--email: .*\n$/ })
  const unknown = await run(
    ['create-operator', '--email', 'a@b.example', '--name', 'A', '--colour', 'red'],
    dataDir,
    '',
  ).done
  t.match(unknown, { code: 2, err: /^error: unknown option '--colour'\n$/ })
  t.match(await run(['dance'], dataDir, '').done, { code: 2, err: /^error: unknown command 'dance'\n$/ })
})

t.test('one process has a database: a second one is refused and changes nothing', async (t) => {
  const dataDir = newFolder()
  const first = await start(t, dataDir)
  const second = await run(['start'], dataDir, '').done
  t.match(second, { code: 2, err: /already running/ })
  t.equal((await fetch(`${first.url}/login`)).status, 200)
  await first.stop()
})

t.test('a port in use is said in one line', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  t.match(await run(['start'], newFolder(), '', { PORT: port }).done, {
    code: 2,
    err: /PORT \d+: another program listens/,
  })
})

t.test('a client that dawdles over its request is cut off, and holds nothing', async (t) => {
  const panel = await startProcess(newFolder())
  t.teardown(panel.kill)
  const port = Number(new URL(panel.url).port)
  const dawdling = [
    'GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    'POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\na=',
  ]
  const cutOff = dawdling.map((beginning) => {
    const socket = connect(port, 'localhost', () => socket.write(beginning))
    socket.on('error', () => {}).resume()
    return once(socket, 'close')
  })
  t.equal((await panel.visit().get('/login')).status, 200, 'other requests are still answered')
  await Promise.all(cutOff)
  t.equal(await panel.stop(), 0)
})

t.test('the log is lines of JSON, without tokens, queries, cookies or what was typed', async (t) => {
  const panel = await startProcess(newFolder(), { settings: { LOG_LEVEL: 'info' } })
  t.teardown(panel.kill)
  const client = panel.visit()
  for (const path of ['/invitations/geheim', '/password-reset/geheim', '/setup/geheim', '/profile/email/geheim'])
    await client.get(path)
  await client.get('/login?next=/geheim')
  await client.logIn('geheim@x.example', 'geheim-geheim')
  await panel.stop()
  const printed = panel.printed().replace(/http:\S*\/setup\/\S+/, '')
  const lines = printed.split('\n').filter((line) => line.startsWith('{'))
  t.ok(lines.length >= 7, 'a line a request')
  for (const line of lines) t.type(JSON.parse(line), 'object')
  t.notMatch(printed, /geheim/i)
  for (const value of client.cookies.values()) t.notOk(printed.includes(value))
})

t.test('the demo has the cast, prints the logins, and leaves nothing behind', async (t) => {
  const demo = await start(t, '', 'demo')
  await until('the logins are printed', () => demo.printed().includes('they are kept in'))
  t.match(demo.printed(), /petra@cloudhaus\.example/)
  t.match(demo.printed(), /demo-demo-demo/)
  const folder = /they are kept in (\S+)\/mail/.exec(demo.printed())?.[1] ?? ''
  t.ok(existsSync(folder))
  await demo.stop()
  t.notOk(existsSync(folder))
})

t.test('a database of a newer version is refused', async (t) => {
  const dataDir = newFolder()
  openDatabase(dataDir).close()
  const sqlite = new Database(join(dataDir, 'panel.db'))
  sqlite.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)').run('later', Date.now() * 10)
  sqlite.close()
  t.throws(() => openDatabase(dataDir), { constructor: StartError, message: /newer version/ })
})

t.test('before a migration the database is copied', async (t) => {
  const dataDir = newFolder()
  unpackRelease('0.1.0', dataDir)

  openDatabase(dataDir).close()
  const [backup = ''] = readdirSync(join(dataDir, 'backups'))
  const copy = new Database(join(dataDir, 'backups', backup), { readonly: true })
  t.same(copy.pragma('integrity_check', { simple: true }), 'ok')
  copy.close()
})

t.test('every table is STRICT, and the settings that durability rests on are in force', async (t) => {
  const { db, close } = openDatabase(newFolder())
  const all = (query: string) => db.$client.prepare(query).all() as { name: string; strict: number }[]
  const tables = all(
    "SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'",
  )
  t.ok(tables.length > 10)
  t.same(
    tables.filter(({ strict }) => strict !== 1),
    [],
  )
  const { $client } = db
  const pragma = (name: string) => $client.pragma(name, { simple: true })
  t.same(['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout', 'trusted_schema'].map(pragma), [
    'wal',
    2,
    1,
    5000,
    0,
  ])
  close()
})

function message(act: () => unknown): string {
  try {
    act()
    return ''
  } catch (error) {
    return String(error)
  }
}

async function start(t: Test, dataDir: string, command = 'start') {
  const panel = await startProcess(dataDir, { command })
  t.teardown(panel.kill)
  return panel
}

t.test('a secret may stand in a file, and not in two places', async (t) => {
  const file = join(newFolder(), 'smtp')
  writeFileSync(file, 'smtp://u:p@mail.example\n')
  t.match(readConfig({}, { SMTP_URL_FILE: file }).smtp, { host: 'mail.example', auth: { user: 'u', pass: 'p' } })
  t.match(
    message(() => readConfig({}, { SMTP_URL_FILE: file, SMTP_URL: 'smtp://x' })),
    'SMTP_URL and SMTP_URL_FILE are both set',
  )
  t.match(
    message(() => readConfig({}, { METRICS_TOKEN_FILE: `${file}-missing` })),
    /METRICS_TOKEN_FILE names .*smtp-missing, which cannot be read \(ENOENT\)/,
  )
})

t.test('HOST takes an IPv6 address with its brackets', (t) => {
  t.equal(readConfig({}, { HOST: '[::]' }).host, '::')
  t.equal(readConfig({}, { HOST: '[::1]' }).host, '::1')
  t.equal(readConfig({}, {}).host, '127.0.0.1')
  t.end()
})

t.test('a variable one letter away from a setting is noticed', (t) => {
  const set = {
    PUBLIC_ULR: 'x',
    SMPT_URL: 'x',
    SUPORT_EMAIL: 'x',
    DATA_DIRS: 'x',
    PORTS: 'x',
    HOME: 'x',
    PATH: 'x',
    SMTP_URL: 'x',
  }
  t.same(misspeltSettings(set), [
    ['PUBLIC_ULR', 'PUBLIC_URL'],
    ['SMPT_URL', 'SMTP_URL'],
    ['SUPORT_EMAIL', 'SUPPORT_EMAIL'],
    ['DATA_DIRS', 'DATA_DIR'],
    ['PORTS', 'PORT'],
  ])
  t.end()
})

t.test('a misspelt variable is named by each command, also by a start that fails and logs nothing', async (t) => {
  const settings = { SMPT_URL: 'smtp://localhost', LOG_LEVEL: 'silent' }
  const warning = /^SMPT_URL is set, but there is no such setting\. Did you mean SMTP_URL\?$/m
  for (const [args, more] of [
    [['start'], { PORT: 'nonsense' }],
    [['doctor'], {}],
  ] as const)
    t.match((await runCommand([...args], newFolder(), '', { ...settings, ...more }).done).err, warning, args[0])
})

t.test('options of SMTP_URL that nodemailer could not use are refused at the start', (t) => {
  const wrong = {
    'tls.minVersion=TLSv9': /^SMTP_URL has options for TLS that cannot be used: /,
    'tls.ciphers=none-such': /^SMTP_URL has options for TLS that cannot be used: /,
    'authMethod=guess': /^SMTP_URL has authMethod=guess; it must be one of PLAIN, LOGIN/,
    'name=a%20b': /^SMTP_URL has name=a b; it must be a host name/,
  }
  for (const [option, message] of Object.entries(wrong))
    t.throws(() => readConfig({}, { SMTP_URL: `smtp://mail.example?${option}` }), { message }, option)
  const right = 'smtp://mail.example?tls.minVersion=TLSv1.3&authMethod=plain&name=panel.example'
  t.doesNotThrow(() => readConfig({}, { SMTP_URL: right }))
  t.end()
})

t.test('an address with a slash at its end leads to the one without, and never elsewhere', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  t.match(await tom.get('/projects/?q=shop'), { status: 308, location: '/projects?q=shop' })
  t.match(await tom.get('/customer/users//'), { status: 308, location: '/customer/users' })
  t.match(await tom.get('/projects/?q=what?'), { status: 308, location: '/projects?q=what?' })
  t.match(await panel.app.inject({ method: 'HEAD', url: '/login/' }), {
    statusCode: 308,
    headers: { location: '/login' },
  })
  for (const path of ['//evil.example/', '/\\evil.example/', '/%2F/evil.example//'])
    t.notMatch((await tom.get(path)).location, /^(\/\/|\/\\|https?:)/, path)
})
