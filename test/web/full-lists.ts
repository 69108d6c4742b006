import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AccountId, ProjectId, UserId } from '../../src/db/ids.ts'
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
import { accountId, type Page, type Panel, projectId, userId } from '../harness.ts'
import { addFailedDelivery, addWebhook } from '../webhooks/receiver.ts'

export const many = 60

/** Fills every list beyond two pages, with names and identifiers as long as those of many a business. */
export function fillLists(panel: Panel): void {
  for (let n = 0; n < many; n++) {
    fillCustomers(panel, n)
    fillPeople(panel, n)
    fillHistory(panel, n)
  }
  fillImports(panel)
  fillWebhooks(panel)
}

/** The deliveries of a webhook of Acme, and of one of Support. */
function fillWebhooks(panel: Panel): void {
  for (const owner of [accountId(panel, 'acme'), null]) {
    const { id } = addWebhook(panel, owner, 'https://x.example', 'import.stopped')
    for (let n = 0; n < many; n++) addFailedDelivery(panel, id)
  }
}

const businesses = [
  ['Bäckerei Müller', 'baeckerei-mueller'],
  ['Nordlicht IT', 'nordlicht-it'],
  ['Autohaus Schäfer AG', 'autohaus-schaefer'],
  ['Kanzlei Roth', 'kanzlei-roth'],
  ['Contoso', 'contoso'],
  ['Zahnarztpraxis Dr. Weber', 'zahnarzt-weber'],
] as const

/** As long as those of many a business. */
function businessOf({ app }: Panel, n: number) {
  const [name, identifier] = businesses[n % businesses.length] ?? businesses[0]
  const named = { name: `${name} ${n}`, search: `${name.toLowerCase()} ${n}`, createdAt: app.now() }
  return { named, identifier: `${identifier}-${n}` }
}

export const personEmail = (n: number) => `maria.mueller.${n}@baeckerei.example`
export const guestEmail = (n: number) => `guest${n}@baeckerei.example`

function fillCustomers(panel: Panel, n: number): void {
  const { db, app } = panel
  const at = app.now()
  const [cloudhaus, acme, petra] = [accountId(panel, 'cloudhaus'), accountId(panel, 'acme'), userId(panel, 'petra')]
  const { named, identifier } = businessOf(panel, n)
  const customerOf = (identifier: string, more: object = {}) =>
    db
      .insert(accounts)
      .values({ ...named, kind: 'customer', identifier, ...more })
      .returning()
      .get().id
  const customer = customerOf(identifier, { partnerId: cloudhaus })
  const direct = customerOf(`direct-${n}`)
  customerOf(`gone-${n}`, { partnerId: cloudhaus, deletedAt: at - n })
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
  db.insert(projects)
    .values({ ...named, accountId: acme, identifier })
    .run()
  db.insert(projects)
    .values({ ...named, accountId: acme, identifier: `gone-${n}`, deletedAt: at - n })
    .run()
}

function fillPeople(panel: Panel, n: number): void {
  const { db, app } = panel
  const at = app.now()
  const acme = accountId(panel, 'acme')
  const person = { name: `Maria Müller ${n}`, search: `maria müller ${n}`, createdAt: at }
  const email = personEmail(n)
  const user = db
    .insert(users)
    .values({ ...person, email, emailKey: email, passwordHash: '', emailProvedAt: at })
    .returning()
    .get().id
  db.insert(memberships).values({ accountId: acme, userId: user, role: 'member', createdAt: at, lastUsedAt: at }).run()
  giveAccess(panel, user, projectId(panel, 'website'))
  const program = { ...person, email: '', emailKey: `service ${n}`, passwordHash: '', service: true }
  const { id: serviceUser } = db.insert(users).values(program).returning().get()
  db.insert(serviceUsers)
    .values({ userId: serviceUser, accountId: acme, role: 'member', search: '', sortKey: '', createdAt: at })
    .run()
  const guest = guestEmail(n)
  db.insert(invitations)
    .values({
      ...person,
      accountId: acme,
      email: guest,
      emailKey: guest,
      role: 'member',
      invitedBy: userId(panel, 'petra'),
      sentAt: at,
      expiresAt: at + 3_600_000,
    })
    .run()
  db.insert(letters)
    .values({
      messageId: `<${n}@filler>`,
      email: guest,
      name: person.name,
      subject: 'Stella Stone invites you to Acme',
      search: 'filler',
      state: 'sent',
      createdAt: at,
      dueAt: at,
      giveUpAt: at,
    })
    .run()
}

