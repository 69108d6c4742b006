import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { parse } from 'csv-parse/sync'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { exportAccount } from '../../src/accounts/export/archive.ts'
import { root } from '../../src/config.ts'
import { openDatabase } from '../../src/db/open.ts'
import { accounts, records, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, newFolder, type Panel, startApp } from '../harness.ts'
import { jsonLines, unpack } from './archive.ts'

async function exportOf(panel: Panel, identifier: string): Promise<Buffer> {
  const archive = exportAccount(panel.db, accountId(panel, identifier), panel.app.now())
  if (!archive) throw new Error(`${identifier} has no export`)
  return buffer(archive)
}

/** Acme with something in every table, some of it awkward. */
async function fillAcme(panel: Panel): Promise<void> {
  const [petra, stella, uma] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('uma')]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', {
    projects: '4',
    cores: '16',
    ram: '2048',
    remark: '=cmd|calc',
  })
  await stella.submit('/projects/website', 'Save quotas', { cores: '8' })
  await stella.submit('/customer/quotas', 'Send request', {
    cores: '20',
    ram: '4096',
    reason: 'Łódź, "quoted" and more',
  })
  await stella.submit('/customer/users', 'Invite', { name: '=HYPERLINK("x")', email: 'nora@acme.example' })
  await stella.submit('/customer/users', 'Invite', { name: 'Carl', email: 'carl@acme.example' })
  await stella.submit('/customer/users', 'Cancel', {}, 'carl@acme.example')
  await uma.submit('/projects', 'Create project', { name: 'Skunkworks', identifier: 'skunkworks' })
  await uma.submit('/customer/users', 'Invite', { name: 'Secret Guest', email: 'secret@umbrella.example' })
  await uma.submit('/projects/skunkworks', 'Save quotas', { cores: '2' })
  await uma.submit('/customer/quotas?project=skunkworks', 'Send request', { cores: '7', reason: 'Secret reason' })
}

