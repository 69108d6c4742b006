import type Database from 'better-sqlite3'
import t from 'tap'
import { accountId, type Panel, startApp } from '../harness.ts'
import { planOf, sqlite } from '../plans.ts'
import { addWebhook } from '../webhooks/receiver.ts'

// A page takes a fixed number of queries, whatever the data’s size.

const pages = {
  petra: [
    '/',
    '/notifications',
    '/profile/notifications',
    '/search?q=a',
    '/search?q=acme',
    '/partner/customers',
    '/partner/customers/acme/users',
    '/partner/customers/acme/projects',
    '/partner/customers/acme/quotas',
    '/partner/customers/acme/quotas/copy?from=initech',
    '/partner/customers/acme/quotas/plan?plan=1',
    '/partner/plans',
    '/partner/plans/1',
    '/partner/customers/initech/removal',
    '/partner/deleted-customers',
    '/partner/quotas',
    '/partner/imports',
    '/partner/history',
    '/profile',
    '/active-account',
  ],
  stella: [
    '/',
    '/search?q=a',
    '/search?q=acme',
    '/projects',
    '/projects/website',
    '/customer/users',
    '/customer/projects',
    '/customer/projects/deleted',
    '/customer/quotas',
    '/customer/account',
    '/customer/history',
    '/customer/webhooks',
    '/customer/webhooks/1',
  ],
  olga: [
    '/search?q=a',
    '/support/accounts',
    '/support/accounts?status=deleted',
    '/support/accounts/acme/partner',
    '/support/accounts/cloudhaus/quotas',
    '/support/quotas',
    '/support/resources',
    '/support/users',
    '/support/mail',
    '/support/backups',
    '/support/history',
  ],
} as const

t.test('a page takes as many queries for much data as for little', async (t) => {
  const panel = await startApp(t)
  watch(panel, () => {})
  await limitEverything(panel)
  await grow(panel)
  const some = await countQueries(panel)
  await grow(panel, 400)
  const many = await countQueries(panel)
  t.same(many, some)
  // Home is made of many lists.
  // Pages that say what ends ask for it, a search asks every list, and a partner’s quotas stand beside their last changes.
  const most = (page: string) =>
    / \/$/.test(page)
      ? 36
      : /partner.*\/quotas$/.test(page)
        ? 33
        : page.includes('/search')
          ? 30
          : /\/removal$|customers\/acme\/users$/.test(page)
            ? 25
            : 23
  for (const [page, queries] of Object.entries(many)) t.ok(queries <= most(page), `${page} takes ${queries} queries`)
})

// Each list as it can be sorted and narrowed down.
const lists = {
  petra: [
    '/notifications',
    '/notifications?state=unread',
    '/partner/customers',
    '/partner/customers?sort=name',
    '/partner/customers?sort=identifier',
    '/partner/customers?status=suspended',
    '/partner/customers?limits=over',
    '/partner/customers?limits=near&sort=name',
    '/partner/customers?limits=close',
    '/partner/customers?admin=none',
    '/partner/customers?admin=missing',
    '/partner/customers?tag=vip',
    '/partner/customers?q=k-1007',
    '/partner/customers?from=2026-01-01&until=2026-02-01',
    '/partner/customers?q=customer',
    '/partner/customers?q=cu&sort=name',
    '/partner/customers?q=user1@acme',
    '/partner/customers?q=acme.example&sort=name',
    '/partner/customers/acme/users?sort=joined',
    '/partner/customers/acme/projects?sort=name',
    '/partner/customers/acme/removal',
    '/partner/deleted-customers',
    '/partner/deleted-customers?q=gone',
    '/partner/deleted-customers?q=go',
    '/partner/history?q=customer',
    '/partner/quotas',
    '/partner/quotas?q=customer',
    '/profile',
    '/active-account',
    '/active-account?q=customer',
  ],
  stella: [
    '/projects?sort=name',
    '/projects?q=p',
    '/projects/website?q=user',
    '/customer/users?sort=joined',
    '/customer/users?role=member&q=us',
    '/customer/users?factor=none',
    '/customer/users?factor=none&q=us',
    '/customer/users?invited-q=guest',
    '/customer/projects',
    '/customer/projects/deleted',
    '/customer/projects/deleted?q=gone',
    '/customer/projects/deleted?q=go',
    '/customer/quotas',
    '/customer/history?person=us',
    '/customer/history?family=project&from=2026-01-01',
  ],
  olga: [
    '/support/accounts?sort=name',
    '/support/accounts?sort=identifier',
    '/support/accounts?kind=partner&status=active&admin=none',
    '/support/accounts?q=cu',
    '/support/accounts?q=user+1',
    '/support/accounts?q=acme.example&sort=name',
    '/support/accounts?status=deleted',
    '/support/accounts?status=deleted&sort=name',
    '/support/accounts?status=deleted&sort=identifier&q=go',
    '/support/users',
    '/support/users?sort=created',
    '/support/users?status=disabled&q=us',
    '/support/mail?state=sent',
    '/support/mail?q=x',
    '/support/history?person=us',
    '/support/history?q=us',
    '/support/quotas',
    '/support/quotas?q=direct',
  ],
} as const

