import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { customerOf } from '../../partners/scope.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { deleteAccount, findRestorable, restoreAccount } from './data/deleting.ts'
import { deletedCustomerList, listDeletedCustomers } from './data/listing.ts'
import { ofPartner, projectsWords, removal, restoredWords, shortageWords, showRemoval } from './page.ts'

const nothing = z.strictObject({})

export default async function deletedAccountRoutes(app: FastifyInstance) {
  const { db } = app
  const deleting = { config: { can: 'customer.delete', inAccount: true } } as const

  app.get('/partner/customers/:customer/removal', { config: { can: 'customer.delete' } }, async (request, reply) => {
    const customer = customerOf(request)
    return showRemoval(reply, customer, ofPartner(customer), newForm())
  })

  app.post('/partner/customers/:customer/removal', deleting, async (request, reply) => {
    const customer = customerOf(request)
    const form = readForm(removal, request.body)
    if (form.input?.identifier === customer.identifier) {
      const done = orNotFound(
        deleteAccount(
          db,
          actor(request),
          { partnerId: request.member.account.id, accountId: customer.id, withProjects: form.input.projects },
          app.mailContext,
        ),
      )
      if (done === 'deleted')
        return reply.seeOther(
          '/partner/deleted-customers',
          apart`${customer.name} was deleted. You can restore it here.`,
        )
      form.errors.projects = projectsWords(form.input.projects)
    } else {
      form.errors.identifier = `Type ${customer.identifier} to delete the customer.`
    }
    return showRemoval(reply.code(422), customer, ofPartner(customer), form)
  })

  app.get('/partner/deleted-customers', { config: { can: 'customer.see' } }, async (request, reply) => {
    const { id } = request.member.account
    return (
      listDownload(request, reply, {
        spec: deletedCustomerList,
        list: (query) => listDeletedCustomers(db, id, query, app.now()),
      }) ?? showDeleted(request, reply)
    )
  })

  app.post('/partner/deleted-customers/:customer/restoration', deleting, async (request, reply) => {
    const { account } = request.member
    const { customer } = request.params as { customer: string }
    const deleted = orNotFound(findRestorable(db, account.id, customer, app.now()))
    readForm(nothing, request.body)
    const done = orNotFound(restoreAccount(db, actor(request), account.id, deleted.id))
    if (typeof done !== 'string') {
      const problem = apart`${shortageWords(deleted, account.name, done.shortages)} Lower the quotas of other customers, or ask Support to raise the pool.`
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

  function showDeleted(request: FastifyRequest, reply: FastifyReply, problem = '') {
    const { id } = request.member.account
    return reply.page('accounts/deletion/index', {
      title: 'Deleted customers',
      problem,
      list: listDeletedCustomers(db, id, readList(request, deletedCustomerList), app.now()),
    })
  }
}
