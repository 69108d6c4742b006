import * as z from 'zod'
import type { Invitation, Inviting } from '../../accounts/invitations/data/invitation.ts'
import { invitationList, listInvitations } from '../../accounts/invitations/data/listing.ts'
import {
  cancelInvitation,
  correctInvitation,
  findPending,
  type Handler,
  resend,
} from '../../accounts/invitations/data/pending.ts'
import type { Sender } from '../../accounts/invitations/data/sending.ts'
import type { Action } from '../../policy.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { email, personName } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { act, type Call, listing, type Operation, reading, type Tag } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { accountRole, shownName, shownTime, timeOf } from '../contract/shapes.ts'

// Pending invitations: an account’s own, and those of a customer as its partner handles them.

export const invitation = z
  .strictObject({
    id: z.int(),
    name: shownName(),
    email: z.string(),
    role: accountRole,
    sent_at: timeOf('When the last e-mail was written.'),
    expires_at: timeOf('Until when it can be accepted.'),
  })
  .meta({ id: 'Invitation' })

export const showInvitation = (one: Invitation) => ({
  id: one.id,
  name: one.name,
  email: one.email,
  role: one.role,
  sent_at: shownTime(one.sentAt),
  expires_at: shownTime(one.expiresAt),
})

export const invitedFields = {
  name: personName().meta({ example: 'Nora New' }),
  email: email().meta({ example: 'nora@wayne.example' }),
}

export const alreadyMember = () => new Problem('conflict', 'This person is a user of the account already.')
export const alreadyPending = () => new Problem('conflict', 'This address has a pending invitation already.')

/** What an act’s call has beside its body. */
type Place = Pick<Call, 'db' | 'account' | 'request'>

/** Who invites, as the e-mail says it. A partner’s name stands in those to its customers. */
export function invitationSender({ request }: Place, from?: Sender['from']): Sender {
  const { postLetter, config } = request.server
  return { post: postLetter, publicUrl: config.publicUrl, inviter: request.signedIn.name, ...(from && { from }) }
}

type Room = {
  path: string
  see: Action
  change: Action
  tag: Tag
  /** Whose they are, in the words of the documentation. */
  of: string
  accountOf: (call: Place) => Inviting
  handlerOf: (call: Place) => Handler
  sender: (call: Place) => Sender
}

/** The list, reading, correcting, sending again and cancelling. */
export const pendingOperations = (room: Room): Operation[] => [...readings(room), ...acts(room)]

const idIn = ({ request }: Place) => idFrom(request, 'invitation')

/** Who may see them sees all of them; the handler matters for acts. */
const showIn =
  ({ accountOf }: Room) =>
  (call: Place) =>
    showInvitation(orNotFound(findPending(call.db, { accountId: accountOf(call).id, id: idIn(call), handler: 'own' })))

function readings(room: Room): Operation[] {
  const { path, see, tag, of, accountOf } = room
  return [
    listing({
      method: 'GET',
      path,
      can: see,
      tag,
      summary: `List the pending invitations${of}`,
      spec: invitationList,
      row: invitation,
      list: (call, query) => listInvitations(call.db, accountOf(call).id, query),
      show: showInvitation,
    }),
    reading({
      method: 'GET',
      path: `${path}/{invitation}`,
      can: see,
      tag,
      summary: `Read a pending invitation${of}`,
      answer: invitation,
      read: showIn(room),
    }),
  ]
}

function acts(room: Room): Operation[] {
  const { change, tag, of, accountOf, handlerOf, sender } = room
  const path = `${room.path}/{invitation}`
  const show = showIn(room)
  const handled = (call: Place) => ({ id: idIn(call), handler: handlerOf(call) })
  return [
    act({
      method: 'PATCH',
      path,
      can: change,
      tag,
      summary: `Correct an invitation${of}`,
      description: 'It is sent to the corrected address. Earlier links end.',
      body: z
        .strictObject({ name: invitedFields.name.optional(), email: invitedFields.email.optional() })
        .meta({ id: 'InvitationChange' }),
      answer: invitation,
      status: 200,
      current: show,
      do: (call) => {
        const account = accountOf(call)
        const before = orNotFound(findPending(call.db, { accountId: account.id, ...handled(call) }))
        const person = { name: call.body.name ?? before.name, email: call.body.email ?? before.email }
        const done = orNotFound(
          correctInvitation(call.db, call.by, sender(call), { account, ...handled(call), person }),
        )
        if (done === 'member') return alreadyMember()
        if (done === 'pending') return alreadyPending()
        return { status: 200, body: showInvitation(done) }
      },
    }),
    act({
      method: 'POST',
      path: `${path}/resend`,
      can: change,
      tag,
      summary: `Send an invitation${of} again`,
      description: 'Earlier links end. Allowed once every five minutes.',
      answer: invitation,
      status: 200,
      do: (call) => ({
        status: 200,
        body: showInvitation(
          orNotFound(resend(call.db, call.by, sender(call), { account: accountOf(call), ...handled(call) })),
        ),
      }),
    }),
    act({
      method: 'DELETE',
      path,
      can: change,
      tag,
      summary: `Cancel an invitation${of}`,
      status: 204,
      current: show,
      do: (call) => {
        orNotFound(cancelInvitation(call.db, call.by, { accountId: accountOf(call).id, ...handled(call) }))
        return { status: 204 }
      },
    }),
  ]
}
