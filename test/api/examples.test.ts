import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { and, eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { root } from '../../src/config.ts'
import { accounts, invitations, letters, limits } from '../../src/db/schema.ts'
import { accountId, type Panel, startApp } from '../harness.ts'
import { runProgram } from '../process.ts'
import { tokenOf } from './program.ts'

// The examples for programs do what they say, against a panel that listens.

const curl = spawnSync('curl', ['--version']).status === 0
const order = ['4711', 'wayne', 'Wayne “&” \\ "Sons"', 'Karla Fischer', 'karla@wayne.example']

async function listening(t: Test) {
  const panel = await startApp(t)
  const url = await panel.app.listen({ port: 0, host: '127.0.0.1' })
  const settings = { API: `${url}/api/v1/accounts/cloudhaus`, TOKEN: tokenOf(panel, 'petra', 'cloudhaus') }
  return { panel, run: (program: string[]) => runProgram(program, '', '', settings).done }
}

/** What the walk leaves, however often it is gone. */
function arrived(t: Test, panel: Panel): void {
  const { db } = panel
  const wayne = accountId(panel, 'wayne')
  t.match(db.select().from(accounts).where(eq(accounts.id, wayne)).all(), [
    { name: order[2], partnerId: accountId(panel, 'cloudhaus') },
  ])
  const amounts = db.select({ amount: limits.amount }).from(limits).where(eq(limits.accountId, wayne)).all()
  t.same(amounts.map(({ amount }) => amount).sort(), [4, 8])
  const invited = and(eq(invitations.accountId, wayne), eq(invitations.email, 'karla@wayne.example'))
  t.match(db.select().from(invitations).where(invited).all(), [{ name: 'Karla Fischer', role: 'admin' }])
  t.equal(db.select().from(letters).where(eq(letters.email, 'karla@wayne.example')).all().length, 1)
}

const programs: [what: string, program: string[], skip: string | false][] = [
  ['curl', ['sh', join(root, '.github/examples/customer.sh')], !curl && 'curl is not installed'],
  ['Node', [process.execPath, join(root, '.github/examples/customer.mjs')], false],
]

for (const [what, program, skip] of programs)
  t.test(`with ${what}, a partner creates a customer, limits it and invites its admin`, { skip }, async (t) => {
    const { panel, run } = await listening(t)
    for (let n = 0; n < 2; n++) {
      const { code, out, err } = await run([...program, ...order])
      t.equal(code, 0, err + out)
    }
    arrived(t, panel)
    const taken = await run([...program, '4712', 'acme', 'Other', 'Karla', 'karla@other.example'])
    t.not(taken.code, 0, 'an identifier that is taken ends it')
    t.match(taken.out + taken.err, /acme is taken/)
  })
