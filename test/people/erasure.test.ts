import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { and, eq, getTableColumns, getTableName, is, isNull } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { simpleParser } from 'mailparser'
import { Secret, TOTP } from 'otpauth'
import t, { type Test } from 'tap'
import { nextDueAccount, purgeAccount } from '../../src/accounts/deletion/purge/data.ts'
import type { UserId } from '../../src/db/ids.ts'
import { openDatabase, writeUnchecked } from '../../src/db/open.ts'
import * as schema from '../../src/db/schema.ts'
import {
  accounts,
  apiTokens,
  identities,
  imports,
  invitations,
  letterPeople,
  letters,
  sessions,
  users,
} from '../../src/db/schema.ts'
import { oweCleaning } from '../../src/db/traces.ts'
import { cast } from '../../src/demo.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { removeLetterFiles, removeStaleFiles } from '../../src/mail/files.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { deleteUser } from '../../src/people/leaving/data.ts'
import { erasure } from '../../src/people/leaving/erasure.ts'
import type { Fate } from '../../src/people/leaving/fates.ts'
import { logInCounter, resetCounter } from '../../src/people/log-in/throttle/data.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import { byItself } from '../../src/records/record.ts'
import { hashToken, unseal } from '../../src/secrets.ts'
import { program, tokenOf } from '../api/program.ts'
import { Authenticator } from '../authenticator.ts'
import { accountId, type Client, newFolder, type Panel, publicUrl, startApp, userId } from '../harness.ts'
import { randomFrom } from '../proofs/random.ts'
import { releases, unpackRelease } from '../releases/releases.ts'
import { linkIn, startMailServer, until } from '../smtp.ts'

/** A name and an e-mail whose every part occurs nowhere else, with characters that JSON, HTML, CSV and mail write differently. */
const name = 'Quixwen "Zed" Zbvnmtöp'
const email = 'Quixwen.Zbvnmt@wxjq-mail.example'
const nextEmail = 'zbvnmt-next@wxjq-mail.example'
const formerEmail = cast.tom.email
/** What every spelling of name and e-mail has in it, in any case. */
const parts = ['quixwen', 'zbvnmt', formerEmail]
/** The trigrams that the indexes of searches make of it. */
const trigrams = ['uix', 'ixw', 'xwe', 'zbv', 'bvn', 'vnm', 'nmt']

type Line = { table: string; column: string; fate: Fate }

const tables = Object.entries(schema).flatMap(([key, table]) => (is(table, SQLiteTable) ? [{ key, table }] : []))

/** The list, by the names that the database has for tables and columns. */
const list: Line[] = Object.entries(erasure).flatMap(([key, columns]) => {
  const table = tables.find((one) => one.key === key)?.table
  if (!table) throw new Error(`the schema has no table ${key}`)
  return Object.entries(columns).map(([column, fate]) => ({
    table: getTableName(table),
    column: (getTableColumns(table) as Record<string, { name: string }>)[column]?.name ?? column,
    fate,
  }))
})

t.test('the list names every text column of the database, and no other', async (t) => {
  const panel = await startApp(t)
  const sqlite = new Database(join(panel.dataDir, 'panel.db'), { readonly: true })
  const inDatabase = sqlite
    .prepare(
      `SELECT tables.name || '.' || columns.name FROM pragma_table_list AS tables, pragma_table_info(tables.name) AS columns
       WHERE tables.schema = 'main' AND tables.type = 'table' AND tables.name NOT GLOB '_[_]*' AND tables.name NOT GLOB 'sqlite_*'
       AND columns.type NOT IN ('INTEGER', 'REAL') ORDER BY 1`,
    )
    .pluck()
    .all()
  sqlite.close()
  t.same(list.map(({ table, column }) => `${table}.${column}`).sort(), inDatabase)
  t.ok(inDatabase.length > 60)
})

type Filled = { panel: Panel; tom: Client; tomId: UserId; olga: Client }

