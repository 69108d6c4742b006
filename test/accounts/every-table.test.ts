import { buffer } from 'node:stream/consumers'
import { eq, getTableColumns, getTableName, is } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import t, { type Test } from 'tap'
import { nextDueAccount, purgeAccount } from '../../src/accounts/deletion/purge/data.ts'
import { exportAccount } from '../../src/accounts/export/archive.ts'
import { addDomain, noteCheck } from '../../src/accounts/sso/data/domains.ts'
import { addGroup } from '../../src/accounts/sso/data/groups.ts'
import { saveAccountProvider } from '../../src/accounts/sso/data/provider.ts'
import type { AccountId } from '../../src/db/ids.ts'
import * as schema from '../../src/db/schema.ts'
import { accounts } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { removeLetterFiles } from '../../src/mail/files.ts'
import { byItself } from '../../src/records/record.ts'
import { testWebhook } from '../../src/webhooks/data/webhooks.ts'
import { tokenOf } from '../api/program.ts'
import { accountId, type Client, type Panel, startApp } from '../harness.ts'
import { until } from '../smtp.ts'
import { addWebhook, allDeliveries } from '../webhooks/receiver.ts'
import { jsonLines, unpack } from './archive.ts'

// What becomes of each table and column of an account. A new one does not compile until it is named here, and each
// answer is then held against a real export, move, deletion, restoration and purge.

const day = 24 * 60 * 60_000

type Schema = typeof schema
type TableName = keyof {
  [Name in keyof Schema as Schema[Name] extends { accountId: unknown; $inferSelect: object } ? Name : never]: Name
}

type Fate = {
  /** The file of the archive that shows it; or why none does. */
  exported: string | { not: string }
  /** What the purge leaves; all rows go where nothing is said. */
  purged?: string
  /** What a move to another partner changes; nothing where nothing is said. */
  moved?: string
  /** What a deletion changes for good, so that a restoration does not bring it back. */
  deleted?: string
}

const fates: Record<TableName, Fate> = {
  accountSecurity: { exported: 'account' },
  accountProviders: { exported: 'single-sign-on' },
  accountDomains: { exported: 'domains', deleted: 'the domains are no longer proved' },
  providerGroups: { exported: 'groups' },
  memberships: {
    exported: 'users',
    moved: 'those of the old partner’s people end',
    deleted: 'those that ended with a tie',
  },
  serviceUsers: { exported: 'service-users' },
  savedViews: {
    exported: { not: 'each is its user’s: in Download my data' },
    moved: 'those of the old partner’s people end',
    deleted: 'those that ended with a tie',
  },
  projects: { exported: 'projects', purged: 'the row with its identifier, which is never given out again' },
  projectAccess: { exported: 'project-access', moved: 'that of the old partner’s people ends' },
  keptAccess: {
    exported: { not: 'it belongs to deleted projects, which come back or go' },
    deleted: 'that of the partner’s people ends with the tie',
  },
  keptLimits: { exported: { not: 'they belong to deleted projects, which come back or go' } },
  invitations: {
    exported: 'invitations',
    moved: 'the old partner’s end',
    deleted: 'the links that were sent stay ended',
  },
  invitationProjects: { exported: { not: 'an invitation’s projects become access when it is accepted' } },
  limits: { exported: 'limits' },
  quotaRequests: { exported: 'quota-requests', deleted: 'an open one is cancelled' },
  partnerRequests: { exported: { not: 'the history tells it' }, deleted: 'an open one is declined' },
  imports: { exported: { not: 'it was the account’s own file; the history tells what came of it' } },
  letters: {
    exported: { not: 'each is its recipient’s, who has it' },
    moved: 'the move tells people',
    deleted: 'the deletion tells people',
  },
  ties: {
    exported: { not: 'it is the partner’s, about the account' },
    moved: 'it ends with the tie',
    deleted: 'it ends with the tie',
  },
  apiTokens: {
    exported: { not: 'each is its user’s: in Download my data' },
    moved: 'those of the old partner’s people end',
    deleted: 'those that ended with a tie',
  },
  webhooks: {
    exported: { not: 'addresses of machines and their secrets, of no use elsewhere' },
    moved: 'it is told of the move',
    deleted: 'it is told of the restoration',
  },
  deliveries: {
    exported: { not: 'what they tell is the history' },
    moved: 'the move is told',
    deleted: 'the restoration is told',
  },
  notifications: {
    exported: { not: 'each is its reader’s: in Download my data' },
    moved: 'those of the old partner’s people end',
    deleted: 'the deletion is told',
  },
  records: { exported: 'history', purged: 'all of them', moved: 'the move', deleted: 'the deletion' },
}