t.test('every list query uses an index and sorts nothing, on the first page and on the next', async (t) => {
  const panel = await startApp(t)
  watch(panel, () => {})
  await limitEverything(panel)
  await grow(panel)
  addStrangers(panel)
  for (const statistics of [false, true]) {
    if (statistics) sqlite(panel).exec('ANALYZE')
    for (const who of ['petra', 'stella', 'olga'] as const) {
      const person = await panel.signIn(who)
      for (const path of lists[who]) {
        let next: string | undefined
        const queries = await queriesOf(panel, async () => {
          const page = await person.get(path)
          t.equal(page.status, 200, path)
          next = page.link('Next')
        })
        if (next)
          queries.push(...(await queriesOf(panel, async () => t.equal((await person.get(next ?? '')).status, 200))))
        for (const query of queries) {
          const plan = planOf(panel, query)
          // A search that may find few rows, known by their ids, reads and sorts just those.
          const few =
            /SEARCH (accounts|users) USING (INTEGER PRIMARY KEY|INDEX users_disabled) \(\w+=\?\)\nLIST SUBQUERY/.test(
              plan,
            ) || /SEARCH project_access USING INDEX \w+ \(account_id=\? AND user_id=\?\)\nLIST SUBQUERY/.test(plan)
          // Of requests the open ones alone are read, by an index of their own: at most one an account.
          const open = 'SCAN waiting USING COVERING INDEX quota_requests_one_open'
          if (/quotas/.test(path) && plan.includes(open)) {
            t.notMatch(plan.replace(open, ''), scanning, `${path}: ${query}\n${plan}`)
            continue
          }
          // Nor is anything else read of what has few rows by an index of its own.
          const ofFew = /SCAN one USING INDEX (accounts_suspended|users_disabled|users_operators)/
          if (few && ofFew.test(plan)) {
            t.notMatch(plan.replace(ofFew, ''), scanning, `${path}: ${query}\n${plan}`)
            continue
          }
          const wrong = few ? scanning : path.startsWith('/support') ? sorting : sortingOrAll
          t.notMatch(plan, wrong, `${path}: ${query}\n${plan}`)
        }
      }
    }
  }
})

/** The queries of a page that read a page of something. */
async function queriesOf(panel: Panel, act: () => Promise<unknown>): Promise<string[]> {
  const queries = new Set<string>()
  const stop = watch(panel, (source) => {
    if (/^select/i.test(source) && /limit \+\?/.test(source)) queries.add(source)
  })
  await act()
  stop()
  return [...queries]
}

const watched = new WeakMap<Database.Database, Set<(source: string) => void>>()