/** Gives somebody of Acme access to one of its projects. */
export function giveAccess(panel: Panel, userId: UserId, projectId: ProjectId): void {
  panel.db
    .insert(projectAccess)
    .values({ accountId: accountId(panel, 'acme'), projectId, userId, role: 'user', createdAt: panel.app.now() })
    .run()
}

function fillHistory(panel: Panel, n: number): void {
  const { db, app } = panel
  const at = app.now()
  const [cloudhaus, acme, petra] = [accountId(panel, 'cloudhaus'), accountId(panel, 'acme'), userId(panel, 'petra')]
  const customer = accountId(panel, businessOf(panel, n).identifier)
  const act = { at, actorId: petra, actorAccountId: cloudhaus, bySupport: false }
  for (const accountId of [acme, customer])
    db.insert(records)
      .values({ ...act, kind: 'account.renamed', accountId, change: '{}' })
      .run()
  db.insert(records)
    .values({
      ...act,
      kind: 'account.customer-described',
      accountId: cloudhaus,
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
}

function fillImports(panel: Panel): void {
  const { db, app, dataDir } = panel
  const importOf = (accountId: AccountId, kind: 'customers' | 'users') =>
    db
      .insert(imports)
      .values({
        accountId,
        kind,
        fileName: 'list.csv',
        state: 'ready',
        createdBy: userId(panel, 'petra'),
        createdAt: app.now(),
      })
      .returning()
      .get().id
  const backups = join(dataDir, 'backups')
  mkdirSync(backups, { recursive: true })
  for (let n = 0; n < many; n++) {
    importOf(accountId(panel, 'acme'), 'users')
    importOf(accountId(panel, 'cloudhaus'), 'customers')
    writeFileSync(join(backups, `manual-2026-01-01T00-00-${String(n).padStart(2, '0')}.000Z.db`), '')
  }
  for (const importId of [
    importOf(accountId(panel, 'acme'), 'users'),
    importOf(accountId(panel, 'cloudhaus'), 'customers'),
  ])
    for (let line = 1; line <= many; line++)
      db.insert(importRows)
        .values({ importId, line, input: '', subject: `Row ${line}`, state: 'wrong', words: 'Wrong.' })
        .run()
}

/** Every page with lists: who opens it, its address, how many lists it has, and as it is. */
export async function pagesWithLists(panel: Panel, query = '') {
  const { db, routes } = panel
  const lastImport = { acme: 0, cloudhaus: 0 }
  for (const { id, accountId: of } of db.select().from(imports).all())
    lastImport[of === accountId(panel, 'acme') ? 'acme' : 'cloudhaus'] = id
  const pages: { who: 'petra' | 'stella' | 'olga'; route: string; path: string; page: Page; lists: number }[] = []
  const clients = {
    petra: await panel.signIn('petra'),
    stella: await panel.signIn('stella'),
    olga: await panel.signIn('olga'),
  }
  for (const { method, url } of routes) {
    if (method !== 'GET' || /:token|download|\.csv|:letter|export|^\/assets/.test(url)) continue
    const who = /^\/(customer|projects)/.test(url) ? 'stella' : url.startsWith('/support') ? 'olga' : 'petra'
    const path = url
      .replace(':import', String(lastImport[who === 'petra' ? 'cloudhaus' : 'acme']))
      .replace(':project', 'website')
      .replace(/:customer|:identifier/, 'acme')
      .replace(':user', '1')
      .replace(':webhook', who === 'olga' ? '2' : '1')
    const page = await clients[who].get(path + query)
    const lists = page.root.querySelectorAll('.under-list').length
    if (page.status === 200 && lists > 0) pages.push({ who, route: url, path, page, lists })
  }
  return { clients, pages }
}
