import t from 'tap'
import { startApp } from '../harness.ts'
import { planOf, sqlite } from '../plans.ts'

t.test('what a trigger changes is found by an index', async (t) => {
  const panel = await startApp(t)
  const triggers = sqlite(panel).prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as {
    name: string
    sql: string
  }[]
  let planned = 0
  for (const { name, sql } of triggers) {
    const body = sql.slice(sql.search(/\bBEGIN\b/) + 'BEGIN'.length, sql.lastIndexOf('END'))
    for (const statement of body.split(';').filter((part) => /^\s*(UPDATE|DELETE)\b/.test(part))) {
      planned++
      // Sums are a row for each partner and resource.
      const plan = planOf(panel, statement.replaceAll(/\b(?:old|new)\.\w+/g, '?'))
      t.notMatch(plan, /\bSCAN (?!pool_sums)/, name)
    }
  }
  t.ok(planned >= 5, `${planned} statements`)
})
