import { join } from 'node:path'
import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { named, searchText, sortKey } from '../../src/db/fold.ts'
import type { ListSpec } from '../../src/db/list.ts'
import { openDatabase } from '../../src/db/open.ts'
import { accounts } from '../../src/db/schema.ts'
import { findMatches } from '../../src/db/search.ts'
import type { cast } from '../../src/demo.ts'
import { emailKey } from '../../src/web/fields.ts'
import { accountId, type Client, newFolder, type Page, type Panel, startApp } from '../harness.ts'
import { unpackRelease } from '../releases/releases.ts'
import { isData, sources, src } from '../sources.ts'

// People type names as their keyboard lets them, and read lists in the order that they expect.

t.setTimeout(600_000)

const name = 'Łukasz Müller-Nguyễn O’Brien'
const typed = ['muller', 'MUELLER', 'Müller', 'müll', 'lukasz', 'ŁUKASZ', 'nguyen', "o'brien", 'O’Brien', 'obrien']

/** Where each list is read, who reads it, and under which prefix. */
const searched: Record<string, [who: keyof typeof cast, path: string, prefix?: string][]> = {
  customers: [['petra', '/partner/customers']],
  users: [
    ['stella', '/customer/users'],
    ['petra', '/partner/customers/acme/users'],
  ],
  'service-users': [['stella', '/customer/service-users']],
  invitations: [
    ['stella', '/customer/users', 'invited-'],
    ['petra', '/partner/customers/acme/users', 'invited-'],
  ],
  projects: [
    ['stella', '/projects'],
    ['stella', '/customer/projects'],
    ['stella', '/customer/quotas'],
    ['petra', '/partner/customers/acme/projects'],
  ],
  access: [['stella', '/projects/website']],
  'deleted-projects': [['stella', '/customer/projects/deleted']],
  'deleted-customers': [['petra', '/partner/deleted-customers']],
  'quota-requests': [
    ['petra', '/partner/quotas'],
    ['olga', '/support/quotas'],
  ],
  history: [
    ['stella', '/customer/history'],
    ['petra', '/partner/history'],
    ['olga', '/support/history'],
  ],
  'own-accounts': [
    ['stella', '/active-account'],
    ['stella', '/profile'],
  ],
  accounts: [['olga', '/support/accounts']],
  'all-users': [['olga', '/support/users']],
  letters: [['olga', '/support/mail']],
  'partner-requests': [['olga', '/support/accounts', 'requests-']],
  'import-rows': [['petra', '/partner/imports/1']],
}
/** Lists without a search, and why. */
const unsearched: Record<string, string> = {
  backups: 'file names of the panel’s own, in ASCII: backups.test.ts searches them',
  'own-requests': 'the requests of one account: all have its name',
  webhooks: 'addresses of machines, ten at most',
  deliveries: 'kinds of events, the newest first',
  imports: 'files of one account, the newest first',
  sessions: 'one’s own',
  notifications: 'one’s own, the newest first',
  'own-deleted-accounts': 'one’s own on Home',
  'invitations-to-me': 'one’s own on Home',
}

/** Every list of the code. */
async function listsOfTheCode(): Promise<ListSpec<never>[]> {
  const modules = sources
    .filter((file) => isData(file) || file.startsWith('mail/'))
    .map((file) => import(join(src, file)))
  return (await Promise.all(modules))
    .flatMap((module) => Object.values(module))
    .filter((one): one is ListSpec<never> => typeof one === 'object' && one !== null && 'sorts' in one)
}

/** Gives this name to somebody or something in every list. */
async function fill(panel: Panel): Promise<void> {
  const [petra, stella, dora] = await Promise.all(
    (['petra', 'stella', 'dora'] as const).map((who) => panel.signIn(who)),
  )
  if (!petra || !stella || !dora) throw new Error('somebody has not logged in')
  await petra.submit('/partner/customers', 'Create customer', { name, identifier: 'living' })
  await petra.submit('/partner/customers', 'Create customer', { name, identifier: 'gone' })
  await petra.submit('/partner/customers/gone/removal', 'Delete customer', { identifier: 'gone' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '9' })
  await petra.submit('/partner/imports', 'Check the file', { text: `name;identifier\n${name};from-a-file` })
  await stella.submit('/customer/users', 'Invite', { name, email: 'guest@acme.example' })
  await stella.submit('/customer/service-users', 'Create service user', { name })
  await stella.submit('/projects', 'Create project', { name, identifier: 'living' })
  await stella.submit('/projects', 'Create project', { name, identifier: 'gone' })
  await stella.submit('/projects/gone/removal', 'Delete project', { identifier: 'gone' })
  await stella.submit('/customer/quotas', 'Send request', { projects: '12', reason: 'Growth' })
  await stella.submit('/profile', 'Save name', { name })
  await stella.submit('/customer/account', 'Save name', { name })
  await dora.submit('/customer/account', 'Save name', { name })
  await dora.submit('/customer/account', 'Ask to become a partner')
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts/direct/quotas', 'Save quotas', { projects: '3' })
  await dora.submit('/customer/quotas', 'Send request', { projects: '12', reason: 'Growth' })
}

