import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { mock } from 'node:test'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { createServiceUser, type ServiceUser } from '../../src/accounts/service-users/data.ts'
import { letters as lettersTable } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { makeBackup } from '../../src/operations/backups/make.ts'
import { restoreBackup } from '../../src/operations/backups/restore.ts'
import { verifyBackup } from '../../src/operations/backups/verify.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import { byItself } from '../../src/records/record.ts'
import { everyScope, program, tokenOf } from '../api/program.ts'
import {
  accountId,
  castDatabase,
  newFolder,
  type Page,
  type Panel,
  publicUrl,
  type Start,
  startApp,
  there,
  userId,
} from '../harness.ts'
import { launch, runCommand, runProgram, startProcess } from '../process.ts'
import { randomFrom } from '../proofs/random.ts'
import { unpackRelease } from '../releases/releases.ts'
import { deadAddress, linkIn, until } from '../smtp.ts'

t.setTimeout(600_000)

const hour = 3_600_000
const day = 24 * hour
const backupsOf = (dataDir: string, kind = '') =>
  existsSync(join(dataDir, 'backups'))
    ? readdirSync(join(dataDir, 'backups')).filter((name) => name.startsWith(kind) && name.endsWith('.db'))
    : []
const path = '/support/backups'

t.test('Support makes a backup with a button, and sees its age, size and state', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  t.ok((await olga.get('/support/accounts')).areaMenu.includes('Backups'))
  t.match((await olga.get(path)).text, 'There is no backup yet.')

  await olga.submit(path, 'Back up now')
  const page = await made(panel, 1)
  const [name = ''] = backupsOf(panel.dataDir)
  t.match(page.row(name), /^manual-.*\.db .* a moment Good By hand [\d.]+ [KM]iB$/)
  const modeOf = (file: string) => statSync(join(panel.dataDir, 'backups', file)).mode & 0o777
  t.same([modeOf(name), modeOf(`${name}.secrets`)], [0o600, 0o600])
  t.match((await olga.get('/support/history')).tableRows[0], 'made a backup')
  t.match((await olga.get(`${path}?download=csv`)).body, new RegExp(`${name},manual,20.*,\\d+,good`))

  t.match((await olga.submitAndFollow(path, 'Back up now')).notice, 'a moment ago')
  await settled(panel)
  t.equal(backupsOf(panel.dataDir).length, 1, 'a second one at once makes none')
})

t.test('the list of backups is searched, narrowed down, sorted and paged like every list', async (t) => {
  const panel = await startApp(t)
  const folder = join(panel.dataDir, 'backups')
  mkdirSync(folder)
  for (let n = 10; n < 40; n++) {
    const file = join(folder, `scheduled-2026-10-${n < 32 ? n : 10}T0${n < 32 ? 1 : n - 30}-00-00.000Z.db`)
    writeFileSync(file, 'x'.repeat(n))
    writeFileSync(`${file}.secrets`, '')
  }
  writeFileSync(join(folder, 'before-migration-2026-10-01T00-00-00.000Z.db'), '')
  writeFileSync(join(folder, 'Of-Old.db'), '')
  writeFileSync(join(folder, 'scheduled-2026-10-02T00-00-00.000Z.db'), '')
  const olga = await panel.signIn('olga')
  const first = await olga.get(path)
  t.match(first.text, '33 files')
  t.equal(first.tableRows.length, 25)
  const second = await olga.get(first.link('Next') ?? '')
  t.equal(second.tableRows.length, 8)
  t.same(
    first.tableRows.filter((row) => second.tableRows.includes(row)),
    [],
  )
  t.equal((await olga.get(`${path}?q=of-old`)).tableRows.length, 1)
  t.match((await olga.get(`${path}?kind=before-migration`)).tableRows, [/Not checked Before a migration/])
  t.match((await olga.get(`${path}?state=keyless`)).tableRows, [/2026-10-02.*Without its key Scheduled/])
  t.equal((await olga.get(`${path}?from=2026-10-30&until=2026-10-31&kind=scheduled`)).tableRows.length, 2)
  t.match((await olga.get(`${path}?sort=size`)).tableRows[0], '39 B')
})

