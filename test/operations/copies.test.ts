import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { letters, troubles, users } from '../../src/db/schema.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { copyBackups } from '../../src/operations/backups/copying.ts'
import { backupName } from '../../src/operations/backups/folder.ts'
import { makeBackup, ownBackupFolder } from '../../src/operations/backups/make.ts'
import { placeWords } from '../../src/operations/elsewhere/place.ts'
import { openStore, type Store } from '../../src/operations/elsewhere/store.ts'
import { newFolder, type Panel, type Start, startApp } from '../harness.ts'
import { s3Access, startS3 } from '../s3.ts'
import { startSftp } from '../sftp.ts'
import { deadAddress, startMailServer, until } from '../smtp.ts'

t.setTimeout(600_000)

const day = 24 * 3_600_000

/** Each kind of place: the settings that name it. */
const places: Record<string, (t: Test) => Promise<Record<string, string>>> = {
  'a folder': async () => ({ BACKUP_TO: newFolder() }),
  'a folder, as an address': async () => ({ BACKUP_TO: `file://${newFolder()}` }),
  SFTP: async (t) => {
    const { port, keyFile, knownHostsFile } = await startSftp(t)
    return {
      BACKUP_TO: `sftp://panel@127.0.0.1:${port}/it's [back] ups`,
      SFTP_KEY_FILE: keyFile,
      SFTP_KNOWN_HOSTS_FILE: knownHostsFile,
    }
  },
  S3: async (t) => {
    const { endpoint, objects } = await startS3(t, 'backups')
    objects.set('elsewhere/file', Buffer.from('x'))
    return { BACKUP_TO: 's3://backups/panel/here', S3_ENDPOINT: endpoint, ...s3Access }
  },
}

const storeOf = (settings: Record<string, string>): Store => {
  const { backupTo } = readConfig({}, settings)
  if (!backupTo) throw new Error('no place')
  return openStore(backupTo)
}

for (const [name, settingsOf] of Object.entries(places))
  t.test(`${name} keeps files whole, under their names, and lists them`, async (t) => {
    const settings = await settingsOf(t)
    const store = storeOf(settings)
    const file = join(newFolder(), 'a "b" c.db')
    const bytes = Buffer.alloc(3_000_000, 'wie es war ')
    writeFileSync(file, bytes)
    await store.put('one.db', file)
    await store.write('two.json', 'first')
    await store.write('two.json', 'second')
    await store.write('three.json', '')
    t.same([...(await store.list())].sort(), [
      ['one.db', bytes.length],
      ['three.json', 0],
      ['two.json', 6],
    ])
    t.equal(await store.read('two.json'), 'second')
    t.equal(await store.read('one.db'), bytes.toString())
    t.equal(await store.read('none'), undefined)
    await store.remove('two.json')
    await store.remove('two.json')
    t.same([...(await store.list()).keys()].sort(), ['one.db', 'three.json'])
  })

t.test('what a place says no to is said in one line, and holds no secret', async (t) => {
  const sftp = await startSftp(t)
  const strangers = await startSftp(t)
  const s3 = await startS3(t, 'backups')
  const onSftp = {
    BACKUP_TO: `sftp://panel@127.0.0.1:${sftp.port}/`,
    SFTP_KEY_FILE: sftp.keyFile,
    SFTP_KNOWN_HOSTS_FILE: sftp.knownHostsFile,
  }
  const at = (path: string) => `sftp://panel@127.0.0.1:${sftp.port}${path}`
  const onS3 = { BACKUP_TO: 's3://backups', S3_ENDPOINT: s3.endpoint, ...s3Access }
  const cases: [settings: Record<string, string>, words: RegExp][] = [
    [{ BACKUP_TO: '/no/such/folder' }, /There is no folder \/no\/such\/folder\. See that it is mounted\./],
    [{ ...onSftp, BACKUP_TO: at('/x'), SFTP_KNOWN_HOSTS_FILE: strangers.knownHostsFile }, /its host key is not known/],
    [{ ...onSftp, BACKUP_TO: at('/x'), SFTP_KEY_FILE: strangers.keyFile }, /does not accept the key/],
    [{ ...onS3, AWS_SECRET_ACCESS_KEY: 'wrong' }, /it answered 403 \(SignatureDoesNotMatch\)/],
    [{ ...onS3, BACKUP_TO: 's3://others' }, /there is no such bucket/],
    [{ ...onS3, S3_ENDPOINT: 'http://127.0.0.1:1' }, /ECONNREFUSED/],
  ]
  for (const [settings, words] of cases) {
    const error: Error = await storeOf(settings)
      .write('x', 'y')
      .then(
        () => new Error('it was taken'),
        (error) => error,
      )
    t.match(error.message, words)
    t.notMatch(error.message, /\n|AKID|secret/)
  }
})

