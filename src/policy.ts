import type { accounts, memberships, projectAccess } from './db/schema.ts'

export type AccountKind = typeof accounts.$inferSelect.kind
export type Role = typeof memberships.$inferSelect.role
export type ProjectRole = typeof projectAccess.$inferSelect.role

/**
 * What a viewer is in the active account. `unattached` is signed in with no account active, `suspended` has one
 * active that is suspended, `unproven` one that asks for what is not fulfilled, such as a second factor or an address. `enrolling` must
 * set up two-factor log-in before anything else. Support also has `support`.
 */
export type Standing =
  | 'visitor'
  | 'enrolling'
  | 'unattached'
  | 'suspended'
  | 'unproven'
  | 'support'
  | `${AccountKind} ${Role}`

const admins = ['customer admin', 'partner admin'] as const
const members = ['customer admin', 'customer member', 'partner admin', 'partner member'] as const
const partners = ['partner admin', 'partner member'] as const
const signedIn = ['unattached', 'suspended', 'unproven', ...members] as const
const anyone = ['visitor', 'enrolling', ...signedIn] as const

/** Who may do what. Every route names one action; no other file asks about roles. */
export const policy = {
  'asset.see': anyone,
  'health.see': anyone,
  'metrics.see': anyone, // and then src/operations/health/access.ts
  'security-contact.see': anyone,
  'session.start': anyone,
  'session.end': anyone,
  'password.reset': anyone,
  'operator.first': anyone,
  'invitation.see': anyone,
  'invitation.accept': anyone,
  'api.see': anyone, // its definition; each operation names an action of its own

  'home.see': signedIn,
  'account.switch': signedIn,
  'profile.see': signedIn,
  'profile.change': signedIn,
  'two-factor.change': ['enrolling', ...signedIn],
  'passkey.change': ['enrolling', ...signedIn],
  'sso.change': signedIn,
  'membership.leave': signedIn,
  'token.see': signedIn,
  'token.end': signedIn,
  'token.create': members,

  'account.see': members,
  'account.rename': admins,
  'account.export': admins,
  'account.secure': admins,
  'account.sso': admins,
  'partner.request': ['customer admin'],
  'people.see': members,
  'member.invite': admins,
  'member.import': admins,
  'member.change': admins,
  'service-user.see': admins,
  'service-user.change': admins,
  'service-token.change': admins,
  'project.list': members,
  'project.see': members,
  'project.see-all': admins,
  'project.create': admins,
  'project.rename': members, // and then projectPolicy
  'project.delete': admins,
  'access.change': members, // and then projectPolicy
  'history.see': admins,
  'webhook.see': admins,
  'webhook.change': admins,
  'quota.see': members,
  'quota.request': ['customer admin'],
  'project.limit': admins,

  'partner-area.enter': signedIn,
  'customer.see': partners,
  'customer.create': ['partner admin'],
  'customer.import': ['partner admin'],
  'customer.join': ['partner admin'],
  'customer.invite': ['partner admin'],
  'customer.limit': ['partner admin'],
  'customer.describe': ['partner admin'],
  'customer.help': ['partner admin'],
  'customer.suspend': ['partner admin'],
  'customer.delete': ['partner admin'],
  'plan.see': partners,
  'plan.change': ['partner admin'],
  'partner-quota.see': partners,
  'partner-history.see': ['partner admin'],

  'support.see': ['support'],
  'support.token': ['support'],
  'support.account': ['support'],
  'support.transform': ['support'],
  'support.user': ['support'],
  'support.mail': ['support'],
  'support.webhook': ['support'],
  'support.quota': ['support'],
  'support.backup': ['support'],
  'support.clock': ['support'],
} as const satisfies Record<string, readonly Standing[]>

export type Action = keyof typeof policy

export function can(standings: readonly Standing[], action: Action): boolean {
  return standings.some((standing) => (policy[action] as readonly Standing[]).includes(standing))
}

/** What of its user’s rights an API token has. To write includes to read. */
export const scopeFamilies = [
  'account',
  'members',
  'projects',
  'quotas',
  'customers',
  'history',
  'webhooks',
  'support',
] as const
export type TokenScope = `${(typeof scopeFamilies)[number]}:${'read' | 'write'}`

