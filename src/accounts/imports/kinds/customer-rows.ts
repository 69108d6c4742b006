import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import type { AccountId } from '../../../db/ids.ts'
import { allOrNothing, type Db } from '../../../db/open.ts'
import { mayInvite } from '../../../mail/allowance.ts'
import { createCustomer, isOwnIdentifier, NoSuchPlan, noteTaken } from '../../../partners/customers/data/customers.ts'
import { unlimited } from '../../../partners/customers/data/listing.ts'
import { type Customer, findCustomer } from '../../../partners/data.ts'
import type { Role } from '../../../policy.ts'
import { canAllocate, isCounted, moreAllocated, NotEnough, type Shortage } from '../../../quotas/arithmetic.ts'
import { changeLimits, findQuotas } from '../../../quotas/data/limits.ts'
import { usesOf } from '../../../quotas/data/uses.ts'
import { findDefaultPlan } from '../../../quotas/plans/data/plans.ts'
import { countedResource, findResource } from '../../../quotas/resources/data.ts'
import type { Person } from '../../../records/record.ts'
import { roleName } from '../../../roles.ts'
import { accountName, amount, email, emailKey, identifier, personName, withIdentifier } from '../../../web/fields.ts'
import { withUnit } from '../../../web/format.ts'
import { takenWords } from '../../../web/taken.ts'
import { renameAccount } from '../../data/account.ts'
import { invite, type Sender } from '../../invitations/data/sending.ts'
import {
  type CarriedOut,
  type Checked,
  type ImportedRow,
  type Kind,
  optional,
  RowFailed,
  role,
  type Used,
  usedBefore,
  withEvery,
  wordsOf,
} from './kind.ts'

class Taken extends RowFailed {
  readonly identifier: string
  constructor(identifier: string) {
    super(taken(identifier))
    this.identifier = identifier
  }
}

const taken = (identifier: string) => `The identifier ${takenWords(identifier)}`

const limitAmount = amount(`“${unlimited}”`)

/** Undefined where the cell is empty: a new customer has the limit of its plan then, and another keeps what it has. */
const projectLimit = z.string().transform((text, context) => {
  if (text === '') return undefined
  if (text.toLowerCase() === unlimited) return null
  const read = limitAmount.safeParse(text)
  if (read.success) return read.data
  context.addIssue({ code: 'custom', message: wordsOf(read.error) })
  return z.NEVER
})

const admin = { 'admin name': optional(personName()), 'admin e-mail': optional(email()), role }

const newRow = z
  .object({
    name: accountName('The name is missing.'),
    identifier: identifier(),
    ...admin,
    'project limit': projectLimit,
  })
  .transform(withIdentifier)
  .refine((row) => !row['admin e-mail'] || row['admin name'], { error: 'The admin’s name is missing.' })
  .refine((row) => row['admin e-mail'] || !row['admin name'], { error: 'The admin’s e-mail is missing.' })

const changedName = z.object({ name: accountName('The name is missing.') })
const changedLimit = z.object({ 'project limit': projectLimit })

type NewInput = {
  name: string
  identifier: string
  admin: { name: string; email: string; role: Role } | undefined
  /** Of projects; undefined leaves it to the plan. */
  limit?: number | null | undefined
  /** The default plan when the row was checked; null without one. */
  plan?: number | null
}

/** The changes to an existing customer of the partner; columns that are not named stay. */
type ChangeInput = { change: string; name?: string; limit?: number | null }

