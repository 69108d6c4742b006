import type { RecordFamily, RecordKind } from './kinds.ts'
import type { Change } from './record.ts'

// Records as programs read them: events. Nothing in them is personal, so that nothing has to follow a deletion.

/** The type of the event: `member.role_changed`. Standard Webhooks knows no hyphens. */
export const eventType = (kind: RecordKind | RecordFamily) => kind.replaceAll('-', '_')

/** What a webhook that is tried out gets. No record is of this kind. */
export const testEvent = 'webhook.test'

/** What an address may ask for: everything, a family, or one type. */
export const everyEvent = '*'
export const familyEvents = (family: string) => `${family}.*`

/** Whether an address that asks for these gets events of this type. */
export function asksFor(events: string, type: string): boolean {
  const asked = events.split(' ')
  const [family = ''] = type.split('.', 1)
  return [everyEvent, familyEvents(family), type].some((one) => asked.includes(one))
}

/** Fields whose texts are words of the panel’s own, or identifiers. */
const wordFields = ['role', 'kind', 'identifier', 'key', 'scopes', 'events', 'status']

/** A change with its numbers, identifiers and roles; without names and without anything that people typed. */
export function thinChange(change: Change): Change {
  const thin = Object.entries(change).flatMap(([field, values]): [string, Change[string]][] => {
    const [before, after] = values.map((value) => thinValue(field, value))
    const nothing = (before ?? null) === null && (after ?? null) === null
    return nothing ? [] : [[field.replaceAll(/[ -]/g, '_'), [before ?? null, after ?? null]]]
  })
  return Object.fromEntries(thin)
}

function thinValue(field: string, value: string | number | null): string | number | null {
  if (typeof value !== 'string' || wordFields.includes(field)) return value
  // “Acme (acme)”
  return field === 'customer' ? (/\(([a-z0-9-]+)\)$/.exec(value)?.[1] ?? null) : null
}
