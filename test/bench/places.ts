import { randomUUID } from 'node:crypto'
import type Database from 'better-sqlite3'

// What is measured: pages with the queries that a hand-written one would read the same rows by, and
// forms with the rows that it would write.

type Query = { sql: string; values: (string | number)[] }
export type Who = 'partner' | 'scattered' | 'support' | 'customer' | 'other' | 'visitor'

export type Place = {
  who: Who
  path: string
  /** The rows of the page first, then what it shows beside them. */
  read: Query[]
  /** A form: what the reference writes, and the fields of the n-th time; `button` is what it is found by. */
  act?: keyof typeof acts
  button?: string
}

export type Ids = { partner: number; scattered: number; customer: number; deep: { created: number; id: number } }

const customers = `SELECT accounts.*, (SELECT count(*) FROM memberships WHERE account_id = accounts.id) AS users FROM accounts`
const newest = 'ORDER BY created_at DESC, id DESC LIMIT'

/** The pages, for data of so many customers. */
export function places(
  size: number,
  { partner, scattered, customer, deep }: Ids,
  deepPath: string,
): Record<string, Place> {
  const rare = `bench-${Math.floor(size / 10) - 1}`
  const count: Query = {
    sql: 'SELECT count(*) FROM (SELECT 1 FROM accounts WHERE partner_id = ? AND deleted_at IS NULL LIMIT 10001)',
    values: [partner],
  }
  /** What the table of customers shows of each: projects, limits, and the pool. */
  const shown = (where: string, values: Query['values']): Query[] => {
    const ids = `(SELECT id FROM accounts WHERE ${where} ${newest} 25)`
    return [
      {
        sql: `SELECT account_id, count(*) FROM projects WHERE account_id IN ${ids} AND deleted_at IS NULL GROUP BY account_id`,
        values,
      },
      {
        sql: `SELECT account_id, resource_id, amount FROM limits WHERE account_id IN ${ids} AND level = 'account'`,
        values,
      },
      {
        sql: `SELECT account_id, resource_id, sum(amount) FROM limits WHERE account_id IN ${ids} AND level = 'project' GROUP BY account_id, resource_id`,
        values,
      },
      { sql: 'SELECT * FROM resources ORDER BY id', values: [] },
      {
        sql: "SELECT amount FROM limits WHERE account_id = ? AND level = 'pool' AND resource_id = 1",
        values: [partner],
      },
    ]
  }
  const list = (where: string, values: Query['values'], counted: Query[]): Query[] => [
    { sql: `${customers} WHERE ${where} ${newest} 26`, values },
    ...counted,
    ...shown(where, values),
  ]
  const living = 'partner_id = ? AND deleted_at IS NULL'
  const beyond = `${living} AND (created_at, id) < (?, ?)`
  const common = `${living} AND instr(search, 'haus') > 0`
  /** The newest customers, what they and those that need somebody have, and the latest changes. */
  const home = (of: number): Query[] => [
    { sql: `${customers} WHERE ${living} ${newest} 4`, values: [of] },
    {
      sql: `SELECT account_id, name, expires_at FROM invitations WHERE state = 'pending'
        AND account_id IN (SELECT id FROM accounts WHERE ${living} ${newest} 24)`,
      values: [of],
    },
    ...shown(living, [of]),
    { sql: 'SELECT * FROM records WHERE actor_account_id = ? ORDER BY id DESC LIMIT 4', values: [of] },
    { sql: 'SELECT id FROM records WHERE actor_account_id = ? ORDER BY id DESC LIMIT 1', values: [of] },
  ]
  return {
    'log-in form': { who: 'visitor', path: '/login', read: [] },
    // Its figures are kept in memory, as the panel keeps them.
    'home, partner': { who: 'partner', path: '/', read: home(partner) },
    'home, scattered': { who: 'scattered', path: '/', read: home(scattered) },
    'home, customer': {
      who: 'customer',
      path: '/',
      read: [
        {
          sql: 'SELECT * FROM projects WHERE account_id = ? AND deleted_at IS NULL ORDER BY id DESC LIMIT 11',
          values: [customer],
        },
        { sql: "SELECT * FROM limits WHERE account_id = ? AND level = 'account'", values: [customer] },
      ],
    },
    'home, Support': {
      who: 'support',
      path: '/',
      read: [{ sql: "SELECT * FROM quota_requests WHERE state = 'open' LIMIT 6", values: [] }],
    },
    'search, scattered': {
      who: 'scattered',
      path: '/partner/customers?q=haus',
      read: list(
        common,
        [scattered],
        [{ sql: `SELECT count(*) FROM (SELECT 1 FROM accounts WHERE ${common} LIMIT 1001)`, values: [scattered] }],
      ),
    },
    customers: { who: 'partner', path: '/partner/customers', read: list(living, [partner], [count]) },
    'customers, deep': {
      who: 'partner',
      path: deepPath,
      read: list(beyond, [partner, deep.created, deep.id], [count]),
    },
    'search, common': {
      who: 'partner',
      path: '/partner/customers?q=haus',
      read: list(
        common,
        [partner],
        [
          {
            sql: 'SELECT rowid FROM accounts_index WHERE accounts_index MATCH \'"hau" AND "aus"\' LIMIT 501',
            values: [],
          },
          { sql: `SELECT count(*) FROM (SELECT 1 FROM accounts WHERE ${common} LIMIT 1001)`, values: [partner] },
        ],
      ),
    },
    'search, rare': {
      who: 'partner',
      path: `/partner/customers?q=${rare}`,
      read: [
        {
          sql: `${customers} WHERE +(${living}) AND id IN (SELECT rowid FROM accounts_index WHERE accounts_index MATCH ? LIMIT 501) AND instr(search, ?) > 0 ${newest} 26`,
          values: [partner, trigrams(rare), rare],
        },
        ...shown(`${living} AND identifier = ?`, [partner, rare]),
      ],
    },
    'customer users': {
      who: 'partner',
      path: '/partner/customers/bench-0/users',
      read: [
        {
          sql: 'SELECT users.*, memberships.role FROM memberships JOIN users ON users.id = memberships.user_id WHERE account_id = ? ORDER BY memberships.search, user_id LIMIT 26',
          values: [customer],
        },
        { sql: `SELECT * FROM accounts WHERE ${living} AND identifier = 'bench-0'`, values: [partner] },
        { sql: "SELECT count(*) FROM memberships WHERE account_id = ? AND role = 'admin'", values: [customer] },
        {
          sql: "SELECT * FROM invitations WHERE account_id = ? AND state = 'pending' ORDER BY id DESC LIMIT 26",
          values: [customer],
        },
      ],
    },
    projects: {
      who: 'customer',
      path: '/projects',
      read: [
        {
          sql: `SELECT projects.*, project_access.role, (SELECT count(*) FROM project_access AS own WHERE own.project_id = projects.id) AS people
            FROM projects LEFT JOIN project_access ON project_access.project_id = projects.id AND project_access.user_id = 1
            WHERE projects.account_id = ? AND deleted_at IS NULL ORDER BY projects.id DESC LIMIT 26`,
          values: [customer],
        },
        { sql: 'SELECT * FROM limits WHERE account_id = ?', values: [customer] },
        { sql: 'SELECT count(*) FROM projects WHERE account_id = ? AND deleted_at IS NULL', values: [customer] },
        { sql: 'SELECT * FROM resources ORDER BY id', values: [] },
      ],
    },
    history: {
      who: 'customer',
      path: '/customer/history',
      read: [
        {
          sql: `SELECT records.*, actor.name AS actor, subject.name AS subject, projects.name AS project, invitations.email AS invited
            FROM records LEFT JOIN users AS actor ON actor.id = records.actor_id LEFT JOIN users AS subject ON subject.id = records.user_id
            LEFT JOIN projects ON projects.id = records.project_id LEFT JOIN invitations ON invitations.id = records.invitation_id
            WHERE records.account_id = ? ORDER BY records.id DESC LIMIT 26`,
          values: [customer],
        },
      ],
    },
    switcher: {
      who: 'partner',
      path: '/active-account',
      read: [
        {
          sql: `SELECT accounts.*, memberships.role FROM memberships JOIN accounts ON accounts.id = memberships.account_id
            WHERE deleted_at IS NULL AND user_id = (SELECT id FROM users WHERE email_key = ?) ORDER BY last_used_at DESC, account_id DESC LIMIT 26`,
          values: ['admin-0@bench.example'],
        },
        {
          sql: 'SELECT count(*) FROM (SELECT 1 FROM memberships WHERE user_id = (SELECT id FROM users WHERE email_key = ?) LIMIT 10001)',
          values: ['admin-0@bench.example'],
        },
      ],
    },
    'create customer': {
      who: 'partner',
      path: '/partner/customers',
      read: [],
      act: 'create',
      button: 'Create customer',
    },
    'add myself': { who: 'partner', path: '/partner/customers', read: [], act: 'join', button: 'Create customer' },
    invite: { who: 'customer', path: '/customer/users', read: [], act: 'invite', button: 'Invite' },
    'give access': { who: 'other', path: '/customer/users', read: [], act: 'access', button: 'Invite' },
  }
}