t.test('an admin downloads everything of the account, twice the same, as the database has it', async (t) => {
  const panel = await startApp(t)
  await fillAcme(panel)
  const stella = await panel.signIn('stella')
  const page = await stella.get('/customer/account')
  const before = panel.rows()
  t.equal((await stella.get('/customer/account/export')).location, '/customer/account')
  t.strictSame(panel.rows().records, before.records, 'looking changes nothing')
  const answer = await stella.press(page, 'Download everything (ZIP)')
  t.match(
    (await stella.get('/customer/history')).row('exported the data of the account'),
    'Stella',
    'an export is recorded',
  )
  t.equal(answer.response.headers['content-type'], 'application/zip')
  t.match(answer.response.headers['content-disposition'], /^attachment; filename="acme-\d{4}-\d\d-\d\d\.zip"$/)
  t.equal(answer.response.headers['cache-control'], 'no-store')

  const files = await unpack((answer.response as unknown as { rawPayload: Buffer }).rawPayload)
  const tables = [
    'account',
    'users',
    'service-users',
    'projects',
    'project-access',
    'invitations',
    'limits',
    'quota-requests',
    'single-sign-on',
    'domains',
    'groups',
    'history',
  ]
  t.same([...files.keys()], ['README.txt', ...tables.flatMap((name) => [`${name}.jsonl`, `${name}.csv`])])
  for (const name of tables) {
    const [lines, csv] = [jsonLines(files.get(`${name}.jsonl`)), files.get(`${name}.csv`) ?? '']
    t.ok(csv.startsWith('\ufeff'), `${name}.csv says that it is UTF-8`)
    const cells = parse(csv, { bom: true, columns: true }) as Record<string, string>[]
    const plain = (value: unknown) => String(value ?? '').replace(/^(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])/, "'")
    t.same(
      cells,
      lines.map((row) => Object.fromEntries(Object.entries(row).map(([field, value]) => [field, plain(value)]))),
      `${name}: both files hold the same`,
    )
    for (const field of Object.keys(lines[0] ?? {}))
      t.match(files.get('README.txt'), `  ${field} `, `${name}: ${field} is explained`)
  }

  const rows = (name: string) => jsonLines(files.get(`${name}.jsonl`))
  t.match(rows('account'), [{ name: 'Acme', identifier: 'acme', kind: 'customer', partner: 'Cloudhaus' }])
  t.match(rows('users'), [
    { name: 'Stella', 'e-mail': cast.stella.email, role: 'Customer Admin' },
    { name: 'Tom', 'e-mail': cast.tom.email, role: 'Customer User' },
  ])
  t.same(
    rows('projects').map(({ identifier, people }) => [identifier, people]),
    [
      ['shop', 1],
      ['website', 2],
    ],
  )
  t.same(
    rows('project-access')
      .map(({ project, name, role }) => [project, name, role])
      .sort(),
    [
      ['shop', 'Stella', 'Project Admin'],
      ['website', 'Stella', 'Project Admin'],
      ['website', 'Tom', 'Project User'],
    ],
  )
  t.match(rows('invitations'), [
    { name: '=HYPERLINK("x")', state: 'pending', 'invited by': 'Stella' },
    { name: 'Carl', state: 'cancelled' },
  ])
  t.match(
    rows('limits').map(({ level, project, resource, amount }) => [level, project, resource, amount]),
    [
      ['account', null, 'projects', 4],
      ['account', null, 'cores', 16],
      ['account', null, 'ram', 2048],
      ['project', 'website', 'cores', 8],
    ],
  )
  t.match(rows('quota-requests'), [
    { resource: 'cores', asked: 20, granted: null, state: 'open', reason: 'Łódź, "quoted" and more' },
    { resource: 'ram', asked: 4096 },
  ])
  const recorded = panel.rows().records as { account_id: number }[]
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()
  t.equal(rows('history').length, recorded.filter(({ account_id }) => account_id === acme?.id).length)
  t.match(
    rows('history').find(({ what }) => what === 'changed the quotas'),
    { from: 'Acme' },
  )
})

t.test('the archive holds no secret, and nothing of another account', async (t) => {
  const panel = await startApp(t)
  await fillAcme(panel)
  const everything = [...(await unpack(await exportOf(panel, 'acme'))).values()].join('\n')
  for (const word of [
    'Umbrella',
    'umbrella',
    'Skunkworks',
    'Secret',
    'Uma',
    'Initech',
    'Rival',
    'argon2',
    '/invitations/',
  ])
    t.notOk(everything.includes(word), word)
  const hashes = panel.db
    .select()
    .from(users)
    .all()
    .map(({ passwordHash }) => passwordHash)
  t.notOk(hashes.some((hash) => everything.includes(hash)))
  const tokens = panel.rows().invitation_tokens as { hash: string }[]
  t.ok(tokens.length > 0)
  t.notOk(tokens.some(({ hash }) => everything.includes(hash)))
  const partner = [...(await unpack(await exportOf(panel, 'cloudhaus'))).values()].join('\n')
  for (const word of ['stella', 'Website', 'Łódź'])
    t.notOk(partner.includes(word), `of its customers a partner’s export has no ${word}`)
})

t.test('a Customer User exports nothing', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  t.equal((await tom.get('/customer/account/export')).status, 403)
  t.equal((await tom.post('/customer/account/export')).status, 403)
  t.notMatch((await tom.get('/customer/account')).text, 'Download everything')
})

t.test('an export asks again who somebody is, and is the account’s that the form was made in', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.get('/customer/account')
  panel.pass(11 * 60_000)
  const asked = await stella.press(page, 'Download everything (ZIP)')
  t.match(asked.title, 'Confirm that it is you')
  const exported = () => panel.db.select().from(records).where(eq(records.kind, 'account.exported')).all().length
  t.equal(exported(), 0)
  t.match((await stella.press(asked, 'Confirm', { _proof: 'a wrong password' })).error('_proof'), 'wrong')
  const answer = await stella.press(asked, 'Confirm', { _proof: 'demo-demo-demo' })
  t.equal(answer.response.headers['content-type'], 'application/zip')
  t.equal(exported(), 1)
  t.equal((await stella.post('/customer/account/export', { _account: 'initech' })).status, 409)
  t.equal(exported(), 1)
})

