import * as z from 'zod'
import { type AccountEvent, listEvents } from '../../history/data/events.ts'
import { reading } from '../contract/operation.ts'
import { shownTime, timeOf } from '../contract/shapes.ts'

const mostEvents = 200

const event = z
  .strictObject({
    id: z.int().meta({ description: 'Rises from event to event.' }),
    type: z.string().meta({ description: 'What happened. More types may come.', example: 'member.role_changed' }),
    at: timeOf('When it happened.'),
    actor: z
      .strictObject({ user: z.int().nullable(), support: z.boolean() })
      .meta({ description: 'Who did it: the number of a user, null for the panel itself; and whether Support did.' }),
    user: z.int().nullable(),
    invitation: z.int().nullable(),
    project: z.string().nullable(),
    change: z.record(z.string(), z.array(z.union([z.string(), z.number(), z.null()]))).meta({
      description: 'What changed: before and after, by field. Reasons and notes that people typed are left out.',
    }),
  })
  .meta({ id: 'Event' })

const showEvent = (one: AccountEvent) => ({
  id: one.id,
  type: one.kind.replaceAll('-', '_'),
  at: shownTime(one.at),
  actor: { user: one.actorId, support: one.bySupport },
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

export const historyOperations = [
  reading({
    method: 'GET',
    path: '/accounts/{account}/events',
    can: 'history.see',
    tag: 'History',
    summary: 'Read what happened',
    description:
      'The oldest first. Ask again with the last number as `after` to follow the history. With `Accept: application/jsonl` each event is a line of its own.',
    lines: true,
    parameters: {
      after: {
        schema: z
          .string()
          .regex(/^(0|[1-9]\d{0,14})$/)
          .default('0'),
        words: 'Only events with a higher number.',
      },
    },
    answer: z
      .strictObject({
        data: z.array(event),
        next: z
          .int()
          .nullable()
          .meta({ description: 'The number to ask with for what comes next; null if nothing has come yet.' }),
      })
      .meta({ id: 'Events' }),
    read: ({ db, account, query }) => {
      const data = listEvents(db, account.id, Number(query.after ?? '0'), mostEvents).map(showEvent)
      return { data, next: data.at(-1)?.id ?? null }
    },
  }),
]
