import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import { findProject, findProjectsById } from '../../../projects/data.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { line, version } from '../../../web/fields.ts'
import { idFrom } from '../../../web/request/address.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import { trimmed } from '../../../web/visible.ts'
import { addGroup, listGroups, mostGroups, removeGroup } from '../data/groups.ts'
import { findAccountProvider, setNewPeople } from '../data/provider.ts'

const page = '/customer/log-in/people'

const newPeople = z
  .strictObject({
    newPeople: z.enum(['off', 'user', 'groups'], { error: 'Choose who is let in.' }),
    groupClaim: z
      .string()
      .default('')
      .transform(trimmed)
      .refine((text) => /^[\x21-\x7e]{0,100}$/.test(text), 'Enter the name of the claim, such as groups.'),
    version: version(),
  })
  .refine(({ newPeople, groupClaim }) => newPeople !== 'groups' || groupClaim !== '', {
    path: ['groupClaim'],
    error: 'Enter the claim in which the provider names groups, such as groups.',
  })

const rule = z.strictObject({
  group: line('Enter a group as the provider names it.', 300),
  role: z.enum(['admin', 'member'], { error: 'Choose a role.' }),
  project: z.string().default('').transform(trimmed),
  projectRole: z.enum(['admin', 'user', 'reader'], { error: 'Choose a project role.' }).default('user'),
})
const nothing = z.strictObject({})

/** Account Settings → Log-in → New people: whom the account’s provider lets in, and what its groups become. */
export default async function newPeopleRoutes(app: FastifyInstance) {
  const { db } = app
  const change = { config: { can: 'account.sso', inAccount: true, confirm: true } } as const

  app.get(page, { config: { can: 'account.sso' } }, async (request, reply) => show(request, reply, {}))

  app.post(page, change, async (request, reply) => {
    const { id } = request.member.account
    const form = readForm(newPeople, request.body)
    if (!form.input) return show(request, reply.code(422), { form })
    const { groupClaim, ...wanted } = form.input
    const saved = orNotFound(setNewPeople(db, actor(request), id, { ...wanted, groupClaim: groupClaim || null }))
    if (saved === 'saved') return reply.seeOther(page, 'Who is let in was saved. It counts from the next login on.')
    if (saved === 'unchanged') return reply.seeOther(page, 'It was like this already. Nothing was changed.')
    form.values.version = String(findAccountProvider(db, id)?.version ?? 0)
    form.errors.newPeople = 'Somebody has changed this since you opened the page. Save again to replace it.'
    return show(request, reply.code(422), { form })
  })

  app.post(`${page}/groups`, change, async (request, reply) => {
    const { id } = request.member.account
    orNotFound(findAccountProvider(db, id))
    const ruleForm = readForm(rule, request.body)
    if (!ruleForm.input) return show(request, reply.code(422), { ruleForm })
    const { group, role, project: identifier, projectRole } = ruleForm.input
    const looker = { userId: request.signedIn.id, seesAll: true }
    const project = identifier ? findProject(db, id, looker, identifier) : undefined
    const added =
      identifier && !project
        ? undefined
        : addGroup(db, actor(request), id, {
            value: group,
            role,
            projectId: project?.id ?? null,
            projectRole: project ? projectRole : null,
          })
    if (added === undefined) ruleForm.errors.project = 'There is no project with this identifier.'
    else if (added === 'full')
      ruleForm.errors.group = `An account can have ${mostGroups} rules. Remove one that you do not need.`
    else
      return reply.seeOther(
        page,
        added === 'unchanged'
          ? apart`There is such a rule for ${group} already. Nothing was changed. Remove it first to replace it.`
          : apart`The rule for ${group} was added. It counts from the next login on.`,
      )
    return show(request, reply.code(422), { ruleForm })
  })

  app.post(`${page}/groups/:groupRule/removal`, change, async (request, reply) => {
    readForm(nothing, request.body)
    const which = { accountId: request.member.account.id, id: idFrom(request, 'groupRule') }
    const { value } = orNotFound(removeGroup(db, actor(request), which))
    return reply.seeOther(page, apart`The rule for ${value} was removed. It counts from the next login on.`)
  })
}

function show(
  request: FastifyRequest,
  reply: FastifyReply,
  { form, ruleForm }: { form?: Form; ruleForm?: Form },
): Promise<FastifyReply> {
  const { db } = request.server
  const { id } = request.member.account
  const provider = findAccountProvider(db, id)
  const rules = listGroups(db, id)
  const projects = findProjectsById(
    db,
    id,
    rules.flatMap(({ projectId }) => projectId ?? []),
  )
  const stored = {
    newPeople: provider?.newPeople ?? 'off',
    groupClaim: provider?.groupClaim ?? 'groups',
    version: String(provider?.version ?? 0),
  }
  return reply.page('accounts/sso/people', {
    title: 'New people',
    form: form ?? newForm(stored),
    ruleForm: ruleForm ?? newForm({ role: 'member', projectRole: 'user' }),
    provider: provider ?? null,
    rules: rules.map((each) => ({
      ...each,
      project: projects.find((project) => project.id === each.projectId)?.name ?? '',
    })),
  })
}
