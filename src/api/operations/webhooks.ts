import * as z from 'zod'
import type { Webhook } from '../../records/data/deliveries.ts'
import { everyEvent } from '../../records/events.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { webhookUrl } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { keptEvents, knownEvents } from '../../webhooks/choices.ts'
import {
  changeWebhook,
  createWebhook,
  findWebhook,
  listWebhooks,
  mostWebhooks,
  removeWebhook,
  rotateWebhookSecret,
  webhookList,
} from '../../webhooks/data/webhooks.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { invalidAt, Problem } from '../contract/problems.ts'
import { shownTime, shownTimeOrNull, timeOf } from '../contract/shapes.ts'

const events = (words: string) =>
  z
    .array(z.string().max(100))
    .min(1)
    .max(100)
    .meta({ description: words, example: ['project.*', 'member.role_changed'] })

const newUrl = () =>
  webhookUrl().meta({
    description: 'It begins with https:// and leads to a public address.',
    format: 'uri',
    minLength: 1,
    maxLength: 1_000,
    example: 'https://hooks.wayne.example/meshpanel',
  })

const fields = {
  id: z.int(),
  url: z.string(),
  events: events('What it gets: `*` for everything, families such as `project.*`, and types of events.'),
  active: z.boolean().meta({ description: 'False if it is switched off.' }),
  off_because: z.enum(['person', 'gone', 'failing']).nullable().meta({
    description:
      'Who switched it off: a person; the panel, since it answered 410; the panel, since it failed for 75 hours.',
  }),
  created_at: timeOf('When it was created.'),
  last_success_at: timeOf('When it last took an event.').nullable(),
  failing_since: timeOf('When it began to fail; null if its last try went well.').nullable(),
}
const webhook = z.strictObject(fields).meta({ id: 'Webhook' })
const secret = z.string().meta({ description: 'Shown this once: what its receiver checks signatures with.' })
const createdWebhook = z.strictObject({ ...fields, secret }).meta({ id: 'CreatedWebhook' })

const showWebhook = (one: Webhook) => ({
  id: one.id,
  url: one.url,
  events: one.events.split(' '),
  active: one.offAt === null,
  off_because: one.offBecause,
  created_at: shownTime(one.createdAt),
  last_success_at: shownTimeOrNull(one.succeededAt),
  failing_since: shownTimeOrNull(one.failingSince),
})

type Place = Pick<Call, 'db' | 'account' | 'request'>

export const webhookIn = ({ account, request }: Place) => ({
  owner: account.id,
  id: idFrom(request, 'webhook'),
})
const show = (call: Place) => showWebhook(orNotFound(findWebhook(call.db, webhookIn(call))))

/** Throws the problem of an address that the panel would not go to. */
function mayGoTo({ request }: Place, url: string): string {
  const why = request.server.outside.whyNot(url)
  if (why !== undefined) throw invalidAt(['url'], 'not-allowed', why)
  return new URL(url).href
}

/** Throws the problem of an event that this account cannot hear of. */
function mayHearOf({ account }: Place, chosen: string[]): string {
  const known = knownEvents(account.kind)
  const unknown = chosen.findIndex((one) => !known.includes(one))
  if (unknown >= 0) throw invalidAt(['events', unknown], 'unknown', 'There is no such event for this account.')
  return keptEvents(chosen)
}

export const webhooksPath = '/accounts/{account}/webhooks' as const
const common = { tag: 'Webhooks' } as const
export const seeWebhooks = { can: 'webhook.see', ...common } as const
export const changeWebhooks = { can: 'webhook.change', ...common } as const

export const webhookOperations = [
  listing({
    ...seeWebhooks,
    method: 'GET',
    path: webhooksPath,
    summary: 'List the webhooks',
    spec: webhookList,
    row: webhook,
    list: ({ db, account }, query) => listWebhooks(db, account.id, query),
    show: showWebhook,
  }),
  act({
    ...changeWebhooks,
    method: 'POST',
    path: webhooksPath,
    summary: 'Create a webhook',
    description: `An account has at most ${mostWebhooks}. Requests are signed by Standard Webhooks 1.0.`,
    body: z
      .strictObject({ url: newUrl(), events: events('What it gets.').default([everyEvent]) })
      .meta({ id: 'NewWebhook' }),
    answer: createdWebhook,
    status: 201,
    do: (call) => {
      const wish = { url: mayGoTo(call, call.body.url), events: mayHearOf(call, call.body.events) }
      const made = createWebhook(call.db, call.by, { ...wish, owner: call.account.id }, call.request.server.secrets)
      if (made === 'full') return new Problem('conflict', `The account has ${mostWebhooks} webhooks already.`)
      return {
        status: 201,
        location: `/accounts/${call.account.identifier}/webhooks/${made.webhook.id}`,
        body: { ...showWebhook(made.webhook), secret: made.secret },
      }
    },
  }),
  reading({
    ...seeWebhooks,
    method: 'GET',
    path: `${webhooksPath}/{webhook}`,
    summary: 'Read a webhook',
    answer: webhook,
    read: show,
  }),
  act({
    ...changeWebhooks,
    method: 'PATCH',
    path: `${webhooksPath}/{webhook}`,
    summary: 'Change a webhook, or switch it on or off',
    body: z
      .strictObject({
        url: newUrl().optional(),
        events: events('What it gets.').optional(),
        active: z.boolean().optional().meta({ description: 'False switches it off.', example: true }),
      })
      .meta({ id: 'WebhookChange' }),
    answer: webhook,
    status: 200,
    current: show,
    do: (call) => {
      const before = orNotFound(findWebhook(call.db, webhookIn(call)))
      const { url, events, active } = call.body
      changeWebhook(call.db, call.by, webhookIn(call), {
        url: url === undefined ? before.url : mayGoTo(call, url),
        events: events === undefined ? before.events : mayHearOf(call, events),
        on: active ?? before.offAt === null,
      })
      return { status: 200, body: show(call) }
    },
  }),
  act({
    ...changeWebhooks,
    method: 'DELETE',
    path: `${webhooksPath}/{webhook}`,
    summary: 'Remove a webhook',
    description: 'Nothing more is sent there, not even what waits.',
    status: 204,
    current: show,
    do: (call) => {
      orNotFound(removeWebhook(call.db, call.by, webhookIn(call)))
      return { status: 204 }
    },
  }),
  act({
    ...changeWebhooks,
    method: 'POST',
    path: `${webhooksPath}/{webhook}/rotate-secret`,
    summary: 'Make a new secret',
    description: 'For 24 hours, requests carry signatures by the new and the earlier secret.',
    answer: z.strictObject({ secret }).meta({ id: 'WebhookSecret' }),
    status: 200,
    do: (call) => {
      const { secrets } = call.request.server
      return {
        status: 200,
        body: { secret: orNotFound(rotateWebhookSecret(call.db, call.by, webhookIn(call), secrets)) },
      }
    },
  }),
]
