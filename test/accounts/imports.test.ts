import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, importRows, imports, invitations, letters, memberships, records } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Client, castDatabase, newFolder, type Page, type Panel, startApp, userId } from '../harness.ts'
import { startProcess } from '../process.ts'
import { pause, until } from '../smtp.ts'

const customers = '/partner/imports'
const users = '/customer/imports'

const csv = (text: string, encoding: BufferEncoding = 'utf8') => ({
  name: 'list.csv',
  bytes: Buffer.from(text, encoding),
})

const check = (who: Client, text: string, page = customers) => who.upload(page, 'Check the file', csv(text))

/** Presses the one button, and waits until the work is done. */
async function carryOut(panel: Panel, who: Client, checked: Page): Promise<Page> {
  const button =
    checked.root
      .querySelectorAll('button')
      .find((one) => /^Import \d/.test(one.text.trim()))
      ?.text.trim() ?? ''
  await who.press(checked, button)
  await until('the import is done', () =>
    panel.db
      .select()
      .from(imports)
      .all()
      .every(({ state }) => state === 'done' || state === 'stopped'),
  )
  return who.open(checked.path)
}

function everything(panel: Panel) {
  const { imports: _i, import_rows: _r, sessions, throttles, ...rest } = panel.rows()
  return rest
}

t.test('customers are brought in by file: first a dry run, then one button', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const before = everything(panel)
  const checked = await check(
    petra,
    `Name,Identifier,Admin name,Admin e-mail,Role,Project limit
Blumen Müller,,Mia Müller,mia@blumen.example,admin,5
"Two
lines, and ""quotes""",two-lines,,,,
No Number,no-number,,,,many
Cloudhaus again,cloudhaus,,,,
Blumen,blumen-muller,,,,
,nameless,,,,
Half,half,Somebody,,,
Half,half-2,,half@x.example,,
Bad mail,bad-mail,Somebody,not-an-address,user,
Bad role,bad-role,Somebody,r@x.example,owner,
Last,last,Lea,lea@last.example,Customer User,0
`,
  )
  t.strictSame(everything(panel), before, 'a dry run changes nothing')
  t.match(checked.text, /checked, not begun 11 rows, 8 of them wrong/)
  t.match(
    checked.row('blumen-muller'),
    /to be carried out creates the customer, limits it to 5 projects, invites mia@blumen.example as Customer Admin/,
  )
  for (const [row, words] of [
    ['Cloudhaus again', 'The identifier “cloudhaus” is taken, or was once'],
    ['Blumen (blumen-muller)', 'stands in line 2 already'],
    ['No Number', 'Enter a whole number'],
    ['nameless', 'The name is missing'],
    ['half', 'e-mail is missing'],
    ['half-2', 'The admin’s name is missing'],
    ['bad-mail', 'This is not an e-mail address'],
    ['bad-role', 'The role is admin or user'],
  ] as const)
    t.match(checked.row(row), words, row)
  t.match((await petra.open(`${checked.path}?state=wrong`)).tableRows.length, 8)
  t.ok(checked.hasButton('Import 3 customers'))

  const done = await carryOut(panel, petra, checked)
  t.match(done.text, 'Result 3 done, 8 wrong and left out')
  const made = panel.db.select().from(accounts).where(eq(accounts.identifier, 'two-lines')).get()
  t.equal(made?.name, 'Two lines, and "quotes"')
  t.match((await petra.open('/partner/customers')).row('blumen-muller'), '0 / 5')
  t.match((await petra.open('/partner/customers')).row('last'), '0 / 0')
  t.same(
    panel.db
      .select()
      .from(invitations)
      .all()
      .map(({ email, role }) => [email, role]),
    [
      ['mia@blumen.example', 'admin'],
      ['lea@last.example', 'member'],
    ],
  )
  t.equal(panel.db.select().from(letters).all().length, 2)
  const result = (await petra.get(`${checked.path}?download=csv`)).body
  t.match(result, /2,Blumen Müller \(blumen-muller\),done,created/)
  t.match(result, /Cloudhaus again \(cloudhaus\),wrong,"?The identifier “cloudhaus” is taken/)
  t.match((await petra.open('/partner/history')).text, 'Petra created')
  t.match((await petra.open('/customer/history?account=cloudhaus')).text, 'finished importing a file')
  t.equal((await petra.press(checked, 'Discard')).status, 409)
})

