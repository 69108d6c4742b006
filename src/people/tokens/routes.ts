import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { apart } from '../../db/apart.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { idFrom } from '../../web/request/address.ts'
import { type Form, readForm } from '../../web/request/forms.ts'
import { actor, supportActor } from '../../web/request/viewer.ts'
import { createApiToken, endApiToken, findToken, listApiTokens, rotateApiToken } from './data.ts'
import { emptyTokenForm, shownToken, tokenDays, tokenForm, tokenRotation, tooManyTokens, usefulScopes } from './form.ts'
import { showNewToken } from './page.ts'

export default async function tokenRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/profile/tokens', { config: { can: 'token.see' } }, async (request, reply) => showTokens(request, reply))

  app.post(
    '/profile/tokens',
    { config: { can: 'token.create', inAccount: true, confirm: true } },
    async (request, reply) => {
      const form = readForm(tokenForm, request.body)
      if (!form.input) return showTokens(request, reply.code(422), form)
      const { account } = request.member
      const made = createApiToken(db, actor(request), account.id, { ...form.input, days: Number(form.input.days) })
      if (made !== 'too-many')
        return showNewToken(reply, { token: made.token, name: form.input.name }, '/profile/tokens')
      form.errors.name = tooManyTokens
      return showTokens(request, reply.code(422), form)
    },
  )

  app.get('/profile/tokens/support', { config: { can: 'support.token' } }, async (request, reply) =>
    showSupportForm(request, reply),
  )

  app.post('/profile/tokens/support', { config: { can: 'support.token', confirm: true } }, async (request, reply) => {
    const form = readForm(tokenForm, request.body)
    if (!form.input) return showSupportForm(request, reply.code(422), form)
    const made = createApiToken(db, supportActor(request), null, { ...form.input, days: Number(form.input.days) })
    if (made !== 'too-many') return showNewToken(reply, { token: made.token, name: form.input.name }, '/profile/tokens')
    form.errors.name = tooManyTokens
    return showSupportForm(request, reply.code(422), form)
  })

  app.get('/profile/tokens/:apiToken/rotation', { config: { can: 'token.see' } }, async (request, reply) => {
    const token = orNotFound(findToken(db, tokenOf(request)))
    return reply.page('people/tokens/rotation', {
      title: apart`Replace ${token.name}`,
      token,
      list: '/profile/tokens',
      action: '/profile/tokens',
    })
  })

  app.post(
    '/profile/tokens/:apiToken/rotation',
    { config: { can: 'token.see', confirm: true } },
    async (request, reply) => {
      const { input } = readForm(tokenRotation, request.body)
      const made = orNotFound(rotateApiToken(db, actorFor(request), tokenOf(request), input?.earlier === 'now'))
      if (made === 'too-many') return reply.seeOther('/profile/tokens', tooManyTokens)
      return showNewToken(reply, made, '/profile/tokens')
    },
  )

  app.post('/profile/tokens/:apiToken/removal', { config: { can: 'token.end' } }, async (request, reply) => {
    const token = orNotFound(endApiToken(db, actorFor(request), tokenOf(request)))
    return reply.seeOther('/profile/tokens', apart`The token ${token.name} was ended. Programs can no longer use it.`)
  })
}

/** Of the tokens of who asks. */
const tokenOf = (request: FastifyRequest) => ({
  userId: request.signedIn.id,
  tokenId: idFrom(request, 'apiToken'),
})

/** A token of Support is made, replaced and ended as Support. */
const actorFor = (request: FastifyRequest) =>
  findToken(request.server.db, tokenOf(request))?.accountId === null ? supportActor(request) : actor(request)

/** A token of Support works in no account, and one of an account does not work for Support. */
const withoutSupport = ({ viewer }: FastifyRequest) => viewer.standings.filter((standing) => standing !== 'support')

function showSupportForm(_request: FastifyRequest, reply: FastifyReply, form: Form = emptyTokenForm()) {
  return reply.page('people/tokens/support', {
    title: 'New token for Support',
    form,
    families: usefulScopes(['support']),
    lifetimes: tokenDays,
  })
}

function showTokens(request: FastifyRequest, reply: FastifyReply, form: Form = emptyTokenForm()) {
  const { db, now } = request.server
  return reply.page('people/tokens/index', {
    title: 'API tokens',
    form,
    tokens: listApiTokens(db, request.signedIn.id).map(({ token, account }) => ({
      ...shownToken(token, now()),
      account,
    })),
    families: usefulScopes(withoutSupport(request)),
    lifetimes: tokenDays,
  })
}
