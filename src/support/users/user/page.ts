import type { FastifyInstance } from 'fastify'
import { listOwnAccounts, ownAccountList } from '../../../accounts/data/switcher.ts'
import { apart } from '../../../db/apart.ts'
import { firstPage } from '../../../db/list.ts'
import { letterList, listLetters } from '../../../mail/listing.ts'
import { orTooMany, TooMany } from '../../../mail/pace.ts'
import { listSessions, sessionList } from '../../../people/data/sessions.ts'
import { sendPasswordLink } from '../../../people/help/data.ts'
import { listPasskeys } from '../../../people/passkeys/data.ts'
import { listIdentities } from '../../../people/sso/data.ts'
import { listApiTokens } from '../../../people/tokens/data.ts'
import { shownToken } from '../../../people/tokens/form.ts'
import { supportActor } from '../../../web/request/viewer.ts'
import { userOf } from './scope.ts'

/** So many of each are shown. */
const shown = 10

/** What Support knows of a user, and how it helps them. */
export function userPage(app: FastifyInstance): void {
  const { db, mailContext } = app

  app.get('/support/users/:user', { config: { can: 'support.user' } }, async (request, reply) => {
    const user = userOf(request)
    return reply.page('support/user', {
      title: user.name,
      user,
      passkeys: listPasskeys(db, user.id).length,
      tokens: listApiTokens(db, user.id).map(({ token, account }) => ({ ...shownToken(token, app.now()), account })),
      connected: listIdentities(db, user.id).length > 0,
      accounts: listOwnAccounts(db, user.id, firstPage(ownAccountList, shown)),
      sessions: listSessions(db, user.id, '', firstPage(sessionList, shown)),
      letters: listLetters(db, firstPage(letterList, shown), user.email),
    })
  })

  app.post(
    '/support/users/:user/password-link',
    { config: { can: 'support.user', confirm: true } },
    async (request, reply) => {
      const { id, name, email } = userOf(request)
      const byOthers = { accountId: null, tell: () => {} }
      const sent = orTooMany(() =>
        sendPasswordLink(db, supportActor(request), { userId: id, help: byOthers }, mailContext),
      )
      return reply.seeOther(
        `/support/users/${id}`,
        sent instanceof TooMany
          ? apart`Nothing was sent to ${name} again. ${sent.message}`
          : sent
            ? apart`A link to choose a new password is on its way to ${email}. It works for 30 minutes.`
            : apart`${name} is disabled. Enable the user first.`,
      )
    },
  )
}
