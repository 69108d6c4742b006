import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import { write } from '../../../db/open.ts'
import { findUserByEmail } from '../../../people/data/users.ts'
import { newPersonFields, readNewPassword, withoutPasswords } from '../../../people/log-in/new-person.ts'
import { rememberBrowser } from '../../../people/log-in/throttle/browser.ts'
import { LogInFirst, orNotFound, Refusal } from '../../../web/answer/errors.ts'
import { emailKey } from '../../../web/fields.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { signIn } from '../../../web/request/session.ts'
import { actor, visitingActor } from '../../../web/request/viewer.ts'
import { acceptInvitation, joinWithPassword } from '../data/accepting.ts'
import { findOffer, type Offer } from '../data/offer.ts'
import { welcome } from '../welcome.ts'

const newPerson = z.strictObject(newPersonFields)

export default async function offerRoutes(app: FastifyInstance) {
  const { db, config, now } = app
  const byToken = { can: 'invitation.accept', secret: true } as const

  // Looking changes nothing: mail scanners look.
  app.get('/invitations/:token', { config: { can: 'invitation.see', secret: true } }, async (request, reply) =>
    show(request, reply, newForm()),
  )

  app.post('/invitations/:token/user', { config: byToken }, async (request, reply) => {
    const offer = offerOf(request)
    const { invitation } = offer
    if (offer.state !== 'open' || config.sso?.only || whoIs(request, offer) === 'known')
      return show(request, reply.code(409), newForm())

    const form = readForm(newPerson, request.body)
    if (form.input) {
      const { name } = form.input
      const owner = { name, email: invitation.email, accounts: [offer.account.name] }
      const passwordHash = await readNewPassword(form, {
        owner,
        panelName: config.panelName,
        from: request.ip,
        earlier: earlierOf(request, offer),
      })
      if (passwordHash) {
        const joined = joinWithPassword(db, visitingActor(request), tokenOf(request), { name, passwordHash })
        if (joined === 'log-in') {
          // The same for a link that was copied, whether or not the address has a log-in, until it is used.
          const problem = apart`${invitation.email} cannot be set up with this link. If it is yours, log in to accept.`
          return show(request, reply.code(409), withoutPasswords(form), problem)
        }
        if (!joined) throw new Refusal(409, 'This invitation is no longer open', 'Open its link again to see why.')
        const { userId, account } = joined
        await signIn(request, { userId, accountId: account?.id ?? null, passwordHash })
        rememberBrowser(request, reply, { id: userId, passwordHash })
        if (!account)
          return reply.seeOther(
            '/',
            'Your address is confirmed. The invitation ended: it was sent by the user that had your address before.',
          )
        return reply.seeOther('/projects', apart`Welcome to ${account.name}, ${name}.`)
      }
    }
    return show(request, reply.code(422), withoutPasswords(form))
  })

  app.post('/invitations/:token/acceptance', { config: byToken }, async (request, reply) => {
    if (!request.viewer.user) throw new LogInFirst(request, addressOf(request))
    const by = actor(request)
    const accepted = write(db, by, (tx) => {
      // The link may have been replaced while the form was on its way.
      const offer = findOffer(tx, tokenOf(request), now())
      return offer?.state === 'open'
        ? acceptInvitation(tx, by, { id: offer.invitation.id, userId: by.userId, way: offer.link })
        : undefined
    })
    return (accepted && welcome(reply, accepted)) ?? show(request, reply.code(409), newForm())
  })
}

function offerOf(request: FastifyRequest): Offer {
  return orNotFound(findOffer(request.server.db, tokenOf(request), request.server.now()))
}

function tokenOf(request: FastifyRequest): string {
  return (request.params as { token: string }).token
}

function addressOf(request: FastifyRequest): string {
  return `/invitations/${tokenOf(request)}`
}

/**
 * Who looks at the link: the invited user, another one, or a visitor. For a visitor a mailed link knows whether its
 * address has a log-in; one that was copied must not tell, so it offers both ways. A user whose address is not
 * proved may be somebody else’s doing, also when logged in: a mailed link treats them as a visitor.
 */
function whoIs(request: FastifyRequest, { invitation, link }: Offer): Who {
  const { user } = request.viewer
  if (user && emailKey(user.email) !== invitation.emailKey) return 'other'
  if (user) return link === 'mailed' && !user.emailProved ? 'unproved' : 'invited'
  if (link === 'copied') return 'either'
  const owner = findUserByEmail(request.server.db, invitation.email)
  if (!owner) return 'new'
  return owner.emailProvedAt === null && owner.disabledAt === null ? 'unproved' : 'known'
}

/** The password of a user that a mailed link takes over. A copied link must not reveal whether the password was guessed. */
function earlierOf(request: FastifyRequest, { invitation, link }: Offer): string | undefined {
  const owner = link === 'mailed' ? findUserByEmail(request.server.db, invitation.email) : undefined
  return owner?.emailProvedAt === null ? owner.passwordHash : undefined
}

function show(request: FastifyRequest, reply: FastifyReply, form: Form, problem = '') {
  const offer = offerOf(request)
  const { sso } = request.server.config
  return reply.page('accounts/invitations/show', {
    title: apart`Invitation to ${offer.account.name}`,
    offer,
    problem,
    who: whoIs(request, offer),
    provider: sso?.name ?? '',
    here: !sso?.only,
    formAction: addressOf(request),
    form: form.values.name === undefined ? { ...form, values: { name: offer.invitation.name, ...form.values } } : form,
  })
}

type Who = 'invited' | 'other' | 'new' | 'unproved' | 'known' | 'either'
