import fc from 'fast-check'
import t from 'tap'
import type { Operation } from '../../src/api/contract/operation.ts'
import { operations } from '../../src/api/operations.ts'
import { can } from '../../src/policy.ts'
import { undone } from '../harness.ts'
import { lettersKept, prepare } from '../matrix/objects.ts'
import { requestsFor } from './nonsense.ts'
import { program, tokenOf } from './program.ts'
import { prepareForSupport } from './support-world.ts'

// Requests that the document describes, and broken ones, to every operation: never a 5xx, never an answer that the document does
// not tell of (test/api/program.ts compares each), always JSON. A proof with more of them:
// API_REQUESTS=2000 TAP_TIMEOUT=7200 node test/api/fuzz.test.ts

const each = Number(process.env.API_REQUESTS ?? 40)
const seed = Number(process.env.API_SEED ?? 1)

t.setTimeout(7_200_000)

const isSupports = ({ can: action }: Operation) => can(['support'], action)
const isPartners = ({ can: action }: Operation) => can(['partner admin'], action) && !can(['customer admin'], action)

t.test(`${each} requests to each operation, described and broken`, async (t) => {
  const { panel, acme } = await prepare(t)
  // What was deleted, for acts that restore it; and the partner’s person in a customer.
  const [admin, partner] = [await panel.signIn('stella'), await panel.signIn('petra')]
  await admin.submit('/projects', 'Create project', { name: 'Old', identifier: 'old' })
  await admin.submit('/projects/old/removal', 'Delete project', { identifier: 'old' })
  await partner.submit('/partner/customers/initech/removal', 'Delete customer', { identifier: 'initech' })
  await partner.submit('/partner/customers/acme/users', 'Add Myself')
  await lettersKept(panel)
  // Nothing is sent twice in a minute.
  panel.pass(10 * 60_000)
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  // A customer without an admin, whom its partner has invited.
  await petra('POST', '/accounts/cloudhaus/customers', { name: 'Stark' })
  const ofStark = '/accounts/cloudhaus/customers/stark/invitations'
  await petra('POST', ofStark, { name: 'Karla Fischer', email: 'karla@stark.example' })
  const invited = { customer: 'stark', invitation: String((await petra('GET', ofStark)).body.data[0].id) }
  await lettersKept(panel)
  panel.pass(10 * 60_000)
  // What Support looks after, and what it can restore.
  const olga = program(panel.app, tokenOf(panel, 'olga', null))
  const objectsOf = await prepareForSupport({ panel, acme })
  const statuses = new Map<number, number>()
  for (const operation of operations) {
    const ofPartner = isPartners(operation)
    const ask = isSupports(operation) ? olga : ofPartner ? petra : stella
    const deleted = /restore$|\/deleted-/.test(operation.path) ? { project: 'old', customer: 'initech' } : {}
    const objects = {
      ...acme,
      account: ofPartner ? 'cloudhaus' : 'acme',
      invitation: acme.id,
      from: 'stark',
      ...(/customer\}\/invitations/.test(operation.path) ? invited : deleted),
      ...(isSupports(operation) ? objectsOf(operation) : {}),
    }
    const done = new Map<number, number>()
    const property = fc.asyncProperty(requestsFor(operation, objects), async ({ path, body, headers }) => {
      const { status, headers: told } = await undone(panel.db, () => ask(operation.method, path, body, headers))
      panel.pass(150)
      done.set(status, (done.get(status) ?? 0) + 1)
      if (status >= 500) throw new Error(`answered ${status}`)
      const type = String(told['content-type'] ?? 'none').split(';', 1)[0] ?? ''
      const right = status >= 400 ? ['application/problem+json'] : status === 204 || status === 304 ? ['none'] : usual
      if (!right.includes(type)) throw new Error(`answered ${status} with ${type}`)
    })
    const name = `${operation.method} ${operation.path}`
    const { failed, counterexample, errorInstance } = await fc.check(property, { numRuns: each, seed })
    t.notOk(failed, `${name} ${failed ? `${errorInstance} ${JSON.stringify(counterexample)?.slice(0, 2_000)}` : ''}`)
    for (const [status, n] of done) statuses.set(status, (statuses.get(status) ?? 0) + n)
    const reached = [...done.keys()].some((status) => status < 400 || status === 409)
    t.ok(reached, `${name}: some were done, or refused for their state`)
    t.ok(
      [...done.keys()].some((status) => [400, 404, 415, 422].includes(status)),
      `${name}: some were broken`,
    )
  }
  t.comment(
    [...statuses]
      .sort()
      .map(([status, n]) => `${n} × ${status}`)
      .join(', '),
  )
})

const usual = ['application/json', 'application/jsonl']
