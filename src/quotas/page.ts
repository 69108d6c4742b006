import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { findAccount } from '../accounts/data.ts'
import { customerOf } from '../customers/own.ts'
import type { Actor } from '../history/record.ts'
import { findProject, listProjectChoices, listProjects, projectList, withChosen } from '../projects/data.ts'
import { findOpenRequest, listRequestsOf, type QuotaRequest } from '../quota-requests/data.ts'
import type { Resource } from '../resources/data.ts'
import { findAccountByIdentifier } from '../support/data.ts'
import { found } from '../web/errors.ts'
import { amount, optionalLine, version } from '../web/fields.ts'
import { number, withUnit } from '../web/format.ts'
import { type Form, newForm, readForm } from '../web/forms.ts'
import { readList } from '../web/list.ts'
import { findQuotas, type Holder, limitsOfProjects, type Quotas, type Shortage, setLimits } from './data.ts'

// What the pages with quotas share: their forms, and the pages themselves, which limits and requests
// both lead back to.

/** A field for each resource, named by its key. */
export function amountFields(resources: Resource[], empty: string) {
  return Object.fromEntries(resources.map(({ key }) => [key, amount(empty).optional()]))
}

/** The amounts that such fields hold, by resource: what the form did not send is left out. */
export function readAmounts(input: Record<string, unknown>, resources: Resource[]): Map<number, number | null> {
  return new Map(
    resources.flatMap(({ id, key }) => {
      const value = input[key] as number | null | undefined
      return value === undefined ? [] : [[id, value] as const]
    }),
  )
}

export const quotasOf = (request: FastifyRequest, holder: Holder): Quotas =>
  found(findQuotas(request.server.db, holder))

/** A form with the limits as they are. */
export function limitForm({ quotas, version }: Quotas): Form {
  const values = quotas.map(({ resource, own }) => [resource.key, own.limit === null ? '' : String(own.limit)])
  return newForm({ ...Object.fromEntries(values), version: String(version), remark: '' })
}

/** What a level above cannot give, for whoever typed it. */
function shortageWords({ resource, bound, left, more, most }: Shortage, typedHere: boolean): string {
  const pool = bound.level === 'pool'
  const whose = pool ? `The pool of ${bound.name}` : bound.name
  const lacks = `${whose} has ${withUnit(left, resource)} left, and this takes ${withUnit(more, resource)} more.`
  const possible = typedHere ? ` At most ${withUnit(most, resource)} is possible here.` : ''
  const raises = pool
    ? 'Support can raise the pool.'
    : 'Give less to other projects, or ask for more under Account Settings → Quotas.'
  return `${lacks}${possible} ${raises}`
}

/**
 * Puts what a level above cannot give at its fields. `typedHere` is false where it lacks for a level that
 * would have to rise with what was typed.
 */
export function sayShortages(form: Form, shortages: Shortage[], typedHere: boolean): void {
  for (const shortage of shortages) form.errors[shortage.resource.key] = shortageWords(shortage, typedHere)
}

/**
 * Reads a form of limits and saves it, all fields or none: `changed` is false when all are as they were. What
 * stands in the way comes back in the form.
 */
export function saveLimits(
  request: FastifyRequest,
  actor: Actor,
  holder: Holder,
): { saved: true; changed: boolean } | { saved: false; status: 409 | 422; form: Form } {
  const { quotas } = quotasOf(request, holder)
  const resources = quotas.map(({ resource }) => resource)
  const schema = z.strictObject({
    version: version(),
    remark: optionalLine(300),
    ...amountFields(resources, 'leave it empty for no limit of its own'),
  })
  const form = readForm(schema, request.body)
  if (!form.input) return { saved: false, status: 422, form }

  const amounts = readAmounts(form.input, resources)
  const { remark, version: madeOn } = form.input
  const result = setLimits(request.server.db, actor, holder, { amounts, remark, version: madeOn })
  if (result === 'saved' || result === 'unchanged') return { saved: true, changed: result === 'saved' }
  if (result !== 'stale') {
    sayShortages(form, result, true)
    return { saved: false, status: 422, form }
  }
  const current = quotasOf(request, holder)
  const words = (value: number | null) => (value === null ? 'no limit of its own' : number(value))
  for (const { resource, own } of current.quotas) {
    const typed = amounts.get(resource.id)
    if (typed !== undefined && typed !== own.limit)
      form.errors[resource.key] =
        `Somebody has changed these quotas meanwhile: here it is ${words(own.limit)} now. Save again to set it to ${words(typed)}.`
  }
  // What was typed is what is there by now: nothing is left to do.
  if (Object.keys(form.errors).length === 0) return { saved: true, changed: false }
  form.values.version = String(current.version)
  return { saved: false, status: 409, form }
}