t.test('the panel makes a backup a day automatically, and keeps as many as configured', async (t) => {
  const panel = await startWithTimers(t, { settings: { BACKUP_KEEP: '3' } })
  const folder = join(panel.dataDir, 'backups')
  mkdirSync(folder)
  const others = [
    'before-migration-2026-01-01T00-00-00.000Z.db',
    'manual-2026-01-01T00-00-00.000Z.db',
    'mine.db',
    'mine.partial',
  ]
  for (const name of others) writeFileSync(join(folder, name), 'mine')
  const cutOff = 'scheduled-2026-01-01T00-00-00.000Z.db.0a0b0c0d.partial'
  writeFileSync(join(folder, cutOff), '')

  for (let days = 1; days <= 5; days++) {
    panel.tick()
    const page = await made(panel, Math.min(days, 3), 'scheduled')
    t.match(page.tableRows[0], /^.* a moment Good Scheduled /)
    panel.tick()
    await settled(panel)
    t.equal(backupsOf(panel.dataDir, 'scheduled').length, Math.min(days, 3), 'one a day')
    panel.pass(day)
  }
  for (const name of others) t.ok(existsSync(join(folder, name)), `${name} is left alone`)
  t.notOk(existsSync(join(folder, cutOff)), 'what was cut off is cleared away')
  const keys = readdirSync(folder).filter((name) => /^scheduled.*\.secrets$/.test(name))
  t.equal(keys.length, 3, 'keys go with their backups')
})

t.test('a last good backup older than two days is warned of, until there is a newer one', async (t) => {
  const panel = await startApp(t)
  const home = async () => (await (await panel.signIn('olga')).get('/')).text
  t.notMatch(await home(), 'backup')
  await (await panel.signIn('olga')).submit(path, 'Back up now')
  await made(panel, 1)
  panel.pass(2 * day - hour)
  t.equal((await settled(panel)).problem, '')
  t.notMatch(await home(), 'backup')
  panel.pass(2 * hour)
  t.match((await settled(panel)).problem, 'The last good backup is 2 days old.')
  t.match(await home(), 'The last good backup is 2 days old Look at the backups')
  t.notMatch((await (await panel.signIn('petra')).get('/')).text, 'backup')

  await (await panel.signIn('olga')).submit(path, 'Back up now')
  t.equal((await made(panel, 2)).problem, '')
  t.match(await home(), 'You’re all caught up.')
})

t.test('an installation without any backup warns after two days, unless backups are switched off', async (t) => {
  for (const [hours, warns] of [
    ['24', true],
    ['0', false],
    ['168', false],
  ] as const) {
    const panel = await startApp(t, { settings: { BACKUP_EVERY_HOURS: hours } })
    panel.pass(2 * day + hour)
    const olga = await panel.signIn('olga')
    t.equal((await olga.get('/')).text.includes('There is no good backup'), warns, `every ${hours} hours`)
  }
})

t.test('a backup that fails says why, leaves nothing behind, and is tried again an hour later', async (t) => {
  const panel = await startWithTimers(t)
  // The key is gone: what would be copied could never be opened again.
  const secrets = join(panel.dataDir, 'secrets')
  renameSync(secrets, `${secrets}.away`)
  panel.tick()
  t.match((await settled(panel)).problem, /The last attempt .* failed: .*secrets/)
  t.same(readdirSync(join(panel.dataDir, 'backups')), [])
  renameSync(`${secrets}.away`, secrets)
  panel.tick()
  await settled(panel)
  t.equal(backupsOf(panel.dataDir).length, 0, 'not at once')
  panel.pass(hour)
  panel.tick()
  t.equal((await made(panel, 1, 'scheduled')).problem, '')
})