/** Fills every column that can hold a name or an e-mail with Tom’s, who is called otherwise by then. */
async function fill(t: Test): Promise<Filled> {
  const settings = { SUPPORT_EMAIL: 'help@meshpanel.example' }
  const first = await startApp(t, { settings })
  const tomId = userId(first, 'tom')
  const kept = () =>
    until('the e-mails are kept', () =>
      first.db
        .select()
        .from(letters)
        .all()
        .every(({ state }) => state !== 'waiting'),
    )
  const did = async (
    who: Client,
    path: string,
    { button, fields = {}, within }: { button: string; fields?: Record<string, string>; within?: string | undefined },
  ) => {
    const page = await who.submitAndFollow(path, button, fields, within)
    if (page.status !== 200) throw new Error(`“${button}” on ${path}: ${page.status} ${page.text}`)
    return page
  }
  const [stella, petra, ines, olga] = [
    await first.signIn('stella'),
    await first.signIn('petra'),
    await first.signIn('ines'),
    await first.signIn('olga'),
  ]
  const tom = await first.signIn('tom')

  await did(ines, '/customer/users', { button: 'Invite', fields: { name: 'Tom, before', email: formerEmail } })
  await did(tom, '/profile', { button: 'Change e-mail', fields: { email } })
  await kept()
  const asked = first.db.select().from(letters).where(eq(letters.email, email)).get()
  const { text } = await simpleParser(readFileSync(join(first.dataDir, 'mail', `${asked?.id}.eml`)))
  await did(tom, linkIn(text, publicUrl, '/profile/email/'), { button: 'Change e-mail' })
  await did(tom, '/profile', { button: 'Save name', fields: { name } })
  await did(tom, '/profile', { button: 'Change e-mail', fields: { email: nextEmail } })
  const enrolment = await tom.open('/profile/two-factor')
  const seed = enrolment.root.querySelector('main code')?.textContent.replaceAll(' ', '') ?? ''
  await tom.press(enrolment, 'Switch on', { code: new TOTP({ secret: Secret.fromBase32(seed) }).generate() })
  const added = await new Authenticator().addTo(tom, `Phone of ${name}`)
  if (added.status !== 303) throw new Error(added.text)

  await did(stella, '/customer/users', { button: 'Save', fields: { role: 'admin' }, within: email })
  const by = { ...byItself(first.app.now()), userId: tomId }
  createApiToken(first.db, by, accountId(first, 'acme'), {
    name: `${name}’s shop`,
    scopes: ['account:read'],
    networks: ['192.0.2.77'],
    days: 90,
  })
  first.db.update(apiTokens).set({ lastUsedIp: '192.0.2.77' }).run()
  const identity = { issuer: 'https://id.example/', subject: `tom-${email}`, userId: tomId, createdAt: 1 }
  const { id: identityId } = first.db.insert(identities).values(identity).returning().get()
  first.db
    .update(sessions)
    .set({ identityId, ssoSid: `of ${email}` })
    .where(eq(sessions.userId, tomId))
    .run()
  await did(tom, '/customer/users', { button: 'Invite', fields: { name: 'Greta', email: 'greta@acme.example' } })
  await did(tom, '/projects/website', { button: 'Save quotas', fields: { volumes: '4', remark: 'Enough for now' } })
  await did(tom, '/customer/account', { button: 'Ask to become a partner' })
  await did(petra, '/partner/customers/acme/details', {
    button: 'Save details',
    fields: {
      contactName: name,
      contactEmail: email,
      contactAddress: `c/o ${name}`,
      note: `${name} decides, write to ${email}`,
    },
  })
  const shop = program(first.app, tokenOf(first, 'petra', 'cloudhaus'))
  await shop('POST', '/accounts/cloudhaus/customers/acme/resume', undefined, { 'idempotency-key': 'k' })
  await did(petra, '/partner/customers/acme/quotas', {
    button: 'Save quotas',
    fields: { cores: '8', remark: `As ${name} wants it` },
  })
  await did(tom, '/customer/quotas', { button: 'Send request', fields: { cores: '20', reason: `Ask me: ${email}` } })
  const quotas = await petra.open('/partner/customers/acme/quotas')
  await petra.press(quotas, 'Decline', { comment: `No, ${name}.` })
  await did(stella, '/customer/quotas', {
    button: 'Send request',
    fields: { cores: '21', reason: `${name} and ${email} need it` },
  })

  for (const [who, path] of [
    [petra, '/partner/customers'],
    [stella, '/customer/users'],
    [tom, '/customer/users'],
  ] as const)
    await did(who, `${path}?${new URLSearchParams({ q: `${name} ${email}` })}`, {
      button: 'Save view',
      fields: { viewName: email.slice(0, 40) },
    })

  const csv = (text: string, file: string) => ({ name: file, bytes: Buffer.from(text) })
  const quoted = `"${name.replaceAll('"', '""')}"`
  const done = () =>
    until('the import is done', () =>
      first.db
        .select()
        .from(imports)
        .all()
        .every(({ state }) => state !== 'running'),
    )
  const people = `name,e-mail,${email}\n${quoted},${email.toUpperCase()}\n${quoted},${email}\n${quoted},zbvnmt(at)wxjq\nKarla,karla@acme.example`
  await stella.upload('/customer/imports', 'Check the file', csv(people, `${email}.csv`))
  await tom.upload('/customer/imports', 'Check the file', csv('name,e-mail\nLea,lea@acme.example', 'own.csv'))
  await ines.upload('/customer/imports', 'Check the file', csv(people, 'waiting.csv'))
  const customers = `name,identifier,admin name,admin e-mail\nGold,gold,${quoted},${email}\nBad,cloudhaus,${quoted},${email}`
  const checked = await petra.upload('/partner/imports', 'Check the file', csv(customers, 'customers.csv'))
  await petra.press(checked, 'Import 1 customer')
  await done()

  await first.visit().submit('/password-reset', 'Send link', { email })
  await first.visit().logIn(email, 'a wrong password')
  await kept()
  await first.close()

  // With a mail server that refuses, and repeats the address.
  const mail = await startMailServer(t)
  mail.refuse({ at: 'recipient', code: 550, words: `no mailbox ${email} here` }, email)
  const panel = await startApp(t, { settings: { ...settings, SMTP_URL: mail.url }, dataDir: first.dataDir })
  const again = (before: Client) => {
    const client = panel.visit()
    for (const [cookie, value] of before.cookies) client.cookies.set(cookie, value)
    return client
  }
  panel.pass(resendGap)
  await did(again(petra), '/partner/customers/gold/users', { button: 'Resend', fields: {}, within: email })
  await until('it failed', () => panel.db.select().from(letters).where(eq(letters.state, 'failed')).get())
  mail.refuse({ at: 'data', code: 451, words: 'later' })
  await did(again(tom), '/customer/users', { button: 'Invite', fields: { name: 'Wim', email: 'wim@acme.example' } })
  await until('it waits', () =>
    panel.db
      .select()
      .from(letters)
      .all()
      .some((letter) => letter.email === 'wim@acme.example' && letter.attempts > 0),
  )
  await did(again(olga), '/support/accounts/acme/suspension', {
    button: 'Suspend',
    fields: { reason: `${email} asked for it` },
  })
  await did(again(olga), '/support/accounts', { button: 'Resume', fields: {}, within: 'acme' })
  await did(again(petra), '/partner/customers/gold/suspension', {
    button: 'Suspend',
    fields: { reason: `${name} has not paid` },
  })
  await did(again(olga), '/support/accounts/gold/suspension', {
    button: 'Suspend',
    fields: { reason: `${name} has not paid at all` },
  })
  return { panel, tom: again(tom), tomId, olga: again(olga) }
}

