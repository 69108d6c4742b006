import { and, eq, inArray } from 'drizzle-orm'
import t from 'tap'
import { accounts, invitations, memberships, projectAccess, projects, users } from '../../src/db/schema.ts'
import { accountId, type Client, type Page, startApp } from '../harness.ts'
import { fillLists, guestEmail, many, pagesWithLists, personEmail } from './full-lists.ts'

// Acting on the last row of the last page leads to the page before it, not to an empty one.

t.setTimeout(600_000)

/** The lists of a page, by the prefix of their addresses, and the link of this kind of each. */
function links(page: Page, rel: 'next' | 'prev'): Map<string, string> {
  return new Map(
    page.root.querySelectorAll(`nav.paging a[rel="${rel}"]`).map((link) => {
      const href = link.getAttribute('href') ?? ''
      const prefix = [...new URL(href, 'http://x').searchParams.keys()].find((name) => name.endsWith('at')) ?? 'at'
      return [prefix, href]
    }),
  )
}

const rowsOf = (page: Page) =>
  page.root.querySelectorAll('main tbody tr, main .choices li, main .log > li, main .news li, main .card').length

/** The address of the page behind the last row: what the last page is once all its rows have gone. */
function behind(address: string, prefix: string): string {
  const url = new URL(address, 'http://x')
  const parts = JSON.parse(Buffer.from(url.searchParams.get(prefix) ?? '', 'base64url').toString())
  parts[2] = 'after'
  // Numbers are sorted the newest first, texts from A; lines of a file and open requests are counted up.
  const countsUp = ['import-rows', 'quota-requests'].includes(parts[0])
  parts[3] = typeof parts[3] === 'string' ? '\u{10ffff}' : countsUp ? 1e9 : -1
  parts[4] = countsUp ? 1e9 : 0
  url.searchParams.set(prefix, Buffer.from(JSON.stringify(parts)).toString('base64url'))
  return `${url.pathname}${url.search}`
}

t.test('every list shows its last page where the rows of the asked one have gone', async (t) => {
  const panel = await startApp(t)
  fillLists(panel)
  const { clients, pages } = await pagesWithLists(panel)
  const lists: string[] = []
  for (const { who, route: url, path, page, lists: onPage } of pages) {
    const client = clients[who]
    const next = links(page, 'next')
    t.equal(next.size, onPage, `${path}: the test fills each of its lists`)
    for (const [prefix, address] of next) {
      lists.push(`${url} ${prefix}`)
      let one = await client.get(address)
      for (let more = links(one, 'next').get(prefix); more; more = links(one, 'next').get(prefix))
        one = await client.get(more)
      const again = await client.get(behind(links(one, 'prev').get(prefix) ?? '', prefix))
      t.equal(again.status, 200, path)
      t.ok(links(again, 'prev').has(prefix), `${path} ${prefix}: Previous is there`)
      t.notOk(links(again, 'next').has(prefix), `${path} ${prefix}: and it is the last page`)
      t.ok(rowsOf(again) >= 25, `${path} ${prefix}: with its rows`)
    }
  }
  t.ok(lists.length >= 20, `${lists.length} lists`)
  for (const list of [
    '/customer/users at',
    '/customer/users invited-at',
    '/support/mail at',
    '/profile at',
    '/notifications at',
    '/customer/webhooks/:webhook at',
    '/support/webhooks/:webhook at',
  ])
    t.ok(lists.includes(list), list)
})

/** Goes to the last page of a list, acts there, and opens what it leads to. */
async function actOnTheLast(client: Client, path: string, button: string, prefix = 'at'): Promise<Page> {
  const next = links(await client.open(path), 'next').get(prefix)
  const last = await client.open(next ?? '')
  const row = last.root.querySelectorAll('main tbody tr').find((one) => one.text.includes(button))
  const within = row?.querySelector('td')?.text.replace(/\s+/g, ' ').trim() ?? ''
  const answer = await client.press(last, button, {}, within)
  return client.open(answer.location ?? '')
}

