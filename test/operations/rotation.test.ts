import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Secret, TOTP } from 'otpauth'
import t, { type Test } from 'tap'
import { letters, webhooks } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { makeBackup } from '../../src/operations/backups/make.ts'
import { verifyBackup } from '../../src/operations/backups/verify.ts'
import type { Step } from '../../src/operations/secrets/rotate.ts'
import { byItself } from '../../src/records/record.ts'
import { unseal } from '../../src/secrets.ts'
import { rotateWebhookSecret } from '../../src/webhooks/data/webhooks.ts'
import { newFolder, startApp } from '../harness.ts'
import { runCommand } from '../process.ts'
import { addWebhook } from '../webhooks/receiver.ts'

/** A stopped panel with a letter that holds a link, a second factor, a webhook with two secrets, and three sessions. */
async function stopped(t: Test) {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  const tom = await panel.signIn('tom')
  const page = await tom.open('/profile/two-factor')
  const secret = page.root.querySelector('main code')?.textContent.replaceAll(' ', '') ?? ''
  await tom.press(page, 'Switch on', { code: codeOf(secret, panel.app.now()) })
  const { id } = addWebhook(panel, null, 'https://hooks.example', 'import.stopped')
  rotateWebhookSecret(panel.db, byItself(panel.app.now()), { owner: null, id }, panel.app.secrets)
  await panel.close()
  return { dataDir: panel.dataDir, secret, cookies: stella.cookies }
}

const codeOf = (secret: string, at: number) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at })
const keysIn = (dataDir: string) => readFileSync(join(dataDir, 'secrets'), 'utf8').trim().split('\n')

/** Checks that a panel on this data opens all that was sealed, and that no earlier session continues. */
async function works(t: Test, { dataDir, secret, cookies }: Awaited<ReturnType<typeof stopped>>, minutes = 1) {
  const panel = await startApp(t, { dataDir })
  // A code works once.
  panel.pass(minutes * 60_000)
  const tom = panel.visit()
  const first = await tom.logIn(cast.tom.email)
  const second = await tom.get(first.location ?? '')
  t.equal(
    (await tom.press(second, 'Log in', { code: codeOf(secret, panel.app.now()) })).status,
    303,
    'the second factor works',
  )
  const letter = panel.db
    .select()
    .from(letters)
    .all()
    .find(({ email }) => email === 'nora@acme.example')
  t.match(letter && openBody(panel.app.secrets, letter)?.html, '/invitations/', 'the letter can be read')
  const webhook = panel.db.select().from(webhooks).get()
  for (const sealed of [webhook?.secret, webhook?.earlierSecret])
    t.equal(Buffer.from(unseal(panel.app.secrets, sealed ?? ''), 'base64').length, 32, 'a webhook can be signed')
  const old = panel.visit()
  for (const [name, value] of cookies) old.cookies.set(name, value)
  t.match((await old.get('/profile')).location, '/login', 'sessions have ended')
  await panel.close()
}

t.test('rotating makes new secrets, seals everything again and ends all sessions', async (t) => {
  const panel = await stopped(t)
  const [before] = keysIn(panel.dataDir)
  const sealedBefore = readFileSync(join(panel.dataDir, 'panel.db'))
  const { code, out } = await runCommand(['rotate-secrets'], panel.dataDir).done
  t.equal(code, 0)
  t.match(out, /1 second factor, \d e-mails?, 1 webhook and 0 client secrets sealed again, 2 sessions ended/)
  const [after, ...more] = keysIn(panel.dataDir)
  t.not(after, before)
  t.same(more, [], 'the old key is gone')
  t.equal(statSync(join(panel.dataDir, 'secrets')).mode & 0o777, 0o600)
  t.notOk(readFileSync(join(panel.dataDir, 'panel.db')).equals(sealedBefore))
  await works(t, panel)
  const again = await startApp(t, { dataDir: panel.dataDir })
  const olga = await again.signIn('olga')
  t.match(
    (await olga.get('/support/history?family=installation')).tableRows[0],
    /Set-up made new secrets 2 sessions ended/,
  )
})