export const customers: Kind = {
  action: 'customer.import',
  words: ['customer', 'customers'],
  columns: {
    known: ['name', 'identifier', 'admin name', 'admin e-mail', 'role', 'project limit'],
    required: ['name'],
    also: {
      name: ['customer', 'customer name', 'account name', 'company', 'company name'],
      identifier: ['customer identifier', 'account identifier'],
      'admin name': ['admin', 'admin full name', 'administrator', 'administrator name'],
      'admin e-mail': ['admin mail', 'admin e-mail address', 'administrator e-mail'],
      role: ['admin role'],
      'project limit': ['projects limit', 'limit of projects'],
    },
    own: ['users', 'status', 'created'],
  },
  emailColumn: 'admin e-mail',
  example:
    'name,identifier,admin name,admin e-mail,role,project limit\nBlue Ltd,blue,Ann Blue,ann@blue.example,admin,5',

  check(db, imported) {
    const { accountId, values, line, used } = imported
    const every = { ...withEvery(customers, values), identifier: (values.identifier ?? '').toLowerCase() }
    const known = every.identifier ? findCustomer(db, accountId, every.identifier) : undefined
    if (known) return checkChange(db, known, imported, every)
    const row = newRow.safeParse(every)
    const subject = `${values.name ?? ''} ${values.identifier ?? ''}`.trim()
    if (!row.success) return { subject, wrong: wordsOf(row.error) }
    const { name, identifier, role = 'admin' } = row.data
    const label = `${name} (${identifier})`
    const earlier = usedBefore(used, identifier, line)
    if (earlier) return { subject: label, wrong: `“${identifier}” stands in line ${earlier} already.` }
    // Whether another partner has it is said only when it is created: a file could ask for 50,000 at once.
    if (isOwnIdentifier(db, accountId, identifier)) return { subject: label, wrong: taken(identifier) }
    const { 'admin name': adminName, 'admin e-mail': adminEmail, 'project limit': limit } = row.data
    if (used.plan === undefined) used.plan = findDefaultPlan(db, accountId) ?? null
    const { plan } = used
    const planned = plan?.amounts.get(findResource(db, countedResource)?.id ?? 0) ?? null
    const projects = limit === undefined ? planned : limit
    const short = takeFromPool(db, accountId, used, moreAllocated({ limit: null, allocated: 0 }, projects))
    if (short) return { subject: label, wrong: short }
    const admin = adminName && adminEmail ? { name: adminName, email: adminEmail, role } : undefined
    const will = ['creates the customer']
    if (plan) will.push(apart`applies the plan ${plan.name}`)
    if (projects !== planned) will.push(limitWords(projects))
    if (admin) will.push(apart`invites ${admin.email} as ${roleName('customer', role)}`)
    return {
      subject: label,
      input: { name, identifier, admin, limit, plan: plan?.id ?? null } satisfies NewInput,
      words: will.join(', '),
    }
  },

  carryOut(tx, actor, sender, { accountId, input }) {
    if ('change' in input) return allOrNothing(tx, (inner) => change(inner, actor, accountId, input as ChangeInput))
    const { limit, plan, admin } = input as NewInput
    if (admin) mayInvite(tx, actor, emailKey(admin.email))
    const create = (inner: Db) => createWithAll(inner, actor, sender, { ...(input as NewInput), accountId })
    // A limit may turn out to be more than the pool has: a transaction of its own undoes the customer. It takes a while.
    if (limit == null && plan == null) return create(tx)
    try {
      return allOrNothing(tx, create)
    } catch (error) {
      // The note of it was undone as well.
      if (error instanceof Taken) noteTaken(tx, actor, accountId, error.identifier)
      if (error instanceof NoSuchPlan) throw new RowFailed('Its plan was deleted.')
      if (error instanceof NotEnough) throw new RowFailed(lackWords(error.shortages))
      throw error
    }
  },
}

const limitWords = (limit: number | null) =>
  limit === null ? 'lifts its project limit' : `limits it to ${limit} projects`

