import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { resumeAccount, suspendAccount } from '../../../accounts/suspension/data.ts'
import { resumedWords } from '../../../accounts/suspension/resumed.ts'
import { apart } from '../../../db/apart.ts'
import { line } from '../../../web/fields.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import { customerOf } from '../../scope.ts'

const suspension = z.strictObject({ reason: line('Say why: the account’s users will read it.', 300) })

export default async function customerSuspensionRoutes(app: FastifyInstance) {
  const { db } = app
  const suspending = { config: { can: 'customer.suspend', inAccount: true } } as const

  app.get('/partner/customers/:customer/suspension', { config: { can: 'customer.suspend' } }, async (request, reply) =>
    showSuspension(request, reply, newForm()),
  )

  app.post('/partner/customers/:customer/suspension', suspending, async (request, reply) => {
    const customer = customerOf(request)
    const form = readForm(suspension, request.body)
    if (!form.input) return showSuspension(request, reply.code(422), form)
    const done = suspendAccount(
      db,
      actor(request),
      { accountId: customer.id, reason: form.input.reason },
      app.mailContext,
    )
    return reply.seeOther(
      '/partner/customers',
      done
        ? apart`${customer.name} is suspended.`
        : apart`You had suspended ${customer.name} already. Nothing was changed.`,
    )
  })

  app.post('/partner/customers/:customer/suspension/removal', suspending, async (request, reply) => {
    const customer = customerOf(request)
    return reply.seeOther(
      '/partner/customers',
      resumedWords(customer.name, resumeAccount(db, actor(request), customer.id, app.mailContext)),
    )
  })
}

function showSuspension(request: FastifyRequest, reply: FastifyReply, form: Form) {
  const customer = customerOf(request)
  return reply.page('partners/customers/suspension', { title: apart`Suspend ${customer.name}`, customer, form })
}
