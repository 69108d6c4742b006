import type { FastifyReply, FastifyRequest } from 'fastify'
import { listOwnAccounts, ownAccountList } from '../../accounts/data/switcher.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { readList } from '../../web/lists/list.ts'
import { timeZones, zoneOfBrowser } from '../../web/reader.ts'
import { type Form, newForm } from '../../web/request/forms.ts'
import { listSessions, sessionList } from '../data/sessions.ts'
import { type Display, displayChoices, findUser } from '../data/users.ts'
import { findOwnIdentity } from '../sso/data.ts'

/** What sessions are called in the address of the page that also lists the accounts. */
export const sessionPrefix = 'sessions-'

type ProfileForms = { name?: Form; email?: Form; password?: Form; display?: Form }

/** A person’s own page: name, e-mail, password, two-factor log-in, sessions and accounts. */
export function showProfile(request: FastifyRequest, reply: FastifyReply, forms: ProfileForms = {}, problem = '') {
  const { db, config } = request.server
  const { sso } = config
  const { id } = request.signedIn
  const user = orNotFound(findUser(db, id))
  return reply.page('people/profile/index', {
    title: 'Profile',
    password: user.passwordHash !== '',
    provider: sso?.name ?? '',
    connected: sso !== undefined && findOwnIdentity(db, id, sso.issuer) !== undefined,
    problem,
    sessions: listSessions(db, id, request.viewer.sessionKey, readList(request, sessionList, sessionPrefix)),
    sessionPrefix,
    nameForm: forms.name ?? newForm({ name: user.name, version: String(user.version) }),
    emailForm: forms.email ?? newForm(),
    displayForm: forms.display ?? newForm(displayChoices(user)),
    timeZones,
    zone: zoneByBrowser(request, user),
    passwordForm: forms.password ?? newForm(),
    list: listOwnAccounts(db, id, readList(request, ownAccountList)),
  })
}

/** The time zone of somebody who leaves it to the browser: where that names none, as it was at the last log-in. */
export function zoneByBrowser(request: FastifyRequest, user: Pick<Display, 'timeZone' | 'zoneByBrowser'>): string {
  return zoneOfBrowser(request) ?? (user.zoneByBrowser ? user.timeZone : '')
}
