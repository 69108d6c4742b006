import * as z from 'zod'
import type { AccountId } from '../../db/ids.ts'
import { findCustomer } from '../../partners/data.ts'
import { customerOf } from '../../partners/scope.ts'
import { type Quotas, shortageOf } from '../../quotas/arithmetic.ts'
import { findQuotas } from '../../quotas/data/limits.ts'
import { levelShortageWords } from '../../quotas/page.ts'
import { applyLimits, differences, findLimitOffer, type LimitSource } from '../../quotas/plans/data/applying.ts'
import { poolLacksForPlan } from '../../quotas/plans/words.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { type Answer, act, type Call, reading } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { shownName } from '../contract/shapes.ts'
import { planIn } from './plans.ts'
import { quotaList, showQuota } from './quotas.ts'

// A customer gets the limits of a plan or of another customer: what would change, and the act.

const preview = z
  .strictObject({
    changes: z.array(
      z.strictObject({
        resource: z.string().meta({ description: 'The key of the resource.', example: 'projects' }),
        name: shownName(),
        before: z.int().nullable().meta({ description: 'The limit as it is; null for none.' }),
        after: z.int().nullable(),
        lacking: z
          .string()
          .nullable()
          .meta({ description: 'What a level above cannot give, in words; null if it can. Nothing is applied then.' }),
      }),
    ),
  })
  .meta({ id: 'LimitPreview' })

type Place = Pick<Call, 'db' | 'account' | 'request'>
type SourceOf = (call: Place) => LimitSource

const ofPlan: SourceOf = (call) => ({ planId: planIn(call).id })

/** Another customer of the same partner. */
const ofOther: SourceOf = ({ db, account, request }) => {
  const { from } = request.params as { from: string }
  return { fromId: orNotFound(findCustomer(db, account.id, from)).id }
}

function readOffer(call: Place, sourceOf: SourceOf) {
  const { id } = customerOf(call.request, call.db)
  const now = orNotFound(findQuotas(call.db, { level: 'account', accountId: id }))
  const source = sourceOf(call)
  return { id, now, source, offer: orNotFound(findLimitOffer(call.db, call.account.id, source, now)) }
}

const showOffer = (sourceOf: SourceOf) => (call: Place) => {
  const { now, offer } = readOffer(call, sourceOf)
  return {
    changes: differences(now, offer.amounts).map(({ resource, before, after }) => ({
      resource: resource.key,
      name: resource.name,
      before,
      after,
      lacking: lackingIn(now, resource.id, after),
    })),
  }
}

function lackingIn({ quotas }: Quotas, resourceId: number, after: number | null): string | null {
  const quota = quotas.find(({ resource }) => resource.id === resourceId)
  const shortage = quota && shortageOf(quota, after)
  return shortage ? levelShortageWords(shortage, false) : null
}

const quotasAt = (call: Place, accountId: AccountId) => ({
  quotas: orNotFound(findQuotas(call.db, { level: 'account', accountId })).quotas.map(showQuota),
})

const applyFrom =
  (sourceOf: SourceOf) =>
  (call: Place & Pick<Call, 'by'>): Answer | Problem => {
    const { id, now, source, offer } = readOffer(call, sourceOf)
    const which = { partnerId: call.account.id, accountId: id, source }
    const versions = { source: offer.version, limits: now.version }
    const done = orNotFound(
      applyLimits(call.db, call.by, { ...which, seen: versions }, call.request.server.mailContext),
    )
    if (typeof done === 'object') return new Problem('conflict', poolLacksForPlan(done.shortages))
    return { status: 200, body: quotasAt(call, id) }
  }

const path = '/accounts/{account}/customers/{customer}/quotas' as const
const common = { can: 'customer.limit', tag: 'Plans' } as const
const applying = {
  ...common,
  method: 'POST',
  description:
    'Sets all limits, or none if the pool does not have enough available. With the ETag of the preview as If-Match, exactly what that says.',
  answer: quotaList,
  status: 200,
} as const

export const limitOfferOperations = [
  reading({
    ...common,
    method: 'GET',
    path: `${path}/plan/{plan}`,
    summary: 'Preview a plan for a customer',
    answer: preview,
    read: showOffer(ofPlan),
  }),
  act({
    ...applying,
    path: `${path}/plan/{plan}`,
    summary: 'Apply a plan to a customer',
    current: showOffer(ofPlan),
    do: applyFrom(ofPlan),
  }),
  reading({
    ...common,
    method: 'GET',
    path: `${path}/copy/{from}`,
    summary: 'Preview the limits of another customer for a customer',
    answer: preview,
    read: showOffer(ofOther),
  }),
  act({
    ...applying,
    path: `${path}/copy/{from}`,
    summary: 'Copy the limits of another customer to a customer',
    current: showOffer(ofOther),
    do: applyFrom(ofOther),
  }),
]
