import type Database from 'better-sqlite3'
import t from 'tap'
import { type Panel, startApp } from './harness.ts'

// A page takes a fixed number of queries, whatever the data’s size.

const pages = {
  petra: [
    '/',
    '/partner/customers',
    '/partner/customers/acme/users',
    '/partner/customers/acme/projects',
    '/partner/customers/acme/quotas',
    '/partner/quotas',
    '/partner/history',
    '/profile',
    '/active-account',
  ],
  stella: [
    '/projects',
    '/projects/website',
    '/customer/users',
    '/customer/projects',
    '/customer/quotas',
    '/customer/account',
    '/customer/history',
  ],
  olga: [
    '/support/accounts',
    '/support/accounts/cloudhaus/quotas',
    '/support/resources',
    '/support/users',
    '/support/mail',
    '/support/history',
  ],
} as const

t.test('a page takes as many queries for much data as for little', async (t) => {
  const panel = await startApp(t)
  await limitEverything(panel)
  const few = await countQueries(panel)
  await grow(panel)
  const many = await countQueries(panel)
  t.same(many, few)
  for (const [page, queries] of Object.entries(many)) t.ok(queries <= 16, `${page} takes ${queries} queries`)
})

/** Every level has numbers and a request is open, so that the pages show all that they can. */
async function limitEverything(panel: Panel): Promise<void> {
  const [olga, petra, stella] = [await panel.signIn('olga'), await panel.signIn('petra'), await panel.signIn('stella')]
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { projects: '9000', cores: '9000' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '1000', cores: '2000' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '2' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '2001', reason: 'Growth' })
}

/** The queries of each page, by its address. */
async function countQueries(panel: Panel): Promise<Record<string, number>> {
  const client = sqlite(panel)
  const prepare = client.prepare.bind(client)
  let queries = 0
  client.prepare = ((source: string) => {
    queries++
    return prepare(source)
  }) as typeof client.prepare

  const counts: Record<string, number> = {}
  for (const who of ['petra', 'stella', 'olga'] as const) {
    const person = await panel.signIn(who)
    for (const page of pages[who]) {
      await person.get(page)
      queries = 0
      const { status } = await person.get(page)
      if (status !== 200) throw new Error(`${page} answers ${status}`)
      counts[page] = queries
    }
  }
  client.prepare = prepare as typeof client.prepare
  return counts
}

/** Adds 400 customers, projects, users with access, invitations, letters, limits and requests. */
async function grow(panel: Panel): Promise<void> {
  const client = sqlite(panel)
  const id = (table: string, identifier: string) =>
    client.prepare(`SELECT id FROM ${table} WHERE identifier = ?`).pluck().get(identifier)
  const [cloudhaus, acme, website] = [id('accounts', 'cloudhaus'), id('accounts', 'acme'), id('projects', 'website')]
  const petra = client.prepare("SELECT id FROM users WHERE email LIKE 'petra@%'").pluck().get()
  client.transaction(() => {
    for (let n = 0; n < 400; n++) {
      const customer = client
        .prepare(
          "INSERT INTO accounts (kind, name, identifier, search, partner_id, created_at) VALUES ('customer', ?, ?, ?, ?, 1)",
        )
        .run(`Customer ${n}`, `customer-${n}`, `customer ${n}`, cloudhaus).lastInsertRowid
      client
        .prepare(
          "INSERT INTO memberships (account_id, user_id, role, created_at, last_used_at) VALUES (?, ?, 'admin', 1, 1)",
        )
        .run(customer, petra)
      const project = client
        .prepare('INSERT INTO projects (account_id, name, identifier, search, created_at) VALUES (?, ?, ?, ?, 1)')
        .run(acme, `P${n}`, `p-${n}`, `p${n}`).lastInsertRowid
      const limit = client.prepare(
        "INSERT INTO limits (level, account_id, project_id, resource_id, amount, remark, set_at) VALUES (?, ?, ?, ?, 2, '', 1)",
      )
      for (const resource of [2, 3, 4]) {
        limit.run('account', customer, null, resource)
        limit.run('project', acme, project, resource)
      }
      const request = client
        .prepare(
          "INSERT INTO quota_requests (account_id, requested_by, reason, state, created_at) VALUES (?, ?, '', 'open', 1)",
        )
        .run(customer, petra).lastInsertRowid
      client.prepare('INSERT INTO quota_request_amounts (request_id, resource_id, asked) VALUES (?, 2, 5)').run(request)
      const user = client
        .prepare(
          "INSERT INTO users (email, email_key, name, search, password_hash, created_at) VALUES (?, ?, ?, ?, '', 1)",
        )
        .run(`user${n}@acme.example`, `user${n}@acme.example`, `User ${n}`, `user ${n}`).lastInsertRowid
      client
        .prepare(
          "INSERT INTO memberships (account_id, user_id, role, created_at, last_used_at) VALUES (?, ?, 'member', 1, 1)",
        )
        .run(acme, user)
      client
        .prepare(
          "INSERT INTO project_access (account_id, project_id, user_id, role, created_at) VALUES (?, ?, ?, 'user', 1)",
        )
        .run(acme, website, user)
      client
        .prepare(
          "INSERT INTO invitations (account_id, email, email_key, name, role, invited_by, created_at, sent_at, expires_at) VALUES (?, ?, ?, 'Guest', 'member', ?, 1, 1, 1)",
        )
        .run(acme, `guest${n}@acme.example`, `guest${n}@acme.example`, petra)
      client
        .prepare(
          "INSERT INTO letters (message_id, email, name, subject, search, state, created_at, due_at, give_up_at) VALUES (?, 'x@x.example', 'X', 'S', 's', 'sent', 1, 1, 1)",
        )
        .run(`<${n}@x>`)
    }
  })()
}

function sqlite(panel: Panel): Database.Database {
  return (panel.db as unknown as { $client: Database.Database }).$client
}
