import t from 'tap'
import { searchText } from '../../src/db/fold.ts'
import { observeWrites, writeUnchecked } from '../../src/db/open.ts'
import { accounts } from '../../src/db/schema.ts'
import { findMatches } from '../../src/db/search.ts'
import { accountId, startApp, there } from '../harness.ts'
import { sqlite } from '../plans.ts'

t.test('FTS5 leaves large merges to the panel, which makes them between requests', async (t) => {
  const panel = await startApp(t)
  const client = sqlite(panel)
  const settings = client.prepare("SELECT k, v FROM accounts_index_config WHERE k LIKE '%merge' ORDER BY k")
  t.same(settings.raw().all(), [
    ['automerge', 0],
    ['crisismerge', 64],
  ])
  const segments = client.prepare('SELECT count(DISTINCT segid) FROM accounts_index_idx').pluck()
  const before = Number(segments.get())
  const partnerId = accountId(panel, 'cloudhaus')
  const writes = 47
  for (let n = 0; n < writes; n++)
    writeUnchecked(panel.db, (tx) => {
      const [name, identifier] = [`Northwind ${n}`, `northwind-${n}`]
      const search = searchText(name, identifier)
      tx.insert(accounts).values({ kind: 'customer', name, identifier, search, partnerId, createdAt: 1 }).run()
    })
  t.equal(segments.get(), before + writes, 'a write merges nothing')
  for (let turns = 0; turns < 1_000 && Number(segments.get()) > before + 8; turns++)
    await new Promise((resolve) => setImmediate(resolve))
  t.ok(Number(segments.get()) <= before + 8, 'few are left a moment later')
  t.equal(findMatches(panel.db, 'accounts', accounts.search, 'northwind')?.length, writes)
  t.equal(findMatches(panel.db, 'accounts', accounts.search, 'northwind-46')?.length, 1)
})

t.test('panels in one process do not merge for ever because of each other', async (t) => {
  const panels = await Promise.all(Array.from({ length: 6 }, () => startApp(t)))
  let writes = 0
  t.teardown(observeWrites(() => writes++))
  for (let n = 0; n < 16; n++) writeUnchecked(there(panels[0]).db, () => {})
  t.equal(writes, 16)
  let quietTurns = 0
  for (let turns = 0, before = writes; turns < 5_000 && quietTurns < 50; turns++) {
    await new Promise((resolve) => setImmediate(resolve))
    quietTurns = writes === before ? quietTurns + 1 : 0
    before = writes
  }
  t.ok(writes > 16, 'they merge')
  t.equal(quietTurns, 50, 'and then it is quiet')
})
