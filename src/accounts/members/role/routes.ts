import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import { write } from '../../../db/open.ts'
import type { Role } from '../../../policy.ts'
import { adminRole, roleName } from '../../../roles.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import type { Undo } from '../../../web/answer/notice.ts'
import { undoneAct, version } from '../../../web/fields.ts'
import { plural } from '../../../web/format.ts'
import { userIdOf } from '../../../web/request/address.ts'
import { readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import { listSent } from '../../endings/data/foreseeing.ts'
import { listKnownTokens } from '../../endings/data/foreseen-programs.ts'
import { tellRole } from '../../notices/data/notices.ts'
import { changeRole, findMember, type Member, mayDemote, type RoleChanged } from '../data.ts'
import { lastAdminWords, showMembers } from '../page.ts'

/** `keep`: the invitations that the person sent go over to the admin who changes the role. */
const roleChange = z.strictObject({
  role: z.enum(['admin', 'member'], { error: 'Choose a role.' }),
  version: version(),
  confirmed: z.literal('yes').optional(),
  keep: z.literal('yes').optional(),
  since: undoneAct(),
})
type Ends = { sent: ReturnType<typeof listSent>; tokens: ReturnType<typeof listKnownTokens> }

export default async function memberRoleRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/customer/users/:user/role', { config: { can: 'member.change' } }, async (request, reply) => {
    const member = orNotFound(findMember(db, request.member.account.id, userIdOf(request)))
    return reply.page('accounts/members/role', { title: apart`Role of ${member.name}`, member })
  })

  app.post(
    '/customer/users/:user/role',
    { config: { can: 'member.change', inAccount: true } },
    async (request, reply) => {
      const { account } = request.member
      const { input } = readForm(roleChange, request.body)
      if (!input) return showMembers(request, reply.code(422), { problem: 'Choose a role from the list.' })
      const by = actor(request)
      const who = orNotFound(findMember(db, account.id, userIdOf(request)))
      const isOwn = who.userId === request.member.user.id
      // The page first says what ends with the role.
      const sent = listSent(db, who.userId, account.id)
      const tokens = listKnownTokens(db, account.id, who.userId)
      if (
        input.confirmed !== 'yes' &&
        input.role !== adminRole &&
        sent.total + tokens.total > 0 &&
        who.version === input.version &&
        mayDemote(db, account.id, who)
      )
        return confirm(request, reply, { who, ...input, ends: { sent, tokens } })
      const keptBy = input.keep === 'yes' && !isOwn ? by : undefined
      const changed = orNotFound(
        write(db, by, (tx) => {
          const before = findMember(tx, account.id, who.userId)
          const after = changeRole(
            tx,
            by,
            { accountId: account.id, userId: who.userId },
            { role: input.role, version: input.version, keptBy, since: input.since },
          )
          if (before && typeof after === 'object' && after.member.role !== before.role)
            tellRole(tx, by, { accountId: account.id, person: before, role: after.member.role }, app.mailContext)
          return after
        }),
      )
      if (changed === 'last-admin') return showMembers(request, reply.code(422), { problem: lastAdminWords(account) })
      if (changed === 'stale')
        return showMembers(request, reply.code(409), {
          problem: 'Somebody has changed this role. The list shows it as it is now; nothing else was changed.',
        })
      const { member, ended } = changed
      const roleNow = roleName(account.kind, member.role)
      const cancelled = ended > 0 ? ` ${plural(ended, 'invitation')} that they had sent ended.` : ''
      const takenOver = keptBy && sent.total > 0 ? ` You took over ${plural(sent.total, 'invitation')}.` : ''
      return reply.seeOther(
        '/customer/users',
        changed.changed
          ? apart`${member.name} is ${roleNow} now.${cancelled}${takenOver}`
          : apart`${member.name} is already ${roleNow}. Nothing was changed.`,
        undoOf(request, who, { ...input, at: by.at }, changed),
      )
    },
  )
}

/** Not for the own role, which may have taken the right to, nor where invitations ended or were taken over. */
function undoOf(
  request: FastifyRequest,
  who: Member,
  { version, keep, at }: { version: number; keep?: 'yes' | undefined; at: number },
  { changed, ended }: RoleChanged,
): Undo | undefined {
  if (!changed || ended > 0 || keep || who.userId === request.member.user.id) return undefined
  return { action: request.url, fields: { role: who.role, version: String(version + 1), since: String(at) } }
}

function confirm(
  request: FastifyRequest,
  reply: FastifyReply,
  { who, role, version, ends }: { who: Member; role: Role; version: number; ends: Ends },
) {
  const { account, user } = request.member
  const isOwn = who.userId === user.id
  return reply.page('accounts/endings/confirmation', {
    title: isOwn ? 'Change your role' : apart`Change the role of ${who.name}`,
    lead: apart`${isOwn ? 'You' : who.name} will be ${roleName(account.kind, role)} of ${account.name}, and can no longer invite anyone.`,
    area: 'account',
    ends,
    you: isOwn,
    formAction: `/customer/users/${who.userId}/role`,
    fields: { role, version: String(version) },
    keeps: !isOwn,
    label: 'Change role',
    back: '/customer/users',
  })
}