t.test('a backup is made while the panel runs, is verified, and is restored into an empty place', async (t) => {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  const panel = await startProcess(dataDir, { settings: { TWO_FACTOR: 'optional' } })
  t.teardown(panel.kill)
  const petra = panel.visit()
  await petra.logIn(cast.petra.email)
  await petra.submit('/partner/customers', 'Create customer', { name: 'Wayne', identifier: 'wayne' })

  const file = join(newFolder(), 'weekly.db')
  const backup = await runCommand(['backup', file], dataDir).done
  t.match(backup, {
    code: 0,
    err: '',
    out: /weekly\.db, its key .*weekly\.db\.secrets and its checksum .*weekly\.db\.json were written and checked/,
  })
  t.same(readdirSync(join(file, '..')).sort(), ['weekly.db', 'weekly.db.json', 'weekly.db.secrets'])
  t.equal(statSync(file).mode & 0o777, 0o600)

  const before = readFileSync(file)
  const verified = await runCommand(['verify', file], newFolder()).done
  t.match(verified, {
    code: 0,
    out: /whole, and its key fits\.\nEvery byte is as it was written \(SHA-256\)\.\nMade .* \(a moment ago\) by version \d+\.\d+\.\d+; (\d+) of \1 migrations\.\n7 accounts, 10 users, 2 projects, \d+ records; last change /,
  })
  t.ok(readFileSync(file).equals(before), 'verifying changes nothing')
  t.equal(readdirSync(join(file, '..')).length, 3)

  const place = join(newFolder(), 'new')
  const restored = await runCommand(['restore', file], place).done
  t.match(restored, { code: 0, err: '', out: /Ended: 1 session, 0 API tokens, 0 links/ })
  t.ok(readFileSync(file).equals(before), 'restoring changes the backup no more')
  t.equal(statSync(place).mode & 0o777, 0o700)
  t.same(
    ['panel.db', 'secrets'].map((name) => statSync(join(place, name)).mode & 0o777),
    [0o600, 0o600],
  )
  t.same(readdirSync(place).sort(), ['panel.db', 'panel.lock', 'secrets'])

  const second = await startProcess(place, { settings: { TWO_FACTOR: 'optional' } })
  t.teardown(second.kill)
  const again = second.visit()
  t.equal((await again.logIn(cast.petra.email)).status, 303)
  t.match((await again.get('/partner/customers')).text, 'Wayne')
})

t.test('a restore ends sessions, links and waiting letters that hold one, and forgives failed log-ins', async (t) => {
  const panel = await startApp(t, { settings: { SMTP_URL: await deadAddress() } })
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  await stella.submit('/profile', 'Change e-mail', { email: 'stella@new.example' })
  await panel.visit().submit('/password-reset', 'Send link', { email: cast.tom.email })
  await (await panel.signIn('dora')).submit('/customer/account', 'Ask to become a partner')
  for (let n = 0; n < 6; n++) await panel.visit().logIn(cast.ines.email, 'not the password')
  const links = await Promise.all(
    ['nora@acme.example', 'stella@new.example', cast.tom.email].map((to) => linkOf(panel, to)),
  )

  const by = { ...byItself(panel.app.now()), userId: userId(panel, 'stella') }
  const acme = accountId(panel, 'acme')
  const service = createServiceUser(panel.db, by, acme, { name: 'Shop', role: 'admin' })
  const shop = { name: 'Till', scopes: everyScope, networks: [], days: 90 }
  const tokens = [
    tokenOf(panel, 'stella', 'acme'),
    there(createApiToken(panel.db, by, acme, { ...shop, serviceUser: (service as ServiceUser).userId })).token,
  ]

  const file = join(newFolder(), 'a.db')
  await makeBackup(panel.dataDir, file, { at: Date.now() })
  await panel.close()
  const place = newFolder()
  const { ended } = await restoreBackup(place, file, { key: undefined, at: Date.now() })
  t.same(ended, { sessions: 2, links: 3, tokens: 2, letters: 3 })

  const after = await startApp(t, { dataDir: place })
  for (const token of tokens) t.equal((await program(after.app, token)('GET', '/accounts/acme')).status, 401)
  const old = after.visit()
  for (const [name, value] of stella.cookies) old.cookies.set(name, value)
  t.match((await old.get('/profile')).location, '/login')
  t.match((await after.visit().get(links[0] ?? '')).text, 'This link was replaced by a newer one')
  t.match((await after.visit().get(links[2] ?? '')).text, 'This link does not work')
  const again = await after.signIn('stella')
  t.match((await again.get(links[1] ?? '')).text, 'This link does not work')
  t.equal((await after.visit().logIn(cast.ines.email)).status, 303, 'nobody is slowed down any more')

  const olga = await after.signIn('olga')
  const letters = (await olga.get('/support/mail')).tableRows
  t.equal(letters.filter((row) => row.includes('withdrawn')).length, 3)
  t.match(
    (await olga.get('/support/history')).tableRows.join('\n'),
    /Set-up restored the panel from a backup Made: \d+ \w+ 20\d\d/,
  )

  after.pass(resendGap)
  await again.submit('/customer/users', 'Resend', {}, 'nora@acme.example')
  t.match((await after.visit().get(await linkOf(after, 'nora@acme.example'))).text, 'Accept')
})

