import fc from 'fast-check'
import t from 'tap'
import { poolSumsAnew } from '../../src/db/pool-sums.ts'
import { startApp } from '../harness.ts'
import { sqlite } from '../plans.ts'

// After anything that can happen to limits, projects and accounts, in whatever order, the sums that triggers keep are what
// adding up anew says.

const pick = fc.nat(3)
const amount = fc.option(fc.nat(9))
const act = fc.oneof(
  fc.record({ act: fc.constant('limit' as const), account: pick, resource: pick, amount }),
  fc.record({ act: fc.constant('give' as const), account: pick, project: pick, resource: pick, amount }),
  fc.record({ act: fc.constant('forget' as const), account: pick, resource: pick }),
  fc.record({ act: fc.constant('forget-project' as const), account: pick, project: pick }),
  fc.record({ act: fc.constant('make' as const), account: pick }),
  fc.record({ act: fc.constant('project' as const), account: pick, project: pick, deleted: fc.boolean() }),
  fc.record({ act: fc.constant('account' as const), account: pick, deleted: fc.boolean() }),
  fc.record({ act: fc.constant('move' as const), account: pick, partner: fc.option(fc.nat(1)) }),
)

t.test('the sums of pools are right after each of many random acts', async (t) => {
  const panel = await startApp(t)
  const client = sqlite(panel)
  const run = (sql: string, ...values: unknown[]) => {
    try {
      return client.prepare(sql).run(...values)
    } catch (error) {
      // What other promises of the database refuse is undone whole.
      if (!/deleted|UNIQUE/.test(String(error))) throw error
      return { changes: 0, lastInsertRowid: 0 }
    }
  }
  const ids = (sql: string) => client.prepare(sql).pluck().all() as number[]
  const resources = ids('SELECT id FROM resources ORDER BY id')
  const account = (kind: string, name: string) =>
    Number(
      run(
        'INSERT INTO accounts (kind, name, identifier, search, created_at) VALUES (?, ?, ?, ?, 1)',
        kind,
        name,
        name,
        name,
      ).lastInsertRowid,
    )
  const limit = 'INSERT INTO limits (level, account_id, project_id, resource_id, amount, remark, set_at)'
  let n = 0
  let changes = 0
  fc.assert(
    fc.property(fc.array(act, { minLength: 20, maxLength: 60, size: 'max' }), (acts) => {
      const partners = [account('partner', `pool-${n++}`), account('partner', `pool-${n++}`)]
      const customers = [0, 1, 2, 3].map(() => account('customer', `pool-customer-${n++}`))
      for (const id of customers) run('UPDATE accounts SET partner_id = ? WHERE id = ?', partners[0], id)
      for (const one of acts) {
        const id = customers[one.account]
        const projects = ids(`SELECT id FROM projects WHERE account_id = ${id} ORDER BY id`)
        const project = 'project' in one ? projects[one.project % Math.max(1, projects.length)] : undefined
        const resource = 'resource' in one ? resources[one.resource % resources.length] : undefined
        const before = JSON.stringify(client.prepare('SELECT * FROM pool_sums').all())
        if (one.act === 'limit')
          run(
            'UPDATE limits SET amount = ? WHERE account_id = ? AND level = ? AND resource_id = ?',
            one.amount,
            id,
            'account',
            resource,
          ).changes || run(`${limit} VALUES ('account', ?, NULL, ?, ?, '', 1)`, id, resource, one.amount)
        else if (one.act === 'give' && project)
          run('UPDATE limits SET amount = ? WHERE project_id = ? AND resource_id = ?', one.amount, project, resource)
            .changes || run(`${limit} VALUES ('project', ?, ?, ?, ?, '', 1)`, id, project, resource, one.amount)
        else if (one.act === 'forget')
          run("DELETE FROM limits WHERE account_id = ? AND level = 'account' AND resource_id = ?", id, resource)
        else if (one.act === 'forget-project') run('DELETE FROM limits WHERE project_id = ?', project ?? 0)
        else if (one.act === 'make')
          run(
            "INSERT INTO projects (account_id, name, identifier, search, created_at) VALUES (?, 'P', ?, 'p', 1)",
            id,
            `p-${n++}`,
          )
        else if (one.act === 'project')
          run('UPDATE projects SET deleted_at = ? WHERE id = ?', one.deleted ? 1 : null, project ?? 0)
        else if (one.act === 'account')
          run('UPDATE accounts SET deleted_at = ? WHERE id = ?', one.deleted ? 1 : null, id)
        else if (one.act === 'move')
          run(
            'UPDATE accounts SET partner_id = ? WHERE id = ?',
            one.partner === null ? null : partners[one.partner],
            id,
          )
        const sums = client.prepare('SELECT * FROM pool_sums WHERE amount <> 0 ORDER BY 1, 2').all()
        const anew = client.prepare(`${poolSumsAnew} ORDER BY 1, 2`).all()
        if (JSON.stringify(sums) !== JSON.stringify(anew))
          throw new Error(`${JSON.stringify(one)}: ${JSON.stringify(sums)} instead of ${JSON.stringify(anew)}`)
        if (before !== JSON.stringify(client.prepare('SELECT * FROM pool_sums').all())) changes++
      }
    }),
    { numRuns: 40 },
  )
  t.ok(changes > 200, `${changes} acts changed a sum`)
})
