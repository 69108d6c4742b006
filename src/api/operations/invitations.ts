import * as z from 'zod'
import type { Invitation } from '../../accounts/invitations/data/invitation.ts'
import { invitationList, listInvitations } from '../../accounts/invitations/data/listing.ts'
import { cancelInvitation, findPending, resend } from '../../accounts/invitations/data/pending.ts'
import { invite } from '../../accounts/invitations/data/sending.ts'
import { findProject } from '../../projects/data.ts'
import { looker } from '../../projects/scope.ts'
import { found } from '../../web/answer/errors.ts'
import { email, personName } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { invalidAt, Problem } from '../contract/problems.ts'
import { accountRole, projectRole, shownIdentifier, shownName, shownTime, timeOf } from '../contract/shapes.ts'

const invitation = z
  .strictObject({
    id: z.int(),
    name: shownName(),
    email: z.string(),
    role: accountRole,
    sent_at: timeOf('When the last e-mail was written.'),
    expires_at: timeOf('Until when it can be accepted.'),
  })
  .meta({ id: 'Invitation' })

const showInvitation = (one: Invitation) => ({
  id: one.id,
  name: one.name,
  email: one.email,
  role: one.role,
  sent_at: shownTime(one.sentAt),
  expires_at: shownTime(one.expiresAt),
})

type Place = Pick<Call, 'db' | 'account' | 'request'>

const idIn = ({ request }: Place) => idFrom(request, 'invitation')
const show = (call: Place) =>
  showInvitation(found(findPending(call.db, { accountId: call.account.id, id: idIn(call), handler: 'own' })))

const senderOf = ({ request }: Place) => {
  const { postLetter, config } = request.server
  return { post: postLetter, publicUrl: config.publicUrl, inviter: request.signedIn.name }
}

/** Throws the problem of a project that is named twice. */
function mustDiffer(identifiers: string[]): void {
  const again = identifiers.findIndex((one, n) => identifiers.indexOf(one) < n)
  if (again >= 0) throw invalidAt(['projects', again, 'identifier'], 'repeated', 'The project is named twice.')
}

const path = '/accounts/{account}/invitations' as const
const tag = 'Invitations' as const

export const invitationOperations = [
  listing({
    method: 'GET',
    path,
    can: 'people.see',
    tag,
    summary: 'List the pending invitations',
    spec: invitationList,
    row: invitation,
    list: ({ db, account }, query) => listInvitations(db, account.id, query),
    show: showInvitation,
  }),
  act({
    method: 'POST',
    path,
    can: 'member.invite',
    tag,
    summary: 'Invite a user by e-mail',
    body: z
      .strictObject({
        name: personName().meta({ minLength: 1, maxLength: 100, example: 'Nora New' }),
        email: email().meta({ format: 'email', maxLength: 254, example: 'nora@wayne.example' }),
        role: accountRole.default('member'),
        projects: z
          .array(z.strictObject({ identifier: shownIdentifier('The identifier of a project.'), role: projectRole }))
          .max(50)
          .default([])
          .meta({ description: 'The projects that the user gets access to.', example: [] }),
      })
      .meta({ id: 'NewInvitation' }),
    answer: invitation,
    status: 201,
    do: (call) => {
      const { db, by, account, request, body } = call
      const projects = body.projects.map(({ identifier, role }, n) => {
        const project = findProject(db, account.id, looker(request), identifier)
        if (!project) throw invalidAt(['projects', n, 'identifier'], 'unknown', 'There is no such project.')
        return { id: project.id, role }
      })
      mustDiffer(body.projects.map(({ identifier }) => identifier))
      const invited = invite(db, by, senderOf(call), { account, input: { ...body, projects } })
      if (invited === 'member') return new Problem('conflict', 'This person is a user of the account already.')
      if (invited === 'pending') return new Problem('conflict', 'This address has a pending invitation already.')
      return {
        status: 201,
        location: `/accounts/${account.identifier}/invitations/${invited.id}`,
        body: showInvitation(invited),
      }
    },
  }),
  reading({
    method: 'GET',
    path: `${path}/{invitation}`,
    can: 'people.see',
    tag,
    summary: 'Read a pending invitation',
    answer: invitation,
    read: show,
  }),
  act({
    method: 'POST',
    path: `${path}/{invitation}/resend`,
    can: 'member.invite',
    tag,
    summary: 'Send an invitation again',
    description: 'Earlier links end. Possible every five minutes.',
    answer: invitation,
    status: 200,
    do: (call) => ({
      status: 200,
      body: showInvitation(
        found(resend(call.db, call.by, senderOf(call), { account: call.account, id: idIn(call), handler: 'own' })),
      ),
    }),
  }),
  act({
    method: 'DELETE',
    path: `${path}/{invitation}`,
    can: 'member.invite',
    tag,
    summary: 'Cancel an invitation',
    status: 204,
    current: show,
    do: (call) => {
      found(cancelInvitation(call.db, call.by, { accountId: call.account.id, id: idIn(call), handler: 'own' }))
      return { status: 204 }
    },
  }),
]
