import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { write } from '../db/open.ts'
import { createUser, findUser, findUserByEmail } from '../login/data.ts'
import { newPersonFields, readNewPassword, withoutPasswords } from '../login/new-person.ts'
import { roleName } from '../policy.ts'
import { found, Refusal } from '../web/errors.ts'
import { emailKey } from '../web/fields.ts'
import { plural } from '../web/format.ts'
import { type Form, newForm, readForm } from '../web/forms.ts'
import { signIn } from '../web/session.ts'
import { actor, origin } from '../web/viewer.ts'
import { type Accepted, acceptInvitation, cancelInvitation, copyLink, findOffer, type Offer, resend } from './data.ts'
import { idOf, showLink } from './link.ts'

const newPerson = z.strictObject(newPersonFields)

export default async function invitationRoutes(app: FastifyInstance) {
  const { db, config, now, postLetter } = app
  const byAdmin = { config: { can: 'member.invite', inAccount: true } } as const
  const byToken = { can: 'invitation.accept', secret: true } as const

  app.post('/customer/invitations/:id/resending', byAdmin, async (request, reply) => {
    const { account, user } = request.member
    const sender = { post: postLetter, publicUrl: config.publicUrl, inviter: user.name }
    const { email } = found(resend(db, actor(request), sender, account, idOf(request)))
    return reply.seeOther('/customer/users', `A new letter goes to ${email}. Earlier links have ended.`)
  })

  app.post('/customer/invitations/:id/cancellation', byAdmin, async (request, reply) => {
    const { email } = found(cancelInvitation(db, actor(request), request.member.account.id, idOf(request)))
    return reply.seeOther('/customer/users', `The invitation of ${email} was cancelled.`)
  })

  app.post('/customer/invitations/:id/link', byAdmin, async (request, reply) => {
    const copied = found(copyLink(db, actor(request), request.member.account.id, idOf(request)))
    return showLink(reply, copied, config.publicUrl, '/customer/users')
  })

  // Looking changes nothing: mail scanners look.
  app.get('/invitations/:token', { config: { can: 'invitation.see', secret: true } }, async (request, reply) =>
    show(request, reply, newForm()),
  )

  app.post('/invitations/:token/user', { config: byToken }, async (request, reply) => {
    const offer = offerOf(request)
    const { invitation } = offer
    if (offer.state !== 'open' || findUserByEmail(db, invitation.email))
      return show(request, reply.code(409), newForm())

    const form = readForm(newPerson, request.body)
    if (form.input) {
      const { name } = form.input
      const passwordHash = await readNewPassword(form, { name, email: invitation.email }, config.panelName)
      if (passwordHash) {
        const anonymous = { ...origin(request), userId: null, accountId: null, bySupport: false }
        const joined = write(db, (tx) => {
          const user = createUser(tx, anonymous, { email: invitation.email, name, passwordHash })
          const account = user && acceptInvitation(tx, { ...anonymous, userId: user.id }, invitation.id, user)
          // Undoes the user too.
          if (!account)
            throw new Refusal(409, 'This invitation is not open any more', 'Open its link again to see why.')
          return { user, account }
        })
        await signIn(request, joined.user.id, joined.account.id)
        return reply.seeOther('/projects', `Welcome to ${joined.account.name}, ${joined.user.name}.`)
      }
    }
    return show(request, reply.code(422), withoutPasswords(form))
  })

  app.post('/invitations/:token/acceptance', { config: byToken }, async (request, reply) => {
    const { user } = request.viewer
    if (!user) return reply.seeOther(`/login?next=${encodeURIComponent(addressOf(request))}`)
    return accept(request, reply, offerOf(request).invitation.id) ?? show(request, reply.code(409), newForm())
  })

  app.post('/my-invitations/:id/acceptance', { config: { can: 'home.see' } }, async (request, reply) => {
    return accept(request, reply, idOf(request)) ?? reply.seeOther('/', 'This invitation is not open any more.')
  })

  function accept(request: FastifyRequest, reply: FastifyReply, id: number): FastifyReply | undefined {
    const user = found(findUser(db, request.signedIn.id))
    const accepted = write(db, (tx) => acceptInvitation(tx, actor(request), id, user))
    // The link names the account: it switches, and says so.
    return accepted && reply.seeOther(`/projects?account=${accepted.identifier}`, acceptedWords(accepted))
  }

  function offerOf(request: FastifyRequest): Offer {
    return found(findOffer(db, (request.params as { token: string }).token, now()))
  }

  function addressOf(request: FastifyRequest): string {
    return `/invitations/${(request.params as { token: string }).token}`
  }

  function show(request: FastifyRequest, reply: FastifyReply, form: Form) {
    const offer = offerOf(request)
    const { invitation, account } = offer
    const user = request.viewer.user
    const known = findUserByEmail(db, invitation.email) !== undefined
    const who = user ? (emailKey(user.email) === invitation.emailKey ? 'invited' : 'other') : known ? 'known' : 'new'
    return reply.page('invitations/show', {
      title: `Invitation to ${account.name}`,
      offer,
      who,
      formAction: addressOf(request),
      form: form.values.name === undefined ? { ...form, values: { name: invitation.name, ...form.values } } : form,
    })
  }
}

function acceptedWords({ name, kind, joined, role, gained }: Accepted): string {
  const projects = gained > 0 ? ` It gave you access to ${plural(gained, 'project')}.` : ''
  return joined
    ? `You are ${roleName(kind, role)} of ${name} now.`
    : `You are already ${roleName(kind, role)} of ${name}. The invitation did not change your role.${projects}`
}