t.test('a place that cannot be is refused at the start, by the name of its setting', async (t) => {
  const cases: [settings: Record<string, string>, words: RegExp][] = [
    [{ BACKUP_TO: 'ftp://host/x' }, /^BACKUP_TO must be a folder/],
    [{ BACKUP_TO: 'mnt/backups' }, /^BACKUP_TO must be a folder/],
    [{ BACKUP_TO: 'sftp://panel:pw@host/x' }, /^BACKUP_TO must hold no password/],
    [{ BACKUP_TO: 'sftp://host/x' }, /^BACKUP_TO must be sftp:/],
    [{ BACKUP_TO: 'sftp://-oProxyCommand=x@host/x' }, /^BACKUP_TO must be sftp:/],
    [{ BACKUP_TO: 's3://bucket/x' }, /^BACKUP_TO is on S3: set AWS_ACCESS_KEY_ID/],
    [{ BACKUP_TO: 's3://bucket/x', ...s3Access, S3_ENDPOINT: 'host' }, /^S3_ENDPOINT must be an http or https address/],
    [{ REPLICATE_TO: 'sftp://panel@host/x' }, /^REPLICATE_TO is sftp:.*SFTP_KEY_FILE/],
  ]
  for (const [settings, words] of cases) t.throws(() => readConfig({}, settings), { message: words })
  const { backupTo } = readConfig({}, { BACKUP_TO: 's3://bucket/x/', ...s3Access })
  t.equal(backupTo && placeWords(backupTo), 's3://bucket/x')
})

t.test(
  'each backup is copied without its key, as many copies as backups are kept, and the page tells their age',
  async (t) => {
    const there = newFolder()
    const panel = await startWithTimers(t, { settings: { BACKUP_TO: there, BACKUP_KEEP: '2' } })
    writeFileSync(join(there, 'mine.txt'), 'mine')
    for (let days = 1; days <= 4; days++) {
      const before = newest(there)
      panel.tick()
      await until('a copy', () => newest(there) !== before && panel.app.copying.newest?.name === newest(there))
      panel.pass(day + 1)
    }
    const names = readdirSync(there).sort()
    t.same(
      names.filter((name) => name.endsWith('.secrets')),
      [],
      'no key',
    )
    t.equal(names.length, 5, 'two backups with their checksums, and what was there')
    t.ok(names.includes('mine.txt'))
    for (const name of copiesIn(there)) {
      t.ok(readFileSync(join(there, name)).equals(readFileSync(join(panel.dataDir, 'backups', name))))
      t.equal(statSync(join(there, name)).mode & 0o777, 0o600)
    }
    const olga = await panel.signIn('olga')
    t.match(
      (await olga.get('/support/backups')).text,
      `Backups are copied to ${there}, without their keys. The newest copy is 24 hours old`,
    )
    t.match((await panel.visit().get('/metrics')).body, /^meshpanel_last_copied_backup_timestamp_seconds [1-9]\d+$/m)
  },
)

t.test(
  'failed copying is shown on every page, is tried again, and is reported by one e-mail after a day',
  async (t) => {
    const parent = newFolder()
    const there = join(parent, 'mount')
    const panel = await startWithTimers(t, { settings: { BACKUP_TO: there } })
    panel.tick()
    const olga = await panel.signIn('olga')
    await until('a warning', async () => (await olga.get('/')).text.includes('Backups have not been copied to'))
    t.match(
      (await olga.get('/')).text,
      /Backups have not been copied to .*: There is no folder .*mount\. See that it is mounted\./,
    )
    t.notMatch((await (await panel.signIn('petra')).get('/')).text, 'Backups have')
    const told = () =>
      panel.db
        .select()
        .from(letters)
        .all()
        .filter(({ subject }) => subject.includes('Backups were not copied'))
    panel.tick(10)
    t.same(told(), [], 'not at once')
    t.equal(panel.db.select().from(troubles).all().length, 1)
    panel.pass(day)
    panel.tick(10)
    panel.pass(day)
    panel.tick(10)
    const proved = panel.db
      .select()
      .from(users)
      .all()
      .filter(({ operator, emailProvedAt }) => operator && emailProvedAt !== null)
    t.same(
      told()
        .map(({ email }) => email)
        .sort(),
      proved.map(({ email }) => email).sort(),
      'one e-mail to each operator',
    )
    const [letter] = told()
    t.match(letter && openBody(panel.app.secrets, letter)?.html, /Copying to .*mount fails: There is no folder/)
    mkdirSync(there)
    panel.pass(3_600_001)
    panel.tick()
    await until('the copies', () => copiesIn(there).length > 0)
    await until('the end of the failure', () => panel.app.copying.failure === undefined)
    // Her session has ended in these days.
    t.notMatch((await (await panel.signIn('olga')).get('/')).text, 'Backups have not been copied to')
    panel.tick(10)
    t.notOk(
      panel.db
        .select()
        .from(troubles)
        .all()
        .some(({ kind }) => kind === 'copies'),
      'and it is over',
    )
  },
)

