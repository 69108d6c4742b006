import t from 'tap'
import { firstPage, type List, type ListQuery } from '../../src/db/list.ts'
import { inTurns, type StepsLeft } from '../../src/db/turns.ts'
import { listRecords, recordList } from '../../src/history/data/records.ts'
import { customerList, listCustomers } from '../../src/partners/customers/data/listing.ts'
import { accountList, listAccounts } from '../../src/support/accounts/data.ts'
import { listUsers, userList } from '../../src/support/users/data.ts'
import { accountId, startApp } from '../harness.ts'
import { planOf, sqlite } from '../plans.ts'

const upTo12000 = 'WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 12000)'

t.test(
  'a page for which many rows are looked at is the same in turns as at once, a part of the list at a time',
  async (t) => {
    const panel = await startApp(t)
    const { db } = panel
    const client = sqlite(panel)
    const cloudhaus = accountId(panel, 'cloudhaus')
    // Every 120th is found, and one after the first 10,000: too many to know their ids, and too few for a page in each part.
    client.exec(`${upTo12000} INSERT INTO accounts (kind, name, identifier, search, sort_key, partner_id, created_at)
    SELECT 'customer', 'Row ' || n, 'row-' || n, 'row ' || iif(n % 120 = 0, 'xy', 'zz') || iif(n > 10000, ' late', ''), printf('row %05d', n % 7000), ${cloudhaus}, n FROM i`)
    client.exec(`${upTo12000} INSERT INTO users (email, email_key, name, search, sort_key, password_hash, created_at)
    SELECT 'row' || n || '@some.example', 'row' || n || '@some.example', 'Row', 'row ' || iif(n % 120 = 0, 'xy', 'zz'), 'row ' || (n / 5000), '', n FROM i`)
    client.exec(`${upTo12000} INSERT INTO records (at, kind, account_id, by_support, change)
    SELECT n, iif(n % 4000 = 0, 'limit.set', 'account.renamed'), ${cloudhaus}, 0, '{}' FROM i`)

    const sources: string[] = []
    const prepare = client.prepare.bind(client)
    client.prepare = ((source: string) => {
      sources.push(source)
      return prepare(source)
    }) as typeof client.prepare

    type Case = [name: string, list: (query: ListQuery<never>) => List<{ id: number }>, query: ListQuery<never>]
    const cases = [
      ...Object.keys(accountList.sorts).map((sort) => [
        `accounts by ${sort}`,
        (query: ListQuery<never>) => listAccounts(db, query as never),
        { ...firstPage(accountList), sort, q: 'xy' },
      ]),
      ...Object.keys(userList.sorts).map((sort) => [
        `users by ${sort}`,
        (query: ListQuery<never>) => listUsers(db, query as never),
        { ...firstPage(userList), sort, q: 'xy' },
      ]),
      ...Object.keys(customerList.sorts).map((sort) => [
        `customers by ${sort}`,
        (query: ListQuery<never>) => listCustomers(db, cloudhaus, query as never, Date.now()),
        { ...firstPage(customerList), sort, q: 'xy' },
      ]),
      [
        'history',
        (query: ListQuery<never>) => listRecords(db, 'all', query as never),
        { ...firstPage(recordList, 2), filters: { ...firstPage(recordList).filters, family: 'limit' } },
      ],
    ] as unknown as Case[]
    for (const [name, list, query] of cases) {
      let cursor: ListQuery['cursor']
      for (const direction of ['next', 'next', 'previous'] as const) {
        const atOnce = list({ ...query, cursor })
        sources.length = 0
        const page = await inTurns(list, { ...query, cursor }, () => {})
        t.ok(page.rows.length > 0, `${name}: ${page.rows.length} of ${page.total}`)
        t.same(page, atOnce, name)
        const parts = sources.filter(
          (source) =>
            /limit \+\?/i.test(source) &&
            !/offset|memberships as person/.test(source) &&
            /instr\(|"kind" >=/.test(source),
        )
        t.ok(parts.length > 2, `${name}: it is read in parts`)
        for (const part of new Set(parts)) {
          const plan = planOf(panel, part)
          t.notMatch(plan, /TEMP B-TREE FOR ORDER BY/, `${name}\n${plan}`)
          t.match(
            plan,
            /SEARCH (accounts|users|records) USING .*([<>]\?|identifier=\?)/,
            `${name}
${plan}`,
          )
        }
        const between = parts.some((source) => />\? AND \S+<\?/.test(planOf(panel, source)))
        t.ok(between, `${name}: and some of it between two rows`)
        cursor = page[direction] ?? page.next
      }
    }
  },
)

t.test('a right that ends while others have their turn ends the reading', async (t) => {
  let turns = 0
  const list = ({ later }: { later?: StepsLeft }): List<never> => {
    if (later)
      later.steps = (function* () {
        yield
        turns++
        throw new Error('It is read on.')
      })()
    return undefined as unknown as List<never>
  }
  await t.rejects(
    inTurns(list, firstPage(userList), () => {
      throw new Error('No longer.')
    }),
    { message: 'No longer.' },
  )
  t.equal(turns, 0)
})
