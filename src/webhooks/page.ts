import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { Action } from '../policy.ts'
import type { Webhook } from '../records/data/deliveries.ts'
import { everyEvent } from '../records/events.ts'
import type { Person } from '../records/record.ts'
import { orNotFound } from '../web/answer/errors.ts'
import { several, version, webhookUrl } from '../web/fields.ts'
import { idFrom } from '../web/request/address.ts'
import { type Form, newForm, readForm } from '../web/request/forms.ts'
import { eventsInWords, keptEvents, knownEvents, type OwnerKind, offeredEvents } from './choices.ts'
import {
  allWebhooks,
  changeWebhook,
  createWebhook,
  findWebhook,
  mostWebhooks,
  removeWebhook,
  rotateWebhookSecret,
  type WebhookOwner,
  type WebhookWish,
  webhookList,
} from './data/webhooks.ts'

/** Where webhooks are managed: those of the active account, or Support’s. */
export type WebhookRoom = {
  base: string
  area: 'account' | 'support'
  see: { config: { can: Action } }
  change: { config: { can: Action; inAccount?: boolean } }
  owner: (request: FastifyRequest) => WebhookOwner
  ownerKind: (request: FastifyRequest) => OwnerKind
  actor: (request: FastifyRequest) => Person
}

const newWebhook = (events: string[]) =>
  z.strictObject({
    url: webhookUrl(),
    events: several(z.enum(events)).refine((chosen) => chosen.length > 0, 'Choose at least one kind of event.'),
  })
const changedWebhook = (events: string[]) =>
  newWebhook(events).extend({ active: z.literal('yes').optional(), version: version() })

/** The list of webhooks, and what is done with each. */
export function manageWebhooks(app: FastifyInstance, room: WebhookRoom): void {
  const { db, secrets } = app
  const { base, see, change } = room

  app.get(base, see, async (request, reply) =>
    reply.page('webhooks/index', {
      title: 'Webhooks',
      ...shared(room),
      webhooks: allWebhooks(db, room.owner(request)).map((webhook) => ({
        ...webhook,
        eventWords: eventsInWords(webhook.events),
      })),
      columns: webhookList.columns,
      mostWebhooks,
    }),
  )

  app.get(`${base}/new`, see, async (_request, reply) => showForm(room, reply, newForm({ events: everyEvent })))

  app.post(base, change, async (request, reply) => {
    const form = readForm(newWebhook(knownEvents(room.ownerKind(request))), request.body)
    const wish = form.input && wanted(request, form, form.input)
    if (!wish) return showForm(room, reply.code(422), form)
    const made = createWebhook(db, room.actor(request), { ...wish, owner: room.owner(request) }, secrets)
    if (made !== 'full') return showSecret(room, reply, { ...made, rotated: false })
    form.errors.url = `You have ${mostWebhooks} webhooks, which is the most. Remove one first.`
    return showForm(room, reply.code(422), form)
  })

  app.get(`${base}/:webhook/change`, see, async (request, reply) => {
    const webhook = webhookOf(room, request)
    return showForm(room, reply, formOf(webhook), { webhook })
  })

  app.post(`${base}/:webhook/change`, change, async (request, reply) => {
    const webhook = webhookOf(room, request)
    const form = readForm(changedWebhook(knownEvents(room.ownerKind(request))), request.body)
    const wish = form.input && wanted(request, form, form.input)
    if (!form.input || !wish) return showForm(room, reply.code(422), form, { webhook })
    const edit = { ...wish, on: form.input.active === 'yes', version: form.input.version }
    const done = orNotFound(changeWebhook(db, room.actor(request), whichOf(room, request), edit))
    if (done === 'stale') {
      // What was typed stays; sent again, it replaces what somebody else has saved.
      form.values.version = String(webhookOf(room, request).version)
      const problem = 'Somebody else has changed this webhook since you opened this page. Save again to replace theirs.'
      return showForm(room, reply.code(409), form, { webhook, problem })
    }
    return reply.seeOther(
      `${base}/${webhook.id}`,
      done === 'saved' ? 'The webhook was saved.' : 'The webhook is as it was. Nothing was changed.',
    )
  })

  app.get(`${base}/:webhook/rotation`, see, async (request, reply) =>
    reply.page('webhooks/rotation', { title: 'New secret', ...shared(room), webhook: webhookOf(room, request) }),
  )

  app.post(`${base}/:webhook/rotation`, change, async (request, reply) => {
    const secret = orNotFound(rotateWebhookSecret(db, room.actor(request), whichOf(room, request), secrets))
    return showSecret(room, reply, { webhook: webhookOf(room, request), secret, rotated: true })
  })

  app.get(`${base}/:webhook/removal`, see, async (request, reply) =>
    reply.page('webhooks/removal', { title: 'Remove webhook', ...shared(room), webhook: webhookOf(room, request) }),
  )

  app.post(`${base}/:webhook/removal`, change, async (request, reply) => {
    const { url } = orNotFound(removeWebhook(db, room.actor(request), whichOf(room, request)))
    return reply.seeOther(base, `The webhook to ${new URL(url).host} was removed. Nothing more is sent there.`)
  })
}

/** What all pages of a room have in common. */
export const shared = ({ base, area }: WebhookRoom) => ({ base, area })

export function whichOf(room: WebhookRoom, request: FastifyRequest) {
  return { owner: room.owner(request), id: idFrom(request, 'webhook') }
}

export function webhookOf(room: WebhookRoom, request: FastifyRequest): Webhook {
  return orNotFound(findWebhook(request.server.db, whichOf(room, request)))
}

type Input = z.infer<ReturnType<typeof newWebhook>>

/** What a form wants; undefined if it cannot be, and the form says why. */
function wanted(request: FastifyRequest, form: Form, { url, events }: Input): WebhookWish | undefined {
  const why = request.server.outside.whyNot(url)
  if (why === undefined) return { url: new URL(url).href, events: keptEvents(events) }
  form.errors.url = why
  return undefined
}

function formOf({ url, events, offAt, version }: Webhook): Form {
  return newForm({
    url,
    events: events.split(' '),
    ...(offAt === null ? { active: 'yes' } : {}),
    version: String(version),
  })
}

function showForm(
  room: WebhookRoom,
  reply: FastifyReply,
  form: Form,
  { webhook, problem = '' }: { webhook?: Webhook; problem?: string } = {},
) {
  return reply.page('webhooks/form', {
    title: webhook ? 'Change webhook' : 'New webhook',
    ...shared(room),
    webhook: webhook ?? null,
    form,
    problem,
    families: offeredEvents(room.ownerKind(reply.request)),
  })
}

/** Shown once: it is sealed where it is kept. */
function showSecret(
  room: WebhookRoom,
  reply: FastifyReply,
  shown: { webhook: Webhook; secret: string; rotated: boolean },
) {
  return reply.page('webhooks/secret', { title: 'Webhook secret', ...shared(room), ...shown })
}