type Columns = {
  [Name in 'accounts' | 'users' | 'projects']: Record<keyof Schema[Name]['$inferSelect'], string | { not: string }>
}

const ourNumber = { not: 'a number of ours, without a meaning elsewhere' }
const searched = { not: 'the name again, folded for comparison' }
const rowVersion = { not: 'it tells two forms apart that were sent at the same time' }
const noneLeft = { not: 'a deleted one has no archive' }
const secret = { not: 'a secret' }

/** The field of the archive that shows a column, as `file.field`; or why none does. */
const columns: Columns = {
  accounts: {
    id: ourNumber,
    kind: 'account.kind',
    name: 'account.name',
    identifier: 'account.identifier',
    search: searched,
    sortKey: searched,
    partnerId: 'account.partner',
    partnerKind: { not: 'always partner' },
    automaticShare: { not: 'a rule of partner accounts, on their quotas page' },
    createdAt: 'account.created',
    suspendedAt: 'account.suspended',
    suspendedReason: 'account.suspended because',
    supportSuspendedAt: { not: 'nobody of the account exports while Support has suspended it' },
    supportSuspendedReason: { not: 'nobody of the account exports while Support has suspended it' },
    deletedAt: noneLeft,
    deletedBy: noneLeft,
    purgedAt: noneLeft,
    version: rowVersion,
  },
  users: {
    id: ourNumber,
    email: 'users.e-mail',
    emailKey: searched,
    name: 'users.name',
    search: searched,
    sortKey: searched,
    passwordHash: secret,
    operator: { not: 'not of the account' },
    service: { not: 'service users have a file of their own' },
    createdAt: { not: 'the person’s own: in Download my data' },
    emailProvedAt: { not: 'the person’s own: in Download my data' },
    lastSeenAt: 'users.last seen',
    disabledAt: { not: 'Support’s, for the whole panel' },
    deletedAt: { not: 'a deleted user is in no account' },
    totpSecret: secret,
    totpStep: secret,
    passkeyHandle: secret,
    theme: { not: 'the person’s own: in Download my data' },
    timeZone: { not: 'the person’s own: in Download my data' },
    zoneByBrowser: { not: 'the person’s own: in Download my data' },
    numbers: { not: 'the person’s own: in Download my data' },
    version: rowVersion,
  },
  projects: {
    id: ourNumber,
    accountId: ourNumber,
    identifier: 'projects.identifier',
    name: 'projects.name',
    search: searched,
    sortKey: searched,
    createdAt: 'projects.created',
    deletedAt: noneLeft,
    deletedBy: noneLeft,
    purgedAt: noneLeft,
    version: rowVersion,
  },
}

const tables = Object.entries(schema).flatMap(([key, table]) =>
  is(table, SQLiteTable) && 'accountId' in getTableColumns(table)
    ? [{ key: key as TableName, table: getTableName(table) }]
    : [],
)

type Row = Record<string, unknown>

/** The rows of an account, by table. */
function rowsOf(panel: Panel, accountId: AccountId): Map<TableName, Row[]> {
  const all = panel.rows()
  return new Map(
    tables.map(({ key, table }) => [key, ((all[table] ?? []) as Row[]).filter((row) => row.account_id === accountId)]),
  )
}

type Filled = { panel: Panel; acmeId: AccountId; petra: Client; stella: Client; olga: Client }

