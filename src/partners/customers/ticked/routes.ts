import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { asAccountId } from '../../../db/ids.ts'
import { can } from '../../../policy.ts'
import { findPlan, listPlanNames, type Plan } from '../../../quotas/plans/data/plans.ts'
import { badRequest, notFound, orNotFound } from '../../../web/answer/errors.ts'
import { LastResults, type SeveralResult } from '../../../web/answer/several.ts'
import { idChoice, identifierPattern, line, readId, undoneAct, version } from '../../../web/fields.ts'
import { csvDownload, listRows } from '../../../web/lists/csv.ts'
import { listAddress, readListText } from '../../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { customerList } from '../data/listing.ts'
import { listTags } from '../details/data.ts'
import { oneTag } from '../tags.ts'
import { type TickedAct, tickedActs } from './acts.ts'
import { identifiersById, listMatching, listTicked, mostAtOnce, rowsOfTicked, type TickedCustomer } from './data.ts'
import { changeTicked, notYours } from './run.ts'
import { tickedBase as base, undoTicked } from './undo.ts'

const tagsOffered = 20

/** What the preview sends: the customers that the act changes, and the list to return to. */
const chosen = {
  customers: z.string().max(40_000),
  list: z.string().max(2_000).default(''),
  /** From the page of the one customer. */
  from: z.literal('customer').optional(),
  since: undoneAct(),
}
type PlanSeen = { id: number; version: number }
const nothingChosen = { reason: '', tag: '', plan: undefined as PlanSeen | undefined }
const schemas = {
  none: z.strictObject(chosen).transform((input) => ({ ...input, ...nothingChosen })),
  reason: z
    .strictObject({ ...chosen, reason: line('Say why: the accounts’ users will read it.', 300) })
    .transform((input) => ({ ...nothingChosen, ...input })),
  tag: z.strictObject({ ...chosen, tag: oneTag() }).transform((input) => ({ ...nothingChosen, ...input })),
  plan: z
    .strictObject({ ...chosen, plan: idChoice(), version: version() })
    .transform(({ plan: id, version, ...input }) => ({ ...input, ...nothingChosen, plan: { id, version } })),
}

type TickedResult = SeveralResult<string> & { act: TickedAct; list: string }

export default async function tickedCustomerRoutes(app: FastifyInstance) {
  const { db } = app
  const results = new LastResults<TickedResult>()

  app.get(`${base}/file`, { config: { can: 'customer.see' } }, async (request, reply) => {
    const { identifiers, list } = await readChoice(request)
    if (identifiers.length === 0) return nothingTicked(reply, list)
    const rows = rowsOfTicked(db, request.member.account.id, identifiers)
    return csvDownload(reply, 'customers.csv', ...listRows(customerList, rows))
  })

  for (const [name, act] of Object.entries(tickedActs)) {
    const path = `${base}/${name}`
    app.get(path, { config: { can: act.can } }, async (request, reply) => showChoice(request, reply, act, path))
    app.post(path, { config: { can: act.can, inAccount: true } }, async (request, reply) => {
      const partnerId = request.member.account.id
      const form = readForm(schemas[act.asks ?? 'none'], request.body)
      const identifiers = readIdentifiers([String(form.values.customers ?? '')])
      const customers = await listTicked(db, partnerId, identifiers)
      if (customers.length === 0) throw notFound()
      const list = listOf(form.values.list)
      const missing = identifiers.length - customers.length
      const preview = { act, path, customers, missing, more: false, list, tag: '' }
      if (!form.input) {
        if (act.asks !== 'reason') throw badRequest('Something is missing. Open the page again.')
        return showPreview(request, reply.code(422), { ...preview, form })
      }
      const { reason, tag, since, plan: chosenPlan } = form.input
      const plan = chosenPlan && orNotFound(findPlan(db, partnerId, chosenPlan.id))
      if (plan && plan.version !== chosenPlan.version)
        return showPreview(request, reply.code(409), { ...preview, form, plan, problem: planChanged })
      const typed = { reason, tag, plan }
      const result = await changeTicked(request, act, identifiers, { ...typed, since })
      const { from } = form.input
      const undo = undoTicked(act, result, typed, from ? { from } : { list: String(form.values.list ?? '') })
      const back = from ? `/partner/customers/${identifiers[0]}` : list
      if (result.left.length === 0) return reply.seeOther(back, act.done(result.changed.length, typed), undo)
      results.keep(request.signedIn.id, partnerId, { ...result, act, list })
      const done = result.changed.length === 0 ? 'Nothing was changed.' : act.done(result.changed.length, typed)
      return reply.seeOther(`${base}/result`, done, undo)
    })
  }

  app.get(`${base}/result`, { config: { can: 'customer.describe' } }, async (request, reply) => {
    const partnerId = request.member.account.id
    const last = results.of(request.signedIn.id, partnerId)
    if (!last || !can(request.viewer.standings, last.act.can)) return reply.seeOther('/partner/customers')
    const why = new Map(last.left.map(({ key, why }) => [key, why]))
    const named = await listTicked(db, partnerId, [...why.keys()])
    return reply.page('partners/customers/ticked/result', {
      title: 'Result',
      done: last.changed.length,
      left: named.map((customer) => ({ customer, why: why.get(customer.identifier) ?? '' })),
      gone: why.size - named.length,
      notYours,
      list: last.list,
    })
  })
}