t.test('files of Excel and LibreOffice work: semicolons, tabs, BOM, UTF-16, Windows-1252, sep=', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const lines = 'name;identifier\r\nCafé Zoë;cafe-zoe\r\n"Semi; colon";semi\r\n'
  for (const [what, bytes] of [
    ['UTF-8 with BOM', Buffer.from(`\ufeff${lines}`)],
    ['Windows-1252', Buffer.from(lines, 'latin1')],
    ['UTF-16', Buffer.from(`\ufeff${lines}`, 'utf16le')],
    ['sep=', Buffer.from(`sep=;\r\n${lines}`)],
    ['tabs', Buffer.from(lines.replaceAll(';', '\t').replace('"Semi\t colon"', 'Semi; colon'))],
    ['old Mac', Buffer.from(lines.replaceAll('\r\n', '\r'))],
  ] as const) {
    const page = await petra.upload(customers, 'Check the file', { name: `${what}.csv`, bytes })
    t.match(page.row('cafe-zoe'), 'Café Zoë (cafe-zoe) to be carried out', what)
    t.match(page.row('semi'), 'Semi; colon (semi)', what)
    t.match((await petra.press(page, 'Discard')).status, 303)
  }
  await until('the files are deleted', () => panel.db.select().from(imports).all().length === 0)
  t.same(panel.db.select().from(importRows).all(), [])
  const pasted = await petra.submitAndFollow(customers, 'Check the file', { text: lines })
  t.match(pasted.row('cafe-zoe'), 'to be carried out')
})

t.test('a file of another kind is refused with the reason, and nothing is kept', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const many = `name\n${'x\n'.repeat(50_001)}`
  for (const [text, words] of [
    ['', 'Choose a file'],
    ['name,identifier\n', 'no row'],
    ['\n\n', 'The file is empty'],
    ['identifier\nx\n', 'does not name name'],
    ['colour,identifier\nx,y\n', 'does not name name'],
    ['name,name\nx,y\n', 'names name twice'],
    ['name,customer name\nx,y\n', 'names name twice'],
    ['"name\nx,y\n', 'A quotation mark is opened in line 1'],
    [`name,${'x'.repeat(70_000)}\nx,y\n`, 'longer than 64 KiB'],
    [many, 'more than 50000 rows'],
  ] as const) {
    const page = await check(petra, text)
    t.equal(page.status, 422, words)
    t.match(page.error('file'), words)
  }
  const large = await petra.upload(customers, 'Check the file', csv(`name\n${'x'.repeat(10 * 1024 * 1024)}`))
  t.equal(large.status, 413)
  t.match(large.text, 'up to 10 MiB')
  await until('nothing is left', () => panel.db.select().from(imports).all().length === 0)
  t.same(panel.db.select().from(importRows).all(), [])
  const broken = await petra.postRaw(customers, 'nonsense', { 'content-type': 'multipart/form-data; boundary=x' })
  t.ok([400, 403].includes(broken.status), `${broken.status}`)
})

t.test('users are invited in bulk, with roles and projects of the account alone', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const uma = await panel.signIn('uma')
  await uma.submit('/projects', 'Create project', { name: 'Secret', identifier: 'secret' })
  await stella.submit('/customer/users', 'Invite', { name: 'Guest', email: 'guest@acme.example' })
  const checked = await check(
    stella,
    `name;e-mail;role;projects
Anna;anna@acme.example;admin;
Bert;bert@acme.example;user;website:reader shop
Tom;tom@acme.example;;
Guest;guest@acme.example;;
Uma;uma@umbrella.example;;
Anna;ANNA@acme.example;;
Carl;carl@acme.example;;secret
Dora;dora@acme.example;;website:owner
Eva;eva@acme.example;;website website
`,
    users,
  )
  for (const [row, words] of [
    ['Anna anna@', 'invites as Customer Admin'],
    ['Bert', 'gives access to Website (reader), Shop (user)'],
    ['Tom', 'Is a user of this account already'],
    ['Guest', 'Already invited'],
    ['Uma', 'invites as Customer User'],
    ['ANNA', 'stands in line 2 already'],
    ['Carl', 'This account has no project “secret”'],
    ['Dora', '“owner” is no project role'],
    ['Eva', 'stands here twice'],
  ] as const)
    t.match(checked.row(row), words, row)
  const done = await carryOut(panel, stella, checked)
  t.match(done.text, 'Result 3 done, 4 wrong and left out, 2 with nothing to change')
  const nora = panel.db.select().from(invitations).where(eq(invitations.email, 'bert@acme.example')).get()
  t.ok(nora)
})

