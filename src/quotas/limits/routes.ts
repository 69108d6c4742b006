import type { FastifyInstance } from 'fastify'
import { supportedAccount } from '../../accounts/scope.ts'
import { apart } from '../../db/apart.ts'
import type { ListQuery } from '../../db/list.ts'
import { customerOf } from '../../partners/scope.ts'
import { listProjects, projectList } from '../../projects/data.ts'
import { showProject } from '../../projects/page.ts'
import { projectOf } from '../../projects/scope.ts'
import { csvDownload, listDownload } from '../../web/lists/csv.ts'
import { actor, supportActor } from '../../web/request/viewer.ts'
import { quotaColumns, quotaRows } from '../data/pool.ts'
import {
  leftToSupport,
  requestPrefix,
  saveLimits,
  showCustomerQuotas,
  showOwnQuotas,
  showSupportQuotas,
} from '../page.ts'
import { managePlans } from '../plans/acts.ts'
import { offerLimits } from '../plans/applying.ts'
import { listRequestsOf, ownRequestList } from '../requests/data/reading.ts'

export default async function quotaRoutes(app: FastifyInstance) {
  const { db } = app
  const support = { config: { can: 'support.quota' } } as const
  managePlans(app)
  offerLimits(app)

  app.get('/customer/quotas', { config: { can: 'quota.see' } }, async (request, reply) => {
    const { account, user } = request.member
    const list = (query: ListQuery) => listProjects(db, account.id, { userId: user.id, seesAll: true }, query)
    const requests = (query: ListQuery) => listRequestsOf(db, account.id, query)
    return (
      listDownload(request, reply, { spec: projectList, list }) ??
      listDownload(request, reply, { spec: ownRequestList, list: requests, prefix: requestPrefix }) ??
      showOwnQuotas(request, reply)
    )
  })

  app.post(
    '/projects/:project/quotas',
    { config: { can: 'project.limit', inAccount: true } },
    async (request, reply) => {
      const project = projectOf(request)
      const holder = { level: 'project', accountId: request.member.account.id, projectId: project.id } as const
      const result = saveLimits(request, actor(request), holder)
      if (!result.saved) return showProject(request, reply.code(result.status), { limits: result.form })
      return reply.seeOther(`/projects/${project.identifier}`, savedWords('quotas', project.name, result))
    },
  )

  app.get('/partner/customers/:customer/quotas', { config: { can: 'customer.see' } }, async (request, reply) =>
    showCustomerQuotas(request, reply),
  )

  app.post(
    '/partner/customers/:customer/quotas',
    { config: { can: 'customer.limit', inAccount: true } },
    async (request, reply) => {
      const customer = customerOf(request)
      const result = saveLimits(request, actor(request), { level: 'account', accountId: customer.id })
      if (!result.saved) return showCustomerQuotas(request, reply.code(result.status), { limits: result.form })
      return reply.seeOther(
        `/partner/customers/${customer.identifier}/quotas`,
        savedWords('quotas', customer.name, result),
      )
    },
  )

  app.get('/partner/quotas.csv', { config: { can: 'partner-quota.see' } }, async (request, reply) => {
    const { id, identifier } = request.member.account
    return csvDownload(reply, `quotas-${identifier}.csv`, quotaColumns, quotaRows(db, id))
  })

  app.get('/support/accounts/:identifier/quotas', support, async (request, reply) => showSupportQuotas(request, reply))

  app.post('/support/accounts/:identifier/quotas', support, async (request, reply) => {
    const { id, identifier, name } = supportedAccount(request)
    leftToSupport(db, id)
    const result = saveLimits(request, supportActor(request), { level: 'account', accountId: id })
    if (!result.saved) return showSupportQuotas(request, reply.code(result.status), { limits: result.form })
    return reply.seeOther(`/support/accounts/${identifier}/quotas`, savedWords('quotas', name, result))
  })

  app.post('/support/accounts/:identifier/pool', support, async (request, reply) => {
    const { id, identifier, name } = supportedAccount(request)
    const result = saveLimits(request, supportActor(request), { level: 'pool', accountId: id })
    if (!result.saved) return showSupportQuotas(request, reply.code(result.status), { pool: result.form })
    return reply.seeOther(`/support/accounts/${identifier}/quotas`, savedWords('pool', name, result))
  })
}

function savedWords(what: 'quotas' | 'pool', name: string, { changed }: { changed: boolean }): string {
  const are = what === 'pool' ? 'is' : 'are'
  return changed
    ? apart`The ${what} of ${name} ${are} saved.`
    : apart`The ${what} of ${name} ${are} as before. Nothing was changed.`
}