type Row = Record<string, unknown>

const namesTom = (value: unknown) =>
  typeof value === 'string' && parts.some((part) => value.toLowerCase().includes(part))

/** Whether a row’s value is Tom’s: most say so themselves. */
function holds({ panel, tomId }: Filled, { table, column }: Pick<Line, 'table' | 'column'>, row: Row): boolean {
  const value = row[column]
  if (value === null || value === '') return false
  switch (`${table}.${column}`) {
    case 'users.password_hash':
    case 'users.totp_secret':
      return row.id === tomId
    case 'users.passkey_handle':
      return row.id === tomId
    case 'passkeys.credential_id':
    case 'passkeys.public_key':
      return row.user_id === tomId
    case 'identities.subject':
    case 'sessions.sso_sid':
    case 'sessions.ip':
    case 'sessions.browser':
      return row.user_id === tomId
    case 'api_tokens.networks':
    case 'api_tokens.last_used_ip':
      return row.user_id === tomId
    case 'imports.ip':
      return row.created_by === tomId
    case 'throttles.key':
      return [logInCounter, resetCounter].some((counter) => value === `account ${hashToken(counter(email))}`)
    case 'api_replays.answer':
      return namesTom(unseal(panel.app.secrets, String(value)))
    case 'letters.body': {
      const letter = panel.db
        .select()
        .from(letters)
        .where(eq(letters.id, Number(row.id)))
        .get()
      const body = letter && openBody(panel.app.secrets, letter)
      return namesTom(body?.html)
    }
    default:
      return namesTom(value)
  }
}