/**
 * The scope that a token needs for an action; null: never by token. That is what is the person’s own, what asks for their
 * proof, and files.
 */
export const scopeOf: Record<Action, TokenScope | null> = {
  'asset.see': null,
  'health.see': null,
  'metrics.see': null,
  'security-contact.see': null,
  'session.start': null,
  'session.end': null,
  'password.reset': null,
  'operator.first': null,
  'invitation.see': null,
  'invitation.accept': null,
  'api.see': null,

  'home.see': null,
  'account.switch': null,
  'profile.see': null,
  'profile.change': null,
  'two-factor.change': null,
  'passkey.change': null,
  'sso.change': null,
  'membership.leave': null,
  'token.see': null,
  'token.end': null,
  'token.create': null,

  'account.see': 'account:read',
  'account.rename': 'account:write',
  'account.export': null,
  'account.secure': null,
  'account.sso': null,
  'partner.request': null,
  'people.see': 'members:read',
  'member.invite': 'members:write',
  'member.import': null,
  'member.change': 'members:write',
  'service-user.see': 'members:read',
  'service-user.change': 'members:write',
  'service-token.change': null,
  'project.list': 'projects:read',
  'project.see': 'projects:read',
  'project.see-all': 'projects:read',
  'project.create': 'projects:write',
  'project.rename': 'projects:write',
  'project.delete': 'projects:write',
  'access.change': 'projects:write',
  'history.see': 'history:read',
  'webhook.see': 'webhooks:read',
  'webhook.change': 'webhooks:write',
  'quota.see': 'quotas:read',
  'quota.request': 'quotas:write',
  'project.limit': 'quotas:write',

  'partner-area.enter': null,
  'customer.see': 'customers:read',
  'customer.create': 'customers:write',
  'customer.import': null,
  'customer.join': 'customers:write',
  'customer.invite': 'customers:write',
  'customer.limit': 'customers:write',
  'customer.describe': 'customers:write',
  'customer.help': null,
  'customer.suspend': 'customers:write',
  'customer.delete': 'customers:write',
  'plan.see': 'customers:read',
  'plan.change': 'customers:write',
  'partner-quota.see': 'quotas:read',
  'partner-history.see': 'history:read',

  'support.see': 'support:read',
  'support.token': null,
  'support.account': 'support:write',
  'support.transform': null,
  'support.user': 'support:write',
  'support.mail': null,
  'support.webhook': null,
  'support.quota': 'support:write',
  'support.backup': null,
  'support.clock': null,
}

/** Whether scopes allow what one of them is needed for. Null, an action that is not for tokens, never is. */
export function hasScope(scopes: readonly TokenScope[], needed: TokenScope | null): boolean {
  if (needed === null) return false
  return scopes.includes(needed) || scopes.includes(needed.replace(':read', ':write') as TokenScope)
}

/** Whether it belongs to the Partner Area, and so is done in a partner account, whatever account is active. */
export function isOfPartnerArea(action: Action): boolean {
  return policy[action].every((standing) => (partners as readonly Standing[]).includes(standing))
}

/** Whether it belongs to the Support Area, and so to no account. */
export function isOfSupportArea(action: Action): boolean {
  return policy[action].every((standing) => standing === 'support')
}

/** An account admin may do in every project what its Project Admin may. */
const projectPolicy = {
  'project.rename': ['admin'],
  'access.change': ['admin'],
} as const satisfies Partial<Record<Action, readonly ProjectRole[]>>

export type ProjectAction = keyof typeof projectPolicy

export function canInProject(standings: readonly Standing[], role: ProjectRole | null, action: ProjectAction): boolean {
  if (can(standings, 'project.see-all')) return true
  return role !== null && (projectPolicy[action] as readonly ProjectRole[]).includes(role)
}

/** The standings of a signed-in user. */
export function standingsOf(
  operator: boolean,
  account: { kind: AccountKind; role: Role; suspended: boolean; unmet?: unknown } | undefined,
): Standing[] {
  let standing: Standing = 'unattached'
  if (account)
    standing = account.suspended ? 'suspended' : account.unmet ? 'unproven' : `${account.kind} ${account.role}`
  return operator ? [standing, 'support'] : [standing]
}
