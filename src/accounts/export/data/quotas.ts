import { and, asc, eq, gt, inArray } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId } from '../../../db/ids.ts'
import { isoTime } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { accounts, limits, projects, quotaRequestAmounts, quotaRequests, resources, users } from '../../../db/schema.ts'
import { listPlans } from '../../../quotas/plans/data/plans.ts'
import { listResources } from '../../../quotas/resources/data.ts'
import { type ExportRow, type ExportTable, everyPage, rowsAtOnce } from './table.ts'

export function ofLimits(db: Db, accountId: AccountId): ExportTable {
  return {
    name: 'limits',
    words: 'The quotas that were set: of the account, of its projects and, for a partner, of its pool for customers',
    fields: {
      level: 'pool, account or project',
      project: 'the project’s identifier, for a limit of a project',
      resource: 'the key of the resource',
      unit: 'its unit; empty for what is counted in pieces',
      amount: 'the number; empty where it was taken away again',
      remark: 'the note written when it was set',
      'set by': 'who set it last',
      'set from': 'the account that it was set from; empty for Support',
      set: 'when',
    },
    rows: () => everyPage((after) => listLimits(db, accountId, after)),
  }
}

export function ofPlans(db: Db, partnerId: AccountId): ExportTable {
  return {
    name: 'plans',
    words: 'The plans of a partner: a row for each resource that a plan limits, or one for a plan without limits',
    fields: {
      plan: 'its name',
      'for new customers': 'yes for the plan that new customers get',
      resource: 'the key of the resource',
      unit: 'its unit; empty for what is counted in pieces',
      amount: 'the limit',
    },
    rows: () => listPlanLimits(db, partnerId),
  }
}

function listPlanLimits(db: Db, partnerId: AccountId): ExportRow[] {
  const catalogue = listResources(db)
  return listPlans(db, partnerId).flatMap(({ name, isDefault, amounts }): ExportRow[] => {
    const plan = { plan: name, 'for new customers': isDefault ? 'yes' : 'no' }
    if (amounts.size === 0) return [{ ...plan, resource: null, unit: null, amount: null }]
    return catalogue.flatMap(({ id, key, unit }) => {
      const amount = amounts.get(id)
      return amount === undefined ? [] : [{ ...plan, resource: key, unit, amount }]
    })
  })
}

export function ofRequests(db: Db, accountId: AccountId): ExportTable {
  return {
    name: 'quota-requests',
    words: 'Requests for more quota: a row for each resource that was asked for',
    fields: {
      request: 'the number of the request',
      project: 'the project’s identifier; empty for a request for the account',
      'requested by': 'who asked',
      reason: 'why',
      state: 'open, approved, declined or cancelled',
      resource: 'the key of the resource',
      asked: 'the limit that was asked for',
      granted: 'the limit that was granted',
      comment: 'what the decision says',
      created: 'when it was asked',
      ended: 'when it was decided or taken back',
    },
    rows: () => everyPage((after) => listRequests(db, accountId, after)),
  }
}

const setter = alias(users, 'setter')
const setFrom = alias(accounts, 'set_from')

function listLimits(db: Db, accountId: AccountId, after: number) {
  return db
    .select({
      limit: limits,
      project: projects.identifier,
      resource: resources,
      by: setter.name,
      from: setFrom.name,
    })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .leftJoin(projects, eq(projects.id, limits.projectId))
    .leftJoin(setter, eq(setter.id, limits.setBy))
    .leftJoin(setFrom, eq(setFrom.id, limits.setFrom))
    .where(and(eq(limits.accountId, accountId), gt(limits.id, after)))
    .orderBy(asc(limits.id))
    .limit(rowsAtOnce)
    .all()
    .map(({ limit, project, resource, by, from }) => ({
      id: limit.id,
      row: {
        level: limit.level,
        project,
        resource: resource.key,
        unit: resource.unit,
        amount: limit.amount,
        remark: limit.remark,
        'set by': by,
        'set from': from,
        set: isoTime(limit.setAt),
      },
    }))
}

const requester = alias(users, 'requester')

function listRequests(db: Db, accountId: AccountId, after: number) {
  const page = db
    .select({ request: quotaRequests, project: projects.identifier, by: requester.name })
    .from(quotaRequests)
    .innerJoin(requester, eq(requester.id, quotaRequests.requestedBy))
    .leftJoin(projects, eq(projects.id, quotaRequests.projectId))
    .where(and(eq(quotaRequests.accountId, accountId), gt(quotaRequests.id, after)))
    .orderBy(asc(quotaRequests.id))
    .limit(rowsAtOnce)
    .all()
  const amounts = db
    .select({ amount: quotaRequestAmounts, key: resources.key })
    .from(quotaRequestAmounts)
    .innerJoin(resources, eq(resources.id, quotaRequestAmounts.resourceId))
    .where(
      inArray(
        quotaRequestAmounts.requestId,
        page.map(({ request }) => request.id),
      ),
    )
    .orderBy(asc(quotaRequestAmounts.requestId), asc(resources.id))
    .all()
  return page.flatMap(({ request, project, by }) =>
    amounts
      .filter(({ amount }) => amount.requestId === request.id)
      .map(({ amount, key }) => ({
        id: request.id,
        row: {
          request: request.id,
          project,
          'requested by': by,
          reason: request.reason,
          state: request.state,
          resource: key,
          asked: amount.asked,
          granted: amount.granted,
          comment: request.comment,
          created: isoTime(request.createdAt),
          ended: isoTime(request.endedAt),
        },
      })),
  )
}
