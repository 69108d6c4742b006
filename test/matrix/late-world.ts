import { eq } from 'drizzle-orm'
import type { Test } from 'tap'
import { createAccount } from '../../src/accounts/data/account.ts'
import { addMember, changeRole } from '../../src/accounts/members/data.ts'
import type { AccountId, UserId } from '../../src/db/ids.ts'
import { type Connection, write } from '../../src/db/open.ts'
import {
  accounts,
  type imports,
  type invitations,
  projects,
  type quotaRequests,
  sessions,
  users,
} from '../../src/db/schema.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { createCustomer } from '../../src/partners/customers/data/customers.ts'
import { createUser } from '../../src/people/data/users.ts'
import { changeAccess } from '../../src/projects/access/data/giving.ts'
import { atCommandLine, type Person } from '../../src/records/record.ts'
import { hashToken } from '../../src/secrets.ts'
import type { Client, Panel } from '../harness.ts'
import { type Objects, prepare } from './objects.ts'

// The cast with all that a late request may need, and ways back to it.

/** The people who send late requests, in the account where they do. */
export const people = ['Stella', 'Petra in Acme', 'Tom', 'Petra', 'Olga', 'Nils'] as const
export type Who = (typeof people)[number]

const where: Record<Who, string | undefined> = {
  Stella: 'acme',
  'Petra in Acme': 'acme',
  Tom: 'acme',
  Petra: 'cloudhaus',
  Olga: undefined,
  Nils: undefined,
}

export type World = {
  panel: Panel
  db: Connection
  /** Where the panel listens. */
  base: string
  clients: Record<Who, Client>
  objects: Objects
  accountId: (identifier: string) => AccountId
  userId: (name: string) => UserId
  /** Somebody of the cast as an actor whose rights nobody asks about. */
  person: (who: Who) => Person
  support: Person
  /** The account that somebody works in. */
  accountOf: (who: Who) => AccountId
}

/**
 * Acme has two admins, Cloudhaus two, Support two, so that each of them can go; Tom is Project Admin of Website.
 * Cloudhaus has a customer without users, Empty, to which Boss is invited; Solo is a partner without customers.
 */
export async function makeWorld(t: Test): Promise<World> {
  const { panel, acme: objects } = await prepare(t)
  const { db } = panel
  const accountId = (identifier: string) =>
    only(db.select({ id: accounts.id }).from(accounts).where(eq(accounts.identifier, identifier)).all()).id
  const userId = (name: string) => only(db.select({ id: users.id }).from(users).where(eq(users.name, name)).all()).id
  const act = (name: string, account: string | undefined): Person => ({
    ...atCommandLine(panel.app.now()),
    bySupport: account === undefined,
    userId: userId(name),
    accountId: account === undefined ? null : accountId(account),
  })
  // It needs the database to itself, and each case here is in a transaction that is taken back.
  panel.app.eraseTraces = () => {}
  const nameOf = (who: Who) => who.replace(' in Acme', '')

  write(db, atCommandLine(1), (tx) => {
    const { passwordHash } = only(tx.select().from(users).where(eq(users.name, 'Olga')).all())
    createUser(tx, atCommandLine(1), {
      name: 'Otto',
      email: 'otto@meshpanel.example',
      passwordHash,
      operator: true,
      emailProved: true,
    })
    createCustomer(tx, act('Petra', 'cloudhaus'), accountId('cloudhaus'), { name: 'Empty', identifier: 'empty' })
    createAccount(tx, atCommandLine(1), { name: 'Solo', identifier: 'solo', kind: 'partner', partnerId: null })
    const inAcme = { accountId: accountId('acme'), userId: userId('Petra'), role: 'admin', fromPartner: true } as const
    addMember(tx, act('Petra', 'cloudhaus'), inAcme, 'member.added-self')
    changeRole(
      tx,
      act('Petra', 'cloudhaus'),
      { accountId: accountId('cloudhaus'), userId: userId('Max') },
      { role: 'admin', version: 1 },
    )
    const website = only(tx.select().from(projects).where(eq(projects.identifier, 'website')).all())
    changeAccess(
      tx,
      act('Stella', 'acme'),
      { accountId: website.accountId, projectId: website.id, userId: userId('Tom') },
      { role: 'admin', version: 1 },
    )
  })
  const clients = {
    Stella: await panel.signIn('stella'),
    'Petra in Acme': await panel.signIn('petra'),
    Tom: await panel.signIn('tom'),
    Petra: await panel.signIn('petra'),
    Olga: await panel.signIn('olga'),
    Nils: await panel.signIn('nils'),
  }
  await clients['Petra in Acme'].switchTo('acme')
  await clients.Petra.switchTo('cloudhaus')
  await clients.Petra.submit('/partner/customers/empty/users', 'Invite', { name: 'Boss', email: 'boss@empty.example' })
  await clients.Petra.submit('/partner/imports', 'Check the file', { text: 'name\nBrand New' })
  const operator = await panel.signIn('olga')
  await operator.submit('/support/accounts/direct/quotas', 'Save quotas', { cores: '4' })
  const dora = await panel.signIn('dora')
  await dora.submit('/customer/quotas', 'Send request', { cores: '5', reason: 'Growth' })
  // What was sent may be sent again.
  panel.pass(resendGap)

  return {
    panel,
    db,
    base: await panel.app.listen({ host: '127.0.0.1', port: 0 }),
    clients,
    objects,
    accountId,
    userId: (name) => userId(nameOf(name as Who)),
    person: (who) => act(nameOf(who), where[who]),
    support: act('Otto', undefined),
    accountOf: (who) => accountId(where[who] ?? ''),
  }
}

