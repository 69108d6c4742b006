import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { write } from '../../db/open.ts'
import { orTooMany, TooMany } from '../../mail/pace.ts'
import { requestConfirmation } from '../../people/email/data.ts'
import { sessionAttempt, tooSoon } from '../../people/log-in/throttle/attempt.ts'
import { adminRole, roleName } from '../../policy.ts'
import { countProjects, findProjectsById, listProjectChoices, withChosen } from '../../projects/data.ts'
import { found } from '../../web/answer/errors.ts'
import { email, idChoice, personName, readId, several, version } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { foreseeEnd, listSent } from '../endings/data/foreseeing.ts'
import { invitationList, listInvitations } from '../invitations/data/listing.ts'
import { invite } from '../invitations/data/sending.ts'
import { tellRemoved, tellRole } from '../notices/data.ts'
import { changeRole, findMember, listMembers, mayDemote, memberList, removeMember } from './data.ts'

const role = () => z.enum(['admin', 'member'], { error: 'Choose a role.' })
const invitation = z.strictObject({
  name: personName(),
  email: email(),
  role: role(),
  projects: several(idChoice()),
  projectRole: z.enum(['admin', 'user', 'reader'], { error: 'Choose a project role.' }).default('user'),
})
/** `keep`: the invitations that the person sent become those of whoever changes their role, or removes them. */
const roleChange = z.strictObject({
  role: role(),
  version: version(),
  confirmed: z.literal('yes').optional(),
  keep: z.literal('yes').optional(),
})
const removal = z.strictObject({ keep: z.literal('yes').optional() })
const nothing = z.strictObject({})

/** How many projects the invitation form offers; more are given under Account Settings → Projects. */
const choices = 20

