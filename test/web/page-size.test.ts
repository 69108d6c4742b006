import { and, eq, like, notInArray } from 'drizzle-orm'
import t from 'tap'
import { accounts, limits, memberships, projects, resources, savedViews } from '../../src/db/schema.ts'
import { accountId, startApp, there, userId } from '../harness.ts'
import { fillLists, giveAccess, pagesWithLists, personEmail } from './full-lists.ts'

// A page with 50 rows is small before it is compressed: phones parse all of it, and slow lines carry the rest of it.

const most = 30_000

t.test('lists of 50 rows are small', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  fillLists(panel)
  // Somebody who works in three accounts, and projects of three people.
  const petra = userId(panel, 'petra')
  const few = ['cloudhaus', 'contoso-4', 'contoso-10'].map((identifier) => accountId(panel, identifier))
  db.delete(memberships)
    .where(and(eq(memberships.userId, petra), notInArray(memberships.accountId, few)))
    .run()
  const people = ['stella', 'tom', personEmail(1)].map((who) => userId(panel, who))
  for (const { id } of db.select().from(projects).where(like(projects.identifier, '%-%')).all())
    for (const person of people) giveAccess(panel, person, id)

  // Every customer has limits, which have meters.
  const resource = (key: string) => there(db.select().from(resources).where(eq(resources.key, key)).get()).id
  for (const { id } of db
    .select()
    .from(accounts)
    .where(eq(accounts.partnerId, accountId(panel, 'cloudhaus')))
    .all())
    for (const [key, amount] of [
      ['projects', 20],
      ['ram', 65_536],
    ] as const)
      db.insert(limits)
        .values({ level: 'account', accountId: id, resourceId: resource(key), amount, remark: '', setAt: 0 })
        .run()

  // Every project has limits, too, and more can be asked for.
  for (const { id } of db
    .select()
    .from(projects)
    .where(eq(projects.accountId, accountId(panel, 'acme')))
    .all())
    for (const [key, amount] of [
      ['cores', 8],
      ['ram', 16_384],
    ] as const)
      db.insert(limits)
        .values({
          level: 'project',
          accountId: accountId(panel, 'acme'),
          projectId: id,
          resourceId: resource(key),
          amount,
          remark: '',
          setAt: 0,
        })
        .run()

  // And a few views of their own.
  for (const [list, who, account] of [
    ['customers', 'petra', 'cloudhaus'],
    ['users', 'stella', 'acme'],
    ['users', 'petra', 'cloudhaus'],
    ['all-users', 'olga', null],
    ['accounts', 'olga', null],
  ] as const)
    for (let n = 0; n < 3; n++) {
      const of = { userId: userId(panel, who), accountId: account && accountId(panel, account), list }
      db.insert(savedViews)
        .values({ ...of, name: `Berlin ${n}`, search: `berlin ${n}`, query: 'sort=name' })
        .run()
    }

  const { clients, pages } = await pagesWithLists(panel, '?size=50')
  t.ok(pages.length >= 25, `${pages.length} pages`)
  for (const { who, route, path, page: long } of pages) {
    // Of a page with several lists, each begins with 25 rows.
    const page = long.tableRows.length > 60 ? await clients[who].get(path) : long
    const size = Buffer.byteLength(page.body)
    t.ok(size <= most, `${route}: ${size} bytes`)
  }

  // Ten views, as many as a list can have, with names as long as people give them.
  const longName = (n: number) => `Suspended since the last invoice, till ${n}`
  for (const [list, who, account, path] of [
    ['users', 'stella', 'acme', '/customer/users'],
    ['customers', 'petra', 'cloudhaus', '/partner/customers?size=50'],
  ] as const) {
    db.delete(savedViews).where(eq(savedViews.list, list)).run()
    const of = { userId: userId(panel, who), accountId: accountId(panel, account), list }
    for (let n = 0; n < 10; n++)
      db.insert(savedViews)
        .values({ ...of, name: longName(n), search: longName(n).toLowerCase(), query: 'status=suspended&sort=name' })
        .run()
    const page = await clients[who].get(path)
    t.match(page.text, longName(9))
    t.ok(Buffer.byteLength(page.body) <= most, `${path}, with ten views: ${Buffer.byteLength(page.body)} bytes`)
  }
})
