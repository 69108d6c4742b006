import type { Action } from '../../policy.ts'

/** A page that a menu leads to, and the search as well. */
export type MenuPage = { href: string; label: string; can: Action; icon: string }

/** The areas with their menus, in the order in which they are shown. */
export const areas = {
  account: {
    name: 'Account Settings',
    pages: [
      { href: '/customer/users', label: 'Users', can: 'people.see', icon: 'people' },
      { href: '/customer/projects', label: 'Projects', can: 'project.list', icon: 'project' },
      { href: '/customer/quotas', label: 'Quotas', can: 'quota.see', icon: 'quotas' },
      { href: '/customer/service-users', label: 'Service users', can: 'service-user.see', icon: 'program' },
      { href: '/customer/account', label: 'Account', can: 'account.see', icon: 'account' },
      { href: '/customer/security', label: 'Security', can: 'account.secure', icon: 'security' },
      { href: '/customer/log-in', label: 'Log-in', can: 'account.sso', icon: 'sso' },
      { href: '/customer/webhooks', label: 'Webhooks', can: 'webhook.see', icon: 'webhook' },
      { href: '/customer/history', label: 'History', can: 'history.see', icon: 'history' },
    ],
  },
  partner: {
    name: 'Partner Area',
    pages: [
      { href: '/partner/customers', label: 'Customers', can: 'customer.see', icon: 'customers' },
      { href: '/partner/deleted-customers', label: 'Deleted customers', can: 'customer.see', icon: 'deleted' },
      { href: '/partner/quotas', label: 'Quotas', can: 'partner-quota.see', icon: 'quotas' },
      { href: '/partner/plans', label: 'Plans', can: 'plan.see', icon: 'resources' },
      { href: '/partner/history', label: 'History', can: 'partner-history.see', icon: 'history' },
    ],
  },
  support: {
    name: 'Support Area',
    pages: [
      { href: '/support/accounts', label: 'Accounts', can: 'support.account', icon: 'account' },
      { href: '/support/quotas', label: 'Quotas', can: 'support.quota', icon: 'quotas' },
      { href: '/support/resources', label: 'Resources', can: 'support.quota', icon: 'resources' },
      { href: '/support/users', label: 'Users', can: 'support.user', icon: 'people' },
      { href: '/support/mail', label: 'Mail', can: 'support.mail', icon: 'mail' },
      { href: '/support/webhooks', label: 'Webhooks', can: 'support.webhook', icon: 'webhook' },
      { href: '/support/backups', label: 'Backups', can: 'support.backup', icon: 'backup' },
      { href: '/support/history', label: 'History', can: 'support.see', icon: 'history' },
    ],
  },
} as const satisfies Record<string, { name: string; pages: readonly MenuPage[] }>

/** Pages outside of the areas that people look for, and what they also call them. */
export const otherPages: (MenuPage & { also: string })[] = [
  { href: '/projects', label: 'Project dashboard', can: 'project.list', icon: 'dashboard', also: 'projects' },
  { href: '/partner/imports', label: 'Import customers', can: 'customer.import', icon: 'upload', also: 'csv file' },
  { href: '/customer/imports', label: 'Import users', can: 'member.import', icon: 'upload', also: 'csv file invite' },
  { href: '/profile', label: 'Profile', can: 'profile.see', icon: 'people', also: 'password e-mail name sessions' },
  { href: '/profile/tokens', label: 'API tokens', can: 'token.see', icon: 'people', also: 'access key program' },
  { href: '/api/docs', label: 'API documentation', can: 'home.see', icon: 'history', also: 'rest openapi json curl' },
  { href: '/notifications', label: 'Notifications', can: 'profile.see', icon: 'bell', also: 'news unread' },
  {
    href: '/profile/notifications',
    label: 'E-mail notifications',
    can: 'profile.see',
    icon: 'mail',
    also: 'preferences daily summary digest',
  },
  { href: '/profile/two-factor', label: 'Two-factor login', can: 'profile.see', icon: 'people', also: 'code app 2fa' },
  {
    href: '/profile/passkeys',
    label: 'Passkeys',
    can: 'profile.see',
    icon: 'people',
    also: 'fingerprint webauthn fido',
  },
  {
    href: '/profile/sso',
    label: 'Single sign-on',
    can: 'profile.see',
    icon: 'people',
    also: 'sso openid connect oidc',
  },
]
