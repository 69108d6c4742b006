import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { foreseeDisabling } from '../../accounts/endings/data/foreseeing.ts'
import { apart } from '../../db/apart.ts'
import { endSessions } from '../../people/data/sessions.ts'
import { setDisabled } from '../../people/data/users.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readRemembered } from '../../web/lists/remembered.ts'
import { readInTurns } from '../../web/lists/turns.ts'
import { readForm } from '../../web/request/forms.ts'
import { supportActor } from '../../web/request/viewer.ts'
import { listUsers, userList, userViews } from './data.ts'
import { userPage } from './user/page.ts'
import { userOf } from './user/scope.ts'
import { userTokens } from './user/tokens.ts'
import { notDisabledWords } from './words.ts'

const disabling = z.strictObject({ confirmed: z.literal('yes').optional() })

export default async function supportUserRoutes(app: FastifyInstance) {
  const { db } = app
  const user = { config: { can: 'support.user' } } as const
  userPage(app)
  userTokens(app)

  app.get(
    '/support/users',
    user,
    async (request, reply) =>
      listDownload(request, reply, { spec: userList, list: (query) => listUsers(db, query) }) ??
      showUsers(request, reply),
  )

  app.post('/support/users/:user/disabling', user, async (request, reply) => {
    const { id, name, disabledAt } = userOf(request)
    const isEnabled = disabledAt === null
    const ends = foreseeDisabling(db, id, app.now())
    const endsMore = ends.sent.total + ends.stopping.total > 0
    // The page first says what ends with the log-in.
    if (readForm(disabling, request.body).input?.confirmed !== 'yes' && endsMore && isEnabled)
      return reply.page('accounts/endings/confirmation', {
        title: apart`Disable ${name}`,
        lead: apart`${name} is logged out everywhere, and cannot log in until Support enables them again.`,
        area: 'support',
        ends,
        you: false,
        formAction: `/support/users/${id}/disabling`,
        fields: {},
        keeps: false,
        label: apart`Disable ${name}`,
        back: '/support/users',
      })
    const ended = setDisabled(db, supportActor(request), id, true)
    if (typeof ended === 'string') return showUsers(request, reply.code(422), notDisabledWords[ended])
    const cancelled = ended ? ` ${plural(ended, 'invitation')} that they had sent ended.` : ''
    return reply.seeOther(
      '/support/users',
      ended === undefined
        ? apart`${name} was disabled already. Nothing was changed.`
        : apart`${name} is disabled and logged out everywhere.${cancelled}`,
    )
  })

  app.post('/support/users/:user/disabling/removal', user, async (request, reply) => {
    const { id, name } = userOf(request)
    const enabled = setDisabled(db, supportActor(request), id, false)
    return reply.seeOther(
      '/support/users',
      enabled === undefined ? apart`${name} was not disabled. Nothing was changed.` : apart`${name} can log in again.`,
    )
  })

  app.post('/support/users/:user/sessions/removal', user, async (request, reply) => {
    const { id, name } = userOf(request)
    const ended = endSessions(db, supportActor(request), id)
    return reply.seeOther(
      '/support/users',
      ended
        ? apart`${plural(ended, 'session')} of ${name} ended.`
        : apart`${name} has no session. Nothing was changed.`,
    )
  })
}

async function showUsers(request: FastifyRequest, reply: FastifyReply, problem = '') {
  const { db } = request.server
  const list = await readInTurns(request, (query) => listUsers(db, query), readRemembered(request, userList))
  return reply.page('support/users', {
    title: 'Users',
    problem,
    views: userViews(db),
    list,
  })
}