t.test('what has changed since the dry run is named in the result, and the rest is done', async (t) => {
  const panel = await startApp(t)
  const [petra, olga] = [await panel.signIn('petra'), await panel.signIn('olga')]
  const checked = await check(petra, 'name,identifier,project limit\nOne,one,\nTwo,two,\nThree,three,9\n')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Taken', identifier: 'two' })
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { projects: '5' })
  const done = await carryOut(panel, petra, checked)
  t.match(done.text, 'Result 1 done, 2 failed')
  t.match(done.row('(two)'), /failed The identifier “two” is taken/)
  t.match(done.row('(three)'), /failed The pool has 3 projects available/)
  t.equal(panel.db.select().from(accounts).where(eq(accounts.identifier, 'three')).get(), undefined, 'nothing half')
})

t.test('imported customers get the default plan, and a limit that the file names wins over it', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/plans/new', 'Create plan', {
    planName: 'M',
    projects: '5',
    cores: '8',
    newCustomers: 'yes',
  })
  const checked = await check(
    petra,
    'name,identifier,project limit\nOne,one,\nTwo,two,2\nThree,three,unlimited\nFour,four,5\n',
  )
  t.match(checked.row('(one)'), 'creates the customer, applies the plan M')
  t.match(checked.row('(two)'), 'applies the plan M, limits it to 2 projects')
  t.match(checked.row('(three)'), 'applies the plan M, lifts its project limit')
  t.notMatch(checked.row('(four)'), 'limits it')
  await carryOut(panel, petra, checked)
  const limitsOf = async (identifier: string) => {
    const page = await petra.get(`/partner/customers/${identifier}/quotas`)
    return [page.value('projects'), page.value('cores')]
  }
  t.same(await limitsOf('one'), ['5', '8'])
  t.same(await limitsOf('two'), ['2', '8'])
  t.same(await limitsOf('three'), ['', '8'])
  t.match((await petra.get('/partner/customers/two/quotas')).row('Projects'), 'Plan M')

  // What the pool cannot give, and a plan that is gone, create nobody.
  const olga = await panel.signIn('olga')
  const late = await check(petra, 'name,identifier\nFive,five\n')
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '36' })
  t.match((await carryOut(panel, petra, late)).row('(five)'), 'failed The pool has 4 of Cores available')
  const later = await check(petra, 'name,identifier\nSix,six\n')
  await petra.submit('/partner/plans/1/removal', 'Delete plan')
  t.match((await carryOut(panel, petra, later)).row('(six)'), 'failed Its plan was deleted')
  for (const gone of ['five', 'six']) t.equal((await petra.get(`/partner/customers/${gone}`)).status, 404)
})

t.test('an import of another account is not found; who lost the right does not go on', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const [petra, riva, max, tom] = await Promise.all(
    (['petra', 'riva', 'max', 'tom'] as const).map((who) => panel.signIn(who)),
  )
  if (!petra || !riva || !max || !tom) return t.fail()
  const checked = await check(petra, 'name,identifier\nOne,one\n')
  const { id } = db.select().from(imports).get() ?? { id: 0 }
  t.equal((await riva.get(`${customers}/${id}`)).status, 404)
  t.equal((await riva.get(`${customers}/${id}?download=csv`)).status, 404)
  t.equal((await riva.post(`${customers}/${id}/start`)).status, 404)
  t.equal((await riva.post(`${customers}/${id}/removal`)).status, 404)
  t.equal((await petra.get(`${users}/${id}`)).status, 404, 'nor as users')
  t.equal((await max.get(customers)).status, 403)
  t.equal((await tom.get(users)).status, 403)

  const cloudhaus = accountId({ db }, 'cloudhaus')
  db.update(imports).set({ state: 'running' }).where(eq(imports.id, id)).run()
  db.update(memberships).set({ role: 'member' }).where(eq(memberships.accountId, cloudhaus)).run()
  const other = await panel.signIn('riva')
  const own = await other.upload(customers, 'Check the file', csv('name,identifier\nTwo,two\n'))
  await carryOut(panel, other, own)
  t.equal(db.select().from(imports).where(eq(imports.id, id)).get()?.state, 'stopped')
  t.equal(db.select().from(accounts).where(eq(accounts.identifier, 'one')).get(), undefined)
  t.ok(db.select().from(accounts).where(eq(accounts.identifier, 'two')).get())
  t.ok(checked)
})