function checkChange(db: Db, customer: Customer, imported: ImportedRow, every: Record<string, string>): Checked {
  const { accountId, line, used } = imported
  const subject = `${customer.name} (${customer.identifier})`
  const earlier = usedBefore(used, customer.identifier, line)
  if (earlier) return { subject, wrong: `“${customer.identifier}” stands in line ${earlier} already.` }
  const input: ChangeInput = { change: customer.identifier }
  const will: string[] = []
  if (every.name && every.name.normalize('NFC') !== customer.name) {
    const row = changedName.safeParse(every)
    if (!row.success) return { subject, wrong: wordsOf(row.error) }
    input.name = row.data.name
    will.push(apart`renames it to ${row.data.name}`)
  }
  const row = changedLimit.safeParse(every)
  if (!row.success) return { subject, wrong: wordsOf(row.error) }
  const limit = row.data['project limit']
  const use = limit === undefined ? undefined : usesOf(db, [customer.id]).get(customer.id)?.find(isCounted)
  if (limit !== undefined && use && use.limit !== limit) {
    const short = takeFromPool(db, accountId, used, moreAllocated(use, limit))
    if (short) return { subject, wrong: short }
    input.limit = limit
    will.push(limitWords(limit))
  }
  const left =
    every['admin e-mail'] || every['admin name'] ? ' Its admin is left out: invite them under Customer Users.' : ''
  if (will.length === 0) return { subject, unchanged: `Nothing to change.${left}` }
  return { subject, input, words: `${will.join(', ')}.${left}` }
}

/** Takes so much more from what the rows before have left of the pool, as the act does. Returned is why it cannot. */
function takeFromPool(db: Db, partnerId: AccountId, used: Used, more: number): string | undefined {
  if (more === 0) return undefined
  if (used.poolAvailable === undefined)
    used.poolAvailable =
      findQuotas(db, { level: 'pool', accountId: partnerId }, countedResource)?.quotas[0]?.own.available ?? null
  if (used.poolAvailable === null) return undefined
  if (!canAllocate(more, used.poolAvailable)) return shortWords(used.poolAvailable)
  used.poolAvailable -= more
  return undefined
}

/** What of a plan the pool cannot give. */
function lackWords(shortages: Shortage[]): string {
  const [first, ...more] = shortages
  if (first?.resource.key === countedResource && more.length === 0) return shortWords(first.available)
  return apart`The pool has ${shortages.map(({ resource, available }) => apart`${withUnit(available, resource)} of ${resource.name}`).join(', ')} available.`
}

const shortWords = (available: number) => `The pool has ${Math.max(0, available)} projects available.`

function createWithAll(
  tx: Db,
  actor: Person,
  sender: Sender,
  customer: NewInput & { accountId: AccountId },
): CarriedOut {
  const { accountId, name, identifier, admin, limit, plan = null } = customer
  const projects = limit === undefined ? undefined : findResource(tx, countedResource)
  const limits = new Map(projects && limit !== undefined ? [[projects.id, limit]] : [])
  const created = createCustomer(tx, actor, accountId, { name, identifier, plan, limits })
  if (created === 'taken') throw new Taken(identifier)
  const invited = admin && invite(tx, actor, sender, { account: created, input: { ...admin, projects: [] } })
  return { words: 'created', ...(typeof invited === 'object' ? { invitationId: invited.id } : {}) }
}

function change(tx: Db, actor: Person, partnerId: AccountId, { change, name, limit }: ChangeInput): CarriedOut {
  const customer = findCustomer(tx, partnerId, change)
  if (!customer) throw new RowFailed(`The customer “${change}” no longer exists.`)
  const renamed =
    name !== undefined && renameAccount(tx, actor, customer.id, { name, version: customer.version }) === 'saved'
  const limited = limit !== undefined && setProjectLimit(tx, actor, customer.id, limit)
  return { words: renamed || limited ? 'changed' : 'nothing to change' }
}

/** Throws a RowFailed where the pool does not have enough. False when the limit is that already. */
function setProjectLimit(tx: Db, actor: Person, accountId: AccountId, limit: number | null): boolean {
  const projects = findResource(tx, countedResource)
  const amounts = new Map(projects ? [[projects.id, limit]] : [])
  try {
    return changeLimits(tx, actor, { level: 'account', accountId }, { amounts, remark: '' })
  } catch (error) {
    if (!(error instanceof NotEnough)) throw error
    throw new RowFailed(shortWords(error.shortages[0]?.available ?? 0))
  }
}
