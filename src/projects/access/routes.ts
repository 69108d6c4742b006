import type { FastifyInstance, FastifyReply } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { asUserId } from '../../db/ids.ts'
import { canInProject, type ProjectRole } from '../../policy.ts'
import { projectRoleNames } from '../../roles.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import type { Undo } from '../../web/answer/notice.ts'
import { idChoice, several, undoneAct, version } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { userIdOf } from '../../web/request/address.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { findProject, type SeenProject } from '../data.ts'
import { showGiving, showProject } from '../page.ts'
import { looker, projectOf } from '../scope.ts'
import { changeAccess, findAccess, giveAccess, removeAccess } from './data/giving.ts'

const role = () => z.enum(['admin', 'user', 'reader'], { error: 'Choose a role.' })
/** Where the form is, and where it returns to: the project's page, or Account Settings → Projects. */
const from = () => z.enum(['project', 'settings']).default('project')

const gift = z.strictObject({
  people: several(idChoice().transform(asUserId)).refine((people) => people.length > 0, 'Choose at least one person.'),
  role: role(),
  from: from(),
  since: undoneAct(),
})
const roleChange = z.strictObject({ role: role(), version: version(), from: from(), since: undoneAct() })
const removal = z.strictObject({ from: from() })

export default async function accessRoutes(app: FastifyInstance) {
  const { db } = app
  const change = { config: { can: 'access.change', inAccount: true } } as const

  accessPages(app)
  accessRemoval(app)

  app.post('/projects/:project/access', change, async (request, reply) => {
    const project = projectOf(request, 'access.change')
    const form = readForm(gift, request.body)
    const showAgain = () =>
      form.values.from === 'settings'
        ? showGiving(request, reply.code(422), form)
        : showProject(request, reply.code(422), { give: form })
    if (!form.input) return showAgain()
    const { people, role, from, since } = form.input
    const given = giveAccess(
      db,
      actor(request),
      { accountId: request.member.account.id, projectId: project.id },
      { userIds: people, role, since },
    )
    if (given === 'stale')
      return back(reply, { from, project }, 'Somebody has changed this access since then, so it was not undone.')
    if (!given) {
      form.errors.people =
        'Choose people from the list: one of them is not a user of this account. Nothing was changed.'
      return showAgain()
    }
    return back(reply, { from, project }, givenWords(given, project, role))
  })

  app.post('/projects/:project/access/:user', change, async (request, reply) => {
    const project = projectOf(request, 'access.change')
    const form = readForm(roleChange, request.body)
    if (!form.input) return showProject(request, reply.code(422), { problem: 'Choose a role from the list.' })
    const { role, version, from, since } = form.input
    const by = actor(request)
    const changed = orNotFound(
      changeAccess(
        db,
        by,
        { accountId: request.member.account.id, projectId: project.id, userId: userIdOf(request) },
        { role, version, since },
      ),
    )
    if (changed === 'stale') {
      return showProject(request, reply.code(409), {
        problem: 'Somebody has changed this role. The list shows it as it is now; nothing else was changed.',
      })
    }
    const roleNow = apart`${projectRoleNames[role]} of ${project.name}`
    return back(
      reply,
      { from, project },
      changed.changed
        ? apart`${changed.name} is ${roleNow} now.`
        : apart`${changed.name} is already ${roleNow}. Nothing was changed.`,
      changed.changed
        ? {
            action: request.url,
            fields: { role: changed.was, version: String(version + 1), from, since: String(by.at) },
          }
        : undefined,
    )
  })
}

function accessRemoval(app: FastifyInstance) {
  const { db } = app
  const change = { config: { can: 'access.change', inAccount: true } } as const

  app.post('/projects/:project/access/:user/removal', change, async (request, reply) => {
    const project = projectOf(request, 'access.change')
    const { input } = readForm(removal, request.body)
    const by = actor(request)
    const removed = orNotFound(
      removeAccess(db, by, {
        accountId: request.member.account.id,
        projectId: project.id,
        userId: userIdOf(request),
      }),
    )
    const from = input?.from ?? 'project'
    return back(reply, { from, project }, apart`${removed.name} no longer has access to ${project.name}.`, {
      action: `/projects/${project.identifier}/access`,
      fields: { people: String(removed.userId), role: removed.role, from, since: String(by.at) },
    })
  })
}

/** Pages of their own, for who comes from a list. */
function accessPages(app: FastifyInstance) {
  const see = { config: { can: 'access.change' } } as const

  app.get('/projects/:project/access', see, async (request, reply) => showGiving(request, reply))

  app.get('/projects/:project/access/:user', see, async (request, reply) => {
    const project = projectOf(request, 'access.change')
    const seat = { accountId: request.member.account.id, projectId: project.id, userId: userIdOf(request) }
    const person = orNotFound(findAccess(app.db, seat))
    const { from } = request.query as Record<string, unknown>
    return reply.page('projects/access/person', {
      title: apart`${person.name} in ${project.name}`,
      project,
      person,
      from: from === 'settings' ? from : 'project',
    })
  })
}

/** Who has just given up their own access, or the right to change it, cannot return to the project's page or undo that. */
function back(
  reply: FastifyReply,
  { from, project }: { from: 'project' | 'settings'; project: SeenProject },
  notice: string,
  undo?: Undo,
) {
  const { request } = reply
  const current = findProject(request.server.db, request.member.account.id, looker(request), project.identifier)
  const mayUndo = current && canInProject(request.viewer.standings, current.role, 'access.change')
  const stillSees = looker(request).seesAll || current
  const path = from === 'settings' ? '/customer/projects' : stillSees ? `/projects/${project.identifier}` : '/projects'
  return reply.seeOther(path, notice, mayUndo ? undo : undefined)
}

function givenWords({ added, kept }: { added: number; kept: number }, project: SeenProject, role: ProjectRole): string {
  const gained = apart`${plural(added, 'person has', 'people have')} access to ${project.name} as ${projectRoleNames[role]} now.`
  if (kept === 0) return gained
  const before = `${plural(kept, 'person', 'people')} had access already and kept the role.`
  return added === 0 ? `${before} Nothing was changed.` : `${gained} ${before}`
}