t.test('after a crash an import continues where it was, and does each row once', { timeout: 120_000 }, async (t) => {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  const settings = { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent' }
  let panel = await startProcess(dataDir, { settings })
  t.teardown(() => panel.kill())
  const petra = panel.visit()
  await petra.logIn(cast.petra.email)
  // As many invitations as may go out at once.
  const admin = (n: number) => (n % 30 === 0 ? `Admin ${n},admin-${n}@x.example` : ',')
  const rows = Array.from({ length: 3_000 }, (_, n) => `Shop ${n},shop-${n},${admin(n)}\n`).join('')
  const checked = await petra.upload(
    customers,
    'Check the file',
    csv(`name,identifier,admin name,admin e-mail\n${rows}`),
  )
  await petra.press(checked, 'Import 3,000 customers')
  const running = await petra.open(checked.path)
  t.match(running.body, /<meta http-equiv=refresh content="2">/)
  t.notMatch(running.body, '<base ', 'its links are those that it writes out')
  t.match(running.text, /of 3,000 This page updates automatically/)
  await panel.kill()
  const half = count(dataDir, "SELECT count(*) FROM accounts WHERE identifier LIKE 'shop-%'")
  t.ok(half < 3_000, `it was killed after ${half}`)
  panel = await startProcess(dataDir, { settings })
  await until('it goes on', () => count(dataDir, "SELECT count(*) FROM imports WHERE state = 'done'") === 1)
  t.equal(count(dataDir, "SELECT count(*) FROM accounts WHERE identifier LIKE 'shop-%'"), 3_000)
  t.equal(count(dataDir, 'SELECT count(*) FROM invitations'), 100)
  t.equal(count(dataDir, "SELECT count(*) FROM import_rows WHERE state = 'done'"), 3_000)
  t.equal(count(dataDir, "SELECT count(*) FROM records WHERE kind = 'account.created'"), 3_000 + 6)
})

t.test('old imports go with their rows', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await check(petra, 'name,identifier\nOne,one\n')
  panel.db.update(imports).set({ createdAt: 1 }).run()
  panel.db
    .insert(imports)
    .values({
      accountId: accountId(panel, 'acme'),
      kind: 'users',
      fileName: 'x',
      createdBy: userId(panel, 'olga'),
      createdAt: Date.now(),
    })
    .run()
  await panel.close()
  const again = await startApp(t, { dataDir: panel.dataDir })
  await until('they are gone, and what was left unread', () => again.db.select().from(imports).all().length === 0)
  t.same(again.db.select().from(importRows).all(), [])
  t.ok(again.db.select().from(records).all().length > 0)
})

function count(dataDir: string, query: string): number {
  const sqlite = new Database(join(dataDir, 'panel.db'), { readonly: true })
  const n = sqlite.prepare(query).pluck().get() as number
  sqlite.close()
  return n
}

t.test('a running import is stopped: the rest is not carried out, and comes back as a file', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const lines = Array.from({ length: 3_000 }, (_, n) => `Shop ${n},shop-${n},note ${n}\n`).join('')
  const checked = await check(petra, `name,identifier,note\n,nameless,=cell\n${lines}`)
  t.match(checked.text, 'the panel has no such column: note.')
  await petra.press(checked, 'Import 3,000 customers')
  const running = await petra.open(checked.path)
  const stopped = await petra.press(running, 'Stop the import')
  t.equal(stopped.status, 303)
  const made = () => panel.db.select().from(accounts).all().length
  const then = made()
  await pause(300)
  t.equal(made(), then, 'nothing is created any more')
  const page = await petra.open(checked.path)
  t.match(page.text, /stopped 3,001 rows/)
  t.match(page.text, 'Somebody stopped it: the history says who.')
  t.match((await petra.open('/customer/history?account=cloudhaus')).text, 'stopped importing a file')
  t.equal((await petra.post(`${checked.path}/stopping`, { _account: 'cloudhaus' })).status, 409)

  const failed = (await petra.get(`${checked.path}?download=failed`)).body
  t.match(failed, /^\ufeffwhy it was not imported,name,identifier,note\r\n/)
  t.match(failed, "The name is missing.,,nameless,'=cell\r\n")
  t.match(failed, 'It was not carried out.,Shop 2999,shop-2999,note 2999\r\n')
  const { n } = { n: panel.db.select().from(importRows).where(eq(importRows.state, 'ready')).all().length }
  t.equal(failed.split('\r\n').length, n + 3, 'header, the wrong row, what is left, and an end')
  t.ok(
    panel.db
      .select()
      .from(importRows)
      .where(eq(importRows.state, 'done'))
      .all()
      .every(({ cells }) => cells === null),
  )

  const again = await check(petra, failed.replace(',nameless', 'Name,nameless'))
  t.match(again.text, `checked, not begun ${(n + 1).toLocaleString('en')} rows. Left out`, 'and why is no column')
  t.notMatch(again.text, 'such column: why')
  const [sent] = panel.db.select().from(importRows).where(eq(importRows.subject, 'Name (nameless)')).all()
  t.same(JSON.parse(sent?.cells ?? ''), ['Name', 'nameless', '=cell'])
  await carryOut(panel, petra, again)
  t.equal(made(), 7 + 3_001 - 1)
})

