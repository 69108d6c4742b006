import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { findAccount } from '../../../accounts/data/account.ts'
import { findTies } from '../../../accounts/endings/data/foreseeing.ts'
import { supportedAccount } from '../../../accounts/scope.ts'
import { apart } from '../../../db/apart.ts'
import { findOpenRequest } from '../../../quotas/requests/data/reading.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { withUnit } from '../../../web/format.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { supportActor } from '../../../web/request/viewer.ts'
import { type Moved, moveAccount } from './data.ts'

const transfer = z
  .strictObject({
    to: z.enum(['partner', 'none'], { error: 'Choose where to.' }),
    partner: z.string().trim().default(''),
  })
  .refine(({ to, partner }) => to === 'none' || partner !== '', {
    path: ['partner'],
    message: 'Enter the new partner’s identifier.',
  })
  .refine(({ to, partner }) => to === 'partner' || partner === '', {
    path: ['partner'],
    message: 'Leave this empty to move it to Support, or choose to move it to a partner.',
  })

export default async function accountTransferRoutes(app: FastifyInstance) {
  const { db, postLetter: post } = app
  const { publicUrl, panelName, supportEmail } = app.config
  const transform = { config: { can: 'support.transform', confirm: true } } as const

  app.get('/support/accounts/:identifier/partner', transform, async (request, reply) =>
    show(request, reply, newForm({ to: 'partner' })),
  )

  app.post('/support/accounts/:identifier/partner', transform, async (request, reply) => {
    const { id, name } = customerOf(request)
    const form = readForm(transfer, request.body)
    if (!form.input) return show(request, reply.code(422), form)
    const { to, partner } = form.input
    const tell = { post, publicUrl, panelName, supportEmail }
    const done = orNotFound(
      moveAccount(db, supportActor(request), { accountId: id, to: to === 'none' ? null : partner }, tell),
    )
    if (done === 'moved') {
      const now = orNotFound(findAccount(db, id)).partnerName
      return reply.seeOther(
        '/support/accounts',
        apart`${name} is looked after by ${now ?? 'Support'} now. Everyone affected gets an e-mail.`,
      )
    }
    form.errors[to === 'none' ? 'to' : 'partner'] = wordsOf(done, partner, name)
    return show(request, reply.code(422), form)
  })

  /** Only customer accounts have a partner. */
  function customerOf(request: FastifyRequest) {
    const account = supportedAccount(request)
    return orNotFound(account.kind === 'customer' ? account : undefined)
  }

  function show(request: FastifyRequest, reply: FastifyReply, form: Form) {
    const account = customerOf(request)
    return reply.page('partners/partnership/move/index', {
      title: apart`Move ${account.name}`,
      details: orNotFound(findAccount(db, account.id)),
      ties: findTies(db, account),
      asks: findOpenRequest(db, account.id) !== undefined,
      form,
    })
  }
}

function wordsOf(refused: Exclude<Moved, 'moved'>, partner: string, name: string): string {
  if (refused === 'no-partner') return apart`There is no partner account “${partner}”.`
  if (refused === 'suspended-partner') return apart`“${partner}” is suspended, and cannot look after customers.`
  if (refused === 'unchanged') return apart`${name} is there already.`
  const lacks = refused.shortages.map(
    ({ resource, takes, available }) =>
      apart`${resource.name}: ${withUnit(takes, resource)} needed, ${withUnit(available, resource)} available`,
  )
  return apart`The pool of “${partner}” does not have enough for it. ${lacks.join('; ')}. Raise the pool first, or lower the customer’s quotas.`
}
