import type { AccountKind } from '../policy.ts'
import { eventType, everyEvent, familyEvents } from '../records/events.ts'
import { hearing } from '../records/hearing.ts'
import { type RecordFamily, type RecordKind, recordFamilies, recordKinds } from '../records/kinds.ts'

// What somebody can choose to hear of.

export type OwnerKind = AccountKind | 'support'

/** Only partner accounts have these. */
const ofPartners = /^(limit\.(plan|pool|automatic)|account\.customer)-/

function isOffered(kind: RecordKind, owner: OwnerKind): boolean {
  const hearers = hearing[kind]
  if (owner === 'support') return hearers.includes('support')
  if (owner === 'partner') return hearers.includes('account') || hearers.includes('partner')
  return hearers.includes('account') && !ofPartners.test(kind)
}

type OfferedFamily = { events: string; words: string; kinds: { type: string; words: string }[] }

/** The families of events that an owner can hear of, with the events in each. */
export function offeredEvents(owner: OwnerKind): OfferedFamily[] {
  const all = (Object.keys(recordKinds) as RecordKind[]).filter((kind) => isOffered(kind, owner))
  return (Object.keys(recordFamilies) as RecordFamily[])
    .map((family) => ({
      events: familyEvents(eventType(family)),
      words: recordFamilies[family],
      kinds: all
        .filter((kind) => kind.startsWith(`${family}.`))
        .map((kind) => ({ type: eventType(kind), words: recordKinds[kind] })),
    }))
    .filter(({ kinds }) => kinds.length > 0)
}

/** Everything that an owner can name: all, families, and single types. */
export function knownEvents(owner: OwnerKind): string[] {
  return [
    everyEvent,
    ...offeredEvents(owner).flatMap(({ events, kinds }) => [events, ...kinds.map(({ type }) => type)]),
  ]
}

/** Chosen events as they are kept: sorted, and without what others of them include. */
export function keptEvents(chosen: string[]): string {
  if (chosen.includes(everyEvent)) return everyEvent
  const all = new Set(chosen)
  return [...all]
    .filter((one) => one.endsWith('*') || !all.has(familyEvents(one.split('.')[0] ?? '')))
    .sort()
    .join(' ')
}

/** “All events”, “Projects, Users and roles, member.left” */
export function eventsInWords(events: string): string {
  if (events === everyEvent) return 'All events'
  return events
    .split(' ')
    .map((one) => {
      const [family = ''] = one.split('.')
      return one.endsWith('*') ? (recordFamilies[family.replaceAll('_', '-') as RecordFamily] ?? one) : one
    })
    .join(', ')
}
