import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { and, eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { exampleOf } from '../../src/api/example.ts'
import { operations } from '../../src/api/operations.ts'
import { root } from '../../src/config.ts'
import { accounts, invitations, letters, limits } from '../../src/db/schema.ts'
import { accountId, newFolder, type Panel, startApp } from '../harness.ts'
import { runProgram } from '../process.ts'
import { tokenOf } from './program.ts'

// The examples for programs do what they say, against a panel that listens.

const curl = spawnSync('curl', ['--version']).status === 0
const skip = !curl && 'curl is not installed'
const tsc = join(root, 'node_modules/typescript/bin/tsc')
const order = ['4711', 'wayne', 'Wayne “&” \\ "Sons"', 'Karla Fischer', 'karla@wayne.example']

type Listening = Awaited<ReturnType<typeof listening>>

async function listening(t: Test) {
  const panel = await startApp(t)
  const url = await panel.app.listen({ port: 0, host: '127.0.0.1' })
  const settings = { API: `${url}/api/v1/accounts/cloudhaus`, TOKEN: tokenOf(panel, 'petra', 'cloudhaus') }
  return { panel, url, run: (program: string[]) => runProgram(program, '', '', settings).done }
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

t.test('with curl, a partner creates a customer, limits it and invites its admin', { skip }, async (t) => {
  await walk(t, await listening(t), ['sh', join(root, '.github/examples/customer.sh')])
})

t.test('the client made of the served document compiles, and goes the same walk', async (t) => {
  const panel = await listening(t)
  const folder = newFolder()
  const inFolder = (name: string) => join(folder, name)
  copyFileSync(join(root, '.github/examples/customer.mts'), inFolder('customer.mts'))
  symlinkSync(join(root, 'node_modules'), inFolder('node_modules'))
  const types = ['--output', inFolder('panel.d.ts')]
  const maker = join(root, 'node_modules/openapi-typescript/bin/cli.js')
  const made = await panel.run([process.execPath, maker, `${panel.url}/api/v1/openapi.json`, ...types])
  t.equal(made.code, 0, made.err + made.out)

  const right = readFileSync(inFolder('customer.mts'), 'utf8')
  writeFileSync(inFolder('field.mts'), right.replace('body: { name, identifier }', 'body: { identifier }'))
  writeFileSync(inFolder('answer.mts'), right.replace('customer: customer.identifier', 'customer: customer.key'))
  writeFileSync(inFolder('address.mts'), right.replace("{customer}/quotas'", "{customer}/quota'"))
  const names = ['customer', 'field', 'answer', 'address']
  const options = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node']
  const strict = ['--allowImportingTsExtensions', '--erasableSyntaxOnly', '--verbatimModuleSyntax', '--pretty', 'false']
  const files = names.map((name) => inFolder(`${name}.mts`))
  const { out } = await panel.run([process.execPath, tsc, ...options, ...strict, ...files])
  const refused = names.filter((name) => out.includes(`${name}.mts(`))
  t.same(refused, ['field', 'answer', 'address'], out)

  await walk(t, panel, [process.execPath, inFolder('customer.mts')])
})

/** A program creates what an order says, however often it runs, and says what stands in its way. */
async function walk(t: Test, { panel, run }: Listening, program: string[]): Promise<void> {
  for (let n = 0; n < 2; n++) {
    const { code, out, err } = await run([...program, ...order])
    t.equal(code, 0, err + out)
  }
  arrived(t, panel)
  const taken = await run([...program, '4712', 'acme', 'Other', 'Karla', 'karla@other.example'])
  t.not(taken.code, 0, 'an identifier that is taken ends it')
  t.match(taken.out + taken.err, /“acme” is taken/)
}

t.test('the README’s lines for curl find and create a customer', { skip }, async (t) => {
  const { panel, run } = await listening(t)
  const [, lines = ''] =
    /```sh\nexport API=.*\n(curl [^`]+)```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  const { code, out, err } = await run(['sh', '-ec', lines])
  t.equal(code, 0, err)
  t.match(out, '"total":0', 'none was there')
  t.match(out, '"identifier":"wayne"', 'one was created')
  t.ok(accountId(panel, 'wayne'))
})

t.test('every example of the documentation is a request that its operation takes', { skip }, async (t) => {
  const { url, run } = await listening(t)
  const api = `${url}/api/v1`
  const asked = operations.map((operation) => `${exampleOf(operation, api)} -o /dev/null -w '%{http_code}\\n'`)
  const { out } = await run(['sh', '-c', asked.join('\n').replaceAll('your-account', 'cloudhaus')])
  const statuses = out.trim().split('\n')
  t.equal(statuses.length, operations.length)
  for (const [n, { method, path }] of operations.entries())
    t.match(statuses[n], /^(2..|403|404|409|429)$/, `${method} ${path} is read`)
})