export default async function memberRoutes(app: FastifyInstance) {
  const { db, config, postLetter } = app

  app.get('/customer/users', { config: { can: 'people.see' } }, async (request, reply) => {
    const { id } = request.member.account
    return (
      listDownload(request, reply, memberList, (query) => listMembers(db, id, query)) ??
      listDownload(request, reply, invitationList, (query) => listInvitations(db, id, query), 'invited-') ??
      show(request, reply)
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
        const invited = orTooMany(() => invite(db, actor(request), sender, account, input))
        if (invited instanceof TooMany) form.errors.email = invited.message
        else if (typeof invited === 'object')
          return reply.seeOther('/customer/users', `Invitation sent to ${invited.email}.`)
        else
          form.errors.email =
            invited === 'member'
              ? 'This person is a user of this account already.'
              : 'This address is invited already. Resend or cancel that invitation below.'
      }
    }
    return show(request, reply.code(422), form)
  })

  app.post(
    '/customer/users/:user/role',
    { config: { can: 'member.change', inAccount: true } },
    async (request, reply) => {
      const { account } = request.member
      const { input } = readForm(roleChange, request.body)
      if (!input) return show(request, reply.code(422), undefined, 'Choose a role from the list.')
      const by = actor(request)
      const who = found(findMember(db, account.id, userOf(request)))
      const isOwn = who.userId === request.member.user.id
      // What ends with the role is said first.
      const sent = listSent(db, who.userId, account.id)
      if (
        input.confirmed !== 'yes' &&
        input.role !== adminRole &&
        sent.total > 0 &&
        who.version === input.version &&
        mayDemote(db, account.id, who)
      )
        return reply.page('accounts/endings/confirmation', {
          title: isOwn ? 'Change your role' : `Change the role of ${who.name}`,
          lead: `${isOwn ? 'You' : who.name} will be ${roleName(account.kind, input.role)} of ${account.name}, and can invite nobody any more.`,
          area: 'account',
          ends: { sent },
          you: isOwn,
          formAction: `/customer/users/${who.userId}/role`,
          fields: { role: input.role, version: String(input.version) },
          keeps: !isOwn,
          label: 'Change role',
          back: '/customer/users',
        })
      const keptBy = input.keep === 'yes' && !isOwn ? by : undefined
      const changed = found(
        write(db, by, (tx) => {
          const before = findMember(tx, account.id, userOf(request))
          const after = changeRole(tx, by, account.id, userOf(request), input.role, input.version, keptBy)
          if (before && typeof after === 'object' && after.member.role !== before.role)
            tellRole(tx, by, account.id, before, after.member.role, app.mailContext)
          return after
        }),
      )
      if (changed === 'last-admin') {
        return show(
          request,
          reply.code(422),
          undefined,
          `${account.name} keeps at least one ${roleName(account.kind, 'admin')}. Make somebody else one first.`,
        )
      }
      if (changed === 'stale') {
        return show(
          request,
          reply.code(409),
          undefined,
          'Somebody has changed this role meanwhile. The list shows it as it is now; nothing else was changed.',
        )
      }
      const { member, ended } = changed
      const roleNow = roleName(account.kind, member.role)
      const cancelled = ended > 0 ? ` ${plural(ended, 'invitation')} that they had sent ended.` : ''
      const kept = keptBy && sent.total > 0 ? ` You took over ${plural(sent.total, 'invitation')}.` : ''
      return reply.seeOther(
        '/customer/users',
        changed.changed
          ? `${member.name} is ${roleNow} now.${cancelled}${kept}`
          : `${member.name} is already ${roleNow}. Nothing was changed.`,
      )
    },
  )

  app.get('/customer/users/:user/removal', { config: { can: 'member.change' } }, async (request, reply) =>
    showRemoval(request, reply, ''),
  )

  app.post(
    '/customer/users/:user/removal',
    { config: { can: 'member.change', inAccount: true } },
    async (request, reply) => {
      const { account, user } = request.member
      const { input } = readForm(removal, request.body)
      const by = actor(request)
      const keptBy = input?.keep === 'yes' && userOf(request) !== user.id ? by : undefined
      const removed = found(
        write(db, by, (tx) => {
          const member = removeMember(tx, by, account.id, userOf(request), 'member.removed', { keptBy })
          if (typeof member === 'object') tellRemoved(tx, by, account.id, member, app.mailContext)
          return member
        }),
      )
      if (removed === 'last-admin') {
        return showRemoval(
          request,
          reply.code(422),
          `${account.name} keeps at least one ${roleName(account.kind, 'admin')}. Make somebody else one first.`,
        )
      }
      return reply.seeOther(
        removed.userId === user.id ? '/' : '/customer/users',
        removed.userId === user.id ? `You left ${account.name}.` : `${removed.name} was removed from ${account.name}.`,
      )
    },
  )

  app.post(
    '/customer/users/:user/confirmation',
    { config: { can: 'member.change', inAccount: true } },
    async (request, reply) => {
      readForm(nothing, request.body)
      const { account } = request.member
      const member = found(findMember(db, account.id, userOf(request)))
      const wait = tooSoon(request, reply, sessionAttempt(request, `confirmation ${member.userId}`))
      if (wait) return show(request, reply, undefined, wait)
      const sender = { post: postLetter, publicUrl: config.publicUrl }
      const sent = requestConfirmation(db, actor(request), member.userId, account.id, sender)
      return reply.seeOther(
        '/customer/users',
        sent ? `Confirmation sent to ${sent.email}.` : `The address of ${member.name} is confirmed already.`,
      )
    },
  )

  function userOf(request: FastifyRequest): number {
    return found(readId((request.params as { user: string }).user))
  }

  function showRemoval(request: FastifyRequest, reply: FastifyReply, problem: string) {
    const { account } = request.member
    const member = found(findMember(db, account.id, userOf(request)))
    return reply.page('accounts/members/removal', {
      title: `Remove ${member.name}`,
      member,
      problem,
      ends: foreseeEnd(db, account.id, member.userId),
    })
  }

  function show(request: FastifyRequest, reply: FastifyReply, form?: Form, problem = '') {
    const { account } = request.member
    const chosen = [form?.values.projects ?? []].flat().flatMap((id) => readId(id) ?? [])
    return reply.page('accounts/members/index', {
      title: 'Users',
      form: form ?? newForm({ role: 'member', projectRole: 'user' }),
      problem,
      choices: withChosen(listProjectChoices(db, account.id, choices), findProjectsById(db, account.id, chosen)),
      projectCount: countProjects(db, account.id),
      list: listMembers(db, account.id, readList(request, memberList)),
      invitations: listInvitations(db, account.id, readList(request, invitationList, 'invited-')),
      now: app.now(),
    })
  }
}
