import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { cast } from '../../src/demo.ts'
import { findLitestream } from '../../src/operations/replica/litestream.ts'
import { castDatabase, newFolder } from '../harness.ts'
import { runCommand, startProcess } from '../process.ts'
import { eventually, isReplicated, loseMachine, loseMachines, settingsFor } from '../proofs/replica.ts'
import { s3Access, startS3 } from '../s3.ts'
import { startSftp } from '../sftp.ts'
import { pause, until } from '../smtp.ts'

t.setTimeout(600_000)

const litestream = await findLitestream().catch((error: Error) => error.message)
if (typeof litestream === 'string') {
  t.comment(`No replica can be tried here: ${litestream}`)
  process.exit(0)
}

t.test('three machines are lost and restored: at most a second of work is gone each time', async (t) => {
  const report = await loseMachines(3)
  t.comment(
    `seed ${report.seed}: ${report.acknowledged} acknowledged, ${report.lost} lost, ${report.oldestLost.map(Math.round)}`,
  )
  t.same(report.broken, [])
  t.equal(report.rounds, 3)
  t.ok(report.acknowledged > 12)
})

t.test('a replica is restored as it was at a time; an old machine that comes back refuses to start', async (t) => {
  const { replica, settings, dataDir, panel } = await startReplicated(t)
  const petra = panel.visit()
  await petra.logIn(cast.petra.email)
  const create = (name: string) => petra.submit('/partner/customers', 'Create customer', { name, identifier: name })
  await create('early')
  await pause(1_500)
  const between = new Date().toISOString()
  await pause(1_500)
  await create('late')
  await pause(1_500)
  const olga = panel.visit()
  await olga.logIn(cast.olga.email)
  t.match(
    (await olga.get('/support/backups')).text,
    /Litestream 0\.3\.\d+ keeps a replica in .* \(epoch 1\)\. It is \d+\.\d seconds behind\./,
  )
  const doctor = (await runCommand(['doctor'], dataDir, '', settings).done).out
  t.match(doctor, /^ok +replica: .* \(epoch 1\)/m)
  t.match(await (await fetch(`${panel.url}/metrics`)).text(), /^meshpanel_replica_lag_seconds [0-9.]+$/m)
  for (const file of ['litestream.json', 'litestream.pid'])
    t.equal(statSync(join(dataDir, 'replica', file)).mode & 0o777, 0o600, file)
  await loseMachine(panel, dataDir)

  const bring = async (...more: string[]) => {
    const place = newFolder()
    copyFileSync(join(dataDir, 'secrets'), join(place, 'secrets'))
    return { place, ...(await runCommand(['restore', '--from', replica, ...more], place, '', settings).done) }
  }
  const names = (place: string) => {
    const sqlite = new Database(join(place, 'panel.db'), { readonly: true })
    const found = sqlite.prepare("SELECT identifier FROM accounts WHERE identifier IN ('early', 'late')").pluck().all()
    sqlite.close()
    return found.sort()
  }
  const then = await bring('--at', between)
  t.match(then, { code: 0, err: '' })
  t.same(names(then.place), ['early'])
  const now = await bring()
  t.match(now, { code: 0, err: '', out: /Ended: 2 sessions/ })
  t.same(names(now.place), ['early', 'late'])
  t.match(await bring('--at', '2020-01-01T00:00:00Z'), { code: 1, err: /^The replica does not go back to 2020.*\n$/ })
  t.match(await bring('--at', 'tomorrow'), { code: 2, err: /^--at must be a time in the past.*\n$/ })
  const keyless = newFolder()
  t.match(await runCommand(['restore', '--from', replica], keyless, '', settings).done, {
    code: 2,
    err: /^The key of this replica, .*secrets, is missing.*\n$/,
  })
  writeFileSync(join(keyless, 'other'), `${'A'.repeat(43)}\n`)
  await runCommand(['restore', '--from', replica, '--secrets', join(keyless, 'other')], keyless, '', settings).done
  t.match(await runCommand(['restore', '--from', newFolder()], now.place, '', settings).done, {
    code: 2,
    err: /is there already, and not empty/,
  })

  // The restored one takes over with its first start.
  const successor = await startProcess(now.place, { settings })
  t.teardown(successor.kill)
  t.match((await successor.visit().get('/login')).text, 'Log in')
  const old = await startProcess(dataDir, { settings })
  t.match(
    old.printed(),
    /^Another machine \(.*\) has taken over: it claimed epoch 2 in .* stop the other, remove epoch\.json there/m,
  )
  t.equal(await old.stop(), 2)
  await successor.stop()
})

t.test('a machine that works on while another takes over saves nothing more, and says why', async (t) => {
  const { settings, dataDir, panel, folder } = await startReplicated(t)
  const petra = panel.visit()
  await petra.logIn(cast.petra.email)
  const held = JSON.parse(readFileSync(join(folder, 'epoch.json'), 'utf8'))
  t.match(held, { epoch: 1, claim: /^[0-9a-f-]{36}$/ })
  writeFileSync(join(folder, 'epoch.json'), JSON.stringify({ ...held, epoch: 2, claim: 'other', host: 'spare' }))
  const refused = await eventually('the fence', async () => {
    const ready = await fetch(`${panel.url}/health/ready`)
    return ready.status === 503 ? ready : undefined
  })
  t.match(await refused.text(), 'nothing can be saved')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Late', identifier: 'late' })
  const sqlite = new Database(join(dataDir, 'panel.db'), { readonly: true })
  t.equal(sqlite.prepare("SELECT count(*) FROM accounts WHERE identifier = 'late'").pluck().get(), 0)
  sqlite.close()
  const olga = panel.visit()
  await olga.logIn(cast.olga.email)
  t.match(await panel.stop(), 0)
  t.match(
    (await runCommand(['doctor'], dataDir, '', settings).done).out,
    /^problem +replica: Another machine \(spare\)/m,
  )
})

