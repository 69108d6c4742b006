import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { orNotFound } from '../web/answer/errors.ts'
import { listDownload } from '../web/lists/csv.ts'
import { readList } from '../web/lists/list.ts'
import { idFrom } from '../web/request/address.ts'
import { readForm } from '../web/request/forms.ts'
import { eventsInWords } from './choices.ts'
import { countDeliveries, deliveriesCounted, deliveryList, listDeliveries, retryDelivery } from './data/deliveries.ts'
import { retrySince, testWebhook } from './data/webhooks.ts'
import { shared, type WebhookRoom, webhookOf, whichOf } from './page.ts'

const hour = 3_600_000

/** How far back failed events are sent again, in milliseconds. */
const spans = { hour: hour, day: 24 * hour, week: 7 * 24 * hour, month: 30 * 24 * hour } as const
const spanWords = {
  hour: 'of the last hour',
  day: 'of the last 24 hours',
  week: 'of the last 7 days',
  month: 'of the last 30 days',
}
const retries = z.strictObject({ span: z.enum(Object.keys(spans) as (keyof typeof spans)[]) })

const switchedOff = 'The webhook is switched off, so nothing was sent. Switch it on first.'

/** The deliveries of a webhook, and what is done with them. */
export function manageDeliveries(app: FastifyInstance, room: WebhookRoom): void {
  const { db, now } = app
  const { base, see, change } = room
  const pageOf = (request: FastifyRequest) => `${base}/${whichOf(room, request).id}`

  app.get(`${base}/:webhook`, see, async (request, reply) => {
    const webhook = webhookOf(room, request)
    const file = listDownload(request, reply, {
      spec: deliveryList,
      list: (query) => listDeliveries(db, webhook.id, query),
    })
    if (file) return file
    return reply.page('webhooks/show', {
      title: 'Webhook',
      ...shared(room),
      webhook: {
        ...webhook,
        eventWords: eventsInWords(webhook.events),
        bothSecrets: webhook.earlierUntil !== null && webhook.earlierUntil > now() ? webhook.earlierUntil : null,
      },
      counts: {
        waiting: countDeliveries(db, webhook.id, 'waiting'),
        failed: countDeliveries(db, webhook.id, 'failed'),
        most: deliveriesCounted,
      },
      spans: Object.entries(spanWords),
      list: listDeliveries(db, webhook.id, readList(request, deliveryList)),
    })
  })

  app.post(`${base}/:webhook/test`, change, async (request, reply) => {
    const sent = orNotFound(testWebhook(db, room.actor(request), whichOf(room, request)))
    return reply.seeOther(
      pageOf(request),
      sent === 'inactive' ? switchedOff : 'A test is on its way. The list below shows what became of it.',
    )
  })

  app.post(`${base}/:webhook/retries`, change, async (request, reply) => {
    const span = readForm(retries, request.body).input?.span ?? 'day'
    const again = orNotFound(retrySince(db, room.actor(request), whichOf(room, request), now() - spans[span]))
    return reply.seeOther(
      pageOf(request),
      again === 'inactive' ? switchedOff : `The failed events ${spanWords[span]} are being sent again.`,
    )
  })

  app.post(`${base}/:webhook/deliveries/:delivery/retry`, change, async (request, reply) => {
    const which = { ...whichOf(room, request), delivery: idFrom(request, 'delivery') }
    const again = orNotFound(retryDelivery(db, room.actor(request), which))
    const words = {
      inactive: switchedOff,
      ended: 'This event was delivered or withdrawn already. Nothing was changed.',
    }
    return reply.seeOther(
      pageOf(request),
      typeof again === 'string' ? words[again] : `The event ${again.type} is being sent again.`,
    )
  })
}