/** The preview of an act; where it needs a tag, first the page that asks for it. */
async function showChoice(request: FastifyRequest, reply: FastifyReply, act: TickedAct, path: string) {
  const { db } = request.server
  const partnerId = request.member.account.id
  const { identifiers, list, more } = await readChoice(request)
  if (identifiers.length === 0) return nothingTicked(reply, list)
  const customers = await listTicked(db, partnerId, identifiers)
  if (customers.length === 0) throw notFound()
  const missing = identifiers.length - customers.length
  const { tag: typed, plan: planId, all } = request.query as Record<string, unknown>
  const form = newForm({ tag: typeof typed === 'string' ? typed : '' })
  const preview = { act, path, customers, missing, more, list, form }
  if (act.asks === 'plan') {
    if (planId !== undefined) {
      const plan = orNotFound(findPlan(db, partnerId, orNotFound(readId(String(planId)))))
      return showPreview(request, reply, { ...preview, tag: '', plan })
    }
    const plans = listPlanNames(db, partnerId)
    return reply.page('partners/customers/ticked/plan', { title: act.button, ...preview, all: all === 'yes', plans })
  }
  if (act.asks !== 'tag') return showPreview(request, reply, { ...preview, tag: '' })
  const tag = typed === undefined ? undefined : oneTag().safeParse(typed)
  if (tag?.success) return showPreview(request, reply, { ...preview, tag: tag.data })
  if (tag) form.errors.tag = tag.error.issues[0]?.message
  return reply.code(tag ? 422 : 200).page('partners/customers/ticked/tag', {
    title: act.button,
    ...preview,
    all: all === 'yes',
    offered: act === tickedActs.tag ? listTags(db, partnerId, tagsOffered) : tagsOf(customers),
  })
}

/** The ticked customers of a request for a preview, by identifier or (in the list's rows, which are short) by id; or all that match. */
async function readChoice(request: FastifyRequest) {
  const query = request.query as Record<string, unknown>
  const list = listOf(query.list)
  const { db, now } = request.server
  if (query.all !== 'yes') {
    const given = readIdentifiers([query.c].flat(), /^[1-9]\d{0,14}$/)
    const ids = given.filter((one) => !identifierPattern.test(one)).map((one) => asAccountId(Number(one)))
    const named = identifiersById(db, request.member.account.id, ids)
    // What is not theirs is counted as missing: no identifier is a number.
    return { identifiers: [...new Set(given.map((one) => named.get(Number(one)) ?? one))], list, more: false }
  }
  const asked = readListText(String(query.list ?? ''), customerList)
  const stillMay = () => request.mustStillMay(db)
  return { list, ...(await listMatching(db, request.member.account.id, asked, { at: now(), stillMay })) }
}

const tagsOf = (customers: TickedCustomer[]) =>
  [...new Set(customers.flatMap(({ tags }) => tags))].slice(0, tagsOffered)

/** The address of the list as it was, from the query that a form carries. */
function listOf(query: unknown): string {
  const list = readListText(typeof query === 'string' ? query : '', customerList)
  return listAddress('/partner/customers', { ...list, spec: customerList }, '', list.cursor)
}

function readIdentifiers(given: unknown[], orElse?: RegExp): string[] {
  const identifiers = given.flatMap((text) => (typeof text === 'string' && text ? text.split(',') : []))
  if (identifiers.some((one) => one.length > 32 || !(identifierPattern.test(one) || orElse?.test(one))))
    throw notFound()
  if (identifiers.length > mostAtOnce) throw badRequest(`It holds more than ${mostAtOnce} customers. Choose fewer.`)
  return [...new Set(identifiers)]
}

function nothingTicked(reply: FastifyReply, list: string) {
  return reply.seeOther(list, 'Tick at least one customer first.')
}

type Preview = {
  act: TickedAct
  path: string
  customers: TickedCustomer[]
  /** Of those that were ticked, how many are not the partner’s any more. */
  missing: number
  /** More match than are changed at once. */
  more: boolean
  list: string
  form: Form
  tag: string
  plan?: Plan
  problem?: string
}

const planChanged = 'The plan was changed since you opened this page. Nothing was applied. This is how it is now.'

function showPreview(request: FastifyRequest, reply: FastifyReply, preview: Preview) {
  const { act, customers, tag, plan } = preview
  const typed = { reason: '', tag, plan }
  const judged = customers.map((customer) => ({ customer, why: act.why(customer, typed) }))
  const changed = judged.flatMap(({ customer, why }) => (why === undefined ? [customer] : []))
  return reply.page('partners/customers/ticked/preview', {
    ...preview,
    plan: plan ?? null,
    problem: preview.problem ?? '',
    notice: act.notice?.(request.server.db, request.member.account.id, changed, typed) ?? '',
    remarks: new Map(changed.map((customer) => [customer.id, act.remark?.(customer, typed)])),
    title: changed.length > 0 ? act.title(changed.length, typed) : 'Nothing to change',
    changed,
    left: judged.flatMap(({ customer, why }) => (why === undefined ? [] : [{ customer, why }])),
    label: act.label(changed.length),
    most: mostAtOnce,
  })
}
