import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { listOwnAccounts, ownAccountList } from '../../accounts/data/switcher.ts'
import { apart } from '../../db/apart.ts'
import type { ListQuery } from '../../db/list.ts'
import { notFound, orNotFound } from '../../web/answer/errors.ts'
import { personName, version } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { timeZones } from '../../web/reader.ts'
import { idFrom } from '../../web/request/address.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { endOtherSessions, endSession, listSessions, sessionList } from '../data/sessions.ts'
import { findUser, renameUser, setDisplay } from '../data/users.ts'
import { sessionPrefix, showProfile, zoneByBrowser } from './page.ts'

const display = z.strictObject({
  theme: z.enum(['', 'light', 'dark'], { error: 'Choose a theme from the list.' }),
  timeZone: z.enum(['browser', '', ...timeZones], { error: 'Choose a time zone from the list.' }),
  numbers: z.enum(['', 'point', 'space'], { error: 'Choose a format from the list.' }),
})
const ownName = z.strictObject({ name: personName(), version: version() })

export default async function profileRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/profile', { config: { can: 'profile.see' } }, async (request, reply) => {
    const list = (query: ListQuery) => listOwnAccounts(db, request.signedIn.id, query)
    const sessions = (query: ListQuery) => listSessions(db, request.signedIn.id, request.viewer.sessionKey, query)
    return (
      listDownload(request, reply, { spec: ownAccountList, list }) ??
      listDownload(request, reply, { spec: sessionList, list: sessions, prefix: sessionPrefix }) ??
      showProfile(request, reply)
    )
  })

  app.post('/profile/name', { config: { can: 'profile.change' } }, async (request, reply) => {
    const form = readForm(ownName, request.body)
    if (!form.input) return showProfile(request, reply.code(422), { name: form })
    const { name, version } = form.input
    const renamed = orNotFound(renameUser(db, actor(request), request.signedIn.id, { name, version }))
    if (renamed !== 'stale')
      return reply.seeOther(
        '/profile',
        renamed === 'saved' ? 'Your name was changed.' : apart`Your name is already ${name}. Nothing was changed.`,
      )
    const current = orNotFound(findUser(db, request.signedIn.id))
    form.errors.name = apart`You have changed your name to “${current.name}” in another window. Save again to make it “${name}”.`
    form.values.version = String(current.version)
    return showProfile(request, reply.code(409), { name: form })
  })

  app.post('/profile/display', { config: { can: 'profile.change' } }, async (request, reply) => {
    const form = readForm(display, request.body)
    if (!form.input) return showProfile(request, reply.code(422), { display: form })
    const byBrowser = form.input.timeZone === 'browser'
    const changed = setDisplay(db, actor(request), request.signedIn.id, {
      ...form.input,
      ...(byBrowser && { timeZone: zoneByBrowser(request, orNotFound(findUser(db, request.signedIn.id))) }),
      zoneByBrowser: byBrowser,
    })
    return reply.seeOther(
      '/profile',
      changed ? 'Your display settings were saved.' : 'These are your display settings already. Nothing was changed.',
    )
  })

  app.post('/profile/sessions/:session/removal', { config: { can: 'profile.change' } }, async (request, reply) => {
    const session = idFrom(request, 'session')
    if (!endSession(db, actor(request), session)) throw notFound()
    return reply.seeOther('/profile', 'The session was ended.')
  })

  app.post('/profile/sessions/removal', { config: { can: 'profile.change' } }, async (request, reply) => {
    const ended = endOtherSessions(db, actor(request), request.viewer.sessionKey)
    return reply.seeOther(
      '/profile',
      ended ? `${plural(ended, 'other session')} ended.` : 'There was no other session.',
    )
  })
}
