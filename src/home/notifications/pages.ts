import type { RecordKind } from '../../records/kinds.ts'
import { address } from '../../web/format.ts'
import type { ToldOf } from './words.ts'

// Where each notification is settled. The link names the account to work in, whatever account is active.

/** The page of an account, as its own users see it. */
const ownPages: Partial<Record<RecordKind, string>> = {
  'token.created': '/customer/service-users',
  'token.rotated': '/customer/service-users',
  'token.ended': '/customer/service-users',
  'token.expiring': '/customer/service-users',
  'limit.changed': '/customer/quotas',
  'limit.approved': '/customer/quotas',
  'limit.declined': '/customer/quotas',
  'limit.near': '/customer/quotas',
  'limit.reached': '/customer/quotas',
  'limit.pool-changed': '/partner/quotas',
  'account.customer-came': '/partner/customers',
  'account.customer-left': '/partner/customers',
  'member.added-self': '/customer/users',
  'member.removed-self': '/customer/users',
  'member.joined-by-sso': '/customer/users',
  'member.removed-by-sso': '/customer/users',
  'member.left': '/customer/users',
  'member.role-changed': '/projects',
  'access.removed': '/projects',
  'user.password-link-sent': '/customer/users',
  'user.two-factor-reset': '/customer/users',
  'webhook.switched-off': '/customer/webhooks',
  'invitation.accepted': '/customer/users',
  'invitation.expired': '/customer/users',
  'invitation.cancelled': '/customer/users',
}

/** Null where there is nothing left to open. */
export function pageOfLine(told: ToldOf): string | null {
  const { audience, kind, account, reader, ofService } = told
  if (kind.startsWith('token.') && audience === 'login')
    return ofService && account
      ? address('/customer/service-users', { account: account.identifier })
      : '/profile/tokens'
  if (kind.startsWith('user.passkey')) return '/profile/passkeys'
  if (kind.startsWith('user.sso')) return '/profile/sso'
  if (audience === 'login')
    return kind.includes('two-factor') || kind.includes('recovery') ? '/profile/two-factor' : '/profile'
  if (kind.startsWith('webhook.') && audience === 'support') return '/support/webhooks'
  if (kind.startsWith('token.') && audience === 'support') return '/support/history?family=token'
  if (audience === 'parted' || !account) return null
  if (audience === 'support') return pageOfSupport(told, account.identifier)
  if (!reader) return null
  const within = { account: reader.identifier }
  if (reader.identifier !== account.identifier) {
    if (account.deletedAt !== null) return address('/partner/deleted-customers', within)
    const page = kind.startsWith('limit.') ? '/quotas' : kind.startsWith('invitation.') ? '/users' : ''
    return address(`/partner/customers/${account.identifier}${page}`, within)
  }
  if (account.deletedAt !== null) return null
  if (told.project && kind.startsWith('access.') && kind !== 'access.removed')
    return address(`/projects/${told.project.identifier}`, within)
  return address(ownPages[kind] ?? '/customer/account', within)
}

function pageOfSupport({ kind, account }: ToldOf, identifier: string): string {
  if (kind.startsWith('limit.')) return `/support/accounts/${identifier}/quotas`
  if (kind.startsWith('invitation.')) return `/support/accounts/${identifier}/users`
  return account?.deletedAt === null ? '/support/accounts' : '/support/accounts?status=deleted'
}