function held(filled: Filled): Line[] {
  const rows = filled.panel.rows()
  return list.filter((line) => rows[line.table]?.some((row) => holds(filled, line, row as Row)))
}

/** Every file of the panel but backups, which keep what was until they are removed. */
function filesOf({ dataDir }: Panel): string[] {
  return readdirSync(dataDir, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(dataDir, 'backups')))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** What of these words is found in the bytes of a file: as they are, in base64, and as a mail program reads them. */
async function inFile(file: string, words: string[]): Promise<string[]> {
  const bytes = readFileSync(file)
  const texts = [bytes.toString('latin1').toLowerCase(), bytes.toString('utf16le').toLowerCase()]
  if (file.endsWith('.eml')) {
    const { text, html, headerLines } = await simpleParser(bytes)
    const { subject, to } = await simpleParser(bytes)
    texts.push(...[text, html, subject, ...[to].flat().map((one) => one?.text)].map((one) => String(one).toLowerCase()))
    texts.push(...headerLines.map(({ line }) => line.toLowerCase()))
  }
  const raw = bytes.toString('latin1')
  const inBase64 = (word: string) =>
    ['', 'x', 'xx'].some((before) => {
      const encoded = Buffer.from(before + word).toString('base64')
      return raw.includes(encoded.slice(before ? 4 : 0, encoded.length - 4))
    })
  return words.filter((word) => texts.some((text) => text.includes(word)) || inBase64(word))
}

async function found(panel: Panel, words = parts): Promise<string[]> {
  const all = await Promise.all(
    filesOf(panel).map(async (file) =>
      (await inFile(file, words)).map((word) => `${file.slice(panel.dataDir.length)}: ${word}`),
    ),
  )
  return all.flat()
}

/** The trigrams of Tom in what an index of searches is stored as. */
function inIndexes(panel: Panel): string[] {
  const sqlite = new Database(join(panel.dataDir, 'panel.db'), { readonly: true })
  const blocks = ['users', 'invitations', 'letters'].flatMap((table) =>
    (sqlite.prepare(`SELECT block FROM ${table}_index_data`).pluck().all() as Buffer[]).map((block) =>
      block.toString('latin1'),
    ),
  )
  sqlite.close()
  return trigrams.filter((trigram) => blocks.some((block) => block.includes(trigram)))
}

function cleaned(panel: Panel) {
  const sqlite = new Database(join(panel.dataDir, 'panel.db'), { readonly: true })
  try {
    return sqlite.pragma('user_version', { simple: true }) === 1
  } finally {
    sqlite.close()
  }
}

const ways: [string, (filled: Filled) => Promise<void>][] = [
  [
    'by oneself',
    async ({ tom }) => {
      const page = await tom.submitAndFollow('/profile/removal', 'Delete my user', { email })
      if (!page.notice) throw new Error(page.text)
    },
  ],
  [
    'by Support',
    async ({ olga, tomId }) => {
      const page = await olga.submitAndFollow(`/support/users/${tomId}/removal`, `Delete ${name}`, { email })
      if (!page.notice) throw new Error(page.text)
    },
  ],
]

