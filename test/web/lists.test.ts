import { join } from 'node:path'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { searchText } from '../../src/db/fold.ts'
import { accounts, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Client, type Page, type Panel, startApp } from '../harness.ts'

// What all lists have in common: search, filters, sorts, pages; tried on the list of customers, and
// then on every other.

const list = '/partner/customers'

/** Adds customers of Cloudhaus with these names; identifiers are c-0, c-1 … */
function addCustomers({ db }: Panel, names: string[], more: (n: number) => object = () => ({})): void {
  const partnerId = accountId({ db }, 'cloudhaus')
  names.forEach((name, n) => {
    const identifier = `c-${n}`
    db.insert(accounts)
      .values({
        kind: 'customer',
        partnerId,
        name,
        identifier,
        search: searchText(name, identifier),
        createdAt: 1,
        ...more(n),
      })
      .run()
  })
}

const identifiers = (page: Page) => page.nameCells.map((cell) => cell.querySelector('code')?.text.trim() ?? '')

/** Follows Next from the first page to the last, and Previous back: what was seen on the way. */
async function walk(client: Client, path: string): Promise<{ there: string[]; back: string[] }> {
  let page = await client.open(path)
  const there = identifiers(page)
  for (let next = page.link('Next'); next; next = page.link('Next')) {
    page = await client.open(next)
    there.push(...identifiers(page))
  }
  const back = identifiers(page)
  for (let previous = page.link('Previous'); previous; previous = page.link('Previous')) {
    page = await client.open(previous)
    back.unshift(...identifiers(page))
  }
  return { there, back }
}

t.test('search finds any part of a word, in any case and script, in names and identifiers', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, [
    'Blumen Müller & Söhne',
    'Ελληνικός Οίκος',
    'Дом Книги',
    '東京 書店',
    'Straße 7',
    'a"b%c_d',
    'Ab',
  ])
  const petra = await panel.signIn('petra')
  for (const [q, wanted] of [
    ['üll', ['c-0']],
    ['MÜLL söh', ['c-0']],
    ['u\u0308ller', ['c-0']],
    ['söhne blumen', ['c-0']],
    ['ΝΙΚΌΣ', ['c-1']],
    ['ΟΊΚΟΣ', ['c-1']],
    ['книг', ['c-2']],
    ['東京', ['c-3']],
    ['京 書店', ['c-3']],
    ['STRASSE', ['c-4']],
    ['"b%c_', ['c-5']],
    ['%', ['c-5']],
    ['"', ['c-5']],
    ['b', ['acme-not', 'c-6', 'c-5', 'c-0']],
    ['c-4', ['c-4']],
    ['C-', ['c-6', 'c-5', 'c-4', 'c-3', 'c-2', 'c-1', 'c-0']],
    ['acm', ['acme']],
    ['acme nothing', []],
    ['AND OR NOT * ^ :', []],
    ['\u0000"', ['c-5']],
  ] as const) {
    const page = await petra.get(`${list}?q=${encodeURIComponent(q)}`)
    t.same(
      identifiers(page),
      wanted.filter((one) => one !== 'acme-not'),
      q,
    )
    t.equal(page.value('q'), q.replace('\u0000', '\u0000').trim(), 'the box stays filled')
  }
})

t.test('what is rare and what is frequent in the installation is found alike', async (t) => {
  const panel = await startApp(t)
  addCustomers(
    panel,
    Array.from({ length: 700 }, (_, n) => (n % 7 ? `Frequent shop ${n}` : `Rare needle ${n}`)),
  )
  const petra = await panel.signIn('petra')
  t.match((await petra.get(`${list}?q=frequent`)).text, '600 customers found for “frequent”')
  t.match((await petra.get(`${list}?q=eedle`)).text, '100 customers found')
  t.same(identifiers(await petra.get(`${list}?q=needle+693`)), ['c-693'])
  t.same(identifiers(await petra.get(`${list}?q=FREQ+699`)), ['c-699'])
  const { there, back } = await walk(petra, `${list}?q=needle`)
  t.equal(new Set(there).size, 100)
  t.same(back, there)
  await petra.submit('/active-account', 'Search', {})
  const riva = await panel.signIn('riva')
  for (const q of ['needle', 'frequent', 'ac']) t.match((await riva.get(`${list}?q=${q}`)).text, 'Nothing matches')
})