t.test('a large account is exported whole, in pieces', async (t) => {
  const panel = await startApp(t)
  const sqlite = panel.db.$client
  const acme = accountId(panel, 'acme')
  sqlite.transaction(() => {
    for (let n = 0; n < 3_000; n++) {
      const user = sqlite
        .prepare(
          "INSERT INTO users (email, email_key, name, search, password_hash, created_at) VALUES (?, ?, ?, ?, '', 1)",
        )
        .run(`u${n}@x.example`, `u${n}@x.example`, `User ${n}`, `user ${n}`).lastInsertRowid
      sqlite
        .prepare(
          "INSERT INTO memberships (account_id, user_id, role, created_at, last_used_at) VALUES (?, ?, 'member', 1, 1)",
        )
        .run(acme, user)
      sqlite
        .prepare(
          "INSERT INTO invitations (account_id, email, email_key, name, search, role, invited_by, state, created_at, sent_at, expires_at) VALUES (?, 'x', ?, ?, 'x', 'member', 1, 'expired', 1, 1, 1)",
        )
        .run(acme, `x${n}`, `Guest ${n}`)
    }
  })()
  const archive = exportAccount(panel.db, acme ?? 0, 0)
  let chunks = 0
  archive?.on('data', () => chunks++)
  const files = await unpack(archive ? await buffer(archive) : Buffer.alloc(0))
  t.equal(new Set(jsonLines(files.get('users.jsonl')).map((row) => row['e-mail'])).size, 3_002)
  t.equal(new Set(jsonLines(files.get('invitations.jsonl')).map(({ name }) => name)).size, 3_000)
  t.ok(chunks > 5, 'it comes as it is read')
})

t.test('export-account writes the archive on the command line, and never over a file', async (t) => {
  const panel = await startApp(t)
  await fillAcme(panel)
  await panel.close()
  const folder = newFolder()
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'src/main.ts'), 'export-account', ...args], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, DATA_DIR: panel.dataDir },
    })
  const file = join(folder, 'acme.zip')
  const done = run('acme', '--to', file)
  t.equal(done.status, 0, done.stderr)
  t.match(done.stdout, `The data of Acme is in ${file}.`)
  t.equal(statSync(file).mode & 0o777, 0o600, 'it is for its owner’s eyes')
  t.match(jsonLines((await unpack(readFileSync(file))).get('account.jsonl')), [{ identifier: 'acme' }])
  const exported = () => {
    const { db, close } = openDatabase(panel.dataDir)
    const rows = db.select().from(records).where(eq(records.kind, 'account.exported')).all()
    close()
    return rows
  }
  t.match(exported(), [{ bySupport: true, actorId: null }], 'the history says so')
  if (existsSync('/usr/bin/unzip'))
    t.match(execFileSync('unzip', ['-tq', file], { encoding: 'utf8' }), 'No errors detected')

  writeFileSync(file, 'kept')
  const again = run('acme', '--to', file)
  t.equal(again.status, 2)
  t.match(again.stderr, 'is there already')
  t.equal(readFileSync(file, 'utf8'), 'kept')
  t.equal(exported().length, 1)
  const unknown = run('nobody', '--to', join(folder, 'nobody.zip'))
  t.equal(unknown.status, 2)
  t.equal(unknown.stderr.trim(), 'There is no account “nobody”.')
  t.notOk(existsSync(join(folder, 'nobody.zip')))
  t.equal(run().status, 2)
  t.equal(run('acme', '--to', join(folder, 'missing', 'x.zip')).status, 2)
})