for (const [way, remove] of ways)
  t.test(`nothing is left of a user who was deleted ${way}, in no row and in no file`, async (t) => {
    const filled = await fill(t)
    const { panel, tomId } = filled
    const before = held(filled)
    for (const line of list)
      if (line.fate.is === 'identifies' || line.fate.is === 'free text')
        t.ok(before.includes(line), `${line.table}.${line.column} holds something of Tom’s`)
      else t.notOk(before.includes(line), `${line.table}.${line.column} holds nothing of Tom’s: ${line.fate.is}`)
    const files = await found(panel)
    t.ok(files.some((place) => place.startsWith('/panel.db')))
    t.ok(files.some((place) => place.startsWith('/mail/')))
    t.ok(inIndexes(panel).length > 0)
    t.notSame(panel.rows().records, [])
    const records = JSON.stringify(panel.rows().records)
    const others = panel.db.select().from(letters).where(eq(letters.email, 'karla@acme.example')).all().length

    await remove(filled)
    t.match(panel.db.select().from(users).where(eq(users.id, tomId)).get(), {
      name: 'Deleted user',
      email: `deleted-${tomId}@deleted.invalid`,
    })
    t.same(
      held(filled).map(({ table, column }) => `${table}.${column}`),
      [],
      'no row holds anything of Tom’s',
    )
    await until('the files are cleaned', () => cleaned(panel))
    t.same(await found(panel), [], 'no file does')
    t.same(inIndexes(panel), [], 'nor do the indexes')

    t.ok(JSON.stringify(panel.rows().records).startsWith(records.slice(0, -1)), 'no record was edited')
    t.equal(panel.db.select().from(letters).where(eq(letters.email, 'karla@acme.example')).all().length, others)
    const acme = await (await panel.signIn('stella')).get('/customer/quotas')
    t.match(acme.text, 'a deleted user', 'what others wrote is still there')
    await panel.app.wakeMail()
    t.notOk(
      panel.db
        .select()
        .from(letters)
        .where(and(eq(letters.state, 'waiting'), isNull(letters.body)))
        .get(),
      'no e-mail waits without a text',
    )
  })

t.test('the download holds every column that identifies its user', async (t) => {
  const filled = await fill(t)
  const answer = await filled.tom.post('/profile/data')
  t.match(answer.response.headers['content-disposition'], 'attachment; filename="my-data.json"')
  const data = JSON.parse(answer.body) as Record<string, Record<string, unknown>[] | Record<string, unknown>>
  for (const { table, column, fate } of list) {
    if (fate.is !== 'identifies' && fate.is !== 'free text') continue
    const { download } = fate
    if (typeof download !== 'string') {
      t.ok(download.not, `${table}.${column} is not in it, for a reason`)
      continue
    }
    const [section = '', field = ''] = download.split('.')
    t.ok(
      [data[section]].flat().some((row) => row?.[field]),
      `${table}.${column} is in it as ${download}`,
    )
  }
  t.match(JSON.stringify(data.importRows), name.replaceAll('"', '').slice(0, 7))
  for (const other of ['greta@acme.example', 'karla', cast.stella.email, 'argon2', '/invitations/', '/password-reset/'])
    t.notMatch(answer.body, other, `nothing of “${other}”`)
  t.equal(
    filled.panel.db.select().from(schema.records).where(eq(schema.records.kind, 'user.data-downloaded')).all().length,
    1,
  )
})

t.test('the download asks again who somebody is, and a visit does not start it', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  t.equal((await tom.get('/profile/data')).location, '/profile')
  panel.pass(11 * 60_000)
  const asked = await tom.submit('/profile', 'Download my data')
  t.match(asked.title, 'Confirm that it is you')
  t.notMatch(asked.body, '"sessions"')
  t.match((await tom.press(asked, 'Confirm', { _proof: 'demo-demo-demo' })).body, '"sessions"')
  t.match((await tom.get('/customer/users')).status, 200)
  t.match((await panel.visit().post('/profile/data')).location, '/login')
})