t.test('without the key next to it a backup is restored with a named key, or with the existing one', async (t) => {
  const { dataDir, file } = await someBackup(t)
  const key = join(newFolder(), 'apart')
  renameSync(`${file}.secrets`, key)
  const place = newFolder()
  t.match(await runCommand(['restore', file], place).done, {
    code: 2,
    err: /^The key of this backup, .* is missing.*--secrets.*\n$/,
  })
  t.notOk(existsSync(join(place, 'panel.db')))
  const other = join(newFolder(), 'other')
  writeFileSync(other, `${'A'.repeat(43)}\n`)
  t.match(await runCommand(['restore', file, '--secrets', other], place).done, {
    code: 1,
    err: /^.*other is not the key of this backup.*\n$/,
  })
  t.match(await runCommand(['restore', file, '--secrets', key], place).done, { code: 0 })

  const same = newFolder()
  copyFileSync(join(dataDir, 'secrets'), join(same, 'secrets'))
  t.match(await runCommand(['restore', file], same).done, { code: 0 })
})

t.test('a log that a moved database left behind, and other secrets, are put aside and not mixed in', async (t) => {
  const { file } = await someBackup(t)
  const place = newFolder()
  // Another database was at work here and was killed; somebody has moved its main file away.
  const other = new Database(join(place, 'panel.db'))
  other.pragma('journal_mode = wal')
  other.exec('CREATE TABLE users (id INTEGER); INSERT INTO users VALUES (1)')
  const log = readFileSync(join(place, 'panel.db-wal'))
  other.close()
  rmSync(join(place, 'panel.db'))
  writeFileSync(join(place, 'panel.db-wal'), log)
  writeFileSync(join(place, 'secrets'), `${'A'.repeat(43)}\n`)

  const { code, out } = await runCommand(['restore', file], place).done
  t.equal(code, 0)
  t.match(out, /panel\.db-wal\.before-restore-/)
  t.match(out, /secrets\.before-restore-/)
  const names = readdirSync(place)
  const [aside = ''] = names.filter((name) => name.startsWith('panel.db-wal.before'))
  t.ok(readFileSync(join(place, aside)).equals(log))
  t.match(await runCommand(['verify', join(place, 'panel.db'), '--secrets', join(place, 'secrets')], place).done, {
    code: 0,
  })
})

