import { eq } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { isoTime } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { projects } from '../../../db/schema.ts'
import { projectRoleNames } from '../../../roles.ts'
import { findMember } from '../../members/data.ts'
import { listDomains } from '../../sso/data/domains.ts'
import { listGroups } from '../../sso/data/groups.ts'
import { findAccountProvider } from '../../sso/data/provider.ts'
import type { ExportTable } from './table.ts'

/** The account’s own single sign-on, without the secret. */
export const ofSingleSignOn = (db: Db, accountId: AccountId): ExportTable[] => [
  {
    name: 'single-sign-on',
    words: 'The account’s own provider of single sign-on, if it has one. The client secret is in no file',
    fields: {
      issuer: 'the address of the provider',
      'client ID': 'what the provider calls the panel',
      'addresses trusted': 'yes, if it alone gives out addresses of the account’s domains',
      'new people': 'off, user (they join as users) or groups (by their groups)',
      'group claim': 'the claim that names groups',
      'required from': 'since when, or from when on, people must log in there, if they must',
      exempt: 'the e-mail of the admin who is exempt',
      created: 'when it was added',
    },
    *rows() {
      const provider = findAccountProvider(db, accountId)
      if (!provider) return
      const { exemptUserId } = provider
      yield {
        issuer: provider.issuer,
        'client ID': provider.clientId,
        'addresses trusted': provider.emailTrusted ? 'yes' : 'no',
        'new people': provider.newPeople,
        'group claim': provider.groupClaim,
        'required from': isoTime(provider.requiredFrom),
        exempt: exemptUserId === null ? '' : (findMember(db, accountId, exemptUserId)?.email ?? ''),
        created: isoTime(provider.createdAt),
      }
    },
  },
  {
    name: 'domains',
    words: 'The domains whose people log in there',
    fields: { domain: 'the domain', proved: 'since when it is proved, if it is' },
    rows: () => listDomains(db, accountId).map(({ domain, provedAt }) => ({ domain, proved: isoTime(provedAt) })),
  },
  {
    name: 'groups',
    words: 'What the groups of the provider become in the account',
    fields: {
      group: 'the value of the claim',
      role: 'the role in the account',
      project: 'the identifier of a project, if the rule is about one',
      'project role': 'the role in the project',
    },
    rows: () =>
      listGroups(db, accountId).map(({ value, role, projectId, projectRole }) => ({
        group: value,
        role,
        project:
          projectId === null
            ? ''
            : (db.select({ to: projects.identifier }).from(projects).where(eq(projects.id, projectId)).get()?.to ?? ''),
        'project role': projectRole === null ? '' : projectRoleNames[projectRole],
      })),
  },
]
