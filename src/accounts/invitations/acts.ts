import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { orTooMany, TooMany } from '../../mail/pace.ts'
import type { Action } from '../../policy.ts'
import type { Person } from '../../records/record.ts'
import { roleName } from '../../roles.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { email, personName } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import type { Account } from '../data/account.ts'
import type { Member } from '../members/data.ts'
import type { Invitation } from './data/invitation.ts'
import { cancelInvitation, copyLink, correctInvitation, findPending, type Handler, resend } from './data/pending.ts'
import { invitationLink, type NoAdmin, type Sender } from './data/sending.ts'

/** Where pending invitations are handled: by an account’s admins, by its partner, or by Support. */
export type InvitationsPlace = {
  /** The addresses begin with it. */
  base: string
  config: { can: Action; inAccount?: true }
  accountOf: (request: FastifyRequest) => Pick<Account, 'id' | 'kind' | 'name' | 'identifier'>
  actor: (request: FastifyRequest) => Person
  sender: (request: FastifyRequest) => Sender
  handler: (request: FastifyRequest) => Handler
  /** The page that lists them, and its area of the menu. */
  list: (request: FastifyRequest) => string
  area: 'account' | 'partner' | 'support'
  /** Links are handed over there. */
  copies: boolean
}

const correction = z.strictObject({ name: personName(), email: email() })

/** Resend, correct, cancel and copy the link of a pending invitation. */
export function invitationActs(app: FastifyInstance, place: InvitationsPlace): void {
  const { db, config: settings } = app
  const { base, config, accountOf, actor, sender, list } = place
  const named = (request: FastifyRequest) => ({ id: idOf(request), handler: place.handler(request) })

  app.post(`${base}/:id/resending`, { config }, async (request, reply) => {
    const sent = resend(db, actor(request), sender(request), { account: accountOf(request), ...named(request) })
    return reply.seeOther(
      list(request),
      apart`Invitation sent again to ${orNotFound(sent).email}. Earlier links have ended.`,
    )
  })

  app.post(`${base}/:id/cancellation`, { config }, async (request, reply) => {
    const cancelled = orNotFound(
      cancelInvitation(db, actor(request), { accountId: accountOf(request).id, ...named(request) }),
    )
    return reply.seeOther(list(request), apart`The invitation of ${cancelled.email} was cancelled.`)
  })

  app.get(`${base}/:id/correction`, { config: { can: config.can } }, async (request, reply) =>
    showCorrection(request, reply),
  )

  app.post(`${base}/:id/correction`, { config }, async (request, reply) => {
    const form = readForm(correction, request.body)
    if (!form.input) return showCorrection(request, reply.code(422), form)
    const account = accountOf(request)
    const wanted = { account, ...named(request), person: form.input }
    const corrected = orNotFound(orTooMany(() => correctInvitation(db, actor(request), sender(request), wanted)))
    if (corrected instanceof TooMany) {
      form.errors.email = corrected.message
      reply.header('retry-after', String(Math.ceil(corrected.wait / 1_000)))
      return showCorrection(request, reply.code(429), form)
    }
    if (typeof corrected === 'object')
      return reply.seeOther(list(request), apart`Invitation sent to ${corrected.email}. Earlier links have ended.`)
    form.errors.email =
      corrected === 'member'
        ? 'This person is a user of this account already.'
        : 'This address has a pending invitation already.'
    return showCorrection(request, reply.code(422), form)
  })

  if (place.copies)
    app.post(`${base}/:id/link`, { config }, async (request, reply) => {
      // Only the hash of a link is kept, so it is shown once and there is no page to go on to.
      const { invitation, token } = orNotFound(
        copyLink(db, actor(request), { accountId: accountOf(request).id, ...named(request) }),
      )
      return reply.page('accounts/invitations/link', {
        title: apart`Link for ${invitation.name}`,
        invitation,
        link: invitationLink(settings.publicUrl, token),
        back: list(request),
      })
    })

  function showCorrection(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    const account = accountOf(request)
    const invitation = orNotFound(findPending(db, { accountId: account.id, ...named(request) }))
    return reply.page('accounts/invitations/correction', {
      title: 'Correct invitation',
      area: place.area,
      invitation,
      about: account,
      back: list(request),
      formAction: request.url.split('?', 1)[0] ?? '',
      form: form ?? newForm({ name: invitation.name, email: invitation.email }),
    })
  }
}

/** What inviting an admin from outside did, for the notice. */
export function adminWords(
  { name, kind }: Pick<Account, 'name' | 'kind'>,
  done: { invited: Invitation } | { promoted: Member },
): string {
  return 'invited' in done
    ? apart`Invitation sent to ${done.invited.email}.`
    : apart`${done.promoted.name} was a user of ${name} already, and is ${roleName(kind, 'admin')} now.`
}

/**
 * Why nobody was invited as an admin from outside, for the e-mail field. The page itself says when there is an admin.
 */
export const noAdminWords: Record<Exclude<NoAdmin, 'has-admin'>, string> = {
  pending: 'This address has a pending invitation already. Resend, correct or cancel it below.',
  inactive: 'This person is a user of this account already, but cannot log in or work in it now.',
  unproved:
    'This person is a user of this account already, but has not confirmed this address. They can do so on their Home page; then invite them again.',
}

/** The invitation’s id in an address. */
export function idOf(request: FastifyRequest): number {
  return idFrom(request, 'id')
}