t.test('Litestream is started again when it ends, and ends with its panel', async (t) => {
  const { dataDir, panel, settings } = await startReplicated(t)
  const pid = () => Number(readFileSync(join(dataDir, 'replica/litestream.pid'), 'utf8'))
  const first = pid()
  process.kill(first, 'SIGKILL')
  await until('another Litestream', () => pid() !== first && runs(pid()))
  await eventually('the replica again', () => isReplicated(panel))
  const second = pid()
  await panel.kill()
  await until('its end', () => !runs(second))

  const again = await startProcess(dataDir, { settings })
  t.teardown(again.kill)
  await eventually('the replica', () => isReplicated(again))
  const third = pid()
  t.equal(await again.stop(), 0)
  t.notOk(runs(third), 'it does not outlive a panel that stops')
  t.notOk(existsSync(join(dataDir, 'replica/litestream.pid')))
})

t.test('what an erasure leaves in the log goes, though Litestream reads it', async (t) => {
  const { dataDir, panel } = await startReplicated(t)
  const tom = panel.visit()
  await tom.logIn(cast.tom.email)
  await tom.submit('/profile', 'Save name', { name: 'Thomas Unforgettable' })
  const page = await tom.get('/profile')
  t.match(page.text, 'Thomas Unforgettable')
  const bytes = () =>
    readdirSync(dataDir)
      .filter((name) => name.startsWith('panel.db'))
      .some((name) => readFileSync(join(dataDir, name)).includes('Unforgettable'))
  t.ok(bytes())
  const removal = await tom.get('/profile/removal')
  await tom.submit('/profile/removal', removal.text.includes('Delete my user') ? 'Delete my user' : 'Delete user', {
    email: cast.tom.email,
  })
  await until('the cleaning', () => !bytes())
  await eventually('a new copy', () => isReplicated(panel))
})

t.test('a Litestream of another kind is refused in a line, and so is a missing one', async (t) => {
  const folder = newFolder()
  const fake = join(folder, 'litestream')
  writeFileSync(fake, '#!/bin/sh\necho v0.5.9\n')
  chmodSync(fake, 0o755)
  const script = `
    import { findLitestream } from './src/operations/replica/litestream.ts'
    findLitestream().then(({ file, version }) => console.log(version, file), ({ message }) => console.log(message))`
  const found = () =>
    execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      env: { PATH: `${folder}:${process.env.PATH}` },
      encoding: 'utf8',
    })
  t.match(found(), `${litestream.version} ${litestream.file}`, 'the one of npm is used instead')
  writeFileSync(fake, '#!/bin/sh\necho v0.3.99\n')
  t.match(found(), `0.3.99 ${fake}`, 'a newer one on the PATH is preferred')
})

for (const kind of ['an SFTP server', 'S3'] as const)
  t.test(`a lost machine comes back from its replica on ${kind}`, async (t) => {
    const settings = { ...(await settingsFor(undefined)), ...(await settingsOf(t, kind)) }
    const dataDir = newFolder()
    copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
    const panel = await startProcess(dataDir, { settings })
    t.teardown(panel.kill)
    await eventually('the replica', () => isReplicated(panel))
    const petra = panel.visit()
    await petra.logIn(cast.petra.email)
    await petra.submit('/partner/customers', 'Create customer', { name: 'Saved', identifier: 'saved' })
    await pause(2_000)
    await loseMachine(panel, dataDir)

    const place = newFolder()
    copyFileSync(join(dataDir, 'secrets'), join(place, 'secrets'))
    const { REPLICATE_TO } = settings
    t.match(await runCommand(['restore', '--from', REPLICATE_TO], place, '', settings).done, { code: 0, err: '' })
    const successor = await startProcess(place, { settings })
    t.teardown(successor.kill)
    const again = successor.visit()
    await again.logIn(cast.petra.email)
    t.match((await again.get('/partner/customers')).text, 'Saved')
    await eventually('its replica', () => isReplicated(successor))
    t.equal(await successor.stop(), 0)
  })

async function settingsOf(t: Test, kind: 'an SFTP server' | 'S3') {
  if (kind === 'S3') {
    const { endpoint } = await startS3(t, 'replicas')
    return { ...s3Access, S3_ENDPOINT: endpoint, REPLICATE_TO: 's3://replicas/panel/one' }
  }
  const { port, keyFile, knownHostsFile } = await startSftp(t)
  return {
    SFTP_KEY_FILE: keyFile,
    SFTP_KNOWN_HOSTS_FILE: knownHostsFile,
    REPLICATE_TO: `sftp://panel@127.0.0.1:${port}/panel/one`,
  }
}

/** A panel with a replica in a folder, which has begun. */
async function startReplicated(t: Test) {
  const folder = newFolder()
  const settings = { ...(await settingsFor(folder)), LOG_LEVEL: 'warn' }
  const dataDir = newFolder()
  mkdirSync(dataDir, { recursive: true })
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  const panel = await startProcess(dataDir, { settings })
  t.teardown(panel.kill)
  await eventually('the replica', () => isReplicated(panel))
  return { folder, replica: `file://${folder}`, settings, dataDir, panel }
}

function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