t.test('the invitations of an import are cancelled together, and no others', async (t) => {
  const panel = await startApp(t)
  const [stella, petra, uma] = await Promise.all((['stella', 'petra', 'uma'] as const).map((who) => panel.signIn(who)))
  if (!stella || !petra || !uma) return t.fail()
  await stella.submit('/customer/users', 'Invite', { name: 'Other', email: 'other@acme.example' })
  const people = Array.from({ length: 60 }, (_, n) => `P ${n},p${n}@acme.example\n`).join('')
  const done = await carryOut(panel, stella, await check(stella, `name,e-mail\n${people}`, users))
  t.match(done.text, '60 invitations that it sent are pending.')
  // One is accepted, one cancelled alone.
  const states = () =>
    Object.fromEntries(
      panel.db
        .select()
        .from(invitations)
        .all()
        .map((one) => [one.email, one.state]),
    )
  panel.db.update(invitations).set({ state: 'accepted' }).where(eq(invitations.email, 'p0@acme.example')).run()
  panel.db.update(letters).set({ state: 'sent' }).where(eq(letters.email, 'p0@acme.example')).run()
  await stella.submit('/customer/users?invited-q=p1@acme', 'Cancel', {}, 'p1@acme.example')

  const asked = await stella.press(await stella.open(done.path), 'Cancel its invitations')
  t.equal(asked.status, 200)
  t.match(asked.text, '58 pending invitations from list.csv will be cancelled')
  t.equal(states()['p2@acme.example'], 'pending', 'nothing has happened yet')
  const sent = await stella.press(asked, 'Cancel 58 pending invitations')
  t.match((await stella.open(sent.location ?? '')).notice, '58 invitations were cancelled.')
  const after = states()
  t.equal(after['p0@acme.example'], 'accepted')
  t.equal(after['other@acme.example'], 'pending')
  t.equal(Object.values(after).filter((state) => state === 'cancelled').length, 59)
  t.equal(panel.db.select().from(records).where(eq(records.kind, 'invitation.cancelled')).all().length, 59)
  t.same(
    panel.db
      .select()
      .from(letters)
      .all()
      .filter(({ state }) => state === 'waiting')
      .map(({ email }) => email),
    panel.db
      .select()
      .from(letters)
      .where(eq(letters.email, 'other@acme.example'))
      .all()
      .filter(({ state }) => state === 'waiting')
      .map(({ email }) => email),
  )
  t.equal((await uma.post(`${done.path}/invitations/cancellation`, { _account: 'umbrella' })).status, 404)

  const admins = 'name,identifier,admin name,admin e-mail\nOne,one,A,a@one.example\nTwo,two,B,b@two.example\n'
  const own = await carryOut(panel, petra, await check(petra, admins))
  const confirm = await petra.press(own, 'Cancel its invitations')
  await petra.press(confirm, 'Cancel 2 pending invitations')
  t.equal(states()['a@one.example'], 'cancelled')
})

t.test('a file is checked while others have their turn, and a discarded one is deleted so', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  let turns = 0
  let counting = true
  const count = () => {
    turns++
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  const lines = Array.from({ length: 10_000 }, (_, n) => `Shop ${n},shop-${n}\n`).join('')
  const page = await check(petra, `name,identifier\n${lines}`)
  t.ok(turns > 20, `${turns} turns while 10,000 rows were checked`)
  turns = 0
  await petra.press(page, 'Discard')
  t.equal((await petra.get(page.path)).status, 404, 'it is out of sight at once')
  await until('its rows are deleted', () => panel.db.select().from(imports).all().length === 0)
  counting = false
  t.ok(turns > 40, `${turns} turns while they were deleted`)
  t.same(panel.db.select().from(importRows).all(), [])
})
