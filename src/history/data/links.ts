import type { UserId } from '../../db/ids.ts'
import { address } from '../../web/format.ts'
import type { RawRecord } from './records.ts'
import { isAboutCustomer, isFromPartner, isOfAccount, isOfPartner, type Scope } from './scope.ts'

/** The pages of whom and what a record names, where its reader may open them now. */
type Links = Partial<Record<'actor' | 'subject' | 'project' | 'account', string | undefined>>

/** The readers of each history are those who may open its links: Support, admins of a partner, or of the account. */
export function linksOf(scope: Scope, row: RawRecord): Links {
  if (isAboutCustomer(scope)) return {}
  if (scope === 'all') return ofSupport(row)
  if (isFromPartner(scope)) return row.account?.partnerId === scope.fromAccountId ? ofPartner(row) : {}
  if (!isOfAccount(scope) || row.accountId !== scope.accountId) return {}
  return isOfPartner(scope) ? ofPartner(row) : ofAccount(row)
}

function ofSupport({ account, actorId, subjectId, ...row }: RawRecord): Links {
  const page = (id: UserId | null, opens: boolean) => (id !== null && opens ? `/support/users/${id}` : undefined)
  return {
    actor: page(actorId, row.actorDeletedAt === null && !row.actorIsService),
    subject: page(subjectId, row.subjectDeletedAt === null && !row.subjectIsService),
    account: account?.deletedAt === null ? address('/support/accounts', { q: account.identifier }) : undefined,
  }
}

/** The partner’s own people in a customer are no users that it helps. */
function ofPartner({ account, project, ...row }: RawRecord): Links {
  if (!account || account.deletedAt !== null) return {}
  const base = `/partner/customers/${account.identifier}`
  return {
    account: base,
    actor: row.actorFromPartner === false && !row.actorIsService ? `${base}/users/${row.actorId}` : undefined,
    subject: row.subjectFromPartner === false && !row.subjectIsService ? `${base}/users/${row.subjectId}` : undefined,
    project: project?.deletedAt === null ? address(`${base}/projects`, { q: project.name }) : undefined,
  }
}

function ofAccount({ project, ...row }: RawRecord): Links {
  const user = (name: string | null, isInside: boolean) =>
    name !== null && isInside ? address('/customer/users', { q: name }) : undefined
  return {
    actor: user(row.actor, row.actorFromPartner !== null && !row.actorIsService),
    subject: user(row.subject, row.subjectFromPartner !== null && !row.subjectIsService),
    project: project?.deletedAt === null ? `/projects/${project.identifier}` : undefined,
  }
}
