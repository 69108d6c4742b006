import type { FastifyInstance, FastifyRequest } from 'fastify'
import { apart } from '../../db/apart.ts'
import { createApiToken, endApiToken, findToken, rotateApiToken } from '../../people/tokens/data.ts'
import { tokenForm, tokenRotation, tooManyTokens } from '../../people/tokens/form.ts'
import { showNewToken } from '../../people/tokens/page.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { idFrom, serviceUserIdOf } from '../../web/request/address.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { serviceUserOf, showServiceUser } from './page.ts'

/** The tokens of a service user: what gives a program access asks for proof. */
export function tokenActs(app: FastifyInstance): void {
  const { db } = app
  const base = '/customer/service-users/:serviceUser/tokens'
  const prove = { config: { can: 'service-token.change', inAccount: true, confirm: true } } as const

  app.post(base, prove, async (request, reply) => {
    const { userId: serviceUser } = serviceUserOf(request)
    const form = readForm(tokenForm, request.body)
    if (!form.input) return showServiceUser(request, reply.code(422), { token: form })
    const choice = { ...form.input, days: Number(form.input.days), serviceUser }
    const made = createApiToken(db, actor(request), request.member.account.id, choice)
    if (made !== 'too-many') return showNewToken(reply, { token: made.token, name: form.input.name }, pageOf(request))
    form.errors.name = tooManyTokens
    return showServiceUser(request, reply.code(422), { token: form })
  })

  app.get(`${base}/:apiToken/rotation`, { config: { can: 'service-token.change' } }, async (request, reply) => {
    const token = orNotFound(findToken(db, tokenOf(request)))
    return reply.page('people/tokens/rotation', {
      title: apart`Replace ${token.name}`,
      token,
      list: pageOf(request),
      action: `${pageOf(request)}/tokens`,
    })
  })

  app.post(`${base}/:apiToken/rotation`, prove, async (request, reply) => {
    const { input } = readForm(tokenRotation, request.body)
    const made = orNotFound(rotateApiToken(db, actor(request), tokenOf(request), input?.earlier === 'now'))
    if (made === 'too-many') return reply.seeOther(pageOf(request), tooManyTokens)
    return showNewToken(reply, made, pageOf(request))
  })

  app.post(
    `${base}/:apiToken/removal`,
    { config: { can: 'service-token.change', inAccount: true } },
    async (request, reply) => {
      const token = orNotFound(endApiToken(db, actor(request), tokenOf(request)))
      return reply.seeOther(pageOf(request), apart`The token ${token.name} was ended. Programs can no longer use it.`)
    },
  )
}

const pageOf = (request: FastifyRequest) => `/customer/service-users/${serviceUserIdOf(request)}`

/** A token of a service user of the active account. */
const tokenOf = (request: FastifyRequest) => ({
  userId: serviceUserOf(request).userId,
  tokenId: idFrom(request, 'apiToken'),
})