t.test('every list finds a name as people type it', async (t) => {
  const panel = await startApp(t)
  await fill(panel)
  const specs = await listsOfTheCode()
  t.ok(specs.length > 20, `${specs.length} lists`)
  t.same(
    [...new Set(specs.map((spec) => spec.name))].toSorted(),
    [...Object.keys(searched), ...Object.keys(unsearched)].toSorted(),
    'no list is forgotten here',
  )
  for (const [list, places] of Object.entries(searched))
    for (const [who, path, prefix = ''] of places) {
      const person = await panel.signIn(who)
      if (who === 'petra') await person.switchTo('cloudhaus')
      const found = async (q: string) => {
        const answer = await person.get(
          `${path}?${new URLSearchParams({ [`${prefix}q`]: q, [`${prefix}download`]: 'csv' })}`,
        )
        t.match(String(answer.response.headers['content-type']), 'text/csv', `${list} ${path}`)
        return answer.body.includes(name)
      }
      for (const q of typed) t.ok(await found(q), `${list} ${path} finds ${q}`)
      for (const q of ['mulller', 'nguyenn', 'nothing']) t.notOk(await found(q), `${list} ${path} does not find ${q}`)
    }
})

t.test('a name that is written with two letters is found by its umlaut, and not by the letter alone', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  for (const [n, each] of ['Mueller', 'Soerensen', 'Straße', 'Ærø'].entries())
    await petra.submit('/partner/customers', 'Create customer', { name: each, identifier: `x-${n}` })
  for (const [q, wanted] of [
    ['Müller', ['Mueller']],
    ['muller', []],
    ['Sørensen', ['Soerensen']],
    ['STRASSE', ['Straße']],
    ['aero', ['Ærø']],
    ['aeroe', ['Ærø']],
  ] as const)
    t.same(namesOf(await petra.get(`/partner/customers?q=${encodeURIComponent(q)}`)), wanted, q)
})

t.test('who somebody is does not follow what they are found by', (t) => {
  for (const [one, other] of [
    ['müller@x.example', 'muller@x.example'],
    ['o’brien@x.example', "o'brien@x.example"],
    ['weiß@x.example', 'weiss@x.example'],
    ['łukasz@x.example', 'lukasz@x.example'],
  ] as const)
    t.not(emailKey(one), emailKey(other), `${one} and ${other} are two`)
  t.end()
})

const order = [
  '10 Downing',
  'Ähre',
  'Apfel',
  'Kunde 2',
  'Kunde 3b',
  'Kunde 10',
  'Kunde 100',
  'Łódź',
  'Lübeck',
  'Zürich',
]

t.test('every list that is sorted by a name has that order', async (t) => {
  const sorts = (await listsOfTheCode()).flatMap(({ name, sorts }) =>
    Object.values(sorts).map(({ words, column }) => ({ list: name, words, column: column.name })),
  )
  const byName = sorts.filter(({ words }) => /name/i.test(words))
  t.ok(byName.length >= 6, `${byName.length} lists`)
  for (const { list, column } of byName) t.equal(column, 'sort_key', list)
  for (const { list, words, column } of sorts)
    t.notMatch(column, /^(name|search|email)$/, `${list}: ${words} would sort byte by byte`)
})

t.test('names are sorted as people read them: letters by their letter, numbers by their value', (t) => {
  t.same(
    [...order]
      .reverse()
      .toSorted((one, other) => Buffer.compare(Buffer.from(sortKey(one)), Buffer.from(sortKey(other)))),
    order,
  )
  const numbers = [
    '0',
    '1',
    '9',
    '10',
    '99',
    `1${'0'.repeat(8)}`,
    `1${'0'.repeat(9)}`,
    '9'.repeat(18),
    `1${'0'.repeat(18)}`,
    '9'.repeat(100),
  ]
  t.same(numbers.map(sortKey).toSorted(), numbers.map(sortKey), 'numbers of any length')
  t.equal(sortKey('Kunde 007'), sortKey('Kunde 7'))
  t.end()
})