t.test('who never proved an address takes nothing away that others sent to its owner', async (t) => {
  const panel = await startApp(t)
  const uma = await panel.signIn('uma')
  await uma.submit('/customer/users', 'Invite', { name: 'The real Nils', email: cast.nils.email })
  panel.db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.nils.email)).run()
  const nils = await panel.signIn('nils')
  await nils.submit('/profile/removal', 'Delete my user', { email: cast.nils.email })
  t.match(panel.db.select().from(invitations).all(), [{ name: 'The real Nils', state: 'pending' }])
})

t.test('who came by a copied link and an import has proved nothing, and leaves nothing either', async (t) => {
  const panel = await startApp(t)
  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  const someone = { name: 'Zebulon Quastenflosser', email: 'Zebulon@Quasten.example' }
  const words = ['zebulon', 'quasten']
  const csv = (text: string) => ({ name: `${someone.email}.csv`, bytes: Buffer.from(text) })
  const brought = async (client: Client, path: string, button: string, text: string) => {
    await client.press(await client.upload(path, 'Check the file', csv(text)), button)
    await until('the import is done', () =>
      panel.db
        .select()
        .from(imports)
        .all()
        .every(({ state }) => state === 'done'),
    )
  }
  await brought(
    petra,
    '/partner/imports',
    'Import 1 customer',
    `name,identifier,admin name,admin e-mail\nGold,gold,${someone.name},${someone.email}`,
  )
  const copied = await petra.submit('/partner/customers/gold/users', 'Copy link', {}, someone.email)
  const person = panel.visit()
  const link = linkIn(copied.root.querySelector('#link')?.getAttribute('value') ?? '', publicUrl)
  const password = 'correct horse battery staple'
  await person.submitAndFollow(link, 'Accept invitation', { name: someone.name, password, repeated: password })
  await brought(stella, '/customer/imports', 'Import 1 user', `name,e-mail\n${someone.name},${someone.email}`)
  const second = await stella.submit('/customer/users', 'Copy link', {}, someone.email)
  await person.submitAndFollow(
    linkIn(second.root.querySelector('#link')?.getAttribute('value') ?? '', publicUrl),
    'Accept invitation',
  )
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '4', remark: `For ${someone.email}` })
  // Elsewhere the same address may be its mailbox’s owner’s.
  const uma = await panel.signIn('uma')
  const other = 'name,e-mail\nThe owner,zebulon@quasten.example'
  await uma.upload('/customer/imports', 'Check the file', { name: 'other.csv', bytes: Buffer.from(other) })

  const download = JSON.parse((await person.post('/profile/data')).body)
  t.match(
    download.importRows.map(({ account }: { account: string }) => account),
    ['cloudhaus', 'acme'],
  )
  t.ok((await found(panel, words)).length > 0)
  t.ok((await person.submitAndFollow('/profile/removal', 'Delete my user', { email: someone.email })).notice)
  const rows = panel.rows()
  const naming = Object.entries(rows).flatMap(([table, some]) =>
    some.filter((row) => words.some((word) => JSON.stringify(row).toLowerCase().includes(word))).map(() => table),
  )
  t.same(naming, ['import_rows'], 'only Umbrella’s')
  panel.db.delete(schema.importRows).where(eq(schema.importRows.emailKey, 'zebulon@quasten.example')).run()
  writeUnchecked(panel.db, (tx) => panel.app.eraseTraces(tx, words))
  await until('the files are cleaned', () => cleaned(panel))
  t.same(await found(panel, words), [])
})