const trigrams = (text: string) => [...text.slice(2)].map((_, n) => `"${text.slice(n, n + 3)}"`).join(' AND ')

/** Where the n-th form goes, and its fields. `access` needs the ids of its user and projects. */
export function formOf(
  act: keyof typeof acts,
  n: number,
  ids: { user: number },
): { path: string; fields: Record<string, string> } {
  if (act === 'create')
    return { path: '/partner/customers', fields: { name: `New Customer ${n}`, identifier: `panel-${n}` } }
  if (act === 'join') return { path: `/partner/customers/panel-${n}/own-membership`, fields: {} }
  if (act === 'invite')
    return {
      path: '/customer/users',
      fields: { name: `Guest ${n}`, email: `panel-${n}@guest.example`, role: 'member', projectRole: 'user' },
    }
  return { path: `/projects/spare-${n}/access`, fields: { people: String(ids.user), role: 'user', from: 'settings' } }
}

type Write = (viewer: { id: number; account: number }, n: number) => void

/** The rows that each form writes, by hand. */
export const acts = {
  create: (sqlite) => {
    const account = sqlite.prepare(
      "INSERT INTO accounts (kind, name, identifier, search, partner_id, created_at) VALUES ('customer', ?, ?, ?, ?, ?) RETURNING id",
    )
    const record = recorder(sqlite)
    return (viewer, n) => {
      const [name, identifier] = [`New Customer ${n}`, `hand-${n}`]
      const { id } = account.get(
        name,
        identifier,
        `${name}\n${identifier}`.toLowerCase(),
        viewer.account,
        Date.now(),
      ) as {
        id: number
      }
      record(viewer, 'account.created', id, {
        name: [null, name],
        identifier: [null, identifier],
        kind: [null, 'customer'],
      })
    }
  },
  join: (sqlite) => {
    const customer = sqlite.prepare('SELECT id FROM accounts WHERE partner_id = ? AND identifier = ?').pluck()
    const member = sqlite.prepare(
      "INSERT INTO memberships (account_id, user_id, role, created_at, last_used_at) VALUES (?, ?, 'admin', ?, ?)",
    )
    const record = recorder(sqlite)
    return (viewer, n) => {
      const id = customer.get(viewer.account, `hand-${n}`) as number
      member.run(id, viewer.id, Date.now(), Date.now())
      record(viewer, 'member.added-self', id, { role: [null, 'admin'] })
    }
  },
  invite: (sqlite) => {
    const known = sqlite.prepare(
      'SELECT 1 FROM memberships JOIN users ON users.id = memberships.user_id WHERE account_id = ? AND email_key = ?',
    )
    const invitation = sqlite.prepare(
      "INSERT INTO invitations (account_id, email, email_key, name, search, role, invited_by, created_at, sent_at, expires_at) VALUES (?, ?, ?, ?, ?, 'member', ?, ?, ?, ?) RETURNING id",
    )
    const token = sqlite.prepare('INSERT INTO invitation_tokens (hash, invitation_id, created_at) VALUES (?, ?, ?)')
    // Of the size of a sealed one; done, so that the panel's worker leaves it alone.
    const letter = sqlite.prepare(
      "INSERT INTO letters (message_id, email, name, subject, search, body, invitation_id, state, created_at, due_at, give_up_at) VALUES (?, ?, ?, 'Invitation', ?, ?, ?, 'sent', ?, ?, ?)",
    )
    const body = 'x'.repeat(3_000)
    const record = recorder(sqlite)
    return (viewer, n) => {
      const [at, email, name] = [Date.now(), `hand-${n}@guest.example`, `Guest ${n}`]
      known.get(viewer.account, email)
      const { id } = invitation.get(
        viewer.account,
        email,
        email,
        name,
        `guest ${n}\n${email}`,
        viewer.id,
        at,
        at,
        at,
      ) as {
        id: number
      }
      token.run(randomUUID(), id, at)
      letter.run(`<${randomUUID()}>`, email, name, email, body, id, at, at, at)
      record(viewer, 'invitation.sent', viewer.account, { role: [null, 'member'] })
    }
  },
  access: (sqlite) => {
    const project = sqlite.prepare('SELECT id FROM projects WHERE account_id = ? AND identifier = ?').pluck()
    const access = sqlite.prepare(
      "INSERT INTO project_access (account_id, project_id, user_id, role, created_at) VALUES (?, ?, ?, 'user', ?)",
    )
    const other = sqlite
      .prepare("SELECT user_id FROM memberships WHERE account_id = ? AND role = 'member' LIMIT 1")
      .pluck()
    const record = recorder(sqlite)
    return (viewer, n) => {
      const id = project.get(viewer.account, `hand-${n}`) as number
      access.run(viewer.account, id, other.get(viewer.account), Date.now())
      record(viewer, 'access.given', viewer.account, { role: [null, 'user'] })
    }
  },
} as const satisfies Record<string, (sqlite: Database.Database) => Write>

function recorder(sqlite: Database.Database) {
  const insert = sqlite.prepare(
    "INSERT INTO records (at, kind, account_id, actor_id, actor_account_id, by_support, change, ip, request_id) VALUES (?, ?, ?, ?, ?, 0, ?, '127.0.0.1', ?)",
  )
  return (viewer: { id: number; account: number }, kind: string, accountId: number, change: object) =>
    insert.run(Date.now(), kind, accountId, viewer.id, viewer.account, JSON.stringify(change), randomUUID())
}