/** Tells of every statement that runs, also of those that were compiled before. */
function watch(panel: Panel, tell: (source: string) => void): () => void {
  const client = sqlite(panel)
  const watchers = watched.get(client) ?? new Set()
  watchers.add(tell)
  if (!watched.has(client)) {
    watched.set(client, watchers)
    const prepare = client.prepare.bind(client)
    const seen = new WeakSet<Database.Statement>()
    client.prepare = ((source: string) => {
      const statement = prepare(source)
      if (seen.has(statement)) return statement
      seen.add(statement)
      for (const name of ['all', 'get', 'run'] as const) {
        const run = statement[name].bind(statement)
        const told = (...bindings: unknown[]) => {
          for (const each of watchers) each(source)
          return run(...bindings)
        }
        Object.assign(statement, { [name]: told })
      }
      return statement
    }) as typeof client.prepare
  }
  return () => watchers.delete(tell)
}

const sorting = /TEMP B-TREE FOR ORDER BY/
const scanning = /SCAN (?!json_each)\w+/
/** Support reads the whole installation: in the order of a table’s key, as far as the page goes. */
const sortingOrAll = /TEMP B-TREE FOR ORDER BY|SCAN (?!json_each|resources)\w+$/m

/** Every level has numbers, a request is open, and names were changed, so that the pages show all that they can. */
async function limitEverything(panel: Panel): Promise<void> {
  const [olga, petra, stella] = [await panel.signIn('olga'), await panel.signIn('petra'), await panel.signIn('stella')]
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { projects: '9000', cores: '9000' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '1000', cores: '2000' })
  await petra.submit('/partner/plans/new', 'Create plan', { planName: 'M', cores: '8' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '2' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '2001', reason: 'Growth' })
  await stella.submit('/profile', 'Save name', { name: 'Estelle' })
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.submit('/customer/account?account=cloudhaus', 'Save name', { name: 'Helpers' })
}

/** The queries of each page, by who opens it and its address. */
async function countQueries(panel: Panel): Promise<Record<string, number>> {
  let queries = 0
  let merged = false
  // A partner's customers are counted in slices, beside the pages.
  const slice = /"accounts"\."id" > \+\?\) order by "accounts"\."id" asc limit/
  const stop = watch(panel, (source) => {
    if (!slice.test(source)) queries++
    merged ||= source.includes("('merge', ")
  })

  const counts: Record<string, number> = {}
  for (const who of ['petra', 'stella', 'olga'] as const) {
    const person = await panel.signIn(who)
    for (const page of pages[who]) {
      await person.get(page)
      // What is kept until somebody writes is asked for again after a worker has written: the least of three tells.
      const each: number[] = []
      while (each.length < 3) {
        queries = 0
        merged = false
        const { status } = await person.get(page)
        if (status !== 200) throw new Error(`${page} answers ${status}`)
        // Search indexes that are merged meanwhile count as written, part by part.
        if (!merged) each.push(queries)
      }
      counts[`${who} ${page}`] = Math.min(...each)
    }
  }
  stop()
  return counts
}

