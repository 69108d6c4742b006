import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { customerOf } from '../../partners/scope.ts'
import type { PoolShortage } from '../../quotas/arithmetic.ts'
import { found, Refusal } from '../../web/answer/errors.ts'
import { withUnit } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor, supportActor } from '../../web/request/viewer.ts'
import { type Account, findAccount } from '../data/account.ts'
import { findTies } from '../endings/data/foreseeing.ts'
import { supportedAccount } from '../scope.ts'
import { deleteAccount, findRestorable, restoreAccount } from './data/deleting.ts'
import { deletedCustomerList, listDeletedCustomers } from './data/listing.ts'
import { foreseeLosses } from './data/losses.ts'

const typed = z.strictObject({ identifier: z.string().trim().default('') })
const nothing = z.strictObject({})

/** Where an account is deleted: by its partner, or by Support where it has none. */
type Place = { area: 'partner' | 'support'; list: string; action: string }

export default async function deletedAccountRoutes(app: FastifyInstance) {
  const { db } = app
  const deleting = { config: { can: 'customer.delete', inAccount: true } } as const
  const support = { config: { can: 'support.account' } } as const

  app.get('/partner/customers/:customer/removal', { config: { can: 'customer.delete' } }, async (request, reply) => {
    const customer = customerOf(request)
    return showRemoval(reply, customer, ofPartner(customer), newForm())
  })

  app.post('/partner/customers/:customer/removal', deleting, async (request, reply) => {
    const customer = customerOf(request)
    const form = readForm(typed, request.body)
    if (form.input?.identifier === customer.identifier) {
      const done = found(deleteAccount(db, actor(request), request.member.account.id, customer.id, app.mailContext))
      if (done === 'deleted')
        return reply.seeOther('/partner/deleted-customers', `${customer.name} was deleted. You can restore it here.`)
    } else {
      form.errors.identifier = `Type ${customer.identifier} to delete the customer.`
    }
    return showRemoval(reply.code(422), customer, ofPartner(customer), form)
  })

  app.get('/partner/deleted-customers', { config: { can: 'customer.see' } }, async (request, reply) => {
    const { id } = request.member.account
    return (
      listDownload(request, reply, deletedCustomerList, (query) => listDeletedCustomers(db, id, query, app.now())) ??
      showDeleted(request, reply)
    )
  })

  app.post('/partner/deleted-customers/:customer/restoration', deleting, async (request, reply) => {
    const { account } = request.member
    const { customer } = request.params as { customer: string }
    const deleted = found(findRestorable(db, account.id, customer, app.now()))
    readForm(nothing, request.body)
    const done = found(restoreAccount(db, actor(request), account.id, deleted.id))
    if (typeof done !== 'string') {
      const problem = `${shortageWords(deleted, account.name, done)} Lower the quotas of other customers, or ask Support to raise the pool.`
      return showDeleted(request, reply.code(422), problem)
    }
    return reply.seeOther(
      '/partner/customers',
      restoredWords(
        deleted,
        account.name,
        done,
        'Add yourself under its Customer Users, and make somebody Customer Admin.',
      ),
    )
  })

  app.get('/support/accounts/:identifier/removal', support, async (request, reply) => {
    const account = directAccount(request)
    return showRemoval(reply, account, ofSupport(account), newForm())
  })

  app.post('/support/accounts/:identifier/removal', support, async (request, reply) => {
    const account = directAccount(request)
    const form = readForm(typed, request.body)
    if (form.input?.identifier === account.identifier) {
      const done = found(deleteAccount(db, supportActor(request), null, account.id, app.mailContext))
      if (done === 'deleted')
        return reply.seeOther(
          '/support/accounts?status=deleted',
          `${account.name} was deleted. It can be restored here.`,
        )
    } else {
      form.errors.identifier = `Type ${account.identifier} to delete the account.`
    }
    return showRemoval(reply.code(422), account, ofSupport(account), form)
  })

  app.post('/support/accounts/:identifier/restoration', support, async (request, reply) => {
    const { identifier } = request.params as { identifier: string }
    const deleted = found(findRestorable(db, null, identifier, app.now()))
    readForm(nothing, request.body)
    const done = found(restoreAccount(db, supportActor(request), null, deleted.id))
    const partner = deleted.partnerId === null ? '' : found(findAccount(db, deleted.partnerId)).name
    if (typeof done !== 'string')
      throw new Refusal(
        422,
        `${deleted.name} was not restored`,
        `${shortageWords(deleted, partner, done)} Raise the pool first.`,
      )
    return reply.seeOther(
      '/support/accounts',
      restoredWords(deleted, partner, done, 'Make somebody Customer Admin under its Users.'),
    )
  })

  /** Support deletes customer accounts without a partner; a partner deletes its own. */
  function directAccount(request: FastifyRequest): Account {
    const account = supportedAccount(request)
    return found(account.kind === 'customer' && account.partnerId === null ? account : undefined)
  }

  function showRemoval(reply: FastifyReply, account: Account, place: Place, form: Form) {
    return reply.page('accounts/deletion/removal', {
      title: `Delete ${account.name}`,
      deleted: account,
      ...place,
      losses: foreseeLosses(db, account.id),
      ties: findTies(db, account),
      partnerName: place.area === 'partner' ? reply.request.member.account.name : '',
      form,
    })
  }

  function showDeleted(request: FastifyRequest, reply: FastifyReply, problem = '') {
    const { id } = request.member.account
    return reply.page('accounts/deletion/index', {
      title: 'Deleted customers',
      problem,
      list: listDeletedCustomers(db, id, readList(request, deletedCustomerList), app.now()),
    })
  }
}

const ofPartner = ({ identifier }: Account): Place => ({
  area: 'partner',
  list: '/partner/customers',
  action: `/partner/customers/${identifier}/removal`,
})

const ofSupport = ({ identifier }: Account): Place => ({
  area: 'support',
  list: '/support/accounts',
  action: `/support/accounts/${identifier}/removal`,
})

/** `partner`: the name of the account's partner, if it has one. */
function restoredWords(deleted: Account, partner: string, done: 'restored' | 'without-admin', todo: string): string {
  const by = [deleted.supportSuspendedAt !== null ? 'Support' : [], deleted.suspendedAt !== null ? partner : []].flat()
  const words =
    by.length > 0
      ? `${deleted.name} is restored. It is still suspended by ${by.join(' and by ')}: its users can work in it once it is resumed.`
      : `${deleted.name} is restored, and its users can work in it again.`
  return done === 'without-admin' ? `${words} None of them is Customer Admin any more. ${todo}` : words
}

function shortageWords(deleted: { name: string }, partner: string, shortages: PoolShortage[]): string {
  const lacks = shortages.map(
    ({ resource, takes, left }) =>
      `${deleted.name} had ${withUnit(takes, resource)} of ${resource.name}, and ${withUnit(left, resource)} are left`,
  )
  return `The pool of ${partner} has no room for ${deleted.name} any more: ${lacks.join('; ')}. Nothing was changed.`
}
