import type { AccountKind, ProjectRole, Role } from './policy.ts'

/** Rule 7 counts admins: an account with members keeps at least one. */
export const adminRole: Role = 'admin'

/** The product's words for a role. */
export function roleName(kind: AccountKind, role: Role): string {
  return `${kind === 'partner' ? 'Partner' : 'Customer'} ${role === 'admin' ? 'Admin' : 'User'}`
}

export const projectRoleNames = {
  admin: 'Project Admin',
  user: 'Project User',
  reader: 'Project Reader',
} as const satisfies Record<ProjectRole, string>