/** Adds 400 customers, deleted ones, projects, deleted ones, users with access, invitations, letters, limits, requests and records. */
async function grow(panel: Panel, from = 0): Promise<void> {
  const client = sqlite(panel)
  const id = (table: string, identifier: string) =>
    client.prepare(`SELECT id FROM ${table} WHERE identifier = ?`).pluck().get(identifier)
  const [cloudhaus, acme, website] = [id('accounts', 'cloudhaus'), id('accounts', 'acme'), id('projects', 'website')]
  const petra = client.prepare("SELECT id FROM users WHERE email LIKE 'petra@%'").pluck().get()
  if (from === 0) addWebhook(panel, accountId(panel, 'acme'), 'https://x.example', 'import.stopped')
  client.transaction(() => {
    for (let n = from; n < from + 400; n++) {
      for (const state of ['failed', 'waiting'])
        client
          .prepare(
            "INSERT INTO deliveries (webhook_id, message_id, type, body, state, created_at, due_at) VALUES (1, ?, 'import.stopped', '{}', ?, ?, ?)",
          )
          .run(`msg_${n}`, state, Date.now(), Date.now() + 1e9)
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
      client
        .prepare(
          "INSERT INTO accounts (kind, name, identifier, search, partner_id, created_at, deleted_at) VALUES ('customer', ?, ?, ?, ?, 1, ?)",
        )
        .run(`Gone ${n}`, `gone-${n}`, `gone ${n}`, cloudhaus, Date.now() - n)
      client
        .prepare(
          'INSERT INTO projects (account_id, name, identifier, search, created_at, deleted_at) VALUES (?, ?, ?, ?, 1, ?)',
        )
        .run(acme, `Gone ${n}`, `gone-${n}`, `gone ${n}`, Date.now() - n)
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
      const direct = client
        .prepare("INSERT INTO accounts (kind, name, identifier, search, created_at) VALUES ('customer', ?, ?, ?, 1)")
        .run(`Direct ${n}`, `direct-${n}`, `direct ${n}`).lastInsertRowid
      client
        .prepare(
          "INSERT INTO quota_requests (account_id, requested_by, reason, state, created_at) VALUES (?, ?, '', 'open', 1)",
        )
        .run(direct, petra)
      client
        .prepare('INSERT INTO partner_requests (account_id, requested_by, created_at) VALUES (?, ?, 1)')
        .run(direct, petra)
      client
        .prepare(
          "INSERT INTO quota_requests (account_id, requested_by, reason, state, created_at, ended_at) VALUES (?, ?, '', 'declined', 1, 1)",
        )
        .run(acme, petra)
      client
        .prepare(
          "INSERT INTO invitations (account_id, email, email_key, name, search, role, invited_by, created_at, sent_at, expires_at) VALUES (?, 'stella@acme.example', 'stella@acme.example', 'Stella', 'stella', 'member', ?, 1, 1, ?)",
        )
        .run(direct, petra, Date.now() + 86_400_000)
      const user = client
        .prepare(
          "INSERT INTO users (email, email_key, name, search, password_hash, created_at) VALUES (?, ?, ?, ?, '', 1)",
        )
        .run(
          `user${n}@acme.example`,
          `user${n}@acme.example`,
          `User ${n}`,
          `user ${n}\nuser${n}@acme.example`,
        ).lastInsertRowid
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
          "INSERT INTO invitations (account_id, email, email_key, name, search, role, invited_by, created_at, sent_at, expires_at) VALUES (?, ?, ?, 'Guest', 'guest', 'member', ?, 1, 1, 1)",
        )
        .run(acme, `guest${n}@acme.example`, `guest${n}@acme.example`, user)
      client
        .prepare(
          "INSERT INTO letters (message_id, email, name, subject, search, state, created_at, due_at, give_up_at) VALUES (?, 'x@x.example', 'X', 'S', 's', 'sent', 1, 1, 1)",
        )
        .run(`<${n}@x>`)
      const record = client.prepare(
        "INSERT INTO records (at, kind, account_id, actor_id, actor_account_id, by_support, user_id, change) VALUES (1, 'access.given', ?, ?, ?, 0, ?, '{}')",
      )
      record.run(acme, petra, cloudhaus, user)
      const told = record.run(customer, petra, cloudhaus, null).lastInsertRowid
      client
        .prepare(
          "INSERT INTO notifications (user_id, record_id, audience, topic, account_id, reader_of, created_at, mail) VALUES (?, ?, 'partner', 'accounts', ?, ?, 1, 'none')",
        )
        .run(petra, told, customer, cloudhaus)
    }
  })()
}

/** So many people of no account that a search for what they share reads the tenant's own, in the list's order. */
function addStrangers(panel: Panel): void {
  const insert = sqlite(panel).prepare(
    "INSERT INTO users (email, email_key, name, search, password_hash, created_at) VALUES (?, ?, 'Stranger', ?, '', 1)",
  )
  sqlite(panel).transaction(() => {
    for (let n = 0; n < 2_100; n++) {
      const email = `stranger${n}@acme.example`
      insert.run(email, email, `stranger\n${email}`)
    }
  })()
}