t.test('a bad backup is refused in one line, and leaves nothing behind', async (t) => {
  const { file, dataDir } = await someBackup(t)
  const folder = newFolder()
  const bad = (name: string, make: (bad: string) => void) => {
    const copy = join(folder, name)
    copyFileSync(file, copy)
    copyFileSync(`${file}.secrets`, `${copy}.secrets`)
    make(copy)
    return copy
  }
  const sql = (statements: string) => (copy: string) => {
    const sqlite = new Database(copy)
    sqlite.pragma('foreign_keys = off')
    sqlite.exec(statements)
    sqlite.close()
  }
  const cases: [string, RegExp, number][] = [
    [join(folder, 'nothing.db'), /There is no file/, 2],
    [folder, /is a folder/, 2],
    [bad('text.db', (copy) => writeFileSync(copy, 'Dear diary')), /it is no SQLite database/, 1],
    [bad('empty.db', (copy) => truncateSync(copy, 0)), /it is no SQLite database/, 1],
    [bad('cut.db', (copy) => truncateSync(copy, statSync(copy).size / 2)), /is damaged/, 1],
    [bad('short.db', (copy) => truncateSync(copy, 1_000)), /is damaged|no SQLite database/, 1],
    [bad('flipped.db', scribble), /is damaged/, 1],
    [
      bad('foreign.db', (copy) => {
        rmSync(copy)
        sql('CREATE TABLE users (id INTEGER); CREATE TABLE accounts (id INTEGER)')(copy)
      }),
      /another program/,
      1,
    ],
    [bad('drizzle.db', sql('UPDATE __drizzle_migrations SET created_at = 12345')), /another program/, 1],
    [
      bad('newer.db', sql("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 99999999999999)")),
      /newer version/,
      1,
    ],
    [
      bad('loose.db', sql("INSERT INTO invitation_tokens (hash, invitation_id, created_at) VALUES ('x', 999, 1)")),
      /refer to what is not there/,
      1,
    ],
    [bad('key.db', (copy) => writeFileSync(`${copy}.secrets`, 'nonsense\n')), /secrets is damaged/, 1],
  ]
  for (const [name, words, code] of cases) {
    await t.rejects(verifyBackup(name), { message: words }, `verify ${basename(name)}`)
    const place = newFolder()
    const result = await runCommand(['restore', name], place).done
    t.match(result, { code, err: words, out: '' }, `restore ${basename(name)}`)
    t.match(result.err, /^[^\n]+\n$/, 'in one line')
    t.same(
      readdirSync(place).filter((left) => left !== 'panel.lock'),
      [],
      'nothing is left',
    )
  }
  t.match(await runCommand(['verify', join(folder, 'cut.db')], dataDir).done, { code: 1, err: /^.* is damaged: .*\n$/ })
  t.match(await runCommand(['verify', file], dataDir).done, { code: 0 }, 'the good one is still good')
})

t.test('nothing is written over: not a database, not a running panel’s, not an earlier backup', async (t) => {
  const { file, dataDir } = await someBackup(t)
  const there = readFileSync(join(dataDir, 'panel.db'))
  t.match(await runCommand(['restore', file], dataDir).done, {
    code: 2,
    err: /^.*panel\.db is there already, and not empty.*\n$/,
  })
  t.ok(readFileSync(join(dataDir, 'panel.db')).equals(there))

  const before = readFileSync(file)
  t.match(await runCommand(['backup', file], dataDir).done, { code: 2, err: /^.* is there already\. .*\n$/ })
  t.ok(readFileSync(file).equals(before))
  t.match(await runCommand(['backup', join(newFolder(), 'no', 'x.db')], dataDir).done, {
    code: 2,
    err: /^There is no folder .*\n$/,
  })
  t.match(await runCommand(['backup'], newFolder()).done, { code: 2, err: /^There is no database in .*\n$/ })
  t.match(await runCommand(['migrate'], newFolder()).done, { code: 2, err: /^There is no database in .*\n$/ })

  const foreign = newFolder()
  writeFileSync(join(foreign, 'panel.db'), 'something dear to somebody')
  t.match(await runCommand(['restore', file], foreign).done, { code: 2, err: /there already/ })
  t.equal(readFileSync(join(foreign, 'panel.db'), 'utf8'), 'something dear to somebody')

  const running = newFolder()
  const panel = await startProcess(running)
  t.teardown(panel.kill)
  for (const command of [['restore', file], ['migrate'], ['rotate-secrets']] as const)
    t.match(
      await runCommand([...command], running).done,
      { code: 2, err: /^A panel is already running on .*\n$/ },
      command[0],
    )
  await panel.stop()
  t.match(await runCommand(['restore', file], running).done, { code: 0 }, 'what a first start has made may go')
})

