import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
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
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { openDatabase } from '../../src/db/open.ts'
import { StartError } from '../../src/db/start-error.ts'
import { openInstallation } from '../../src/operations/installation/open.ts'
import { castDatabase, newFolder, startApp } from '../harness.ts'
import { runCommand, startProcess } from '../process.ts'
import { releases, unpackRelease } from '../releases/releases.ts'
import { until } from '../smtp.ts'

// Database and secrets belong together: a start on one of them alone, or on two that do not fit, is refused.

const otherKey = `${Buffer.alloc(32, 'other').toString('base64url')}\n`

/** A data folder in which people have worked, and nobody does now. */
async function usedFolder(t: Test): Promise<string> {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  await panel.close()
  return panel.dataDir
}

const hashOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')
const bytesOf = (dataDir: string) =>
  Object.fromEntries(
    ['panel.db', 'secrets'].map((name) => {
      const file = join(dataDir, name)
      return [name, statSync(file, { throwIfNoEntry: false })?.isFile() ? hashOf(file) : undefined]
    }),
  )

type Loss = { what: string; lose: (dataDir: string) => void; says: RegExp; doctor: RegExp }

const losses: Loss[] = [
  {
    what: 'the secrets are missing',
    lose: (dataDir) => rmSync(join(dataDir, 'secrets')),
    says: /secrets is missing, and what is sealed in .*panel\.db opens with nothing else\. Bring it back from a backup/,
    doctor: /^problem {2}.*secrets is missing — bring it back from a backup/m,
  },
  {
    what: 'the secrets are another installation’s',
    lose: (dataDir) => writeFileSync(join(dataDir, 'secrets'), otherKey),
    says: /secrets does not fit .*panel\.db: it does not open what is sealed there\. Bring back/,
    doctor: /^problem {2}.*secrets is not the key/m,
  },
  {
    what: 'the secrets are cut off',
    lose: (dataDir) => truncateSync(join(dataDir, 'secrets'), 20),
    says: /secrets is damaged: it must hold 32 bytes as base64url\. Bring it back from a backup/,
    doctor: /^problem {2}.*secrets is damaged/m,
  },
  {
    what: 'the secrets are empty',
    lose: (dataDir) => truncateSync(join(dataDir, 'secrets'), 0),
    says: /secrets is damaged/,
    doctor: /^problem {2}.*secrets is damaged/m,
  },
  {
    what: 'the secrets are a folder',
    lose: (dataDir) => {
      rmSync(join(dataDir, 'secrets'))
      mkdirSync(join(dataDir, 'secrets'))
    },
    says: /secrets cannot be read \(EISDIR\)/,
    doctor: /^problem {2}.*secrets cannot be read/m,
  },
  {
    what: 'the database is missing',
    lose: (dataDir) => rmSync(join(dataDir, 'panel.db')),
    says: /panel\.db is missing or empty, but .*secrets is there\. Restore a backup .*; to start again, move the secrets away/,
    doctor: /^problem {2}there is no database in .*, but .*secrets is there — restore a backup/m,
  },
  {
    what: 'the database is empty',
    lose: (dataDir) => truncateSync(join(dataDir, 'panel.db'), 0),
    says: /panel\.db is missing or empty, but .*secrets is there/,
    doctor: /^problem {2}.*panel\.db is not of this panel.* — see “Restore a backup”/m,
  },
  {
    what: 'the database has no tables',
    lose: (dataDir) => {
      rmSync(join(dataDir, 'panel.db'))
      const empty = new Database(join(dataDir, 'panel.db'))
      empty.exec('VACUUM')
      empty.close()
    },
    says: /panel\.db is missing or empty, but .*secrets is there/,
    doctor: /^problem {2}.*panel\.db is not of this panel/m,
  },
  {
    what: 'the database is another program’s',
    lose: (dataDir) => {
      rmSync(join(dataDir, 'panel.db'))
      const other = new Database(join(dataDir, 'panel.db'))
      other.exec('CREATE TABLE songs (title text)')
      other.close()
    },
    says: /panel\.db is the database of another program/,
    doctor: /^problem {2}.*panel\.db is not of this panel: it is the database of another program/m,
  },
]

for (const { what, lose, says } of losses) {
  t.test(`where ${what}, nothing starts, and nothing is created again`, async (t) => {
    const dataDir = await usedFolder(t)
    lose(dataDir)
    const names = readdirSync(dataDir).sort()
    const before = bytesOf(dataDir)
    const refused = thrown(() => openInstallation(dataDir, Date.now()).close())
    t.ok(refused instanceof StartError)
    t.match(String(refused), says)
    t.same(readdirSync(dataDir).sort(), names)
    // Opening an empty database notes how its log is kept, and no more.
    if (!/no tables|another program/.test(what)) t.same(bytesOf(dataDir), before)
  })
}

function thrown(act: () => void): unknown {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}

t.test('every command that works on the data refuses in one line, and the doctor says what to do', async (t) => {
  const dataDir = await usedFolder(t)
  for (const { lose, says, doctor } of [losses[0], losses[1], losses[5], losses[6]].flatMap((loss) => loss ?? [])) {
    const copy = newFolder()
    for (const name of ['panel.db', 'secrets']) copyFileSync(join(dataDir, name), join(copy, name))
    lose(copy)
    const { code, err, out } = await runCommand(['start'], copy).done
    t.equal(code, 2)
    t.match(err, says)
    t.equal(err.trim().split('\n').length, 1, 'in one line')
    t.notMatch(out, '/setup/')
    t.match(await runCommand(['doctor'], copy).done, { code: 1, out: doctor })
  }
  rmSync(join(dataDir, 'secrets'))
  const operator = ['create-operator', '--email', 'ops@panel.example', '--name', 'Ops']
  for (const command of [operator, ['export-account', 'acme', '--to', join(newFolder(), 'acme.zip')], ['migrate']])
    t.match(await runCommand(command, dataDir, 'correct horse battery staple\n').done, {
      code: 2,
      err: /secrets is missing/,
    })
  t.notOk(existsSync(join(dataDir, 'secrets')))
})

