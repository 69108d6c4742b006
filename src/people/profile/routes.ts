import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { findOwnAccount, listOwnAccounts, ownAccountList } from '../../accounts/data/switcher.ts'
import { foreseeEnd } from '../../accounts/endings/data/foreseeing.ts'
import { removeMember } from '../../accounts/members/data.ts'
import type { ListQuery } from '../../db/list.ts'
import { write } from '../../db/open.ts'
import { found, notFound } from '../../web/answer/errors.ts'
import { personName, readId, version } from '../../web/fields.ts'
import { dateTime, plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readForm } from '../../web/request/forms.ts'
import { signIn } from '../../web/request/session.ts'
import { actor } from '../../web/request/viewer.ts'
import { endOtherSessions, endSession, listSessions, sessionList } from '../data/sessions.ts'
import { findUser, renameUser, setPassword, type User } from '../data/users.ts'
import { newPersonFields, ownerOf, readNewPassword, withoutPasswords } from '../log-in/new-person.ts'
import { verifyPassword } from '../log-in/passwords.ts'
import { sessionAttempt, tooSoon } from '../log-in/throttle/attempt.ts'
import { rememberBrowser } from '../log-in/throttle/browser.ts'
import { forgive } from '../log-in/throttle/data.ts'
import { sessionPrefix, showProfile } from './page.ts'

const ownName = z.strictObject({ name: personName(), version: version() })
const passwordChange = z.strictObject({
  current: z.string({ error: 'Enter your current password.' }).min(1, 'Enter your current password.'),
  password: newPersonFields.password,
  repeated: newPersonFields.repeated,
})

export default async function profileRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/profile', { config: { can: 'profile.see' } }, async (request, reply) => {
    const list = (query: ListQuery) => listOwnAccounts(db, request.signedIn.id, query)
    const sessions = (query: ListQuery) => listSessions(db, request.signedIn.id, request.viewer.sessionKey, query)
    return (
      listDownload(request, reply, ownAccountList, list) ??
      listDownload(request, reply, sessionList, sessions, sessionPrefix) ??
      showProfile(request, reply)
    )
  })

  app.post('/profile/name', { config: { can: 'profile.change' } }, async (request, reply) => {
    const form = readForm(ownName, request.body)
    if (!form.input) return showProfile(request, reply.code(422), { name: form })
    const { name, version } = form.input
    const renamed = renameUser(db, actor(request), request.signedIn.id, name, version)
    if (renamed)
      return reply.seeOther(
        '/profile',
        renamed === 'saved' ? 'Your name was changed.' : `Your name is already ${name}. Nothing was changed.`,
      )
    const current = found(findUser(db, request.signedIn.id))
    form.errors.name = `You have changed your name to “${current.name}” in another window meanwhile. Save again to make it “${name}”.`
    form.values.version = String(current.version)
    return showProfile(request, reply.code(409), { name: form })
  })

  app.post('/profile/password', { config: { can: 'profile.change' } }, async (request, reply) => {
    const user = found(findUser(db, request.signedIn.id))
    const form = readForm(passwordChange, request.body)
    if (form.input) {
      const attempt = sessionAttempt(request, 'proof')
      const wait = tooSoon(request, reply, attempt)
      if (wait) return showProfile(request, reply, { password: withoutPasswords(form) }, wait)
      if (await verifyPassword(user.passwordHash, form.input.current, attempt)) {
        forgive(db, attempt)
        const passwordHash = await readNewPassword(form, ownerOf(db, user), app.config.panelName, { userId: user.id })
        if (passwordHash) {
          const accountId = request.viewer.account?.id ?? null
          changePassword(request, user, passwordHash)
          await signIn(request, { userId: user.id, accountId, passwordHash, secondFactor: user.totpSecret !== null })
          rememberBrowser(request, reply, { id: user.id, passwordHash })
          return reply.seeOther('/profile', 'Your password was changed. All your other sessions have ended.')
        }
      } else {
        form.errors.current = 'This is not your current password.'
      }
    }
    return showProfile(request, reply.code(422), { password: withoutPasswords(form) })
  })

  app.get('/profile/accounts/:identifier/removal', { config: { can: 'membership.leave' } }, async (request, reply) =>
    showLeaving(request, reply, ''),
  )

  app.post('/profile/accounts/:identifier/removal', { config: { can: 'membership.leave' } }, async (request, reply) => {
    const account = ownAccount(request)
    const left = removeMember(db, actor(request), account.id, request.signedIn.id, 'member.left')
    if (left === 'last-admin') {
      return showLeaving(
        request,
        reply.code(422),
        `You are the last admin of ${account.name}. Make somebody else an admin first.`,
      )
    }
    found(left)
    return reply.seeOther('/profile', `You have left ${account.name}.`)
  })

  app.post('/profile/sessions/:session/removal', { config: { can: 'profile.change' } }, async (request, reply) => {
    const session = found(readId((request.params as { session: string }).session))
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

  function changePassword(request: FastifyRequest, user: User, passwordHash: string): void {
    write(db, actor(request), (tx) => {
      setPassword(tx, actor(request), user.id, passwordHash)
      const data = { when: dateTime(app.now()), link: `${app.config.publicUrl}/password-reset` }
      app.postLetter(tx, app.now(), {
        kind: 'password-changed',
        email: user.email,
        name: user.name,
        reason: { because: 'user', userId: user.id },
        data,
      })
    })
  }

  function ownAccount(request: FastifyRequest) {
    const { identifier } = request.params as { identifier: string }
    return found(findOwnAccount(db, request.signedIn.id, identifier))
  }

  function showLeaving(request: FastifyRequest, reply: FastifyReply, problem: string) {
    const own = ownAccount(request)
    return reply.page('people/profile/leaving', {
      title: `Leave ${own.name}`,
      own,
      problem,
      ends: foreseeEnd(db, own.id, request.signedIn.id),
    })
  }
}
