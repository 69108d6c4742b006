import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { and, eq, inArray } from 'drizzle-orm'
import t from 'tap'
import type { AccountId } from '../../src/db/ids.ts'
import {
  accounts,
  importRows,
  imports,
  invitations,
  letters,
  memberships,
  notifications,
  projectAccess,
  projects,
  quotaRequests,
  records,
  serviceUsers,
  users,
} from '../../src/db/schema.ts'
import { accountId, type Client, type Page, type Panel, projectId, startApp, userId } from '../harness.ts'

// Acting on the last row of the last page leads to the page before it, not to an empty one.

t.setTimeout(600_000)

const many = 60

/** Fills every list beyond two pages. */
function fillLists({ db, app, dataDir }: Panel): void {
  const at = app.now()
  const [cloudhaus, acme] = [accountId({ db }, 'cloudhaus'), accountId({ db }, 'acme')]
  const petra = userId({ db }, 'petra')
  const website = projectId({ db }, 'website')
  const importOf = (accountId: AccountId, kind: 'customers' | 'users') =>
    db
      .insert(imports)
      .values({ accountId, kind, fileName: 'list.csv', state: 'ready', createdBy: petra, createdAt: at })
      .returning()
      .get().id
  const backups = join(dataDir, 'backups')
  mkdirSync(backups, { recursive: true })
  for (let n = 0; n < many; n++) {
    const named = { name: `Filler ${n}`, search: `filler ${n}`, createdAt: at }
    const customer = db
      .insert(accounts)
      .values({ ...named, kind: 'customer', partnerId: cloudhaus, identifier: `filler-${n}` })
      .returning()
      .get().id
    const direct = db
      .insert(accounts)
      .values({ ...named, kind: 'customer', identifier: `direct-${n}` })
      .returning()
      .get().id
    const request = { requestedBy: petra, reason: 'Filler', createdAt: at }
    for (const accountId of [customer, direct])
      db.insert(quotaRequests)
        .values({ ...request, accountId })
        .run()
    db.insert(quotaRequests)
      .values({ ...request, accountId: acme, state: 'cancelled', endedAt: at })
      .run()
    db.insert(memberships)
      .values({ accountId: customer, userId: petra, role: 'admin', createdAt: at, lastUsedAt: n })
      .run()
    db.insert(accounts)
      .values({ ...named, kind: 'customer', partnerId: cloudhaus, identifier: `gone-${n}`, deletedAt: at - n })
      .run()
    db.insert(projects)
      .values({ ...named, accountId: acme, identifier: `filler-${n}` })
      .run()
    db.insert(projects)
      .values({ ...named, accountId: acme, identifier: `gone-${n}`, deletedAt: at - n })
      .run()
    const email = `filler${n}@acme.example`
    const user = db
      .insert(users)
      .values({ ...named, email, emailKey: email, passwordHash: '' })
      .returning()
      .get().id
    db.insert(memberships)
      .values({ accountId: acme, userId: user, role: 'member', createdAt: at, lastUsedAt: at })
      .run()
    db.insert(projectAccess)
      .values({ accountId: acme, projectId: website, userId: user, role: 'user', createdAt: at })
      .run()
    const program = { email: '', emailKey: `service ${n}`, passwordHash: '', service: true }
    const { id: serviceUser } = db
      .insert(users)
      .values({ ...named, ...program })
      .returning()
      .get()
    db.insert(serviceUsers)
      .values({ userId: serviceUser, accountId: acme, role: 'member', search: '', sortKey: '', createdAt: at })
      .run()
    for (const accountId of [acme, customer])
      db.insert(records)
        .values({
          at,
          kind: 'account.renamed',
          accountId,
          actorId: petra,
          actorAccountId: cloudhaus,
          bySupport: false,
          change: '{}',
        })
        .run()
    db.insert(records)
      .values({
        at,
        kind: 'account.customer-described',
        accountId: cloudhaus,
        actorId: petra,
        actorAccountId: cloudhaus,
        bySupport: false,
        change: '{"customer":[null,"acme"],"changed":[null,"note"]}',
      })
      .run()
    const record = db
      .insert(records)
      .values({ at, kind: 'member.removed', accountId: acme, bySupport: true, userId: petra, change: '{}' })
      .returning()
      .get().id
    db.insert(notifications)
      .values({
        userId: petra,
        recordId: record,
        audience: 'parted',
        topic: 'access',
        accountId: acme,
        createdAt: at,
        mail: 'none',
      })
      .run()
    const guest = `guest${n}@acme.example`
    db.insert(invitations)
      .values({
        ...named,
        accountId: acme,
        email: guest,
        emailKey: guest,
        role: 'member',
        invitedBy: petra,
        sentAt: at,
        expiresAt: at + 3_600_000,
      })
      .run()
    db.insert(letters)
      .values({
        messageId: `<${n}@filler>`,
        email: guest,
        name: 'Guest',
        subject: 'Filler',
        search: 'filler',
        state: 'sent',
        createdAt: at,
        dueAt: at,
        giveUpAt: at,
      })
      .run()
    importOf(acme, 'users')
    importOf(cloudhaus, 'customers')
    writeFileSync(join(backups, `manual-2026-01-01T00-00-${String(n % 60).padStart(2, '0')}.000Z.db`), '')
  }
  for (const importId of [importOf(acme, 'users'), importOf(cloudhaus, 'customers')])
    for (let line = 1; line <= many; line++)
      db.insert(importRows)
        .values({ importId, line, input: '', subject: `Row ${line}`, state: 'wrong', words: 'Wrong.' })
        .run()
}

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
  const last = (who: 'acme' | 'cloudhaus') =>
    Math.max(
      ...panel.db
        .select({ id: imports.id })
        .from(imports)
        .innerJoin(accounts, eq(accounts.id, imports.accountId))
        .where(eq(accounts.identifier, who))
        .all()
        .map(({ id }) => id),
    )
  const clients = {
    petra: await panel.signIn('petra'),
    stella: await panel.signIn('stella'),
    olga: await panel.signIn('olga'),
  }
  const lists: string[] = []
  for (const { method, url } of panel.routes) {
    if (method !== 'GET' || /:token|download|\.csv|:letter|export|^\/assets/.test(url)) continue
    const who = /^\/(customer|projects)/.test(url) ? 'stella' : url.startsWith('/support') ? 'olga' : 'petra'
    const client = clients[who]
    const path = url
      .replace(':import', String(last(who === 'petra' ? 'cloudhaus' : 'acme')))
      .replace(':project', 'website')
      .replace(/:customer|:identifier/, 'acme')
      .replace(':user', '1')
    const page = await client.get(path)
    const onPage = page.root.querySelectorAll('.under-list').length
    if (page.status !== 200 || onPage === 0) continue
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
  const surplus = (names: string) => Array.from({ length: many }, (_, n) => `${names}${n}`)
  const acme = accountId({ db }, 'acme')
  const fillers = db
    .select()
    .from(users)
    .where(
      inArray(
        users.email,
        surplus('filler').map((name) => `${name}@acme.example`),
      ),
    )
    .all()
    .map(({ id }) => id)
  // The access of one cast user stands beside that of the fillers.
  db.delete(projectAccess)
    .where(inArray(projectAccess.userId, fillers.slice(keep - 2)))
    .run()
  db.update(invitations)
    .set({ state: 'cancelled' })
    .where(
      and(
        eq(invitations.accountId, acme),
        inArray(
          invitations.email,
          surplus('guest')
            .slice(keep)
            .map((name) => `${name}@acme.example`),
        ),
      ),
    )
    .run()
  db.update(projects)
    .set({ deletedAt: null })
    .where(inArray(projects.identifier, surplus('gone-').slice(keep)))
    .run()
  db.update(accounts)
    .set({ suspendedAt: 1, suspendedReason: 'X' })
    .where(inArray(accounts.identifier, surplus('filler-').slice(0, keep)))
    .run()

  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  for (const [who, path, button, prefix] of [
    [stella, '/projects/website', 'Remove', 'at'],
    [stella, '/customer/users', 'Cancel', 'invited-at'],
    [petra, '/partner/customers?status=suspended', 'Resume', 'at'],
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
  const names = first.root.querySelectorAll('main td.main code').map((cell) => cell.text.trim())
  panel.db.update(accounts).set({ suspendedAt: 1 }).where(inArray(accounts.identifier, names)).run()
  const previous = await petra.open(second.link('Previous') ?? '')
  t.same(previous.tableRows.length, 25)
  t.same(previous.tableRows, second.tableRows)
  t.notOk(previous.link('Previous'))
  t.ok(previous.link('Next'))
})

t.test('a download in which the last rows go while it is written holds no row twice', async (t) => {
  const panel = await startApp(t)
  const { everyRow, firstPage } = await import('../../src/db/list.ts')
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
