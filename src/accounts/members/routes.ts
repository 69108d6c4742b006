import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { asProjectId } from '../../db/ids.ts'
import { orTooMany, TooMany } from '../../mail/pace.ts'
import { requestConfirmation } from '../../people/email/data.ts'
import { sessionAttempt, tooSoon } from '../../people/log-in/throttle/attempt.ts'
import { findProjectsById } from '../../projects/data.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { email, idChoice, personName, several } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { userIdOf } from '../../web/request/address.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { invitationList, listInvitations } from '../invitations/data/listing.ts'
import { invite } from '../invitations/data/sending.ts'
import { findMember } from './data.ts'
import { downloadMembers, invitedPrefix, showMembers } from './page.ts'

const invitation = z.strictObject({
  name: personName(),
  email: email(),
  role: z.enum(['admin', 'member'], { error: 'Choose a role.' }),
  projects: several(idChoice().transform(asProjectId)),
  projectRole: z.enum(['admin', 'user', 'reader'], { error: 'Choose a project role.' }).default('user'),
})
const nothing = z.strictObject({})

export default async function memberRoutes(app: FastifyInstance) {
  const { db, config, postLetter } = app

  app.get('/customer/users', { config: { can: 'people.see' } }, async (request, reply) => {
    const { id } = request.member.account
    return (
      downloadMembers(request, reply) ??
      listDownload(request, reply, {
        spec: invitationList,
        list: (query) => listInvitations(db, id, query),
        prefix: invitedPrefix,
      }) ??
      showMembers(request, reply)
    )
  })

  app.post('/customer/users', { config: { can: 'member.invite', inAccount: true } }, async (request, reply) => {
    const { account, user } = request.member
    const form = readForm(invitation, request.body)
    if (form.input) {
      const { projects, projectRole, ...person } = form.input
      const chosen = findProjectsById(db, account.id, projects)
      if (chosen.length < new Set(projects).size) {
        form.errors.projects = 'Choose projects from the list: one of them is gone.'
      } else {
        const sender = { post: postLetter, publicUrl: config.publicUrl, inviter: user.name }
        const input = { ...person, projects: chosen.map(({ id }) => ({ id, role: projectRole })) }
        const invited = orTooMany(() => invite(db, actor(request), sender, { account, input }))
        if (invited instanceof TooMany) form.errors.email = invited.message
        else if (typeof invited === 'object') return reply.seeOther('/customer/users', sentWords(invited.email, chosen))
        else
          form.errors.email =
            invited === 'member'
              ? 'This person is a user of this account already.'
              : 'This address is already invited. Resend or cancel that invitation below.'
      }
    }
    return showMembers(request, reply.code(422), { form })
  })

  app.post(
    '/customer/users/:user/confirmation',
    { config: { can: 'member.change', inAccount: true } },
    async (request, reply) => {
      readForm(nothing, request.body)
      const { account } = request.member
      const member = orNotFound(findMember(db, account.id, userIdOf(request)))
      const wait = tooSoon(request, reply, sessionAttempt(request, `confirmation ${member.userId}`))
      if (wait) return showMembers(request, reply, { problem: wait })
      const sender = { post: postLetter, publicUrl: config.publicUrl }
      const sent = requestConfirmation(db, actor(request), { userId: member.userId, accountId: account.id }, sender)
      return reply.seeOther(
        '/customer/users',
        sent ? apart`Confirmation sent to ${sent.email}.` : apart`The address of ${member.name} is confirmed already.`,
      )
    },
  )
}

function sentWords(email: string, projects: { name: string }[]): string {
  const sent = apart`Invitation sent to ${email}.`
  const [project, ...more] = projects
  if (!project) return sent
  const where = more.length === 0 ? project.name : plural(projects.length, 'project')
  return apart`${sent} It includes access to ${where}.`
}
