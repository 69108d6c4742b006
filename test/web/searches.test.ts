import t from 'tap'
import { fold } from '../../src/db/fold.ts'
import { accounts, invitations, letters, projects, users } from '../../src/db/schema.ts'
import { type Client, type Page, type Panel, startApp } from '../harness.ts'

// A search that finds rows by what it does not show tells it all the same, letter by letter. So every page of the
// running application is asked, by everybody who may open it, for every text that the database holds.

t.setTimeout(600_000)

/** Acts whose traces are in lists: names that say nothing of the e-mails and identifiers beside them. */
async function fill(panel: Panel): Promise<void> {
  const [petra, stella, olga, riva, tom] = await Promise.all(
    (['petra', 'stella', 'olga', 'riva', 'tom'] as const).map((who) => panel.signIn(who)),
  )
  if (!petra || !stella || !olga || !riva || !tom) throw new Error('somebody has not logged in')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Blue Horizon', identifier: 'bx-77' })
  await petra.submit('/partner/customers/bx-77/users', 'Invite', {
    name: 'Hank Grey',
    email: 'h.g@bluehorizon.example',
  })
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Red Dune', identifier: 'rd-11' })
  await stella.submit('/customer/users', 'Invite', { name: 'Greta Green', email: 'gg@acme.example' })
  await stella.submit('/projects', 'Create project', { name: 'Intranet', identifier: 'px-55' })
  await stella.submit('/projects', 'Create project', { name: 'Old Shop', identifier: 'ox-33' })
  await stella.submit('/projects/ox-33/removal', 'Delete project', { identifier: 'ox-33' })
  await tom.submit('/profile', 'Save name', { name: 'Thomas Brown' })
  await olga.post('/support/accounts/acme/suspension', { reason: 'A test' })
  await olga.post('/support/accounts/acme/suspension/removal')
  await olga.post('/support/accounts/umbrella/suspension/removal')
  await riva.submit('/partner/customers/umbrella/users', 'Add Myself')
}

/** Every text that people and things are known by. */
function textsOf({ db }: Panel): string[] {
  const texts = [
    db.select({ a: users.name, b: users.email }).from(users).all(),
    db.select({ a: accounts.name, b: accounts.identifier }).from(accounts).all(),
    db.select({ a: projects.name, b: projects.identifier }).from(projects).all(),
    db.select({ a: invitations.name, b: invitations.email }).from(invitations).all(),
    db.select({ a: letters.subject, b: letters.email }).from(letters).all(),
  ].flatMap((rows) => rows.flatMap(({ a, b }) => [a, b]))
  return [...new Set(texts.map(fold))].filter(Boolean)
}

const own: Record<string, string[]> = {
  customer: ['acme', 'umbrella'],
  project: ['website', 'shop'],
  identifier: ['acme'],
}

/** A route’s addresses: with every object of these kinds, which may be one’s own or not. */
function addressesOf(url: string): string[] {
  const [, name] = /:(\w+)/.exec(url) ?? []
  if (!name) return [url]
  return (own[name] ?? ['1']).flatMap((value) => addressesOf(url.replace(`:${name}`, value)))
}

/** What a page lists: of a card with a table in it, the card. */
const rowsOf = (page: Page): string[] =>
  page.root
    .querySelectorAll('main tbody tr, main li, main .checks label, main .card')
    .filter((row) => !row.parentNode?.closest('main .card'))
    .map((row) => fold(row.textContent.replace(/\s+/g, ' ')))

async function find(who: Client, path: string, name: string, text: string): Promise<string[]> {
  return rowsOf(await who.get(`${path}?${new URLSearchParams({ [name]: text })}`))
}

t.test('every list finds rows by what it shows of them, and by nothing else', async (t) => {
  const panel = await startApp(t)
  await fill(panel)
  const texts = textsOf(panel)
  // What is searched in, whether or not a list is long enough to show its field now.
  const names = ['q', 'invited-q', 'person', 'find']
  const searched = new Set<string>()
  const leaks = new Set<string>()

  for (const key of ['nils', 'tom', 'stella', 'max', 'petra', 'olga'] as const) {
    const who = await panel.signIn(key)
    if (key === 'petra') await who.switchTo('cloudhaus')
    for (const { url } of panel.routes.filter(({ method }) => method === 'GET')) {
      if (/\/healthz|\/metrics|\/assets|\*|\/profile\/data|\/export/.test(url)) continue
      for (const path of addressesOf(url)) {
        const page = await who.get(path)
        if (page.status !== 200 || !String(page.response.headers['content-type']).startsWith('text/html')) continue
        for (const input of page.root.querySelectorAll('main input[type="search"]'))
          t.ok(
            names.includes(input.getAttribute('name') ?? ''),
            `${path} ${input.getAttribute('name')} is searched here`,
          )
        for (const name of names) {
          const without = await find(who, path, name, 'nothing has this text')
          if (rowsOf(page).every((row) => without.includes(row))) continue
          // What is new at every look, such as the secret of a second factor, was not found.
          if (String(await find(who, path, name, 'nothing has this text')) !== String(without)) continue
          for (const text of texts) {
            const found = (await find(who, path, name, text)).filter((row) => !without.includes(row))
            if (found.length > 0) searched.add(`${name} ${url}`)
            // Support sees e-mails and identifiers on pages of its own, of everybody.
            if (url === '/support/history') continue
            for (const row of found) if (!row.includes(text)) leaks.add(`${key} ${path} ${name}: ${text}`)
          }
        }
      }
    }
  }
  t.same([...leaks].slice(0, 20), [])
  for (const list of [
    'q /customer/users',
    'invited-q /customer/users',
    'q /customer/history',
    'person /customer/history',
    'q /partner/history',
    'person /partner/history',
    'q /partner/customers',
    'q /partner/customers/:customer/users',
    'q /partner/customers/:customer/projects',
    'q /projects',
    'q /projects/:project',
    'find /projects/:project',
    'q /customer/projects',
    'q /active-account',
    'q /support/accounts',
    'q /support/users',
    'q /support/mail',
    'q /support/history',
  ])
    t.ok(searched.has(list), `${list} was searched`)
})

t.test('a history does not reveal the e-mail of the people who acted in it', async (t) => {
  const panel = await startApp(t)
  await fill(panel)
  const [stella, petra, olga] = [await panel.signIn('stella'), await panel.signIn('petra'), await panel.signIn('olga')]
  for (const name of ['q', 'person'])
    for (const text of ['petra@cloudhaus', 'cloudhaus.example', 'olga@', '@meshpanel']) {
      t.same((await stella.get(`/customer/history?${name}=${text}`)).tableRows, [], `${name} ${text}`)
      t.same((await stella.get(`/customer/history?download=csv&${name}=${text}`)).body.trim().split('\n').length, 1)
    }
  t.ok((await stella.get('/customer/history?person=petra')).tableRows.length > 0)
  await petra.switchTo('cloudhaus')
  t.ok((await petra.get('/partner/history?person=petra')).tableRows.length > 0)
  t.same((await petra.get('/partner/history?person=petra@cloudhaus')).tableRows, [])
  t.ok((await olga.get('/support/history?person=petra@cloudhaus')).tableRows.length > 0, 'Support sees it elsewhere')
})
