import * as z from 'zod'
import { type Events, listAllEvents, listEvents, listEventsFrom, type PastEvent } from '../../history/data/events.ts'
import { firstOfTie } from '../../history/data/records.ts'
import { customerOf } from '../../partners/scope.ts'
import { type Call, reading } from '../contract/operation.ts'
import { shownTime, timeOf } from '../contract/shapes.ts'

const event = z
  .strictObject({
    id: z.int().meta({ description: 'Rises from event to event.' }),
    type: z.string().meta({ description: 'What happened. More types may come.', example: 'member.role_changed' }),
    at: timeOf('When it happened.'),
    actor: z.strictObject({ user: z.int().nullable(), service: z.boolean(), support: z.boolean() }).meta({
      description:
        'Who did it: the number of a user, null for the panel itself; whether that is a service user; and whether Support did.',
    }),
    account: z.string().nullable().meta({ description: 'The identifier of the account in which it happened.' }),
    user: z.int().nullable(),
    invitation: z.int().nullable(),
    project: z.string().nullable(),
    change: z.record(z.string(), z.array(z.union([z.string(), z.number(), z.null()]))).meta({
      description: 'What changed: before and after, by field. Reasons and notes that people typed are left out.',
    }),
  })
  .meta({ id: 'Event' })

const showEvent = (one: PastEvent) => ({
  id: one.id,
  type: one.kind.replaceAll('-', '_'),
  at: shownTime(one.at),
  actor: { user: one.actorId, service: one.byService ?? false, support: one.bySupport },
  account: one.account,
  user: one.userId,
  invitation: one.invitationId,
  project: one.project,
  change: readChange(one.change),
})

/** A record whose change cannot be read is told without it. */
function readChange(text: string): object {
  try {
    const change = Object.entries(JSON.parse(text) as object)
    return Object.fromEntries(change.map(([field, values]) => [field.replaceAll(/[ -]/g, '_'), values]))
  } catch {
    return {}
  }
}

const after = {
  schema: z
    .string()
    .max(15)
    .regex(/^(0|[1-9]\d{0,14})$/)
    .default('0'),
  words: 'Only events with a higher number.',
}

const answer = z
  .strictObject({
    data: z.array(event),
    next: z
      .int()
      .nullable()
      .meta({ description: 'The number to ask with for what comes next; null if nothing has come yet.' }),
  })
  .meta({ id: 'Events' })

const common = { method: 'GET', tag: 'History', lines: true, parameters: { after }, answer } as const

const showEvents = ({ rows, next }: Events) => ({ data: rows.map(showEvent), next })
const afterIn = ({ query }: Call) => Number(query.after ?? '0')

export const historyOperations = [
  reading({
    ...common,
    path: '/accounts/{account}/events',
    can: 'history.see',
    summary: 'Read what happened',
    description:
      'The oldest first. Ask again with the last number as `after` to follow the history. With `Accept: application/jsonl` each event is a line of its own.',
    read: (call) => showEvents(listEvents(call.db, call.account.id, afterIn(call))),
  }),
  reading({
    ...common,
    path: '/accounts/{account}/events-of-partner',
    can: 'partner-history.see',
    summary: 'Read what the partner did in its customers',
    description: 'The oldest first, as in the account’s own history. `next` can be set even if `data` is empty.',
    read: (call) => showEvents(listEventsFrom(call.db, call.account.id, afterIn(call))),
  }),
  reading({
    ...common,
    path: '/accounts/{account}/customers/{customer}/events',
    can: 'partner-history.see',
    summary: 'Read what happened in a customer',
    description: 'Only what happened since the partner began to look after it.',
    read: (call) => {
      const { id } = customerOf(call.request, call.db)
      return showEvents(listEvents(call.db, id, Math.max(afterIn(call), firstOfTie(call.db, id) - 1)))
    },
  }),
  reading({
    ...common,
    path: '/support/events',
    can: 'support.see',
    summary: 'Read what happened in the whole installation',
    description: 'The oldest first.',
    read: (call) => showEvents(listAllEvents(call.db, afterIn(call))),
  }),
]
