import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { proposeAccountIdentifier } from '../../accounts/data/account.ts'
import { apart } from '../../db/apart.ts'
import { orTooMany, TooMany } from '../../mail/pace.ts'
import { can } from '../../policy.ts'
import { listProjects, projectList } from '../../projects/data.ts'
import { isCounted, isNear, NotEnough, nearestLimit } from '../../quotas/arithmetic.ts'
import { projectQuota } from '../../quotas/data/limits.ts'
import { poolBoundsProjects } from '../../quotas/data/pool.ts'
import { limitsOfProjects, usesOf } from '../../quotas/data/uses.ts'
import { listPlanNames } from '../../quotas/plans/data/plans.ts'
import { poolLacksForPlan } from '../../quotas/plans/words.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { accountName, idChoice, identifier, withIdentifier } from '../../web/fields.ts'
import { number } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList, refererQuery } from '../../web/lists/list.ts'
import { isRemembered, readRemembered } from '../../web/lists/remembered.ts'
import { readInTurns } from '../../web/lists/turns.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { freeWords, takenWords } from '../../web/taken.ts'
import { customerOf } from '../scope.ts'
import { createCustomer, NoSuchPlan } from './data/customers.ts'
import { customerList, listCustomers } from './data/listing.ts'
import { overviewOf } from './data/overview.ts'
import { customerViews } from './data/views.ts'

const newCustomer = z
  .strictObject({
    name: accountName('Enter the customer’s name.'),
    identifier: identifier(),
    // The form of a partner without plans does not have it.
    plan: z.union([z.literal('none'), idChoice()], { error: 'Choose from the list.' }).optional(),
  })
  .transform(withIdentifier)

export default async function customerRoutes(app: FastifyInstance) {
  const { db } = app
  const see = { config: { can: 'customer.see' } } as const

  // The menu's entry.
  app.get('/partner', { config: { can: 'partner-area.enter' } }, async (request, reply) => {
    orNotFound(request.viewer.partnerAccounts[0])
    return reply.seeOther('/partner/customers')
  })

  app.get(
    '/partner/customers',
    see,
    async (request, reply) =>
      listDownload(request, reply, {
        spec: customerList,
        list: (query) => listCustomers(db, request.member.account.id, query, app.now()),
      }) ?? showCustomers(request, reply),
  )

  app.post('/partner/customers', { config: { can: 'customer.create', inAccount: true } }, async (request, reply) => {
    const form = readForm(newCustomer, request.body)
    if (form.input) {
      const { plan, ...named } = form.input
      const created = creating({ ...named, plan: plan === 'none' ? null : plan }, request)
      if (created instanceof TooMany) {
        form.errors.identifier = created.message
        return showCustomers(request, reply.code(429), form)
      }
      if (typeof created === 'object' && 'why' in created) {
        form.errors[form.values.plan === undefined ? 'name' : 'plan'] = created.why
        return showCustomers(request, reply.code(422), form)
      }
      if (created !== 'taken')
        return reply.seeOther(
          newestFirst(request),
          apart`${created.name} was created. It has no users yet: open its Customer Users.`,
        )
      form.values.identifier ||= form.input.identifier
      const free = proposeAccountIdentifier(db, form.input.identifier)
      form.errors.identifier = `${takenWords(form.input.identifier)} ${freeWords(free)}`
    }
    return showCustomers(request, reply.code(422), form)
  })

  app.get('/partner/customers/:customer/projects', see, async (request, reply) => {
    const customer = customerOf(request)
    const all = { userId: request.signedIn.id, seesAll: true }
    const file = listDownload(request, reply, {
      spec: projectList,
      list: (query) => listProjects(db, customerOf(request).id, all, query),
    })
    if (file) return file
    const list = listProjects(db, customer.id, all, readList(request, projectList))
    return reply.page('partners/customers/projects', {
      title: 'Customer Projects',
      customer,
      quota: projectQuota(db, customer.id),
      list,
      projectLimits: limitsOfProjects(
        db,
        customer.id,
        list.rows.map(({ id }) => id),
      ),
    })
  })
}

/** Creates a customer, or says why its plan cannot be applied. */
function creating(customer: Parameters<typeof createCustomer>[3], request: FastifyRequest) {
  const { db } = request.server
  try {
    return orTooMany(() => createCustomer(db, actor(request), request.member.account.id, customer))
  } catch (error) {
    if (error instanceof NoSuchPlan) return { why: 'This plan was deleted. Choose another one.' }
    if (error instanceof NotEnough) return { why: poolLacksForPlan(error.shortages) }
    throw error
  }
}

/** Chosen at first: the plan that new customers get, or none. */
function newCustomerForm(plans: ReturnType<typeof listPlanNames>): Form {
  const chosen = plans.find(({ isDefault }) => isDefault)
  return newForm({ plan: chosen ? String(chosen.id) : 'none' })
}

/** The list with its newest customer, whatever its search, filters and sort were. */
function newestFirst(request: FastifyRequest): string {
  const narrowed = isRemembered(request, customerList) || Object.keys(refererQuery(request)).length > 0
  return narrowed ? '/partner/customers?sort=created&created=yes' : '/partner/customers'
}

async function showCustomers(request: FastifyRequest, reply: FastifyReply, form?: Form) {
  const { db, now } = request.server
  const partnerId = request.member.account.id
  const asked = readRemembered(request, customerList)
  const list = await readInTurns(request, (query) => listCustomers(db, partnerId, query, now()), asked)
  const plans = can(request.viewer.standings, 'customer.create') ? listPlanNames(db, partnerId) : []
  const uses = usesOf(
    db,
    list.rows.map(({ id }) => id),
  )
  return reply.page('partners/customers/index', {
    title: 'Customers',
    plans,
    form: form ?? newCustomerForm(plans),
    shared: poolBoundsProjects(db, partnerId),
    views: customerViews(
      overviewOf(db, { partnerId, userId: request.signedIn.id }, request.server.now(), request.log),
      number,
    ),
    list: {
      ...list,
      rows: list.rows.map((customer) => {
        const usesHere = uses.get(customer.id) ?? []
        // That of projects has a column of its own, and limits that are far say nothing.
        const nearest = nearestLimit(usesHere.filter((use) => !isCounted(use) && isNear(use)))
        return { ...customer, projectUse: usesHere.find(isCounted), nearest }
      }),
    },
  })
}
