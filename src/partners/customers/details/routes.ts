import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { invitationList, listInvitations } from '../../../accounts/invitations/data/listing.ts'
import { countMembers, findMember, listAdmins } from '../../../accounts/members/data.ts'
import { apart } from '../../../db/apart.ts'
import { firstPage } from '../../../db/list.ts'
import { listRecords, recordList, sinceTie } from '../../../history/data/records.ts'
import { can } from '../../../policy.ts'
import { countProjects } from '../../../projects/data.ts'
import { isCounted } from '../../../quotas/arithmetic.ts'
import { usesOf } from '../../../quotas/data/uses.ts'
import { findOpenRequest } from '../../../quotas/requests/data/reading.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { version } from '../../../web/fields.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import type { Customer } from '../../data.ts'
import { customerOf } from '../../scope.ts'
import { tickedActs } from '../ticked/acts.ts'
import { undoTicked } from '../ticked/undo.ts'
import { changeDetails, type Details, findByReference, findDetails, type KeptDetails, listTags } from './data.ts'
import { detailFields, tags } from './fields.ts'

/** So many people and invitations are named. */
const shown = 5
/** So many of the partner’s tags are offered. */
const offered = 20
const details = z.strictObject({ ...detailFields, tags, version: version() })

export default async function customerDetailRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/partner/customers/:customer', { config: { can: 'customer.see' } }, async (request, reply) => {
    const customer = customerOf(request)
    const partnerId = request.member.account.id
    return reply.page('partners/customers/overview', {
      title: 'Overview',
      customer,
      details: findDetails(db, partnerId, customer.id),
      admins: listAdmins(db, customer.id, shown),
      users: countMembers(db, customer.id),
      projects: countProjects(db, customer.id),
      uses: (usesOf(db, [customer.id]).get(customer.id) ?? []).filter((use) => use.limit !== null || isCounted(use)),
      invitations: listInvitations(db, customer.id, firstPage(invitationList, shown)),
      request: findOpenRequest(db, customer.id) ?? null,
      inside: findMember(db, customer.id, request.signedIn.id) !== undefined,
      now: app.now(),
      changes: can(request.viewer.standings, 'partner-history.see')
        ? listRecords(db, sinceTie(db, customer.id), firstPage(recordList, shown)).rows
        : [],
    })
  })

  app.get('/partner/customers/:customer/details', { config: { can: 'customer.describe' } }, async (request, reply) => {
    const customer = customerOf(request)
    return showForm(request, reply, customer, { form: formOf(findDetails(db, request.member.account.id, customer.id)) })
  })

  const describing = { config: { can: 'customer.describe', inAccount: true } } as const
  app.post('/partner/customers/:customer/details', describing, async (request, reply) => {
    const customer = customerOf(request)
    const partnerId = request.member.account.id
    const form = readForm(details, request.body)
    if (!form.input) return showForm(request, reply.code(422), customer, { form })
    const { version, ...typed } = form.input
    const { identifier } = customer
    const before = findDetails(db, partnerId, customer.id)
    const by = actor(request)
    const done = orNotFound(changeDetails(db, by, { partnerId, identifier }, { wanted: typed, version }))
    if (done === 'taken') {
      const other = findByReference(db, partnerId, customer.id, typed.reference)
      form.errors.reference = apart`${other ?? 'Another customer'} has this reference.`
      return showForm(request, reply.code(422), customer, { form })
    }
    if (done === 'stale') {
      // What was typed stays; sent again, it replaces what somebody else has saved.
      form.values.version = String(findDetails(db, partnerId, customer.id).version)
      const problem =
        'Somebody else has changed these details since you opened this page. Save again to replace theirs.'
      return showForm(request, reply.code(409), customer, { form, problem })
    }
    return reply.seeOther(
      `/partner/customers/${customer.identifier}`,
      done === 'unchanged' ? 'Nothing was changed.' : apart`The details of ${customer.name} were saved.`,
      done === 'unchanged' ? undefined : undoOf(before, typed, { identifier, at: by.at }),
    )
  })
}

/** Where one tag was added or removed and nothing else was changed, that is taken back. What else was typed is in no cookie. */
function undoOf(before: Details, after: Details, { identifier, at }: { identifier: string; at: number }) {
  const { tags: _, ...texts } = after
  if (Object.entries(texts).some(([field, text]) => before[field as keyof Details] !== text)) return undefined
  const [added, removed] = [after.tags.filter(isNot(before.tags)), before.tags.filter(isNot(after.tags))]
  const [tag = '', ...more] = [...added, ...removed]
  if (!tag || more.length > 0) return undefined
  const act = tickedActs[added.length > 0 ? 'tag' : 'tag-removal']
  return act && undoTicked(act, { changed: [identifier], at }, { reason: '', tag }, { from: 'customer' })
}

const isNot = (others: string[]) => (tag: string) => !others.includes(tag)

function formOf({ tags, version, ...texts }: KeptDetails): Form {
  return newForm({ ...texts, tags: tags.join(', '), version: String(version) })
}

function showForm(
  request: FastifyRequest,
  reply: FastifyReply,
  customer: Customer,
  { form, problem = '' }: { form: Form; problem?: string },
) {
  return reply.page('partners/customers/details', {
    title: apart`Details of ${customer.name}`,
    customer,
    form,
    problem,
    tags: listTags(request.server.db, request.member.account.id, offered),
  })
}