function only<Row>(rows: Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('There is no such row.')
  return row
}

/** Ids of rows that only one account has one of. */
export function idIn(
  { db, accountId }: Pick<World, 'db' | 'accountId'>,
  table: typeof imports | typeof invitations | typeof quotaRequests,
  account: string,
): string {
  return String(
    only(
      db
        .select({ id: table.id })
        .from(table)
        .where(eq(table.accountId, accountId(account)))
        .all(),
    ).id,
  )
}

/** The mail worker writes the delivery of e-mails at any time. */
const delivery = ['state', 'attempts', 'error', 'due_at', 'done_at', 'body']

/** So does the worker of notifications, whose e-mails follow an act. */
const writing = ['mail', 'letter_id']
/** One that was withdrawn is of no line any more: each of its lines is told anew. */
const ofNotifications = `select letter_id from notifications where letter_id is not null
  union all select id from letters where state = 'withdrawn' and reason = 'user'`
const writtenLater: Record<string, string> = {
  letters: `where id not in (${ofNotifications})`,
  letter_people: `where letter_id not in (${ofNotifications})`,
}

export type Rows = Record<string, string>

/** Every row of every table, except counted tries, answered challenges, when somebody was seen or proved who they are, and what workers do. */
export function rowsNow({ $client }: Connection): Rows {
  const known = readers.get($client) ?? readersOf($client)
  readers.set($client, known)
  return Object.fromEntries(known.map(([table, reader]) => [table, JSON.stringify(reader.all())]))
}

type Reader = [table: string, reader: { all: () => unknown[] }]

/** They are asked several times for each case. */
const readers = new WeakMap<Connection['$client'], Reader[]>()

function readersOf(sqlite: Connection['$client']): Reader[] {
  const tables = sqlite
    .prepare(
      "select name from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite_%' and name not in ('throttles', 'used_challenges')",
    )
    .pluck()
    .all() as string[]
  return tables.map((table) => [table, readerOf(sqlite, table)])
}

function readerOf(sqlite: Connection['$client'], table: string): Reader[1] {
  const ofWorkers = table === 'letters' ? delivery : table === 'notifications' ? writing : []
  const passing = ['last_seen_at', 'proved_at', 'longest_idle', ...ofWorkers]
  const all = sqlite.prepare('select name from pragma_table_info(?)').pluck().all(table) as string[]
  const columns = all.filter((name) => !passing.includes(name)).map((name) => `"${name}"`)
  return sqlite.prepare(`select ${columns.join(', ')} from "${table}" ${writtenLater[table] ?? ''} order by 1, 2`)
}

/** The tables in which something differs. */
export function changed(before: Rows, after: Rows): string[] {
  return Object.keys(after).filter((table) => before[table] !== after[table])
}

/** The row of a client's session. */
export function sessionOf({ db }: Pick<World, 'db'>, client: Client): { id: number; hash: string } {
  const cookie = decodeURIComponent(client.cookies.get('meshpanel') ?? '')
  const hash = hashToken(cookie.slice(0, cookie.lastIndexOf('.')))
  return only(db.select({ id: sessions.id, hash: sessions.hash }).from(sessions).where(eq(sessions.hash, hash)).all())
}

/** No file holds anything of these people. */
export const erasing = ({ panel }: World) => ({
  secrets: panel.app.secrets,
  removeFiles: () => {},
  eraseTraces: () => {},
})
