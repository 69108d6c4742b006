import * as z from 'zod'
import type { Delivery } from '../../records/data/deliveries.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { idFrom } from '../../web/request/address.ts'
import { deliveryList, findDelivery, listDeliveries, retryDelivery } from '../../webhooks/data/deliveries.ts'
import { findWebhook, retrySince, testWebhook } from '../../webhooks/data/webhooks.ts'
import { act, type Call, listing } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { shownTime, shownTimeOrNull, timeOf } from '../contract/shapes.ts'
import { changeWebhooks, seeWebhooks, webhookIn, webhooksPath } from './webhooks.ts'

const delivery = z
  .strictObject({
    id: z.int(),
    message_id: z.string().meta({ description: 'The header `webhook-id`: the same at each try.' }),
    type: z.string().meta({ example: 'member.role_changed' }),
    event: z.int().nullable().meta({ description: 'The number of the event; null for a test.' }),
    state: z.enum(['waiting', 'delivered', 'failed', 'withdrawn']),
    attempts: z.int(),
    status: z.int().nullable().meta({ description: 'The status that the last try was answered with.' }),
    error: z.string().nullable().meta({ description: 'Why the last try was not answered.' }),
    duration_ms: z.int().nullable(),
    created_at: timeOf('When it happened.'),
    tried_at: timeOf('When it was last tried.').nullable(),
  })
  .meta({ id: 'Delivery' })

const showDelivery = (one: Delivery) => ({
  id: one.id,
  message_id: one.messageId,
  type: one.type,
  event: one.recordId,
  state: one.state,
  attempts: one.attempts,
  status: one.status,
  error: one.error,
  duration_ms: one.duration,
  created_at: shownTime(one.createdAt),
  tried_at: shownTimeOrNull(one.triedAt),
})

type Place = Pick<Call, 'db' | 'account' | 'request'>

const deliveryIn = (call: Place) => ({
  ...webhookIn(call),
  delivery: idFrom(call.request, 'delivery'),
})

const switchedOff = () => new Problem('conflict', 'The webhook is switched off.')

export const deliveryOperations = [
  act({
    ...changeWebhooks,
    method: 'POST',
    path: `${webhooksPath}/{webhook}/test`,
    summary: 'Send a test',
    description: 'Posts an event of the type `webhook.test`, once. Read the deliveries to see what became of it.',
    answer: delivery,
    status: 200,
    do: (call) => {
      const sent = orNotFound(testWebhook(call.db, call.by, webhookIn(call)))
      return sent === 'inactive' ? switchedOff() : { status: 200, body: showDelivery(sent) }
    },
  }),
  act({
    ...changeWebhooks,
    method: 'POST',
    path: `${webhooksPath}/{webhook}/retry`,
    summary: 'Send failed events again',
    body: z
      .strictObject({
        from: z.iso.datetime().meta({ description: 'Since when they happened.', example: '2026-11-26T08:00:00Z' }),
      })
      .meta({ id: 'WebhookRetry' }),
    status: 204,
    do: (call) => {
      const again = orNotFound(retrySince(call.db, call.by, webhookIn(call), Date.parse(call.body.from)))
      return again === 'inactive' ? switchedOff() : { status: 204 }
    },
  }),
  listing({
    ...seeWebhooks,
    method: 'GET',
    path: `${webhooksPath}/{webhook}/deliveries`,
    summary: 'List the deliveries of the last 30 days',
    spec: deliveryList,
    row: delivery,
    list: (call, query) => listDeliveries(call.db, orNotFound(findWebhook(call.db, webhookIn(call))).id, query),
    show: showDelivery,
  }),
  act({
    ...changeWebhooks,
    method: 'POST',
    path: `${webhooksPath}/{webhook}/deliveries/{delivery}/retry`,
    summary: 'Send one event again',
    answer: delivery,
    status: 200,
    current: (call) => showDelivery(orNotFound(findDelivery(call.db, deliveryIn(call)))),
    do: (call) => {
      const again = orNotFound(retryDelivery(call.db, call.by, deliveryIn(call)))
      if (again === 'inactive') return switchedOff()
      if (again === 'ended') return new Problem('conflict', 'The event was delivered or withdrawn already.')
      return { status: 200, body: showDelivery(again) }
    },
  }),
]