t.test('migrate says what it did', async (t) => {
  const { dataDir } = await someBackup(t)
  t.match(await runCommand(['migrate'], dataDir).done, { code: 0, out: /up to date: nothing was changed\.\n$/ })
})

t.test('a disk that is full during a backup or a restore leaves nothing half done', async (t) => {
  const { dataDir, file } = await someBackup(t)
  // A file may not become larger than 100 KiB; the signal that tells of it is ignored, as the panel would have it
  // (and tap, which comes in by NODE_OPTIONS, would not).
  const limited = (args: string[], place: string) =>
    runProgram(
      [
        'sh',
        '-c',
        'unset NODE_OPTIONS; trap "" XFSZ; ulimit -f 200; exec "$@"',
        '-',
        process.execPath,
        launch,
        ...args,
      ],
      place,
    ).done
  const target = newFolder()
  const backup = await limited(['backup', join(target, 'x.db')], dataDir)
  t.match(backup, { code: 1, err: /^[^\n]*(disk|larger)[^\n]*\n$/ })
  t.same(readdirSync(target), [])
  const place = newFolder()
  const restore = await limited(['restore', file], place)
  t.match(restore, { code: 1, err: /^[^\n]*(disk|larger)[^\n]*\n$/ })
  t.same(
    readdirSync(place).filter((name) => name !== 'panel.lock'),
    [],
  )
  t.match(await runCommand(['verify', file], place).done, { code: 0 })
})

t.test('a small disk that is full: the panel’s own is left alone', async (t) => {
  const target = newFolder()
  const mounted = await runProgram(['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', target], '').done.catch(() => ({
    code: 1,
  }))
  if (mounted.code !== 0) return t.comment('this user may not mount')
  t.teardown(() => runProgram(['umount', target], '').done)
  const { dataDir } = await someBackup(t)
  t.match(await runCommand(['backup', join(target, 'x.db')], dataDir).done, {
    code: 1,
    err: /^[^\n]*the disk is full[^\n]*\n$/,
  })
  t.same(readdirSync(target), [])
})

t.test('missing rights are said in one line', async (t) => {
  const { dataDir, file } = await someBackup(t)
  const target = newFolder()
  chmodSync(target, 0o555)
  const backup = await asNobody(['backup', join(target, 'x.db')], dataDir)
  if (!backup) return t.comment('this user may not become another')
  t.match(backup.err, /^[^\n]+\n$/)
  t.not(backup.code, 0)
  t.same(readdirSync(target), [])
  const read = await asNobody(['verify', file], target)
  t.match(read, { code: 2, err: /^[^\n]*may not[^\n]*\n$/ })
  const restore = await asNobody(['restore', file], target)
  t.not(restore?.code, 0)
  t.match(restore?.err, /^[^\n]+\n$/)
  t.same(readdirSync(target), [])
})

