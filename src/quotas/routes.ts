import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { customerOf } from '../customers/own.ts'
import { projectUse } from '../projects/data.ts'
import { limit, version } from '../web/fields.ts'
import { type Form, newForm, readForm } from '../web/forms.ts'
import { actor } from '../web/viewer.ts'
import { setProjectLimit } from './data.ts'

const quotas = z.strictObject({ projects: limit(), version: version() })

export default async function quotaRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/partner/customers/:customer/quotas', { config: { can: 'customer.see' } }, async (request, reply) =>
    show(request, reply),
  )

  app.post(
    '/partner/customers/:customer/quotas',
    { config: { can: 'customer.limit', inAccount: true } },
    async (request, reply) => {
      const customer = customerOf(request)
      const form = readForm(quotas, request.body)
      if (!form.input) return show(request, reply.code(422), form)

      const { projects, version } = form.input
      const words = (value: number | null) => (value === null ? 'unlimited' : String(value))
      if (setProjectLimit(db, actor(request), request.member.account.id, customer.id, projects, version)) {
        return reply.seeOther(
          `/partner/customers/${customer.identifier}/quotas`,
          `The project quota of ${customer.name} is ${words(projects)} now.`,
        )
      }
      form.errors.projects = `Somebody has changed this customer meanwhile: its quota is ${words(customer.projectLimit)} now. Save again to set it to ${words(projects)}.`
      form.values.version = String(customer.version)
      return show(request, reply.code(409), form)
    },
  )

  function show(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    const customer = customerOf(request)
    const values = {
      projects: customer.projectLimit === null ? '' : String(customer.projectLimit),
      version: String(customer.version),
    }
    return reply.page('quotas/customer', {
      title: 'Project Quotas',
      customer,
      use: projectUse(db, customer.id),
      form: form ?? newForm(values),
    })
  }
}
