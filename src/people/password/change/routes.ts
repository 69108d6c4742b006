import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { write } from '../../../db/open.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { dateTime } from '../../../web/format.ts'
import { forReader } from '../../../web/reader.ts'
import { readForm } from '../../../web/request/forms.ts'
import { findSession, signIn } from '../../../web/request/session.ts'
import { actor } from '../../../web/request/viewer.ts'
import { findUser, setPassword, type User } from '../../data/users.ts'
import { newPersonFields, ownerOf, readNewPassword, withoutPasswords } from '../../log-in/new-person.ts'
import { verifyPassword } from '../../log-in/passwords.ts'
import { sessionAttempt, tooSoon } from '../../log-in/throttle/attempt.ts'
import { rememberBrowser } from '../../log-in/throttle/browser.ts'
import { forgive } from '../../log-in/throttle/data.ts'
import { showProfile } from '../../profile/page.ts'

const passwordChange = z.strictObject({
  current: z.string({ error: 'Enter your current password.' }).min(1, 'Enter your current password.'),
  password: newPersonFields.password,
  repeated: newPersonFields.repeated,
})

export default async function passwordChangeRoutes(app: FastifyInstance) {
  const { db } = app

  app.post('/profile/password', { config: { can: 'profile.change' } }, async (request, reply) => {
    const user = orNotFound(findUser(db, request.signedIn.id))
    const form = readForm(passwordChange, request.body)
    if (form.input) {
      const attempt = sessionAttempt(request, 'proof')
      const wait = tooSoon(request, reply, attempt)
      if (wait) return showProfile(request, reply, { password: withoutPasswords(form) }, wait)
      if (await verifyPassword(user.passwordHash, form.input.current, attempt)) {
        forgive(db, attempt)
        const passwordHash = await readNewPassword(form, {
          owner: ownerOf(db, user),
          panelName: app.config.panelName,
          from: { userId: user.id },
        })
        if (passwordHash) {
          const accountId = request.viewer.account?.id ?? null
          const { twoFactor, passkey } = request.signedIn
          const { secondFactor } = request.viewer
          // Who has a second factor has not shown it here.
          const goesOn = secondFactor || twoFactor || passkey ? findSession(request) : undefined
          changePassword(request, user, passwordHash)
          await signIn(request, { userId: user.id, accountId, passwordHash, secondFactor, goesOn })
          rememberBrowser(request, reply, { id: user.id, passwordHash })
          return reply.seeOther('/profile', 'Your password was changed. All your other sessions have ended.')
        }
      } else {
        form.errors.current = 'This is not your current password.'
      }
    }
    return showProfile(request, reply.code(422), { password: withoutPasswords(form) })
  })

  function changePassword(request: FastifyRequest, user: User, passwordHash: string): void {
    write(db, actor(request), (tx) => {
      setPassword(tx, actor(request), user.id, passwordHash)
      const data = { when: forReader(user, () => dateTime(app.now())), link: `${app.config.publicUrl}/password-reset` }
      app.postLetter(tx, app.now(), {
        kind: 'password-changed',
        email: user.email,
        name: user.name,
        reason: { because: 'user', userId: user.id },
        data,
      })
    })
  }
}