for (const step of ['keys written', 'sealed', 'committed', 'old key gone'] as const) {
  t.test(`a crash when the rotation has come to “${step}” loses nothing, and it is completed by another`, async (t) => {
    const panel = await stopped(t)
    t.equal(await killedAt(panel.dataDir, step), 'SIGKILL')
    await works(t, panel)
    const doctor = await runCommand(['doctor'], panel.dataDir).done
    t.equal(doctor.out.includes('a rotation of the secrets was cut off'), step !== 'old key gone')
    t.match(await runCommand(['rotate-secrets'], panel.dataDir).done, { code: 0 })
    t.equal(keysIn(panel.dataDir).length, 1)
    await works(t, panel, 3)
  })
}

t.test('an earlier backup keeps its key, and a copy without one gets it', async (t) => {
  const { dataDir } = await stopped(t)
  const file = join(newFolder(), 'before.db')
  await makeBackup(dataDir, file, { at: Date.now() })
  mkdirSync(join(dataDir, 'backups'))
  const copy = join(dataDir, 'backups', 'before-migration-2026-01-01T00-00-00.000Z.db')
  copyFileSync(file, copy)
  t.match(await runCommand(['rotate-secrets'], dataDir).done, { code: 0 })
  for (const old of [file, copy]) await t.resolves(verifyBackup(old), 'its key opens it')
  await t.rejects(verifyBackup(file, { key: join(dataDir, 'secrets') }), { message: /is not the key/ })
})

t.test('a key that does not fit stops a rotation, and nothing has changed', async (t) => {
  const { dataDir } = await stopped(t)
  const wrong = `${'A'.repeat(43)}\n`
  writeFileSync(join(dataDir, 'secrets'), wrong)
  const before = readFileSync(join(dataDir, 'panel.db'))
  t.match(await runCommand(['rotate-secrets'], dataDir).done, {
    code: 2,
    err: /^.*secrets does not fit .*panel\.db: .*\n$/,
  })
  t.equal(readFileSync(join(dataDir, 'secrets'), 'utf8'), wrong)
  t.ok(readFileSync(join(dataDir, 'panel.db')).equals(before))
})

t.test('what no key opens does not stop a rotation: it is counted, and left as it is', async (t) => {
  const stoppedPanel = await stopped(t)
  const { dataDir } = stoppedPanel
  const sqlite = new Database(join(dataDir, 'panel.db'))
  sqlite
    .prepare(
      "UPDATE letters SET body = 'damaged' WHERE id = (SELECT min(id) FROM letters WHERE email <> 'nora@acme.example')",
    )
    .run()
  sqlite.prepare('UPDATE users SET totp_secret = ? WHERE email = ?').run('damaged', cast.uma.email)
  const damaged = () => sqlite.prepare("SELECT count(*) FROM letters WHERE body = 'damaged'").pluck().get()
  const lost = damaged()
  const { code, err, out } = await runCommand(['rotate-secrets'], dataDir).done
  t.equal(code, 0)
  t.match(err, /could not be opened by any key, and w(as|ere) left as before\./)
  t.match(out, /1 second factor, \d e-mails?, 1 webhook and 0 client secrets sealed again/)
  t.equal(damaged(), lost)
  sqlite.close()
  t.equal(keysIn(dataDir).length, 1, 'the old key is gone')
  await works(t, stoppedPanel)
})

/** Rotates in a process that is killed when it has come so far; the signal that ended it. */
async function killedAt(dataDir: string, step: Step): Promise<unknown> {
  const program = `
    import { rotateSecrets } from ${JSON.stringify(join(import.meta.dirname, '../../src/operations/secrets/rotate.ts'))}
    rotateSecrets(${JSON.stringify(dataDir)}, Date.now(), (step) => {
      if (step === ${JSON.stringify(step)}) process.kill(process.pid, 'SIGKILL')
    })`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: 'inherit',
  })
  const [, signal] = await once(child, 'exit')
  return signal
}
