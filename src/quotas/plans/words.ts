import { apart } from '../../db/apart.ts'
import { withUnit } from '../../web/format.ts'
import type { Shortage } from '../arithmetic.ts'

/** Why a partner’s pool cannot give a customer the limits of a plan: for whoever chose it. */
export function poolLacksForPlan(shortages: Shortage[]): string {
  const lacks = shortages.map(({ resource: { name, unit }, available, more }) => {
    const [has, takes] = [withUnit(available, { unit }), withUnit(more, { unit })]
    return apart`${name}: the pool has ${has} available, and the plan takes ${takes}.`
  })
  return `Your pool does not have enough for this plan. ${lacks.join(' ')}`
}
