import type { FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { findAccount } from '../accounts/data/account.ts'
import { caretakerOf } from '../accounts/data/caretaker.ts'
import { supportedAccount } from '../accounts/scope.ts'
import { apart } from '../db/apart.ts'
import type { AccountId } from '../db/ids.ts'
import { firstPage } from '../db/list.ts'
import type { Db } from '../db/open.ts'
import { listRecords, recordList, sinceTie } from '../history/data/records.ts'
import type { Scope } from '../history/data/scope.ts'
import { customerOf } from '../partners/scope.ts'
import { can } from '../policy.ts'
import { findProject, listProjects, projectList } from '../projects/data.ts'
import type { Actor } from '../records/record.ts'
import { orNotFound, Refusal } from '../web/answer/errors.ts'
import { optionalLine, version } from '../web/fields.ts'
import { withUnit } from '../web/format.ts'
import { readList } from '../web/lists/list.ts'
import { type Form, newForm, readForm } from '../web/request/forms.ts'
import type { Holder, Quota, Quotas, Shortage } from './arithmetic.ts'
import { holderOf } from './arithmetic.ts'
import { giveLimits } from './data/giving.ts'
import { findQuotas } from './data/limits.ts'
import { limitsOfProjects } from './data/uses.ts'
import { amountFields, approvalForm, limitForm, readAmounts } from './fields.ts'
import { listPlans } from './plans/data/plans.ts'
import { findOpenRequest, listRequestsOf, ownRequestList } from './requests/data/reading.ts'
import type { Resource } from './resources/data.ts'

// What the pages with quotas share: their forms, and the pages themselves, which limits and requests
// both lead back to.

export const quotasOf = (request: FastifyRequest, holder: Holder): Quotas =>
  orNotFound(findQuotas(request.server.db, holder))

/** What a level above cannot give, in words for the person who typed it. */
export function levelShortageWords({ resource, bound, available, more, most }: Shortage, typedHere: boolean): string {
  const pool = bound.level === 'pool'
  const whose = pool ? apart`The pool of ${bound.name}` : bound.name
  const lacks = apart`${whose} has ${withUnit(available, resource)} available, and this takes ${withUnit(more, resource)} more.`
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
  for (const shortage of shortages) form.errors[shortage.resource.key] = levelShortageWords(shortage, typedHere)
}

/**
 * Reads a form of limits and saves it, all fields or none: `changed` is false if all are as they were.
 * Problems are returned in the form.
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
  const { db, mailContext } = request.server
  const result = giveLimits(db, actor, holder, { amounts, remark, version: madeOn, mail: mailContext })
  if (result === 'saved' || result === 'unchanged') return { saved: true, changed: result === 'saved' }
  if (result !== 'stale') {
    sayShortages(form, result.shortages, true)
    return { saved: false, status: 422, form }
  }
  const current = quotasOf(request, holder)
  for (const { resource, own } of current.quotas) {
    const words = (value: number | null) => (value === null ? 'no limit of its own' : withUnit(value, resource))
    const typed = amounts.get(resource.id)
    if (typed !== undefined && typed !== own.limit)
      form.errors[resource.key] =
        `Somebody has changed these quotas: here it is ${words(own.limit)} now. Save again to set it to ${words(typed)}.`
  }
  // The stored limits already equal the typed ones: nothing is left to do.
  if (Object.keys(form.errors).length === 0) return { saved: true, changed: false }
  form.values.version = String(current.version)
  return { saved: false, status: 409, form }
}

/** Why so much is not more than there is: for the field of an amount. */
export function notMoreWords(
  { limit, allocated }: Pick<Quota['own'], 'limit' | 'allocated'>,
  { name, unit }: Resource,
): string {
  if (limit === null) return apart`${name} has no limit, so there is nothing to raise.`
  const amount = (value: number) => withUnit(value, { unit })
  return allocated > limit
    ? `The limit is ${amount(limit)} and ${amount(allocated)} are allocated already. Enter at least ${amount(allocated)}.`
    : `The limit is ${amount(limit)} already. Enter more than that.`
}

export type QuotaForms = { problem?: string } & Partial<
  Record<'limits' | 'pool' | 'approval' | 'refusal' | 'ask' | 'copy', Form>
>

/** An open request with the forms to decide it. */
function decision(request: FastifyRequest, accountId: AccountId, ofAccount: Quotas, forms: QuotaForms) {
  const open = findOpenRequest(request.server.db, accountId)
  const ofProject = open && open.projectId !== null
  return {
    request: open ?? null,
    requestQuotas: ofProject ? quotasOf(request, holderOf(accountId, open.projectId)).quotas : ofAccount.quotas,
    caretaker: caretakerOf(request.server.db, { id: accountId }),
    approvalForm: forms.approval ?? approvalForm(open),
    refusalForm: forms.refusal ?? newForm({ comment: '' }),
    problem: forms.problem ?? '',
  }
}

/** The plans that can be applied, each with what it limits in words; `holds` if the limits are those of the plan. */
function planChoices(request: FastifyRequest, { quotas }: Quotas) {
  return listPlans(request.server.db, request.member.account.id).map(({ id, name, amounts }) => ({
    id,
    name,
    limits: quotas.flatMap(({ resource }) => {
      const amount = amounts.get(resource.id)
      return amount === undefined ? [] : apart`${resource.name} ${withUnit(amount, resource)}`
    }),
    holds: quotas.every(({ resource, own }) => (amounts.get(resource.id) ?? null) === own.limit),
  }))
}

/** So many changes stand beside quotas. */
const shownChanges = 4

/** The last changes of quotas, for those who may see that history. */
export function lastChanges({ viewer, server }: FastifyRequest, scope: Scope) {
  if (!can(viewer.standings, 'partner-history.see')) return []
  const first = firstPage(recordList, shownChanges)
  return listRecords(server.db, scope, { ...first, filters: { ...first.filters, family: 'limit' } }).rows
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
    plans: planChoices(request, limits),
    copyForm: forms.copy ?? newForm(),
    changes: lastChanges(request, sinceTie(request.server.db, customer.id)),
    ...decision(request, customer.id, limits, forms),
  })
}

