import { eq } from 'drizzle-orm'
import t from 'tap'
import { searchText } from '../../src/db/fold.ts'
import { accounts, letters } from '../../src/db/schema.ts'
import { findMatches, match } from '../../src/db/search.ts'
import { accountId, type Panel, startApp } from '../harness.ts'
import { planOf, sqlite } from '../plans.ts'

/** What the indexes are asked for from now on. */
function askedOf(panel: Panel): unknown[] {
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
  return asked
}

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
  const asked = askedOf(panel)
  const { found, few } = match(db, { table: 'accounts', id: accounts.id, text: accounts.search }, 'northwind-47')
  t.ok(few)
  t.same(db.select({ name: accounts.name }).from(accounts).where(found).all(), [{ name: 'Northwind 47' }])
  t.equal(asked.length, 1)
  t.equal(String(asked[0]).match(/"[^"]{3}"/g)?.length, 3)
  t.match(asked[0], '"-47"')
  t.match(asked[0], '"d-4"')
  t.notMatch(asked[0], '"nor"', 'which all of them have')

  const searched = { table: 'accounts', id: accounts.id, text: accounts.search } as const
  t.notOk(
    db
      .select()
      .from(accounts)
      .where(match(db, searched, 'northwind acme').found)
      .get(),
  )
  t.equal(asked.length, 2)
  t.equal(
    String(asked[1]).match(/"[^"]{3}"/g)?.length,
    3,
    'of a frequent word one trigram is enough where all texts with it have the others, too: one, and two of acme',
  )
  match(db, searched, 'northwind acme')
  t.equal(asked.length, 2, 'nor is the index asked again until somebody writes')
  db.update(accounts).set({ search: 'northwind acme' }).where(eq(accounts.identifier, 'northwind-7')).run()
  t.same(
    db
      .select({ name: accounts.name })
      .from(accounts)
      .where(match(db, searched, 'northwind acme').found)
      .all(),
    [{ name: 'Northwind 7' }],
  )
})

t.test(
  'where its three rarest trigrams are in too many older rows, the index is asked for all of the word',
  async (t) => {
    const panel = await startApp(t)
    const { db } = panel
    const client = sqlite(panel)
    // The newest say which trigrams are rare: they have none of the word.
    const older = `WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2700),
    texts(n, text) AS (SELECT n, iif(n <= 2100, 'northwind', 'fabrikam') || '-' || (10000 + n) FROM i)`
    client
      .prepare(
        `${older} INSERT INTO accounts (kind, name, identifier, search, partner_id, created_at)
       SELECT 'customer', text, text, text, ?, 1 FROM texts`,
      )
      .run(accountId(panel, 'cloudhaus'))
    client
      .prepare(
        `${older} INSERT INTO letters (message_id, email, name, subject, search, state, created_at, due_at, give_up_at)
       SELECT text, text || '@some.example', '', '', text || '@some.example', 'sent', 1, 1, 1 FROM texts`,
      )
      .run()
    const asked = askedOf(panel)
    const { found, few } = match(db, { table: 'accounts', id: accounts.id, text: accounts.search }, 'northwind-10047')
    t.ok(few, 'so the list is not scanned')
    t.same(db.select({ name: accounts.name }).from(accounts).where(found).all(), [{ name: 'northwind-10047' }])
    t.same(
      asked.map((wanted) => String(wanted).match(/"[^"]{3}"/g)?.length),
      [3, 13],
    )
    t.equal(
      findMatches(db, 'letters', letters.search, 'northwind-10047@')?.length,
      1,
      'nor are e-mails, for a deletion',
    )

    asked.length = 0
    t.notOk(match(db, { table: 'accounts', id: accounts.id, text: accounts.search }, 'northwind').few)
    t.equal(asked.length, 1, 'its three rarest were asked for above')
    t.notOk(match(db, { table: 'accounts', id: accounts.id, text: accounts.search }, 'north').few)
    t.equal(asked.length, 1, 'nor is the index asked for a word of three trigrams again')
  },
)

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