t.test('every list that is sorted by name is sorted so, page by page, there and back', async (t) => {
  const panel = await startApp(t)
  const byName = (await listsOfTheCode()).filter(({ sorts }) => 'name' in sorts)
  for (const { name, sorts } of byName) t.equal(sorts.name?.column.name, 'sort_key', `${name} is sorted by its key`)
  t.same(byName.map(({ name }) => name).toSorted(), [
    'access',
    'accounts',
    'all-users',
    'customers',
    'projects',
    'service-users',
    // As everybody sees them, and as admins do.
    'users',
    'users',
  ])

  const many = [...order, ...Array.from({ length: 50 }, (_, n) => `Shop ${n}`)]
  const partnerId = accountId(panel, 'cloudhaus')
  for (const [n, each] of many.toReversed().entries()) {
    const row = { name: each, identifier: `x-${n}`, createdAt: 1, ...named(each, `x-${n}`) }
    panel.db
      .insert(accounts)
      .values({ ...row, kind: 'customer', partnerId })
      .run()
  }
  const petra = await panel.signIn('petra')
  const { there, back } = await walk(petra, '/partner/customers?sort=name')
  t.same(
    there.filter((each) => many.includes(each)),
    [...order.slice(0, 9), ...many.slice(10), 'Zürich'],
  )
  t.same(back, there)
})

t.test('a rename moves the row in every list that has it', async (t) => {
  const panel = await startApp(t)
  const [stella, olga] = [await panel.signIn('stella'), await panel.signIn('olga')]
  const people = async () => namesOf(await stella.get('/customer/users'))
  t.same(await people(), ['Stella', 'Tom'])
  await (await panel.signIn('tom')).submit('/profile', 'Save name', { name: 'Ägidius' })
  t.same(await people(), ['Ägidius', 'Stella'])
  t.same(namesOf(await stella.get('/projects/website')).slice(0, 2), ['Ägidius', 'Stella'])
  t.equal(namesOf(await olga.get('/support/users'))[0], 'Ägidius')
})

t.test('rows of an earlier version are found and sorted alike after its migration', (t) => {
  const dataDir = newFolder()
  unpackRelease('0.2.0', dataDir)
  const before = new Database(join(dataDir, 'panel.db'))
  for (const table of ['users', 'accounts', 'projects', 'invitations', 'letters'])
    before.prepare(`UPDATE ${table} SET name = ?, search = ? WHERE id = 1`).run('Müller 10', 'müller 10')
  before.prepare("UPDATE users SET search = '', deleted_at = 1 WHERE id = 3").run()
  before.close()

  const { db, close } = openDatabase(dataDir)
  t.teardown(close)
  const first = (table: string) =>
    db.get<Record<string, string>>(sql`select * from ${sql.identifier(table)} where id = 1`)
  for (const [table, other] of [
    ['users', 'email'],
    ['accounts', 'identifier'],
    ['projects', 'identifier'],
    ['invitations', 'email'],
  ] as const) {
    const row = first(table)
    t.equal(row.search, searchText('Müller 10', row[other] ?? ''), table)
    t.same(findMatches(db, table, sql`search`, 'mueller'), [1], `${table} has it in its index`)
    if (table !== 'invitations') t.equal(row.sort_key, 'muller 110', table)
  }
  t.ok(first('letters').search?.startsWith('muller 10\tmueller 10\n'))
  for (const copy of ['memberships', 'project_access'])
    t.same(
      db.all(sql`select search, sort_key from ${sql.identifier(copy)} except select search, sort_key from users`),
      [],
      `${copy} has the texts of its users`,
    )
  t.same(
    db.get(sql`select search, sort_key from users where id = 3`),
    { search: '', sort_key: '' },
    'what was erased stays so',
  )
  t.end()
})

/** The names of a list's rows, as the page shows them. */
const namesOf = (page: Page) =>
  page.nameCells.flatMap((cell) => cell.querySelectorAll(':is(.name, bdi)')).map((one) => one.text.trim())

async function walk(client: Client, path: string): Promise<{ there: string[]; back: string[] }> {
  let page = await client.open(path)
  const there = namesOf(page)
  for (let next = page.link('Next'); next; next = page.link('Next')) {
    page = await client.open(next)
    there.push(...namesOf(page))
  }
  const back = namesOf(page)
  for (let previous = page.link('Previous'); previous; previous = page.link('Previous')) {
    page = await client.open(previous)
    back.unshift(...namesOf(page))
  }
  return { there, back }
}
