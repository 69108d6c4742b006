import { isolated } from '../../db/apart.ts'
import type { RecordKind } from '../../records/kinds.ts'
import { typedFields } from '../../records/record.ts'
import { inside, Missing, now, only, type Piece, type Sentence, say, side, type Told, typed, was } from './told.ts'

type OfLimitActs = Extract<RecordKind, `limit.${string}`>

/** Acts on quotas and on the catalogue of resources. */
export const ofLimitActs: Record<OfLimitActs, (told: Told) => Sentence> = {
  'limit.changed': (it) => set(it, where(it), say`changed the quotas${of(it)}`),
  'limit.pool-changed': (it) =>
    set(it, say` in the pool for customers${inside(it, 'of')}`, say`changed the pool for customers${inside(it, 'of')}`),
  'limit.requested': (it) =>
    only(say`asked for more quota${where(it)}`, list(it, '→'), typed(it, 'reason', 'Reason'), cannotBeRead(it)),
  'limit.approved': (it) =>
    only(say`approved the request for more quota${where(it)}`, list(it, 'requested, approved:'), cannotBeRead(it)),
  'limit.declined': (it) => only(say`declined the request for more quota${where(it)}`, typed(it, 'comment', 'Reason')),
  'limit.cancelled': (it) =>
    only(say`cancelled the request for more quota${where(it)}`, typed(it, 'comment', 'Reason')),
  'limit.near': (it) => inUse(it, 'nearly used up'),
  'limit.reached': (it) => inUse(it, 'used up'),
  'limit.automatic-changed': (it) =>
    only(say`set automatic approval to ${share(it, 'after')} (was ${share(it, 'before')})${inside(it)}`),
  'limit.plan-created': (it) =>
    only(say`created the plan ${now(it, planName)}${inside(it)}`, list(it, '→'), ofNewCustomers(it), cannotBeRead(it)),
  'limit.plan-changed': (it) =>
    only(
      side(it, planName, 'before') === undefined
        ? say`changed the plan ${now(it, planName)}${inside(it)}`
        : say`renamed the plan ${was(it, planName)} to ${now(it, planName)}${inside(it)}`,
      list(it, '→'),
      ofNewCustomers(it),
      cannotBeRead(it),
    ),
  'limit.plan-removed': (it) => only(say`deleted the plan ${was(it, planName)}${inside(it)}`),
  'limit.resource-added': (it) => only(say`added the resource ${now(it, 'name')}`, unit(it)),
  'limit.resource-changed': (it) =>
    only(
      side(it, 'name', 'before') === side(it, 'name', 'after')
        ? say`changed the unit of the resource ${now(it, 'name')}`
        : say`renamed the resource ${was(it, 'name')} to ${now(it, 'name')}`,
      unit(it),
    ),
  'limit.resource-removed': (it) => only(say`removed the resource ${was(it, 'name')}`),
}

/** Fields beside the resources of a plan: no key of a resource has a space. */
const planName = 'plan name'
const planOfNewCustomers = 'default for new customers'
const ofPlans = [planName, planOfNewCustomers]

function ofNewCustomers(it: Told): Piece[] | null {
  if (!it.change[planOfNewCustomers]) return null
  const [before, after] = [side(it, planOfNewCustomers, 'before'), side(it, planOfNewCustomers, 'after')]
  const words = (value: string | number | undefined): Piece => (value === undefined ? 'none' : { value: String(value) })
  return say`Plan of new customers: ${words(after)} (was ${words(before)})`
}

const of = (it: Told): Piece[] => (it.project ? say` of ${it.project}${inside(it)}` : inside(it, 'of'))
const where = (it: Told): Piece[] => (it.project ? say` for ${it.project}${inside(it)}` : inside(it, 'for'))

function unit(it: Told): Piece[] | null {
  const [before, after] = [side(it, 'unit', 'before') ?? '', side(it, 'unit', 'after') ?? '']
  const words = (value: string | number): Piece => (value === '' ? 'none' : { value: String(value) })
  if (before === '' || before === after) return after === '' ? null : say`Unit: ${words(after)}`
  return say`Unit: ${words(after)} (was ${words(before)})`
}

/** “50%”, or that it is off. */
function share(it: Told, which: 'before' | 'after'): Piece {
  const value = side(it, 'share', which)
  return { value: value === undefined ? 'off' : `${value}%` }
}

type Amount = { name: string; before: Piece; after: Piece }

/** The amounts in a change: each of its fields is the key of a resource, beside what people typed. */
function amountsOf(it: Told): Amount[] {
  return Object.entries(it.change).flatMap(([key, [before, after]]) => {
    const resource = it.resource(key)
    if (!resource) return []
    const words = (value: string | number | null): Piece =>
      value === null ? { value: 'no limit' } : { amount: Number(value), unit: resource.unit }
    return [{ name: isolated(resource.name), before: words(before), after: words(after) }]
  })
}

/** One amount is said in the sentence, several are listed under it. */
function set(it: Told, whereSet: Piece[], changed: Piece[]): Sentence {
  const [first, ...more] = amountsOf(it)
  const note = typed(it, 'remark', 'Note')
  if (!first || more.length > 0) return only(changed, list(it, '→'), note, cannotBeRead(it))
  return only(say`set ${first.name}${whereSet} to ${first.after} (was ${first.before})`, note)
}

/** Of a limit, what of it is in use. */
function inUse(it: Told, state: string): Sentence {
  const [limit] = amountsOf(it)
  if (!limit) throw new Missing()
  const { name, before, after } = limit
  return only(say`noted that the limit for ${name}${inside(it, 'of')} is ${state}: ${after} of ${before}`)
}

function list(it: Told, between: string): Piece[] | null {
  const amounts = amountsOf(it)
  if (amounts.length === 0) return null
  return amounts.flatMap(
    ({ name, before, after }, n) => say`${n > 0 ? ' · ' : ''}${name}: ${before} ${between} ${after}`,
  )
}

/** A resource that is no longer there. */
function cannotBeRead(it: Told): Piece[] | null {
  const others = Object.keys(it.change).filter(
    (key) => !it.resource(key) && !(typedFields as readonly string[]).includes(key) && !ofPlans.includes(key),
  )
  return others.length > 0 ? say`Some of it can no longer be shown` : null
}
