import * as z from 'zod'
import { invite } from '../../accounts/invitations/data/sending.ts'
import { findProject } from '../../projects/data.ts'
import { looker } from '../../projects/scope.ts'
import { act } from '../contract/operation.ts'
import { invalidAt } from '../contract/problems.ts'
import { accountRole, givenIdentifier, projectRole } from '../contract/shapes.ts'
import {
  alreadyMember,
  alreadyPending,
  invitation,
  invitationSender,
  invitedFields,
  pendingOperations,
  showInvitation,
} from './pending.ts'

/** Throws the problem of a project that is named twice. */
function mustDiffer(identifiers: string[]): void {
  const again = identifiers.findIndex((one, n) => identifiers.indexOf(one) < n)
  if (again >= 0) throw invalidAt(['projects', again, 'identifier'], 'repeated', 'The project is named twice.')
}

const path = '/accounts/{account}/invitations' as const
const tag = 'Invitations' as const

export const invitationOperations = [
  act({
    method: 'POST',
    path,
    can: 'member.invite',
    tag,
    summary: 'Invite a user by e-mail',
    body: z
      .strictObject({
        ...invitedFields,
        role: accountRole.default('member'),
        projects: z
          .array(z.strictObject({ identifier: givenIdentifier('The identifier of a project.'), role: projectRole }))
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
      const invited = invite(db, by, invitationSender(call), { account, input: { ...body, projects } })
      if (invited === 'member') return alreadyMember()
      if (invited === 'pending') return alreadyPending()
      return {
        status: 201,
        location: `/accounts/${account.identifier}/invitations/${invited.id}`,
        body: showInvitation(invited),
      }
    },
  }),
  ...pendingOperations({
    path,
    see: 'people.see',
    change: 'member.invite',
    tag,
    of: '',
    accountOf: ({ account }) => account,
    handlerOf: () => 'own',
    sender: (call) => invitationSender(call),
  }),
]