t.test('files created by root belong to the owner of the panel’s folder', async (t) => {
  if (process.getuid?.() !== 0) return t.comment('this user is not root')
  const { dataDir, file } = await someBackup(t)
  const place = newFolder()
  for (const folder of [dataDir, place]) chownSync(folder, 65534, 65534)
  const released = newFolder()
  chownSync(released, 65534, 65534)
  const first = newFolder()
  chownSync(first, 65534, 65534)
  unpackRelease('0.2.0', released)
  for (const name of readdirSync(released)) chownSync(join(released, name), 65534, 65534)
  const operator = ['create-operator', '--email', 'root@meshpanel.example', '--name', 'Root']
  const commands: [args: string[], folder: string, input?: string][] = [
    [['backup'], dataDir],
    [['restore', file], place],
    [['migrate'], released],
    [operator, first, 'correct horse battery staple\n'],
    [['rotate-secrets'], place],
  ]
  for (const [args, folder, input] of commands)
    t.match(await runCommand(args, folder, input).done, { code: 0 }, args.join(' '))
  const panel = await startProcess(first)
  await panel.stop()
  await runCommand(['doctor'], first).done
  for (const folder of [place, released, first, join(dataDir, 'backups')]) {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    t.same(
      names.filter((name) => statSync(join(folder, name)).uid !== 65534),
      [],
      names.join(', '),
    )
  }
})

t.test('each of 120 flipped bits of a backup is noticed, and of its key and its checksum too', async (t) => {
  const { file } = await someBackup(t)
  const random = randomFrom(12)
  const bytes = readFileSync(file)
  for (let n = 0; n < 120; n++) {
    const at = Math.floor(random() * bytes.length)
    const flip = () => bytes.writeUInt8((bytes[at] ?? 0) ^ (1 << Math.floor(n % 8)), at)
    flip()
    writeFileSync(file, bytes)
    await t.rejects(verifyBackup(file), { message: /is damaged/ }, `bit ${n % 8} of byte ${at}`)
    flip()
  }
  writeFileSync(file, bytes)
  t.match(await verifyBackup(file), { checked: 'content' }, 'and whole again it is good')
  for (const beside of [`${file}.secrets`, `${file}.json`]) {
    const text = readFileSync(beside)
    const at = Math.max(text.indexOf('"sha256"') + 14, 10)
    writeFileSync(beside, Buffer.from(text).fill('x', at, at + 1))
    await t.rejects(verifyBackup(file), `${basename(beside)} is not taken as it is`)
    writeFileSync(beside, text)
  }
  bytes.writeUInt8((bytes[9_000] ?? 0) ^ 1, 9_000)
  writeFileSync(file, bytes)
  const place = newFolder()
  t.match(await runCommand(['restore', file], place).done, { code: 1, err: /^.* is damaged: its content is not.*\n$/ })
  t.notOk(existsSync(join(place, 'panel.db')))
})

t.test(
  'the checksum is the one that sha256sum prints; without it the structure alone is checked, in words',
  async (t) => {
    const { file } = await someBackup(t)
    const companion = JSON.parse(readFileSync(`${file}.json`, 'utf8'))
    t.match((await runProgram(['sha256sum', file], '').done).out, new RegExp(`^${companion.sha256} `))
    t.match(companion, { file: 'good.db', bytes: statSync(file).size, version: /^\d/, madeAt: /^20.*Z$/ })
    rmSync(`${file}.json`)
    t.match(await runCommand(['verify', file], '').done, {
      code: 0,
      out: /Its checksum \(FILE\.json\) is missing: only its structure can be checked/,
    })
    const sqlite = new Database(file)
    sqlite.exec("UPDATE __backup SET version = '0.2.0'")
    sqlite.close()
    t.match(await runCommand(['verify', file], '').done, {
      code: 0,
      out: /It was made before 0\.3\.0: only its structure can be checked/,
    })
    t.match(await runCommand(['restore', file], newFolder()).done, { code: 0 })
  },
)