t.test('backups and mail that fail for a day are told to operators with a confirmed address alone', async (t) => {
  const panel = await startWithTimers(t, { settings: { SMTP_URL: await deadAddress(), BACKUP_EVERY_HOURS: '1' } })
  await panel.visit().submit('/password-reset', 'Send link', { email: 'tom@acme.example' })
  await until('trouble', () => panel.app.mailTrouble() !== undefined)
  writeFileSync(join(panel.dataDir, 'backups'), 'in the way')
  panel.pass(2 * 3_600_000)
  panel.tick(10)
  panel.pass(day)
  panel.tick(10)
  panel.tick(10)
  const subjects = panel.db
    .select()
    .from(letters)
    .all()
    .map(({ subject }) => subject)
  t.equal(subjects.filter((subject) => subject.includes('No backup was made')).length, 1)
  t.equal(subjects.filter((subject) => subject.includes('E-mails were not sent')).length, 1)
})

t.test('e-mails that each fail for good, for a day, are told', async (t) => {
  const mail = await startMailServer(t)
  mail.refuse({ at: 'recipient', code: 550, words: 'nobody here' })
  const panel = await startWithTimers(t, { settings: { SMTP_URL: mail.url } })
  const told = ({ db }: Panel) =>
    db
      .select()
      .from(letters)
      .all()
      .filter(({ subject }) => subject.includes('E-mails were not sent')).length
  await panel.visit().submit('/password-reset', 'Send link', { email: 'tom@acme.example' })
  await until('it failed', () =>
    panel.db
      .select()
      .from(letters)
      .all()
      .some(({ state }) => state === 'failed'),
  )
  t.equal(panel.app.mailTrouble(), undefined, 'the server is fine')
  panel.tick(10)
  t.equal(told(panel), 0, 'not at once')
  panel.pass(day)
  panel.tick(10)
  t.equal(told(panel), 1)
})

t.test('one backup that cannot be copied keeps no other from it', async (t) => {
  const { dataDir } = await startApp(t)
  const there = newFolder()
  for (const hours of [3, 2, 1]) {
    const at = Date.now() - hours * 3_600_000
    await makeBackup(dataDir, join(ownBackupFolder(dataDir), backupName('manual', at)), { at })
  }
  const names = readdirSync(join(dataDir, 'backups'))
    .filter((name) => name.endsWith('.db'))
    .sort()
  const odd = names[1] ?? ''
  const store = openStore(readConfig({}, { BACKUP_TO: there }).backupTo ?? failing())
  const { put } = store
  store.put = async (name, file) => {
    if (name === odd) throw new Error('unreadable')
    return put(name, file)
  }
  const { copies, error } = await copyBackups(dataDir, store, { keep: 30, at: Date.now() })
  t.match(error, { message: 'unreadable' })
  t.same(
    copies.map(({ name }) => name).sort(),
    names.filter((name) => name !== odd),
  )
})

function failing(): never {
  throw new Error('BACKUP_TO is not read.')
}

const copiesIn = (folder: string) =>
  readdirSync(folder).filter((name) => name.endsWith('.db') && readdirSync(folder).includes(`${name}.json`))
const newest = (folder: string) => copiesIn(folder).sort().at(-1)

/** A panel whose minutes pass when the test says so. */
async function startWithTimers(t: Test, start: Start) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const panel = await startApp(t, start)
  return { ...panel, tick: (minutes = 1) => mock.timers.tick(minutes * 60_000) }
}