t.test('acting on the last row of the last page leads to the page before it', async (t) => {
  const panel = await startApp(t)
  fillLists(panel)
  const { db } = panel
  const keep = 26
  const numbers = Array.from({ length: many }, (_, n) => n)
  const acme = accountId({ db }, 'acme')
  const fillers = db
    .select()
    .from(users)
    .where(inArray(users.email, numbers.map(personEmail)))
    .all()
    .map(({ id }) => id)
  // The access of one cast user stands beside that of the fillers.
  db.delete(projectAccess)
    .where(inArray(projectAccess.userId, fillers.slice(keep - 2)))
    .run()
  db.update(invitations)
    .set({ state: 'cancelled' })
    .where(and(eq(invitations.accountId, acme), inArray(invitations.email, numbers.slice(keep).map(guestEmail))))
    .run()
  db.update(projects)
    .set({ deletedAt: null })
    .where(
      inArray(
        projects.identifier,
        numbers.slice(keep).map((n) => `gone-${n}`),
      ),
    )
    .run()
  db.update(accounts)
    .set({ supportSuspendedAt: 1, supportSuspendedReason: 'X' })
    .where(
      inArray(
        accounts.identifier,
        numbers.slice(0, keep).map((n) => `direct-${n}`),
      ),
    )
    .run()

  const [stella, olga] = [await panel.signIn('stella'), await panel.signIn('olga')]
  for (const [who, path, button, prefix] of [
    [stella, '/projects/website', 'Remove', 'at'],
    [stella, '/customer/users', 'Cancel', 'invited-at'],
    [olga, '/support/accounts?status=suspended', 'Resume', 'at'],
  ] as const satisfies [Client, string, string, string][]) {
    const before = rowsOf(await who.open(path))
    const after = await actOnTheLast(who, path, button, prefix)
    t.ok(after.notice, `${path}: ${after.notice}`)
    t.equal(rowsOf(after), before, `${path}: a page of rows, as the first one`)
    t.notOk(links(after, 'next').has(prefix))
    t.notOk(links(after, 'prev').has(prefix), 'one page is left, and it is the first')
  }
})

t.test('Previous of a page whose rows before it have gone shows the first page', async (t) => {
  const panel = await startApp(t)
  fillLists(panel)
  const petra = await panel.signIn('petra')
  const first = await petra.open('/partner/customers?status=active')
  const second = await petra.open(first.link('Next') ?? '')
  const names = first.nameCells.map((cell) => cell.querySelector('code')?.text.trim() ?? '')
  panel.db.update(accounts).set({ suspendedAt: 1 }).where(inArray(accounts.identifier, names)).run()
  const previous = await petra.open(second.link('Previous') ?? '')
  t.same(previous.tableRows.length, 25)
  t.same(previous.tableRows, second.tableRows)
  t.notOk(previous.link('Previous'))
  t.ok(previous.link('Next'))
})

t.test('a download in which the last rows go while it is written holds no row twice', async (t) => {
  const panel = await startApp(t)
  const { firstPage } = await import('../../src/db/list.ts')
  const { everyRow } = await import('../../src/db/turns.ts')
  const { listMembers, memberList } = await import('../../src/accounts/members/data.ts')
  fillLists(panel)
  const acme = accountId(panel, 'acme')
  const small = everyRow((query) => listMembers(panel.db, acme, { ...query, size: 25 }), firstPage(memberList))
  const read: number[] = []
  for (const { userId } of small) {
    read.push(userId)
    if (read.length !== 50) continue
    // What is left is behind the second page.
    const left = listMembers(panel.db, acme, { ...firstPage(memberList), size: 200 })
      .rows.map((member) => member.userId)
      .filter((id) => !read.includes(id))
    panel.db.delete(projectAccess).where(inArray(projectAccess.userId, left)).run()
    panel.db.delete(memberships).where(inArray(memberships.userId, left)).run()
  }
  t.equal(read.length, 50)
  t.equal(new Set(read).size, 50)
})
