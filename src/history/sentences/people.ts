import type { RecordKind } from '../../records/kinds.ts'
import {
  inside,
  invitee,
  now,
  only,
  place,
  type Sentence,
  say,
  side,
  type Told,
  typed,
  was,
  whom,
  whose,
} from './told.ts'

type OfPeople = Extract<RecordKind, `${'member' | 'invitation' | 'user' | 'token' | 'service-user'}.${string}`>

/** Acts on users, their membership of an account, and invitations. */
export const ofPeople: Record<OfPeople, (told: Told) => Sentence> = {
  'member.joined': (it) =>
    only(
      it.subject
        ? say`added ${it.subject}${inside(it, 'to')} as ${now(it, 'role')}`
        : say`joined${it.shown ? say` ${place(it)}` : []} as ${now(it, 'role')}`,
    ),
  'member.added-self': (it) => only(say`added themselves${inside(it, 'to')} as ${now(it, 'role')}`),
  'member.removed-self': (it) => only(say`removed themselves${inside(it, 'from')}`, lost(it)),
  'member.joined-by-sso': (it) =>
    only(say`joined${it.shown ? say` ${place(it)}` : []} by single sign-on as ${now(it, 'role')}`),
  'member.removed-by-sso': (it) =>
    only(
      say`removed ${whom(it)}${inside(it, 'from')}`,
      say`No group at the provider of single sign-on has a rule any more`,
      lost(it),
    ),
  'member.left': (it) => only(say`left ${place(it)}`, lost(it)),
  'member.removed': (it) =>
    only(it.subject ? say`removed ${it.subject}${inside(it, 'from')}` : say`left ${place(it)}`, lost(it)),
  'member.deleted': (it) =>
    only(
      it.subject
        ? say`removed ${it.subject}${inside(it, 'from')} with the deletion of the user`
        : say`left ${place(it)} with the deletion of their user`,
      lost(it),
    ),
  'member.role-changed': (it) =>
    only(
      say`changed ${it.subject ? say`the role of ${it.subject}` : 'their role'}${inside(it)} to ${now(it, 'role')} (was ${was(it, 'role')})`,
    ),

  'invitation.sent': (it) => only(say`invited ${invitee(it)}${inside(it, 'to')} as ${now(it, 'role')}`),
  'invitation.resent': (it) => only(say`sent the invitation of ${invitee(it)}${inside(it, 'to')} again`),
  'invitation.corrected': (it) => only(say`corrected the invitation of ${invitee(it)}${inside(it, 'to')}`),
  'invitation.link-copied': (it) => only(say`copied a link to the invitation of ${invitee(it)}${inside(it, 'to')}`),
  'invitation.cancelled': (it) => only(say`cancelled the invitation of ${invitee(it)}${inside(it, 'to')}`),
  'invitation.expired': (it) => only(say`let the invitation of ${invitee(it)}${inside(it, 'to')} expire`),
  'invitation.accepted': (it) =>
    only(
      say`accepted the invitation of ${invitee(it)}${inside(it, 'to')}`,
      side(it, 'role', 'after') === undefined ? null : say`Was a user already, and stays ${now(it, 'role')}`,
    ),

  'token.created': (it) => only(say`created the API token ${now(it, 'token')}${ofService(it)}${inside(it)}`),
  'token.rotated': (it) =>
    only(say`replaced the API token ${was(it, 'token')}${ofService(it)}${inside(it)} by ${now(it, 'token')}`),
  'token.expiring': (it) => {
    const days = { count: Number(side(it, 'days', 'after') ?? 0), one: 'day' }
    return only(say`noted that the API token ${was(it, 'token')} of ${whom(it)}${inside(it)} expires in ${days}`)
  },
  'token.ended': (it) => only(say`ended the API token ${was(it, 'token')}${ofService(it)}${inside(it)}`),

  'service-user.created': (it) => only(say`created the service user ${whom(it)}${inside(it)} as ${now(it, 'role')}`),
  'service-user.renamed': (it) =>
    only(say`renamed the service user ${was(it, 'name')} to ${now(it, 'name')}${inside(it)}`),
  'service-user.role-changed': (it) =>
    only(
      say`changed the role of the service user ${whom(it)}${inside(it)} to ${now(it, 'role')} (was ${was(it, 'role')})`,
    ),
  'service-user.removed': (it) => only(say`removed the service user ${whom(it)}${inside(it, 'from')}`),

  'user.created': (it) => only(it.subject ? say`created the user ${it.subject}` : say`signed up`),
  'user.renamed': (it) =>
    only(
      it.subject
        ? say`renamed ${was(it, 'name')} to ${now(it, 'name')}`
        : say`changed their name to ${now(it, 'name')} (was ${was(it, 'name')})`,
    ),
  'user.password-changed': (it) => only(say`changed ${theirs(it, 'password')}`),
  'user.reset-requested': () => only(say`asked for a link to choose a new password`),
  'user.password-link-sent': (it) => only(say`sent ${whom(it)} a link to choose a new password${inside(it)}`),
  'user.two-factor-on': (it) => only(say`turned on ${theirs(it, 'two-factor login')}`),
  'user.two-factor-off': (it) => only(say`turned off ${theirs(it, 'two-factor login')}`),
  'user.two-factor-reset': (it) =>
    only(say`reset ${theirs(it, 'two-factor login')}${inside(it)}`, endedPasskeys(it), endedSso(it)),
  'user.passkey-added': () => only(say`added a passkey`),
  'user.passkey-removed': () => only(say`removed a passkey`),
  'user.sso-connected': () => only(say`connected single sign-on`),
  'user.sso-disconnected': () => only(say`disconnected single sign-on`),
  'user.recovery-codes-made': () => only(say`made new recovery codes`),
  'user.recovery-code-used': () => only(say`logged in with a recovery code`),
  'user.confirmation-sent': (it) =>
    only(
      it.subject
        ? say`asked ${it.subject} to confirm their e-mail${inside(it)}`
        : say`asked for an e-mail to confirm their address`,
    ),
  'user.address-proved': (it) => only(say`confirmed ${theirs(it, 'e-mail')}`),
  'user.address-claimed': (it) =>
    only(
      say`confirmed ${theirs(it, 'e-mail')}, which somebody else may have set up`,
      say`What was set up before has ended${side(it, 'two-factor log-in', 'after') === undefined ? '' : ', two-factor login included'}`,
      endedPasskeys(it),
      endedSso(it),
    ),
  'user.email-change-asked': (it) => only(say`asked to change ${theirs(it, 'e-mail')}`),
  'user.email-changed': (it) =>
    only(
      side(it, 'email', 'after') === undefined
        ? say`changed ${theirs(it, 'e-mail')}`
        : say`changed ${theirs(it, 'e-mail')} to ${now(it, 'email')} (was ${was(it, 'email')})`,
    ),
  'user.display-changed': (it) => {
    const words = { theme: 'theme', timeZone: 'time zone', numbers: 'number format' }
    const changed = Object.entries(words).flatMap(([field, word]) => (it.change[field] ? [word] : []))
    return only(say`changed their ${changed.join(' and ')}`)
  },
  'user.data-downloaded': () => only(say`downloaded their own data`),
  'user.deleted': (it) => only(it.subject ? say`deleted the user ${it.subject}` : say`deleted their user`),
  'user.disabled': (it) => only(say`disabled ${it.subject ?? 'their user'}`),
  'user.enabled': (it) => only(say`enabled ${it.subject ?? 'their user'}`),
  'user.sessions-ended': (it) => {
    const count = Number(side(it, 'sessions', 'before') ?? 0)
    return only(say`ended ${{ count, one: 'session' }} ${it.subject ? whose(it) : 'of their own'}`)
  },
}

/** “their password”, “the password of Tom” */
const theirs = (it: Told, what: string) => (it.subject ? say`the ${what} of ${it.subject}` : say`their ${what}`)

/** “ of Shop”: a token that is not one’s own. */
const ofService = (it: Told) => (it.subject ? say` ${whose(it)}` : [])

const endedPasskeys = (it: Told) => {
  const count = Number(side(it, 'passkeys', 'before') ?? 0)
  return count > 0 ? say`Removed ${{ count, one: 'passkey' }}` : null
}

const endedSso = (it: Told) =>
  side(it, 'single sign-on', 'before') === undefined ? null : say`Disconnected single sign-on`

const lost = (it: Told) => typed(it, 'projects', 'Lost access to', 'before')
