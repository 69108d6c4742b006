import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { orNotFound } from '../../../web/answer/errors.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { signIn } from '../../../web/request/session.ts'
import { actor } from '../../../web/request/viewer.ts'
import type { User } from '../../data/users.ts'
import { findUser } from '../../data/users.ts'
import { ownerOf, passwordChoice, readNewPassword, withoutPasswords } from '../../log-in/new-person.ts'
import { rememberBrowser } from '../../log-in/throttle/browser.ts'
import { changeEmail, findEmailChange } from '../data.ts'

/** The link that was mailed to the new address. */
export default async function emailLinkRoutes(app: FastifyInstance) {
  const { db, mailContext } = app
  const byToken = { config: { can: 'profile.change', secret: true } } as const

  app.get('/profile/email/:token', byToken, async (request, reply) => show(request, reply))

  app.post('/profile/email/:token', byToken, async (request, reply) => {
    const user = orNotFound(findUser(db, request.signedIn.id))
    if (user.emailProvedAt === null) return proveAnew(request, reply, user)
    readForm(z.strictObject({}), request.body)
    const sessionHash = request.viewer.sessionKey
    const changed = changeEmail(
      db,
      actor(request),
      { userId: user.id, token: tokenOf(request), sessionHash },
      mailContext,
    )
    if (changed === undefined) return show(request, reply)
    if (changed === 'taken') return taken(reply)
    return reply.seeOther('/profile', `You log in as ${changed} now. All your other sessions have ended.`)
  })
}

/** Somebody else may have set up an unconfirmed address and be logged in: all sessions end, and this one gets a new id. */
async function proveAnew(request: FastifyRequest, reply: FastifyReply, user: User): Promise<FastifyReply> {
  const { db, now, mailContext } = request.server
  const form = readForm(passwordChoice, request.body)
  if (form.input && findEmailChange(db, request.signedIn, tokenOf(request), now())) {
    const passwordHash = await readNewPassword(form, {
      owner: ownerOf(db, user),
      panelName: mailContext.panelName,
      from: { userId: user.id },
      earlier: user.passwordHash,
    })
    if (passwordHash) {
      const accountId = request.viewer.account?.id ?? null
      const anew = { sessionHash: request.viewer.sessionKey, passwordHash }
      const changed = changeEmail(
        db,
        actor(request),
        { userId: user.id, token: tokenOf(request), ...anew },
        mailContext,
      )
      if (changed === 'taken') return taken(reply)
      if (changed !== undefined) {
        await signIn(request, { userId: user.id, accountId, passwordHash })
        rememberBrowser(request, reply, { id: user.id, passwordHash })
        const what =
          changed === user.email ? `Your e-mail address ${changed} is confirmed` : `You log in as ${changed} now`
        return reply.seeOther('/profile', `${what}, with your new password. All your other sessions have ended.`)
      }
    }
  }
  return show(request, reply.code(422), withoutPasswords(form))
}

function taken(reply: FastifyReply): FastifyReply {
  return reply.seeOther('/profile', 'Your e-mail was not changed: somebody else logs in with this address.')
}

function tokenOf(request: FastifyRequest): string {
  return (request.params as { token: string }).token
}

/** A link that does not work says so, whatever the reason. */
function show(request: FastifyRequest, reply: FastifyReply, form: Form = newForm()) {
  const { db, now } = request.server
  const change = findEmailChange(db, request.signedIn, tokenOf(request), now())
  if (change === undefined) reply.code(404)
  return reply.page('people/email/index', {
    title: change?.confirms ? 'Confirm e-mail address' : 'Change e-mail',
    change: change ?? null,
    form,
    formAction: `/profile/email/${tokenOf(request)}`,
  })
}