t.test('what was lost can be brought back', async (t) => {
  const dataDir = await usedFolder(t)
  const backup = join(newFolder(), 'b.db')
  t.match(await runCommand(['backup', backup], dataDir).done, { code: 0 })
  for (const lost of ['secrets', 'panel.db']) {
    renameSync(join(dataDir, lost), join(dataDir, `${lost}.lost`))
    t.match(await runCommand(['start'], dataDir).done, { code: 2 })
    if (lost === 'secrets') copyFileSync(`${backup}.secrets`, join(dataDir, 'secrets'))
    else t.match(await runCommand(['restore', backup], dataDir).done, { code: 0 })
    const panel = await startApp(t, { dataDir })
    t.equal((await panel.visit().logIn('stella@acme.example')).status, 303)
    await panel.close()
  }
})

t.test(
  'a restore with other secrets is refused before anything is replaced, with or without sealed values',
  async (t) => {
    const fresh = newFolder()
    const panel = await startProcess(fresh)
    t.teardown(panel.kill)
    const backup = join(newFolder(), 'b.db')
    t.match(await runCommand(['backup', backup], fresh).done, { code: 0 })
    const key = join(newFolder(), 'key')
    writeFileSync(key, otherKey)
    const place = newFolder()
    t.match(await runCommand(['restore', backup, '--secrets', key], place).done, { code: 1, err: /is not the key/ })
    t.notOk(existsSync(join(place, 'panel.db')) || existsSync(join(place, 'secrets')))
    t.match(await runCommand(['restore', backup], place).done, { code: 0 })
  },
)

t.test('a first start that is killed at any moment begins again without harm', async (t) => {
  const steps = new Set<string>()
  for (const delay of [0, 5, 20, 50, 100, 200]) {
    const dataDir = newFolder()
    const program = `
      import { openInstallation } from ${JSON.stringify(join(import.meta.dirname, '../../src/operations/installation/open.ts'))}
      process.stdout.write('.')
      openInstallation(${JSON.stringify(dataDir)}, Date.now())
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, delay))
    child.kill('SIGKILL')
    await once(child, 'exit')
    steps.add(readdirSync(dataDir).sort().join(' '))
    const panel = await startApp(t, { dataDir, empty: true })
    t.match((await panel.visit().open('/')).title, 'Log in', `killed after ${delay} ms`)
    await panel.close()
  }
  t.ok(steps.size > 1, `it was killed at different moments: ${[...steps].join(' | ')}`)
})

t.test(
  'a first start that ended between database and secrets, or between secrets and their note, continues',
  async (t) => {
    const dataDir = newFolder()
    openDatabase(dataDir).close()
    await (await startApp(t, { dataDir, empty: true })).close()
    t.ok(existsSync(join(dataDir, 'secrets')))

    const db = new Database(join(dataDir, 'panel.db'))
    db.exec('DELETE FROM installation')
    db.close()
    const key = readFileSync(join(dataDir, 'secrets'), 'utf8')
    await (await startApp(t, { dataDir, empty: true })).close()
    t.equal(readFileSync(join(dataDir, 'secrets'), 'utf8'), key)
    t.match(rowOf(dataDir), { id: 1, key_check: /.{40}/ })
  },
)

function rowOf(dataDir: string): unknown {
  const db = new Database(join(dataDir, 'panel.db'), { readonly: true })
  try {
    return db.prepare('SELECT * FROM installation').get()
  } finally {
    db.close()
  }
}

t.test('databases of earlier versions are tied to the secrets that open them, and to no others', async (t) => {
  for (const release of releases) {
    const dataDir = newFolder()
    unpackRelease(release, dataDir)
    const open = () => openInstallation(dataDir, Date.now())
    renameSync(join(dataDir, 'secrets'), join(dataDir, 'away'))
    t.throws(open, { constructor: StartError, message: /secrets is missing/ }, release)
    writeFileSync(join(dataDir, 'secrets'), otherKey)
    t.throws(open, { constructor: StartError, message: /secrets does not fit/ }, release)
    t.equal(rowOf(dataDir), undefined)
    renameSync(join(dataDir, 'away'), join(dataDir, 'secrets'))
    open().close()
    t.match(rowOf(dataDir), { id: 1 }, release)
  }
})

t.test('an operator may be created first, and the panel started after', async (t) => {
  const dataDir = newFolder()
  const operator = ['create-operator', '--email', 'ops@panel.example', '--name', 'Ops']
  t.match(await runCommand(operator, dataDir, 'correct horse battery staple\n').done, { code: 0 })
  const panel = await startProcess(dataDir)
  t.teardown(panel.kill)
  await until('it answers', async () => (await panel.visit().get('/health/ready')).status === 200)

  // As 0.2.0 left it: without secrets.
  const early = newFolder()
  copyFileSync(await castDatabase(), join(early, 'panel.db'))
  await (await startApp(t, { dataDir: early })).close()
  t.ok(existsSync(join(early, 'secrets')))
})
