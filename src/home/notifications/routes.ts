import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { ListQuery } from '../../db/list.ts'
import { chooseWays, listWays } from '../../records/data/choices.ts'
import { allTopics, isFixed, type MailWay, ruleOf, type Topic, wayField, ways } from '../../records/topics.ts'
import { idChoice } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import {
  countUnread,
  listNotifications,
  markRead,
  mostUnread,
  newestNotification,
  notificationList,
} from './data/listing.ts'
import { startNotificationWorker } from './worker.ts'

const readUntil = z.strictObject({ until: idChoice() })

const wayChoice = z.enum(Object.keys(ways) as MailWay[], 'Choose from the list.')
/** Those that can be chosen. */
const chosenTopics = allTopics.filter((topic) => !isFixed(topic))
const wayFields = z.strictObject(Object.fromEntries(chosenTopics.map((topic) => [wayField(topic), wayChoice])))

export default async function notificationRoutes(app: FastifyInstance) {
  const { db } = app
  const worker = startNotificationWorker(app, app.mailContext)
  app.addHook('onReady', async () => worker.wake())
  app.addHook('onClose', worker.stop)

  app.get('/notifications', { config: { can: 'profile.see' } }, async (request, reply) => {
    const { id } = request.signedIn
    const list = (query: ListQuery<'state'>) => listNotifications(db, id, query)
    return (
      listDownload(request, reply, { spec: notificationList, list }) ??
      reply.page('home/notifications', {
        title: 'Notifications',
        list: list(readList(request, notificationList)),
        unread: countUnread(db, id),
        newest: newestNotification(db, id),
        mostUnread,
      })
    )
  })

  app.post('/notifications/read', { config: { can: 'profile.change' } }, async (request, reply) => {
    const form = readForm(readUntil, request.body)
    const n = form.input ? markRead(db, actor(request), form.input.until) : 0
    return reply.seeOther(
      '/notifications',
      n ? `${plural(n, 'notification')} marked as read.` : 'All of them were read already.',
    )
  })

  app.get('/profile/notifications', { config: { can: 'profile.see' } }, async (request, reply) => {
    const chosen = Object.entries(listWays(db, request.signedIn.id))
    return showChoices(
      request,
      reply,
      newForm(Object.fromEntries(chosen.map(([topic, way]) => [wayField(topic as Topic), way]))),
    )
  })

  app.post('/profile/notifications', { config: { can: 'profile.change' } }, async (request, reply) => {
    const form = readForm(wayFields, request.body)
    if (!form.input) return showChoices(request, reply.code(422), form)
    const { input } = form
    const chosen = Object.fromEntries(chosenTopics.map((topic) => [topic, input[wayField(topic)]]))
    const changed = chooseWays(db, actor(request), chosen)
    return reply.seeOther(
      '/profile/notifications',
      changed ? 'Your e-mail notifications were changed.' : 'Nothing was changed.',
    )
  })
}

function showChoices(request: FastifyRequest, reply: FastifyReply, form: Form) {
  return reply.page('home/notification-choices', {
    title: 'E-mail notifications',
    form,
    emailProved: request.signedIn.emailProved,
    topics: allTopics.map((topic) => ({ topic, field: wayField(topic), ...ruleOf(topic) })),
    ways: Object.entries(ways),
  })
}