/** An account’s quotas for Support: a partner’s pool, and the limits of an account without a partner. */
export function showSupportQuotas(request: FastifyRequest, reply: FastifyReply, forms: QuotaForms = {}) {
  const { db } = request.server
  const { id } = supportedAccount(request)
  const details = orNotFound(findAccount(db, id))
  const limits = quotasOf(request, { level: 'account', accountId: id })
  const pool = details.kind === 'partner' ? quotasOf(request, { level: 'pool', accountId: id }) : undefined
  return reply.page('quotas/support', {
    title: apart`Quotas of ${details.name}`,
    details,
    quotas: limits.quotas,
    form: forms.limits ?? limitForm(limits),
    pool: pool?.quotas ?? null,
    poolForm: forms.pool ?? (pool ? limitForm(pool) : newForm()),
    ...decision(request, id, limits, forms),
  })
}

/** Throws while a partner looks after the account: its limits and requests are that partner’s then. */
export function leftToSupport(db: Db, accountId: AccountId): void {
  const caretaker = caretakerOf(db, { id: accountId })
  if (caretaker)
    throw new Refusal(
      403,
      'Not allowed',
      apart`${caretaker.name} looks after this account: its Partner Admins set the limits and decide about requests.`,
    )
}

/** What requests are called in the address of the page that also lists the projects. */
export const requestPrefix = 'requests-'

/** Account Settings → Quotas: what the account may use, what its projects have, and asking for more. */
export function showOwnQuotas(request: FastifyRequest, reply: FastifyReply, forms: QuotaForms = {}) {
  const { db } = request.server
  const { account, user } = request.member
  const all = { userId: user.id, seesAll: true }
  const list = listProjects(db, account.id, all, readList(request, projectList))
  const { quotas } = quotasOf(request, { level: 'account', accountId: account.id })
  // More is asked for the account, or for the project that the address or the form names.
  const named = forms.ask ? forms.ask.values.project : (request.query as Record<string, unknown>).project
  const project =
    named && can(request.viewer.standings, 'quota.request')
      ? orNotFound(findProject(db, account.id, all, String(named)))
      : undefined
  const requests = listRequestsOf(db, account.id, readList(request, ownRequestList, requestPrefix))
  const open = requests.previous ? findOpenRequest(db, account.id) : requests.rows.find(({ state }) => state === 'open')
  return reply.page('quotas/own', {
    title: 'Quotas',
    quotas,
    list,
    projectLimits: limitsOfProjects(
      db,
      account.id,
      list.rows.map(({ id }) => id),
    ),
    caretaker: caretakerOf(db, account),
    request: open ?? null,
    ended: requests.rows.filter(({ state }) => state !== 'open'),
    requests,
    requestPrefix,
    project: project ?? null,
    askable: project ? quotasOf(request, holderOf(account.id, project.id)).quotas : quotas,
    form: forms.ask ?? newForm({ project: project?.identifier ?? '' }),
    problem: forms.problem ?? '',
  })
}