t.test('what was renamed or deleted is found by its new name alone', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await stella.submit('/customer/account', 'Save name', { name: 'Zebra' })
  t.match((await petra.get(`${list}?q=ebr`)).text, '1 customer found')
  await stella.submit('/profile', 'Save name', { name: 'Estelle' })
  t.match((await stella.get('/customer/users?q=telle')).text, '1 user found')
  t.match((await petra.get(`${list}/acme/users?q=telle`)).text, '1 user found')
  t.match((await stella.get('/projects/website?q=telle')).text, '1 person has access found')
  t.match((await olga.get('/support/users?q=telle')).text, '1 user found')
  t.notMatch((await olga.get('/support/users?q=Stella@')).text, 'Nothing matches', 'the e-mail is the same')
  const nils = await panel.signIn('nils')
  await nils.submit('/profile/removal', 'Delete my user', { email: cast.nils.email })
  t.match((await olga.get('/support/users?q=nowhere')).text, 'Nothing matches')
})

t.test('every sort pages through all rows once, there and back, with equal values too', async (t) => {
  const panel = await startApp(t)
  addCustomers(
    panel,
    Array.from({ length: 131 }, (_, n) => `Same ${n % 3}`),
  )
  const petra = await panel.signIn('petra')
  for (const sort of ['created', 'name', 'identifier']) {
    for (const size of ['25', '50', '100', '200']) {
      const { there, back } = await walk(petra, `${list}?sort=${sort}&size=${size}`)
      t.equal(there.length, 133, `${sort} ${size}`)
      t.equal(new Set(there).size, 133)
      t.same(back, there)
    }
  }
  const { there } = await walk(petra, `${list}?sort=identifier`)
  t.same(there, [...there].sort())
  const first = await petra.open(list)
  t.notOk(first.link('Previous'))
  t.notOk(first.link('First'))
  t.match(first.text, '133 customers')
})

t.test('rows that come or go while somebody pages move no other row to another page', async (t) => {
  const panel = await startApp(t)
  addCustomers(
    panel,
    Array.from({ length: 60 }, (_, n) => `Shop ${n}`),
  )
  const petra = await panel.signIn('petra')
  const first = await petra.open(list)
  for (let n = 0; n < 5; n++) await petra.submit(list, 'Create customer', { name: `New ${n}`, identifier: `new-${n}` })
  const second = await petra.open(first.link('Next') ?? '')
  t.equal(identifiers(second)[0], `c-${Number(identifiers(first).at(-1)?.slice(2)) - 1}`)
})

t.test('the total is right after every write, by this process and by another', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, Array(30).fill('Many'))
  const petra = await panel.signIn('petra')
  const total = async () => (await petra.get(list)).root.querySelector('.count')?.text.split(' of ').at(-1)
  t.equal(await total(), '32 customers')
  t.equal(await total(), '32 customers')
  await petra.submit(list, 'Create customer', { name: 'One more', identifier: 'one-more' })
  t.equal(await total(), '33 customers')

  const other = new Database(join(panel.dataDir, 'panel.db'))
  other.exec(
    "INSERT INTO accounts (kind, name, identifier, search, partner_id, created_at) SELECT 'customer', 'By another', 'by-another', 'by another', partner_id, 1 FROM accounts WHERE identifier = 'acme'",
  )
  other.close()
  t.equal(await total(), '34 customers')
})

t.test('filters narrow a list down, stand in the address, and are kept over paging and acts', async (t) => {
  const panel = await startApp(t)
  const day = 24 * 3_600_000
  addCustomers(
    panel,
    Array.from({ length: 60 }, (_, n) => `Shop ${n}`),
    (n) => ({ createdAt: Date.parse('2026-03-01') + n * day }),
  )
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  await petra.submit('/partner/customers/initech/suspension', 'Suspend', { reason: 'X' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '10', projects: '1' })
  const found = async (query: string) => identifiers(await petra.get(`${list}?${query}`))
  t.same(await found('status=suspended'), ['initech'])
  t.same((await found('status=active&size=200')).includes('initech'), false)
  t.same(await found('limits=over'), ['acme'], 'two projects of one')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '3' })
  t.same(await found('limits=over'), [])
  t.same(await found('limits=near'), [])
  await stella.submit('/projects/website', 'Save quotas', { cores: '8' })
  t.same(await found('limits=near'), ['acme'])
  t.equal((await found('admin=none&size=200')).length, 60)
  t.same(await found('from=2026-03-03&until=2026-03-04'), ['c-3', 'c-2'])
  t.same(await found('from=2026-03-03&until=2026-03-04&q=shop+3'), ['c-3'])
  const bad = await petra.get(`${list}?from=tomorrow`)
  t.match(bad.error('from'), 'Enter a day')

  const filtered = await petra.open(`${list}?status=active&q=shop&sort=name`)
  t.match(filtered.link('Next'), /q=shop.*status=active.*sort=name|status=active/)
  t.equal(filtered.root.querySelector('select[name="status"] option[selected]')?.getAttribute('value'), 'active')
  const next = await petra.open(filtered.link('Next') ?? '')
  const [row = ''] = identifiers(next)
  await petra.submit(`${list}/${row}/suspension`, 'Suspend', { reason: 'X' })
  const suspended = await petra.open(`${list}?status=suspended&q=shop`)
  const after = await petra.press(suspended, 'Resume', {}, row)
  t.equal(after.location, `${list}?status=suspended&q=shop`, 'one is back where one was')
  t.match((await petra.open(after.location ?? '')).text, `Nothing matches “shop” with these filters`)
})

