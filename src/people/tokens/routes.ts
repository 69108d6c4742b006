import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { can, hasScope, scopeFamilies, scopeOf, type TokenScope } from '../../policy.ts'
import { found } from '../../web/answer/errors.ts'
import { line, readId, several } from '../../web/fields.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import {
  createApiToken,
  endApiToken,
  expiresInDays,
  findToken,
  lifetimes,
  listApiTokens,
  mostTokens,
  rotateApiToken,
} from './data.ts'
import { isNetwork } from './networks.ts'

const days = lifetimes.map(String)
const allScopes = scopeFamilies.flatMap((family): TokenScope[] =>
  family === 'history' ? ['history:read'] : [`${family}:read`, `${family}:write`],
)

/** What the page calls each family of scopes. */
const familyWords: Record<(typeof scopeFamilies)[number], string> = {
  account: 'Account',
  members: 'Users and invitations',
  projects: 'Projects and project access',
  quotas: 'Quotas and requests',
  customers: 'Customers',
  history: 'History',
}

/** Only its user reads it. */
const tokenName = () => line('Enter a name, such as the program that will use the token.', 60)

const newToken = z.strictObject({
  name: tokenName(),
  scopes: several(z.enum(allScopes)).refine((scopes) => scopes.length > 0, 'Choose at least one right.'),
  networks: z
    .string()
    .default('')
    .transform((text) => text.split(/[\s,]+/).filter(Boolean))
    .refine((all) => all.length <= 20, 'Enter at most 20 ranges.')
    .refine((all) => all.every(isNetwork), 'Enter IP addresses or ranges such as 192.0.2.0/24, separated by spaces.'),
  days: z.enum(days, { error: 'Choose how long the token works.' }),
})
const rotation = z.strictObject({ earlier: z.enum(['day', 'now']).default('day') })

export default async function tokenRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/profile/tokens', { config: { can: 'token.see' } }, async (request, reply) => showTokens(request, reply))

  app.post(
    '/profile/tokens',
    { config: { can: 'token.create', inAccount: true, confirm: true } },
    async (request, reply) => {
      const form = readForm(newToken, request.body)
      if (!form.input) return showTokens(request, reply.code(422), form)
      const { account } = request.member
      const token = createApiToken(db, actor(request), account.id, { ...form.input, days: Number(form.input.days) })
      if (token) return showNew(reply, token, form.input.name)
      form.errors.name = `You have ${mostTokens} tokens, which is the most. End one that you no longer use.`
      return showTokens(request, reply.code(422), form)
    },
  )

  app.get('/profile/tokens/:apiToken/rotation', { config: { can: 'token.see' } }, async (request, reply) => {
    const token = found(findToken(db, request.signedIn.id, tokenIdOf(request)))
    return reply.page('people/tokens/rotation', { title: apart`Replace ${token.name}`, token })
  })

  app.post(
    '/profile/tokens/:apiToken/rotation',
    { config: { can: 'token.see', confirm: true } },
    async (request, reply) => {
      const { input } = readForm(rotation, request.body)
      const made = found(rotateApiToken(db, actor(request), tokenIdOf(request), input?.earlier === 'now'))
      if (made === 'too-many')
        return reply.seeOther(
          '/profile/tokens',
          `You have ${mostTokens} tokens, which is the most. End one first, or let this one stop now.`,
        )
      return showNew(reply, made.token, made.name)
    },
  )

  app.post('/profile/tokens/:apiToken/removal', { config: { can: 'token.end' } }, async (request, reply) => {
    const token = found(endApiToken(db, actor(request), tokenIdOf(request)))
    return reply.seeOther('/profile/tokens', apart`The token ${token.name} was ended. Programs can no longer use it.`)
  })
}

const tokenIdOf = (request: FastifyRequest) => found(readId((request.params as { apiToken: string }).apiToken))

function showTokens(request: FastifyRequest, reply: FastifyReply, form: Form = newForm({ days: '90' })) {
  const { db, now } = request.server
  const { standings } = request.viewer
  const useful = (scope: TokenScope) =>
    (Object.keys(scopeOf) as (keyof typeof scopeOf)[]).some(
      (action) => hasScope([scope], scopeOf[action]) && can(standings, action),
    )
  return reply.page('people/tokens/index', {
    title: 'API tokens',
    form,
    tokens: listApiTokens(db, request.signedIn.id).map(({ token, account }) => ({
      ...token,
      account,
      rights: rightsInWords(token.scopes),
      expired: token.expiresAt <= now(),
      expiresIn: expiresInDays(token, now()),
      unused: (token.lastUsedAt ?? token.createdAt) < now() - 90 * 24 * 3_600_000,
    })),
    families: scopeFamilies
      .map((family) => ({
        words: familyWords[family],
        scopes: allScopes.filter((scope) => scope.startsWith(`${family}:`) && useful(scope)),
      }))
      .filter(({ scopes }) => scopes.length > 0),
    lifetimes: days,
  })
}

/** “Projects and project access (change), History (read)” */
function rightsInWords(scopes: string): string {
  return scopeFamilies
    .flatMap((family) => {
      const own = scopes.split(' ').filter((scope) => scope.startsWith(`${family}:`))
      return own.length === 0
        ? []
        : [`${familyWords[family]} (${own.some((scope) => scope.endsWith(':write')) ? 'change' : 'read'})`]
    })
    .join(', ')
}

/** Shown once: only its hash is kept. */
function showNew(reply: FastifyReply, token: string, name: string) {
  const { publicUrl } = reply.request.server.config
  return reply.page('people/tokens/new', { title: 'New API token', token, name, api: `${publicUrl}/api/v1` })
}