/** Acme with a row in every table that belongs to an account. */
async function fill(t: Test): Promise<Filled> {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  const did = async (
    client: Client,
    path: string,
    { button, fields = {}, within }: { button: string; fields?: Record<string, string>; within?: string | undefined },
  ) => {
    const page = await client.submitAndFollow(path, button, fields, within)
    if (page.status !== 200) throw new Error(`“${button}” on ${path}: ${page.status} ${page.text}`)
  }
  await did(petra, '/partner/customers/acme/quotas', {
    button: 'Save quotas',
    fields: { cores: '16', remark: 'As agreed' },
  })
  await did(petra, '/partner/customers/acme/users', { button: 'Add Myself' })
  await did(stella, '/customer/security', { button: 'Save', fields: { sessionHours: '100', networks: '127.0.0.0/8' } })
  await did(petra, '/partner/customers/acme/details', {
    button: 'Save details',
    fields: { reference: 'K-1007', tags: 'VIP, north' },
  })
  const [self] = panel.db.select().from(schema.users).where(eq(schema.users.email, cast.petra.email)).all()
  await did(stella, '/projects/website', {
    button: 'Give access',
    fields: { people: String(self?.id), role: 'reader' },
  })
  await petra.switchTo('acme')
  await did(petra, '/customer/users', { button: 'Invite', fields: { name: 'Quinn', email: 'quinn@cloudhaus.example' } })
  for (const who of [petra, stella])
    await did(who, '/customer/users?role=admin&q=a', { button: 'Save view', fields: { viewName: 'Our admins' } })
  await petra.switchTo('cloudhaus')
  await did(stella, '/projects/website', { button: 'Save quotas', fields: { cores: '4' } })
  const website = panel.db.select().from(schema.projects).where(eq(schema.projects.identifier, 'website')).get()
  await did(stella, '/customer/users', {
    button: 'Invite',
    fields: {
      name: 'Nora',
      email: 'nora@acme.example',
      projects: String(website?.id),
    },
  })
  await did(stella, '/projects', { button: 'Create project', fields: { name: 'Old shop', identifier: 'old-shop' } })
  await did(stella, '/projects/old-shop', { button: 'Save quotas', fields: { cores: '2' } })
  await did(stella, '/projects/old-shop/removal', { button: 'Delete project', fields: { identifier: 'old-shop' } })
  await did(stella, '/customer/quotas', { button: 'Send request', fields: { cores: '20', reason: 'Growth' } })
  await did(stella, '/customer/account', { button: 'Ask to become a partner' })
  await did(stella, '/customer/service-users', { button: 'Create service user', fields: { name: 'Shop' } })
  tokenOf(panel, 'stella', 'acme')
  tokenOf(panel, 'petra', 'acme')
  await stella.upload('/customer/imports', 'Check the file', {
    name: 'people.csv',
    bytes: Buffer.from('name,e-mail\nLea,lea@acme.example'),
  })
  await until('the e-mails are kept', () =>
    panel.db
      .select()
      .from(schema.letters)
      .all()
      .every(({ state }) => state !== 'waiting'),
  )
  const acmeId = accountId(panel, 'acme')
  const webhook = { owner: acmeId, id: addWebhook(panel, acmeId, 'https://127.0.0.1', 'account.*').id }
  testWebhook(panel.db, byItself(panel.app.now()), webhook)
  await until('the test has failed', () => allDeliveries(panel.db).every(({ state }) => state === 'failed'))
  const by = byItself(panel.app.now())
  const provider = { issuer: 'https://id.acme.example', clientId: 'panel', clientSecret: 'sealed', emailTrusted: true }
  saveAccountProvider(panel.db, by, acmeId, { ...provider, version: 0 })
  addGroup(panel.db, by, acmeId, { value: 'staff', role: 'member', projectId: null, projectRole: null })
  const domain = addDomain(panel.db, by, acmeId, 'acme.example')
  if (typeof domain === 'object') noteCheck(panel.db, by, domain, true)
  for (const [table, rows] of rowsOf(panel, acmeId)) t.ok(rows.length > 0, `${table} has a row of Acme’s`)
  return { panel, acmeId, petra, stella, olga }
}