t.test('what an address cannot ask of a list is said, and shows nothing', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  addCustomers(
    panel,
    Array.from({ length: 60 }, (_, n) => `Shop ${n}`),
  )
  const next = (await petra.open(list)).link('Next') ?? ''
  const cursor = new URL(next, 'http://x').searchParams.get('at') ?? ''
  const encode = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url')
  for (const query of [
    'status=purple',
    'limits=__proto__',
    'sort=password_hash',
    'sort=constructor',
    'size=24',
    'size=1000000',
    'size=-1',
    'size=1e2',
    'at=nonsense',
    `at=${cursor.slice(0, -3)}`,
    `at=${cursor}&sort=name`,
    `at=${encode(['history', 'created', 'after', 1, 1])}`,
    `at=${encode(['customers', 'created', 'sideways', 1, 1])}`,
    `at=${encode(['customers', 'created', 'after', { a: 1 }, 1])}`,
    `at=${encode(['customers', 'created', 'after', 1, 'x'])}`,
    `at=${encode(['customers', 'created', 'after', 1, 1e300])}`,
    `at=${encode({})}`,
  ]) {
    const page = await petra.get(`${list}?${query}`)
    t.equal(page.status, 400, query)
    t.match(page.text, 'This address cannot be read')
  }
  t.equal((await petra.get(`/customer/users?at=${cursor}`)).status, 400, 'a cursor of another list')
  const foreign = await (await panel.signIn('riva')).get(`${list}?at=${cursor}`)
  t.same(
    identifiers(foreign).filter((one) => one !== 'umbrella'),
    [],
    'another’s cursor shows one’s own rows',
  )
})

t.test('each list is searched, narrowed down and sorted by what it has', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await stella.submit('/customer/users', 'Invite', { name: 'Zoë Guest', email: 'zoe@guests.example' })
  panel.db.update(users).set({ disabledAt: 1 }).where(eq(users.email, cast.uma.email)).run()
  for (const [who, path, words] of [
    [stella, '/customer/users?role=admin', '1 user found'],
    [stella, '/customer/users?q=tom&role=member', '1 user found'],
    [stella, '/customer/users?sort=joined', '2 users'],
    [stella, '/customer/users?invited-q=zoë', 'Zoë Guest'],
    [stella, '/customer/users?invited-q=nobody', 'Nothing matches “nobody”'],
    [stella, '/projects?q=web', '1 project found'],
    [stella, '/projects?sort=name', '2 projects'],
    [stella, '/customer/quotas?q=web', '1 project found'],
    [stella, '/customer/history?q=website', 'created the project Website'],
    [stella, '/customer/history?q=guests', 'invited zoe@guests.example'],
    [stella, '/customer/history?q=zzz', 'Nothing matches'],
    [petra, '/partner/history?q=initech', 'created Initech'],
    [petra, '/partner/history?q=umbrella', 'Nothing matches'],
    [olga, '/support/accounts?kind=partner', '2 accounts found'],
    [olga, '/support/accounts?kind=customer&admin=none', '1 account found'],
    [olga, '/support/accounts?q=umb&sort=name', '1 account found'],
    [olga, '/support/users?status=disabled', '1 user found'],
    [olga, '/support/users?kind=support', '1 user found'],
    [olga, '/support/users?sort=created', '10 users'],
    [olga, '/support/mail?q=zoe', '1 e-mail found'],
    [olga, '/support/mail?state=failed', 'Nothing matches these filters'],
    [olga, '/support/history?q=umbrella&family=account', '1 record found'],
  ] as const) {
    const page = await who.get(path)
    t.equal(page.status, 200, path)
    t.match(page.text, words, path)
  }
  t.match((await stella.get('/customer/users?role=owner')).status, 400)
})

t.test('the switcher shows the ten last used accounts, and finds the rest without JavaScript', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  addCustomers(
    panel,
    Array.from({ length: 14 }, (_, n) => `Shop ${n}`),
  )
  for (let n = 0; n < 14; n++) await petra.submit(`${list}/c-${n}/users`, 'Add Myself')
  const home = await petra.open('/')
  t.equal(home.switcher.length, 10)
  const found = await petra.press(home, 'Search', { q: 'shop 0' }, undefined)
  t.match(found.text, 'Shop 0')
  await petra.submit('/active-account?q=shop+0', 'Shop 0 c-0')
  t.same(
    (await petra.open('/')).switcher.slice(0, 3),
    ['Cloudhaus', 'Shop 0', 'Shop 13'],
    'her partner account is first',
  )
})
