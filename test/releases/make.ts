// Writes test/releases/VERSION.db.gz: a small database of the version that is checked out, with rows in every table,
// which test/db/upgrade.test.ts migrates ever after; and VERSION.openapi.json.gz, which the API keeps to ever after. To be run when a version is released, once and never again:
//
//   node test/releases/make.ts
//
// It works the panel through its own forms, by a fixed clock and a seeded source of random numbers, so that
// it makes the same file each time. It fails when a table is left without rows: add what fills it.
import crypto from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { Secret, TOTP } from 'otpauth'
import type { CastName } from '../../src/demo.ts'
import { apiOfRelease, releasedAt, releaseFile, tablesOf, writeSecrets } from './releases.ts'

const passwordHash =
  '$argon2id$v=19$m=19456,t=2,p=1$bWVzaHBhbmVsLXJlbGVhc2U$pvImUYyYxL06Sq1+/tzDEZP9pbJGEWrUVb234wSJvV0'

let drawn = 0
crypto.randomBytes = ((size: number) =>
  crypto.createHash('shake256', { outputLength: size }).update(String(drawn++)).digest()) as typeof crypto.randomBytes
crypto.randomUUID = () => {
  const hex = crypto.randomBytes(16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}
syncBuiltinESMExports()

const { apiDocument } = await import('../../src/api/document.ts')
const { buildApp } = await import('../../src/app.ts')
const { readConfig } = await import('../../src/config.ts')
const { openDatabase } = await import('../../src/db/open.ts')
const { cast, createCast } = await import('../../src/demo.ts')
const { version } = await import('../../src/version.ts')
const { openInstallation } = await import('../../src/operations/installation/open.ts')
const { Client } = await import('../harness.ts')
const { until } = await import('../smtp.ts')

const made = releaseFile(version)
if (existsSync(made)) throw new Error(`${made} is there: a release’s database is made once.`)

const dataDir = mkdtempSync(join(tmpdir(), 'meshpanel-release-'))
openDatabase(dataDir).close()
writeSecrets(dataDir)
const { db, secrets, close } = openInstallation(dataDir, releasedAt)
createCast(db, releasedAt, passwordHash)

let clock = releasedAt
const config = { ...readConfig({}, { LOG_LEVEL: 'warn', TWO_FACTOR: 'optional' }), dataDir }
const app = await buildApp({ config, db, secrets, now: () => clock })
const panel = new Database(join(dataDir, 'panel.db'), { readonly: true })
const count = (rows: string) => panel.prepare(`SELECT count(*) FROM ${rows}`).pluck().get()

const people = new Map<CastName, InstanceType<typeof Client>>()
async function as(who: CastName) {
  clock += 60_000
  await until('all letters are out', () => count("letters WHERE state = 'waiting'") === 0)
  const known = people.get(who)
  if (known) return known
  const client = new Client(app)
  if ((await client.logIn(cast[who].email)).status !== 303) throw new Error(`${who} could not log in.`)
  people.set(who, client)
  return client
}

async function submit(who: CastName, path: string, button: string, fields: Record<string, string> = {}) {
  const page = await (await as(who)).submitAndFollow(path, button, fields)
  if (page.status !== 200) throw new Error(`${who} pressed “${button}” on ${path}: ${page.status} ${page.text}`)
}

await submit('olga', '/support/accounts/cloudhaus/quotas', 'Save pool', {
  projects: '20',
  cores: '64',
  remark: 'As in the contract',
})
await submit('petra', '/partner/customers', 'Create customer', { name: 'Globex', identifier: 'globex' })
await submit('petra', '/partner/customers/globex/users', 'Add Myself')
await submit('petra', '/partner/customers/acme/quotas', 'Save quotas', { projects: '5', cores: '8' })

await submit('stella', '/projects/website', 'Save quotas', { cores: '4' })
await submit('stella', '/customer/quotas', 'Send request', { cores: '16', reason: 'The sale' })
const stella = await as('stella')
const invitation = await stella.open('/customer/users')
const website = invitation.root
  .querySelectorAll('input[name="projects"]')
  .map((input) => input.getAttribute('value') ?? '')
await stella.press(invitation, 'Invite', {
  name: 'Nora New',
  email: 'nora@acme.example',
  projects: website.slice(0, 1),
})
await submit('stella', '/projects', 'Create project', { name: 'Old shop', identifier: 'old-shop' })
await submit('stella', '/projects/old-shop', 'Save quotas', { cores: '2' })
await submit('stella', '/projects/old-shop/removal', 'Delete project', { identifier: 'old-shop' })

await submit('tom', '/profile', 'Save name', { name: 'Tom Tester' })
await submit('tom', '/profile', 'Change e-mail', { email: 'tom@new.example' })
await submit('dora', '/customer/account', 'Ask to become a partner')
await new Client(app).submit('/password-reset', 'Send link', { email: cast.max.email })
await new Client(app).logIn(cast.max.email, 'a wrong password')
await submit('olga', '/support/accounts/umbrella/suspension', 'Suspend', { reason: 'The contract ended.' })

const uma = await as('uma')
const enrolment = await uma.open('/profile/two-factor')
const seed = enrolment.root.querySelector('main code')?.textContent.replaceAll(' ', '') ?? ''
const code = new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp: clock })
await uma.press(enrolment, 'Switch on', { code })

const csv = Buffer.from('Name,Identifier,Admin name,Admin e-mail,Role,Project limit\nHooli,hooli,,,,3\nNo name,,,,,x\n')
const petra = await as('petra')
const checked = await petra.upload('/partner/imports', 'Check the file', { name: 'list.csv', bytes: csv })
await petra.press(checked, 'Import 1 customer')
await until('the import is done', () => count("imports WHERE state = 'done'") === 1)
await as('petra')

await app.close()
// Only a machine in trouble, or with a replica, has rows there.
const mayBeEmpty = ['troubles', 'replication']
const empty = tablesOf(panel).filter((table) => !mayBeEmpty.includes(table) && count(`"${table}"`) === 0)
panel.close()
close()
if (empty.length > 0) throw new Error(`These tables have no rows: ${empty.join(', ')}.`)

const sqlite = new Database(join(dataDir, 'panel.db'))
sqlite.pragma('journal_mode = delete')
sqlite.exec('VACUUM')
sqlite.close()
writeFileSync(made, gzipSync(readFileSync(join(dataDir, 'panel.db')), { level: 9 }))
writeFileSync(apiOfRelease(version), gzipSync(JSON.stringify(apiDocument('https://panel.example')), { level: 9 }))
rmSync(dataDir, { recursive: true })
console.log(`${made} holds a database of ${version}. Check it in, with the API’s document beside it.`)
