import * as z from 'zod'
import {
  createProject,
  listProjects,
  projectList,
  proposeProjectIdentifier,
  renameProject,
  type SeenProject,
} from '../../projects/data.ts'
import {
  deletedProjectList,
  deleteProject,
  findDeletedProject,
  listDeletedProjects,
  restoreProject,
} from '../../projects/deletion/data.ts'
import { looker, projectOf } from '../../projects/scope.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { withIdentifier } from '../../web/fields.ts'
import { inThisAccount, takenWords } from '../../web/taken.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { Problem, takenIdentifier } from '../contract/problems.ts'
import {
  deletedShape,
  newIdentifier,
  newProjectName,
  projectRole,
  showDeleted,
  shownIdentifier,
  shownName,
  shownTime,
  timeOf,
} from '../contract/shapes.ts'

export const projectShape = z
  .strictObject({
    identifier: shownIdentifier('Never changes. Unique in the account.'),
    name: shownName(),
    role: projectRole
      .nullable()
      .meta({ description: 'The role of the token’s user in the project; null without one.' }),
    people: z.int().min(0).meta({ description: 'How many users have access.' }),
    created_at: timeOf('When the project was created.'),
  })
  .meta({ id: 'Project' })

export const projectAnswer = (one: SeenProject) => ({
  identifier: one.identifier,
  name: one.name,
  role: one.role,
  people: one.people,
  created_at: shownTime(one.createdAt),
})

const show = ({ request }: Pick<Call, 'request'>) => projectAnswer(projectOf(request))
const addressOf = ({ account }: Pick<Call, 'account'>, identifier: string) =>
  `/accounts/${account.identifier}/projects/${identifier}`

export const projectOperations = [
  listing({
    method: 'GET',
    path: '/accounts/{account}/projects',
    can: 'project.list',
    tag: 'Projects',
    summary: 'List the projects',
    description: 'Admins see all projects of the account, users those that they have access to.',
    spec: projectList,
    row: projectShape,
    list: ({ db, account, request }, query) => listProjects(db, account.id, looker(request), query),
    show: projectAnswer,
  }),
  act({
    method: 'POST',
    path: '/accounts/{account}/projects',
    can: 'project.create',
    tag: 'Projects',
    summary: 'Create a project',
    description: 'The token’s user becomes its Project Admin.',
    body: z
      .strictObject({ name: newProjectName(), identifier: newIdentifier('intranet') })
      .transform(withIdentifier)
      .meta({ id: 'NewProject' }),
    answer: projectShape,
    status: 201,
    do: ({ db, by, account, body }) => {
      const created = createProject(db, by, { accountId: account.id, userId: by.userId }, body)
      if (created === 'limit') return new Problem('conflict', 'The limit of projects is reached.')
      if (created === 'taken') return takenProject(db, account.id, body.identifier)
      return {
        status: 201,
        location: addressOf({ account }, created.identifier),
        body: projectAnswer({ ...created, role: 'admin', people: 1 }),
      }
    },
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/projects/{project}',
    can: 'project.see',
    tag: 'Projects',
    summary: 'Read a project',
    answer: projectShape,
    read: show,
  }),
  act({
    method: 'PATCH',
    path: '/accounts/{account}/projects/{project}',
    can: 'project.rename',
    tag: 'Projects',
    summary: 'Rename a project',
    body: z.strictObject({ name: newProjectName() }).meta({ id: 'ProjectChange' }),
    answer: projectShape,
    status: 200,
    current: show,
    do: ({ db, by, account, request, body }) => {
      const { id, version } = projectOf(request, 'project.rename')
      renameProject(db, by, { accountId: account.id, projectId: id }, { name: body.name, version })
      return { status: 200, body: show({ request }) }
    },
  }),
  act({
    method: 'DELETE',
    path: '/accounts/{account}/projects/{project}',
    can: 'project.delete',
    tag: 'Projects',
    summary: 'Delete a project',
    description: 'It can be restored for 30 days.',
    status: 204,
    current: show,
    do: ({ db, by, account, request }) => {
      orNotFound(deleteProject(db, by, account.id, projectOf(request).id))
      return { status: 204 }
    },
  }),
  listing({
    method: 'GET',
    path: '/accounts/{account}/deleted-projects',
    can: 'project.delete',
    tag: 'Projects',
    summary: 'List the deleted projects',
    description: 'Those that can still be restored.',
    spec: deletedProjectList,
    row: deletedShape('DeletedProject'),
    list: ({ db, account, by }, query) => listDeletedProjects(db, account.id, query, by.at),
    show: showDeleted,
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/deleted-projects/{project}',
    can: 'project.delete',
    tag: 'Projects',
    summary: 'Read a deleted project',
    answer: deletedShape('DeletedProject'),
    read: (call) => showDeleted(deletedProject(call)),
  }),
  act({
    method: 'POST',
    path: '/accounts/{account}/projects/{project}/restore',
    can: 'project.delete',
    tag: 'Projects',
    summary: 'Restore a deleted project',
    answer: projectShape,
    status: 200,
    current: (call) => showDeleted(deletedProject(call)),
    do: (call) => {
      const { db, by, account, request } = call
      const restored = orNotFound(restoreProject(db, by, account.id, deletedProject(call).id))
      if (restored === 'limit') return new Problem('conflict', 'The limit of projects is reached.')
      return { status: 200, body: show({ request }) }
    },
  }),
]

/** A deleted project that can be restored. */
function deletedProject({ db, account, by, request }: Omit<Call, 'body'>) {
  const { project: identifier } = request.params as { project: string }
  return orNotFound(findDeletedProject(db, account.id, identifier, by.at))
}

function takenProject(db: Call['db'], accountId: Call['account']['id'], identifier: string): Problem {
  const proposal = proposeProjectIdentifier(db, accountId, identifier)
  return takenIdentifier(takenWords(identifier, inThisAccount), proposal)
}