t.test('what a killed backup or migration left goes at the next start, and what is being written stays', async (t) => {
  const { dataDir } = await someBackup(t)
  const folder = join(dataDir, 'backups')
  mkdirSync(folder)
  const dead = (await runProgram(['sh', '-c', 'echo $$'], '').done).out.trim()
  const gone = [
    `scheduled-2026-01-01T00-00-00.000Z.db.${dead}-0a0b0c0d.partial`,
    `manual-2026-01-01T00-00-00.000Z.db.${dead}-0a0b0c0d.partial.secrets`,
    `manual-2026-01-01T00-00-00.000Z.db.${process.pid}-0a0b0c0d.partial-journal`,
  ]
  const other = runProgram(['sleep', '60'], '')
  t.teardown(() => other.child.kill())
  const stays = [`manual-2026-01-01T00-00-00.000Z.db.${other.child.pid}-0a0b0c0d.partial`, 'mine.partial']
  for (const name of [...gone, ...stays]) writeFileSync(join(folder, name), 'x')
  const panel = await startApp(t, { dataDir })
  t.same(readdirSync(folder).sort(), stays.sort())
  await panel.close()
})

t.test('only its owner reads what is written, whatever the umask', async (t) => {
  const before = process.umask(0)
  t.teardown(() => process.umask(before))
  const { dataDir } = await someBackup(t)
  const old = newFolder()
  unpackRelease('0.2.0', old)
  chmodSync(join(old, 'panel.db'), 0o600)
  t.match(await runCommand(['migrate'], old).done, { code: 0 })
  t.match(await runCommand(['backup'], dataDir).done, { code: 0 })
  const archive = join(dataDir, 'acme.zip')
  t.match(await runCommand(['export-account', 'acme', '--to', archive], dataDir).done, { code: 0 })
  const place = join(newFolder(), 'new')
  const [backup = ''] = backupsOf(dataDir, 'manual')
  t.match(await runCommand(['restore', join(dataDir, 'backups', backup)], place).done, { code: 0 })
  const open = [dataDir, place, old].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((file) => file !== join(dataDir, 'panel.db') && (statSync(file).mode & 0o077) !== 0),
  )
  t.same(open, [])
  t.ok(backupsOf(old, 'before-migration').length > 0)
})

/** Runs a command as a user who may read the panel and nothing else. Undefined where this one is not root. */
async function asNobody(args: string[], dataDir: string) {
  if (process.getuid?.() !== 0) return undefined
  return runProgram(
    [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      'env',
      '-i',
      `DATA_DIR=${dataDir}`,
      process.execPath,
      launch,
      ...args,
    ],
    '',
  ).done
}

/** Damages pages in the middle of a file. */
function scribble(file: string): void {
  const bytes = readFileSync(file)
  for (let page = 8; page < bytes.length / 4096; page += 2) bytes.fill(0xa5, page * 4096, page * 4096 + 4096)
  writeFileSync(file, bytes)
}

/** A panel whose minutes pass when the test says so. */
async function startWithTimers(t: Test, start: Start = {}) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const panel = await startApp(t, start)
  return { ...panel, tick: () => mock.timers.tick(60_000) }
}

/** Waits until there are so many backups of a kind and none is being made; the page that Support sees then. */
async function made(panel: Panel, many: number, kind = ''): Promise<Page> {
  await until(`${many} backups`, () => backupsOf(panel.dataDir, kind).length >= many)
  return settled(panel)
}

async function settled(panel: Panel): Promise<Page> {
  const olga = await panel.signIn('olga')
  return until('the end of a backup', async () => {
    const page = await olga.get(path)
    return !page.text.includes('A backup is being made …') && page
  })
}

/** The link in the newest letter to an address, as its reader would find it. */
async function linkOf({ app, db }: Panel, to: string): Promise<string> {
  const letter = await until(`a letter to ${to}`, () =>
    db
      .select()
      .from(lettersTable)
      .all()
      .findLast(({ email, body }) => email === to && body),
  )
  return linkIn(openBody(app.secrets, letter)?.html, publicUrl, '/')
}

async function someBackup(t: Test): Promise<{ dataDir: string; file: string }> {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  const file = join(newFolder(), 'good.db')
  await makeBackup(panel.dataDir, file, { at: Date.now() })
  await panel.close()
  return { dataDir: panel.dataDir, file }
}