t.test('a former address that somebody else has now is theirs', async (t) => {
  const panel = await startApp(t)
  const uma = await panel.signIn('uma')
  const tomId = userId(panel, 'tom')
  panel.db.update(users).set({ email, emailKey: email.toLowerCase() }).where(eq(users.id, tomId)).run()
  panel.db
    .insert(schema.personalChanges)
    .values({ recordId: 1, userId: tomId, field: 'email', before: formerEmail, after: email })
    .run()
  panel.db
    .update(users)
    .set({ email: formerEmail, emailKey: formerEmail })
    .where(eq(users.email, cast.nils.email))
    .run()
  await uma.submit('/customer/users', 'Invite', { name: 'Nils', email: formerEmail })
  const olga = await panel.signIn('olga')
  await olga.submit(`/support/users/${tomId}/removal`, 'Delete Tom', { email })
  t.match(panel.db.select().from(invitations).all(), [{ email: formerEmail, state: 'pending' }])
})

t.test('the purge of an account leaves nothing of the people it knew', async (t) => {
  const panel = await startApp(t)
  const ines = await panel.signIn('ines')
  await ines.submit('/customer/users', 'Invite', { name, email })
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '1' })
  await ines.submit('/customer/quotas', 'Send request', { cores: '3', reason: `For ${name}` })
  await ines.upload('/customer/imports', 'Check the file', {
    name: `${email}.csv`,
    bytes: Buffer.from(`name,e-mail\nZbvnmt Quixwen,zbvnmt@x.example`),
  })
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts/initech/suspension', 'Suspend', { reason: `${email} wants it` })
  await until('the e-mail is kept', () => existsSync(join(panel.dataDir, 'mail', '1.eml')))
  t.ok(panel.db.select().from(letterPeople).get())
  await petra.submit('/partner/customers/initech/removal', 'Delete customer', { identifier: 'initech' })
  const initech = panel.db.select().from(accounts).where(eq(accounts.identifier, 'initech')).get()
  t.ok(initech?.deletedAt)
  t.ok((await found(panel, ['quixwen', 'zbvnmt'])).length > 0)

  const later = panel.app.now() + 31 * 24 * 3_600_000
  const due = () => nextDueAccount(panel.db, later)
  for (let id = due(); id !== undefined; id = due())
    purgeAccount(panel.db, later, id, {
      removeFiles: (ids) => removeLetterFiles(panel.dataDir, ids),
      eraseTraces: panel.app.eraseTraces,
    })
  await until('the files are cleaned', () => cleaned(panel))
  t.same(await found(panel, ['quixwen', 'zbvnmt']), [])
})

/** Lays out a database in which SQLite left a copy of a deleted row in a page that it had split: rare, so by trying. */
function leaveTrace(): string {
  for (let seed = 1; seed < 100; seed++) {
    const random = randomFrom(seed)
    const word = (most: number) =>
      Array.from({ length: Math.floor(random() * most) }, () => String.fromCharCode(97 + random() * 26)).join('')
    const dataDir = newFolder()
    const { db, close } = openDatabase(dataDir)
    const sqlite = db.$client
    const person =
      "INSERT INTO users (id, email, email_key, name, search, password_hash, created_at) VALUES (1, '', '', '', '', '', 1)"
    const add = sqlite.prepare('INSERT INTO email_changes (hash, user_id, email, expires_at) VALUES (?, 1, ?, 1)')
    const change = sqlite.prepare('UPDATE email_changes SET email = ? WHERE hash = ?')
    const others: string[] = []
    sqlite.transaction(() => {
      sqlite.exec(person)
      for (let n = 0; n < 3_000; n++) {
        const hash = `${word(30)}${n}`
        add.run(hash, `${n % 10 === 0 ? 'zbvnmt' : 'other'}${word(60)}`)
        if (n % 10 !== 0) others.push(hash)
      }
      for (const hash of others) if (random() < 0.5) change.run(word(200), hash)
      sqlite.exec("DELETE FROM email_changes WHERE email LIKE 'zbvnmt%'")
    })()
    close()
    if (readFileSync(join(dataDir, 'panel.db')).includes('zbvnmt')) return dataDir
  }
  throw new Error('SQLite leaves nothing behind any more: db/cleaning.ts may do less.')
}