/** The form to approve a request: the amounts asked for, to be changed. */
function approvalForm(request: QuotaRequest | undefined): Form {
  const values = request?.amounts.map(({ resource, asked }) => [resource.key, String(asked)]) ?? []
  return newForm({ ...Object.fromEntries(values), comment: '' })
}

export type QuotaForms = { limits?: Form; pool?: Form; approval?: Form; refusal?: Form; ask?: Form; problem?: string }

/** An open request with the forms to decide it. */
function decision(request: FastifyRequest, accountId: number, ofAccount: Quotas, forms: QuotaForms) {
  const open = findOpenRequest(request.server.db, accountId)
  const ofProject = open && open.projectId !== null
  return {
    request: open ?? null,
    requestQuotas: ofProject ? quotasOf(request, holderOf(accountId, open.projectId)).quotas : ofAccount.quotas,
    approvalForm: forms.approval ?? approvalForm(open),
    refusalForm: forms.refusal ?? newForm({ comment: '' }),
    problem: forms.problem ?? '',
  }
}

export function holderOf(accountId: number, projectId: number | null): Holder {
  return projectId === null ? { level: 'account', accountId } : { level: 'project', accountId, projectId }
}

/** Project Quotas: what a customer may use, and what it asks for. */
export function showCustomerQuotas(request: FastifyRequest, reply: FastifyReply, forms: QuotaForms = {}) {
  const customer = customerOf(request)
  const limits = quotasOf(request, { level: 'account', accountId: customer.id })
  return reply.page('quotas/customer', {
    title: 'Project Quotas',
    customer,
    quotas: limits.quotas,
    form: forms.limits ?? limitForm(limits),
    ...decision(request, customer.id, limits, forms),
  })
}

/** An account’s quotas for Support: a partner’s pool, and the limits of an account without a partner. */
export function showSupportQuotas(request: FastifyRequest, reply: FastifyReply, forms: QuotaForms = {}) {
  const { db } = request.server
  const { id } = supportedAccount(request)
  const details = found(findAccount(db, id))
  const limits = quotasOf(request, { level: 'account', accountId: id })
  const pool = details.kind === 'partner' ? quotasOf(request, { level: 'pool', accountId: id }) : undefined
  return reply.page('quotas/support', {
    title: `Quotas of ${details.name}`,
    details,
    quotas: limits.quotas,
    form: forms.limits ?? limitForm(limits),
    pool: pool?.quotas ?? null,
    poolForm: forms.pool ?? (pool ? limitForm(pool) : newForm()),
    ...decision(request, id, limits, forms),
  })
}

export function supportedAccount(request: FastifyRequest) {
  const { identifier } = request.params as { identifier: string }
  return found(findAccountByIdentifier(request.server.db, identifier))
}

/** How many projects the form to ask for more offers; more can be asked for the others from the list below it. */
const choices = 100

function projectNamed(request: FastifyRequest): string {
  const { project } = request.query as Record<string, unknown>
  return typeof project === 'string' ? project : ''
}

/** Account Settings → Quotas: what the account may use, what its projects were given, and asking for more. */
export function showOwnQuotas(request: FastifyRequest, reply: FastifyReply, forms: QuotaForms = {}) {
  const { db } = request.server
  const { account, user } = request.member
  const all = { userId: user.id, seesAll: true }
  const list = listProjects(db, account.id, all, readList(request, projectList))
  const form = forms.ask ?? newForm({ project: projectNamed(request) })
  const named = form.values.project
  const chosen = typeof named === 'string' && named ? findProject(db, account.id, all, named) : undefined
  // An address names a project of the account, or leads nowhere.
  if (!forms.ask && named) found(chosen)
  const offered = listProjectChoices(db, account.id, choices + 1)
  const requests = listRequestsOf(db, account.id, 6)
  return reply.page('quotas/own', {
    title: 'Quotas',
    quotas: quotasOf(request, { level: 'account', accountId: account.id }).quotas,
    list,
    given: limitsOfProjects(
      db,
      account.id,
      list.rows.map(({ id }) => id),
    ),
    request: requests.find(({ state }) => state === 'open') ?? null,
    ended: requests.filter(({ state }) => state !== 'open'),
    choices: withChosen(offered.slice(0, choices), chosen ? [chosen] : []),
    moreChoices: offered.length > choices,
    form,
    problem: forms.problem ?? '',
  })
}