/** A customer is deleted when it has no projects. */
async function deleteProjects(stella: Client): Promise<void> {
  for (const identifier of ['website', 'shop'])
    await stella.submit(`/projects/${identifier}/removal`, 'Delete project', { identifier })
}

/** What changed although nobody foresaw it, and what was foreseen and did not change. */
function compare(t: Test, before: Map<TableName, Row[]>, after: Map<TableName, Row[]>, step: 'moved' | 'deleted') {
  for (const [table, rows] of before) {
    const now = after.get(table)
    const change = fates[table][step]
    if (change) t.notSame(now, rows, `${table}: ${change}`)
    else t.same(now, rows, `${table} is as it was`)
  }
}

t.test('the archive of an account shows every table and column, or there is a reason', async (t) => {
  const { panel, acmeId, petra } = await fill(t)
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Not paid' })
  const archive = exportAccount(panel.db, acmeId, panel.app.now())
  if (!archive) throw new Error('Acme has no archive')
  const files = await unpack(await buffer(archive))
  const rows = (file: string) => jsonLines(files.get(`${file}.jsonl`))

  for (const [table, { exported }] of Object.entries(fates))
    if (typeof exported === 'string') t.ok(rows(exported).length > 0, `${table} is in ${exported}`)
  for (const [table, fields] of Object.entries(columns))
    for (const [column, shown] of Object.entries(fields)) {
      if (typeof shown !== 'string') continue
      const [file = '', field = ''] = shown.split('.')
      t.ok(
        rows(file).some((row) => row[field]),
        `${table}.${column} is in it as ${shown}`,
      )
    }
  t.match(JSON.stringify(rows('users')), cast.stella.email)
})

t.test('a move changes of each table what it must, and nothing else', async (t) => {
  const { panel, acmeId, olga } = await fill(t)
  const before = rowsOf(panel, acmeId)
  await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'rival' })
  compare(t, before, rowsOf(panel, acmeId), 'moved')
})

t.test('a deleted customer comes back with each table as it was, except for what ends for good', async (t) => {
  const { panel, acmeId, petra, stella } = await fill(t)
  await deleteProjects(stella)
  const before = rowsOf(panel, acmeId)
  await petra.submit('/partner/customers/acme/removal', 'Delete customer', { identifier: 'acme' })
  t.ok(panel.db.select().from(accounts).where(eq(accounts.id, acmeId)).get()?.deletedAt)
  await petra.submit('/partner/deleted-customers', 'Restore', {}, 'Acme')
  t.equal(panel.db.select().from(accounts).where(eq(accounts.id, acmeId)).get()?.deletedAt, null)
  compare(t, before, rowsOf(panel, acmeId), 'deleted')
})

t.test('a purge leaves only the named rows of each table', async (t) => {
  const { panel, acmeId, petra, stella } = await fill(t)
  await deleteProjects(stella)
  await petra.submit('/partner/customers/acme/removal', 'Delete customer', { identifier: 'acme' })
  panel.pass(31 * day)
  while (nextDueAccount(panel.db, panel.app.now()) !== undefined)
    purgeAccount(panel.db, panel.app.now(), acmeId, { removeFiles: (ids) => removeLetterFiles(panel.dataDir, ids) })
  for (const [table, rows] of rowsOf(panel, acmeId)) {
    const { purged } = fates[table]
    if (purged) t.ok(rows.length > 0, `${table} keeps ${purged}`)
    else t.same(rows, [], `${table} keeps nothing`)
  }
  // Of the rows that stay, no column holds a text but these.
  const texts = (row: Row | undefined) =>
    Object.entries(row ?? {}).flatMap(([column, value]) => (typeof value === 'string' && value ? [column] : []))
  const account = panel.rows().accounts?.find((row) => (row as Row).id === acmeId) as Row
  t.same(texts(account), ['kind', 'identifier', 'search', 'partner_kind'])
  const users = panel.rows().users as Row[]
  t.same(
    users.filter(({ service }) => service).map(({ name }) => name),
    ['Deleted service user'],
  )
  t.equal(String(account.search).replaceAll('acme', '').trim(), '', 'what is searched is the identifier')
})