t.test('what SQLite left behind in a page is looked for and removed', async (t) => {
  const panel = await startApp(t, { dataDir: leaveTrace() })
  t.same(await found(panel, ['zbvnmt']), ['/panel.db: zbvnmt'])
  writeUnchecked(panel.db, (tx) => panel.app.eraseTraces(tx, ['zbvnmt']))
  t.notOk(cleaned(panel), 'a crash from here on is made good by the next start')
  await until('the files are cleaned', () => cleaned(panel))
  t.same(await found(panel, ['zbvnmt']), [])
})

t.test('a cleaning is made whether or not it is known what to look for', async (t) => {
  const panel = await startApp(t)
  writeUnchecked(panel.db, (tx) => panel.app.eraseTraces(tx, []))
  await until('the files are cleaned', () => cleaned(panel))
  t.equal(cleaned(panel), true)
})

t.test('a cleaning that is owed is made at the next start', async (t) => {
  const dataDir = leaveTrace()
  const before = openDatabase(dataDir)
  oweCleaning(before.db)
  before.close()
  const panel = await startApp(t, { dataDir })
  t.ok(cleaned(panel))
  t.same(await found(panel, ['zbvnmt']), [])
})

t.test('while somebody reads an older state of the database, the cleaning waits for them', async (t) => {
  const panel = await startApp(t)
  const reader = new Database(join(panel.dataDir, 'panel.db'), { readonly: true })
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM users').get()
  const nils = await panel.signIn('nils')
  await nils.submit('/profile/removal', 'Delete my user', { email: cast.nils.email })
  t.notOk(cleaned(panel))
  t.match((await panel.visit().get('/login')).status, 200)
  reader.exec('COMMIT')
  reader.close()
  await panel.close()
  t.same(await found(panel, [cast.nils.email]), [], 'stopping empties the log')
  const again = await startApp(t, { dataDir: panel.dataDir })
  t.ok(cleaned(again), 'and the next start does what was left')
})

t.test('an e-mail that is being written while its reader is deleted leaves no file', async (t) => {
  const panel = await startApp(t)
  for (let turns = 0; turns < 25; turns++) {
    const reader = `zbvnmt${turns}@x.example`
    const user = panel.db
      .insert(users)
      .values({ email: reader, emailKey: reader, name: reader, search: '', passwordHash: '', createdAt: 1 })
      .returning()
      .get()
    const post = (to: string, userId?: UserId) =>
      writeUnchecked(panel.db, (tx) =>
        panel.app.postLetter(tx, panel.app.now(), {
          kind: 'password-changed',
          email: to,
          name: to,
          data: { when: 'now', link: 'there' },
          reason: userId === undefined ? { because: 'support' } : { because: 'user', userId },
        }),
      )
    post(reader, user.id)
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    deleteUser(panel.db, byItself(panel.app.now()), user.id, {
      secrets: panel.app.secrets,
      removeFiles: () => removeStaleFiles(panel.db, panel.dataDir),
      eraseTraces: panel.app.eraseTraces,
    })
    // One e-mail is written after the other: when the next is, the worker has done with this one.
    const other = `other${turns}@x.example`
    post(other)
    await until('the next one is kept', () =>
      panel.db
        .select()
        .from(letters)
        .where(and(eq(letters.email, other), eq(letters.state, 'kept')))
        .get(),
    )
    t.same(
      (await found(panel, [reader])).filter((place) => place.startsWith('/mail')),
      [],
      `after ${turns} turns`,
    )
  }
})

for (const release of releases)
  t.test(`nothing is left of a user of ${release} either`, async (t) => {
    const dataDir = newFolder()
    unpackRelease(release, dataDir)
    const tom = { name: 'Tom Tester', email: formerEmail }
    const panel = await startApp(t, { dataDir })
    const words = [tom.email, tom.name.toLowerCase(), 'tom@new.example']
    t.same((await found(panel, words)).length, 3)
    const done = deleteUser(panel.db, byItself(panel.app.now()), userId(panel, tom.email), {
      secrets: panel.app.secrets,
      removeFiles: () => {},
      eraseTraces: panel.app.eraseTraces,
    })
    t.equal(done, 'deleted')
    await until('the files are cleaned', () => cleaned(panel))
    t.same(await found(panel, words), [])
  })
