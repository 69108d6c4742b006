import type { notifications } from '../db/schema.ts'
import type { RecordKind } from './kinds.ts'
import type { Topic } from './topics.ts'

// Whom each kind of record concerns. A new kind does not compile without an answer.

/**
 * As what somebody is told. `login`: it is about their own login. `person`: it was done to them, and they are in the
 * account; `parted`: they are no longer in it. `sender`: they sent the invitation; `asker`: they made the request. `admins` of
 * the account, `partner`: admins of the partner that looks after it. `caretaker`: those, or Support where no partner can
 * act. `support`: the operators. `owner`: whose token it is; for a service user’s the admins, and as `login` who did it.
 * `colleagues`: the operators, of what concerns no account. `managers`: admins of the account or, where it concerns none, the operators.
 */
export type Audience = (typeof notifications.$inferSelect)['audience']

export type ToldTo = {
  to: Audience | 'caretaker' | 'owner' | 'colleagues' | 'managers'
  topic: Topic
  /** What e-mails it: a letter of its own that the act writes, the worker, or nothing: then it is only on the page. */
  by: 'letter' | 'worker' | 'page'
  /** Also admins whose own account did it; else they are told only of what comes from elsewhere. */
  always?: true
}

/** Whom a kind is told, or why nobody is. */
export const notifying: Record<RecordKind, ToldTo[] | { nobody: string }> = {
  'account.created': { nobody: 'nobody is in it yet but who is invited' },
  'account.identifier-taken': { nobody: 'nothing happened' },
  'account.renamed': { nobody: 'its pages say the new name' },
  'account.suspended': [
    { to: 'admins', topic: 'accounts', by: 'letter' },
    { to: 'partner', topic: 'accounts', by: 'worker' },
  ],
  'account.resumed': [
    { to: 'admins', topic: 'accounts', by: 'letter' },
    { to: 'partner', topic: 'accounts', by: 'worker' },
  ],
  'account.became-partner': [
    { to: 'asker', topic: 'answers', by: 'letter' },
    { to: 'admins', topic: 'accounts', by: 'worker' },
  ],
  'account.became-customer': [{ to: 'admins', topic: 'accounts', by: 'worker' }],
  'account.security-changed': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'account.exported': [{ to: 'admins', topic: 'accounts', by: 'worker' }],
  'account.deleted': [
    { to: 'admins', topic: 'accounts', by: 'letter' },
    { to: 'partner', topic: 'accounts', by: 'worker' },
  ],
  'account.restored': [
    { to: 'admins', topic: 'accounts', by: 'worker' },
    { to: 'partner', topic: 'accounts', by: 'worker' },
  ],
  'account.purged': { nobody: 'nobody may see it any more' },
  'account.moved': [{ to: 'admins', topic: 'accounts', by: 'letter' }],
  'account.customer-came': [{ to: 'admins', topic: 'accounts', by: 'letter' }],
  'account.customer-left': [{ to: 'admins', topic: 'accounts', by: 'letter' }],
  'account.customer-described': { nobody: 'the partner’s own notes' },
  'limit.changed': [{ to: 'admins', topic: 'limits', by: 'letter' }],
  'limit.pool-changed': [{ to: 'admins', topic: 'limits', by: 'letter' }],
  'limit.requested': [{ to: 'caretaker', topic: 'requests', by: 'letter' }],
  'limit.approved': [
    { to: 'asker', topic: 'answers', by: 'letter' },
    { to: 'admins', topic: 'limits', by: 'worker' },
  ],
  'limit.declined': [
    { to: 'asker', topic: 'answers', by: 'letter' },
    { to: 'admins', topic: 'limits', by: 'page' },
  ],
  'limit.cancelled': { nobody: 'nobody has to do anything any more' },
  'limit.near': [
    { to: 'admins', topic: 'usage', by: 'worker' },
    { to: 'partner', topic: 'usage', by: 'worker' },
  ],
  'limit.reached': [
    { to: 'admins', topic: 'usage', by: 'worker' },
    { to: 'partner', topic: 'usage', by: 'worker' },
  ],
  'limit.automatic-changed': { nobody: 'the partner’s own rule' },
  'limit.plan-created': { nobody: 'the partner’s own plans' },
  'limit.plan-changed': { nobody: 'the partner’s own plans' },
  'limit.plan-removed': { nobody: 'the partner’s own plans' },
  'limit.resource-added': { nobody: 'the catalogue is Support’s' },
  'limit.resource-changed': { nobody: 'the catalogue is Support’s' },
  'limit.resource-removed': { nobody: 'the catalogue is Support’s' },
  'partner.requested': [{ to: 'support', topic: 'requests', by: 'letter' }],
  'partner.cancelled': { nobody: 'nobody has to do anything any more' },
  'partner.declined': [{ to: 'asker', topic: 'answers', by: 'letter' }],
  'member.joined': { nobody: 'the accepted invitation tells its sender' },
  'member.added-self': [{ to: 'admins', topic: 'help', by: 'letter' }],
  'member.removed-self': [{ to: 'admins', topic: 'help', by: 'page' }],
  'member.joined-by-sso': [{ to: 'admins', topic: 'people', by: 'worker', always: true }],
  'member.removed-by-sso': [{ to: 'admins', topic: 'people', by: 'worker', always: true }],
  'member.left': [{ to: 'admins', topic: 'people', by: 'worker', always: true }],
  'member.removed': [{ to: 'parted', topic: 'access', by: 'letter' }],
  'member.deleted': { nobody: 'it would tell everybody that a person deleted themselves' },
  'member.role-changed': [{ to: 'person', topic: 'access', by: 'letter' }],
  'invitation.sent': { nobody: 'who is invited gets the invitation, and sees it at Home' },
  'invitation.resent': { nobody: 'who is invited gets the invitation, and sees it at Home' },
  'invitation.corrected': { nobody: 'who is invited gets the invitation, and sees it at Home' },
  'invitation.link-copied': { nobody: 'nothing changed' },
  'invitation.cancelled': [{ to: 'sender', topic: 'invitations', by: 'worker' }],
  'invitation.expired': [{ to: 'sender', topic: 'invitations', by: 'worker' }],
  'invitation.accepted': [{ to: 'sender', topic: 'invitations', by: 'worker' }],
  'project.created': { nobody: 'nobody is in it yet' },
  'project.renamed': { nobody: 'its pages say the new name' },
  'project.deleted': { nobody: 'its users may be thousands; they see that it is gone' },
  'project.restored': { nobody: 'its users may be thousands; they see that it is back' },
  'project.purged': { nobody: 'nobody may see it any more' },
  'access.given': [{ to: 'person', topic: 'projects', by: 'worker' }],
  'access.role-changed': [{ to: 'person', topic: 'projects', by: 'worker' }],
  'access.removed': [{ to: 'person', topic: 'projects', by: 'worker' }],
  'user.created': { nobody: 'the user did it' },
  'user.renamed': { nobody: 'the user did it' },
  'user.password-changed': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.reset-requested': { nobody: 'anybody can ask with an address; the link is in its mailbox' },
  'user.password-link-sent': [
    { to: 'login', topic: 'security', by: 'letter' },
    { to: 'admins', topic: 'help', by: 'letter' },
  ],
  'user.two-factor-on': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.two-factor-off': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.two-factor-reset': [
    { to: 'login', topic: 'security', by: 'letter' },
    { to: 'admins', topic: 'help', by: 'letter' },
  ],
  'user.passkey-added': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.passkey-removed': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.sso-connected': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.sso-disconnected': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.recovery-codes-made': [{ to: 'login', topic: 'security', by: 'worker' }],
  'user.recovery-code-used': [{ to: 'login', topic: 'security', by: 'worker' }],
  'user.confirmation-sent': { nobody: 'the link is in the mailbox' },
  'user.address-proved': { nobody: 'the user did it' },
  'user.address-claimed': [{ to: 'login', topic: 'security', by: 'page' }],
  'user.email-change-asked': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.email-changed': [{ to: 'login', topic: 'security', by: 'letter' }],
  'user.display-changed': { nobody: 'the user did it' },
  'user.data-downloaded': [{ to: 'login', topic: 'security', by: 'worker' }],
  'user.deleted': { nobody: 'the user is gone' },
  'user.disabled': { nobody: 'the user cannot log in, and learns it there' },
  'user.enabled': { nobody: 'the user can log in again, and learns it there' },
  'user.sessions-ended': [{ to: 'login', topic: 'security', by: 'page' }],
  'token.created': [
    { to: 'owner', topic: 'security', by: 'worker' },
    { to: 'colleagues', topic: 'security', by: 'worker' },
  ],
  'token.rotated': [
    { to: 'owner', topic: 'security', by: 'worker' },
    { to: 'colleagues', topic: 'security', by: 'worker' },
  ],
  'token.ended': [{ to: 'owner', topic: 'security', by: 'page' }],
  'token.expiring': [{ to: 'owner', topic: 'security', by: 'worker' }],
  'service-user.created': { nobody: 'it can do nothing until it has a token, which is told' },
  'service-user.renamed': { nobody: 'the account’s own pages say it' },
  'service-user.role-changed': { nobody: 'the account’s admins do it, and read it in its history' },
  'service-user.removed': { nobody: 'the account’s admins do it, and read it in its history' },
  'webhook.created': { nobody: 'its page and the history tell it' },
  'webhook.changed': { nobody: 'its page and the history tell it' },
  'webhook.secret-rotated': { nobody: 'its page and the history tell it' },
  'webhook.tested': { nobody: 'its page tells it' },
  'webhook.retried': { nobody: 'its page tells it' },
  'webhook.switched-off': [{ to: 'managers', topic: 'webhooks', by: 'worker' }],
  'webhook.removed': { nobody: 'its page and the history tell it' },
  'sso.provider-changed': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.provider-removed': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.domain-added': { nobody: 'it changes nothing until it is proved' },
  'sso.domain-proved': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.domain-lost': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.domain-removed': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.required': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.not-required': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.new-people-changed': [{ to: 'admins', topic: 'accounts', by: 'worker', always: true }],
  'sso.group-added': [{ to: 'admins', topic: 'accounts', by: 'page', always: true }],
  'sso.group-removed': [{ to: 'admins', topic: 'accounts', by: 'page', always: true }],
  'import.started': { nobody: 'the page of the import tells it' },
  'import.ended': { nobody: 'the page of the import tells it' },
  'import.stopped': { nobody: 'the page of the import tells it' },
  'letter.sent-again': { nobody: 'the reader gets the e-mail' },
  'installation.backed-up': { nobody: 'Support’s own work' },
  'installation.restored': { nobody: 'Support’s own work' },
  'installation.secrets-rotated': { nobody: 'Support’s own work' },
  'installation.clock-confirmed': { nobody: 'Support’s own work' },
}
