import t from 'tap'
import { searchText } from '../../src/db/fold.ts'
import { accounts } from '../../src/db/schema.ts'
import { match } from '../../src/db/search.ts'
import { accountId, startApp } from '../harness.ts'
import { planOf, sqlite } from '../plans.ts'

t.test('of a long word the index is asked for its three rarest trigrams, and finds it', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const partnerId = accountId(panel, 'cloudhaus')
  for (let n = 0; n < 60; n++)
    db.insert(accounts)
      .values({
        kind: 'customer',
        name: `Northwind ${n}`,
        identifier: `northwind-${n}`,
        search: searchText(`Northwind ${n}`, `northwind-${n}`),
        partnerId,
        createdAt: 1,
      })
      .run()
  const asked: unknown[] = []
  const client = sqlite(panel)
  const prepare = client.prepare.bind(client)
  client.prepare = ((source: string) => {
    const statement = prepare(source)
    if (!source.includes(' match ')) return statement
    return new Proxy(statement, {
      get: (of, name) => {
        const value = Reflect.get(of, name)
        if (typeof value !== 'function') return value
        return (...values: unknown[]) => {
          if (name === 'all') asked.push(values[0])
          const answer = value.apply(of, values)
          return answer === of ? client.prepare(source) : answer
        }
      },
    })
  }) as typeof client.prepare
  const { found, few } = match(db, { table: 'accounts', id: accounts.id, text: accounts.search }, 'northwind-47')
  t.ok(few)
  t.same(db.select({ name: accounts.name }).from(accounts).where(found).all(), [{ name: 'Northwind 47' }])
  t.equal(asked.length, 1)
  t.equal(String(asked[0]).match(/"[^"]{3}"/g)?.length, 3)
  t.match(asked[0], '"-47"')
  t.match(asked[0], '"d-4"')
  t.notMatch(asked[0], '"nor"', 'which all of them have')
})

t.test(
  'a word is looked for among the customers of a partner in an index, and only what it finds is read',
  async (t) => {
    const panel = await startApp(t)
    const query = `select name from accounts where partner_id = ? and deleted_at is null and instr(search, ?) > 0
    order by created_at desc, id desc limit ?`
    t.equal(planOf(panel, query), 'SEARCH accounts USING INDEX accounts_partner_created (partner_id=?)')
    const columns = sqlite(panel)
      .prepare("SELECT name FROM pragma_index_info('accounts_partner_created')")
      .pluck()
      .all()
    t.same(columns, ['partner_id', 'created_at', 'id', 'search'])
  },
)
