import { and, asc, eq, gt, inArray } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { everyRow, firstPage, isoTime } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import {
  accounts,
  invitations,
  limits,
  projects,
  quotaRequestAmounts,
  quotaRequests,
  resources,
  users,
} from '../../../db/schema.ts'
import { listRecords, recordList } from '../../../history/data/records.ts'
import { projectRoleNames, roleName } from '../../../policy.ts'
import { accessList, listAccess } from '../../../projects/access/data/listing.ts'
import { listProjects, projectList } from '../../../projects/data.ts'
import type { Cell } from '../../../web/lists/csv.ts'
import { findAccount } from '../../data/account.ts'
import { listMembers, memberList } from '../../members/data.ts'

// What an account's admins take with them: everything that the panel keeps for the account, and nothing of
// another one. Never a password, a token or a secret. Rows are read page by page, so that an account of any
// size takes the same memory.

export type ExportRow = Record<string, Cell>

/** A table of the export: its fields, with what they mean, and its rows, each with these fields. */
export type ExportTable = {
  name: string
  words: string
  fields: Record<string, string>
  rows: () => Iterable<ExportRow>
}

/** So many rows are read at once. */
const pageSize = 500

/** The tables of an account's export. Undefined when there is no such living account. */
export function exportTables(db: Db, accountId: number): ExportTable[] | undefined {
  const account = findAccount(db, accountId)
  if (!account) return undefined
  const { kind } = account
  const everything = { userId: 0, seesAll: true }
  const everyProject = () => everyRow((query) => listProjects(db, accountId, everything, query), firstPage(projectList))
  return [
    {
      name: 'account',
      words: 'The account itself: one row',
      fields: {
        name: 'its name',
        identifier: 'its identifier, which never changes',
        kind: 'customer or partner',
        partner: 'the partner who looks after it, if any',
        created: 'when it was created',
        suspended: 'since when it is suspended, if it is',
        'suspended because': 'the reason',
      },
      rows: () => [
        {
          name: account.name,
          identifier: account.identifier,
          kind,
          partner: account.partnerName,
          created: isoTime(account.createdAt),
          suspended: isoTime(account.supportSuspendedAt ?? account.suspendedAt),
          'suspended because': account.suspendedReason,
        },
      ],
    },
    {
      name: 'users',
      words: 'The users of the account',
      fields: {
        name: 'the full name',
        'e-mail': 'the e-mail address',
        role: 'the role in the account',
        joined: 'when the user joined the account',
        'last seen': 'when the user logged in last',
      },
      *rows() {
        for (const member of everyRow((query) => listMembers(db, accountId, query), firstPage(memberList)))
          yield {
            name: member.name,
            'e-mail': member.email,
            role: roleName(kind, member.role),
            joined: isoTime(member.joinedAt),
            'last seen': isoTime(member.lastSeenAt),
          }
      },
    },
    {
      name: 'projects',
      words: 'The projects of the account; deleted ones are not in it',
      fields: {
        identifier: 'its identifier, which never changes',
        name: 'its name',
        people: 'how many users have access',
        created: 'when it was created',
      },
      *rows() {
        for (const { identifier, name, people, createdAt } of everyProject())
          yield { identifier, name, people, created: isoTime(createdAt) }
      },
    },
    {
      name: 'project-access',
      words: 'Who may do what in which project',
      fields: {
        project: 'the project’s identifier',
        name: 'the user’s full name',
        'e-mail': 'the user’s e-mail address',
        role: 'the role in the project',
      },
      *rows() {
        for (const { id, identifier } of everyProject())
          for (const access of everyRow((query) => listAccess(db, accountId, id, query), firstPage(accessList)))
            yield {
              project: identifier,
              name: access.name,
              'e-mail': access.email,
              role: projectRoleNames[access.role],
            }
      },
    },
    {
      name: 'invitations',
      words: 'Invitations to the account, also those that have ended; never their links',
      fields: {
        name: 'whom it is for',
        'e-mail': 'the address that it went to',
        role: 'the role that it offers',
        state: 'pending, accepted, cancelled or expired',
        'invited by': 'who invited',
        created: 'when it was made',
        sent: 'when its last letter was written',
        expires: 'until when it can be accepted',
        ended: 'when it was accepted or cancelled, or gave way to another',
      },
      rows: () =>
        pages((after) =>
          db
            .select({ invitation: invitations, inviter: users.name })
            .from(invitations)
            .innerJoin(users, eq(users.id, invitations.invitedBy))
            .where(and(eq(invitations.accountId, accountId), gt(invitations.id, after)))
            .orderBy(asc(invitations.id))
            .limit(pageSize)
            .all()
            .map(({ invitation, inviter }) => ({
              id: invitation.id,
              row: {
                name: invitation.name,
                'e-mail': invitation.email,
                role: roleName(kind, invitation.role),
                state: invitation.state,
                'invited by': inviter,
                created: isoTime(invitation.createdAt),
                sent: isoTime(invitation.sentAt),
                expires: isoTime(invitation.expiresAt),
                ended: isoTime(invitation.endedAt),
              },
            })),
        ),
    },
    {
      name: 'limits',
      words: 'The quotas that were set: of the account, of its projects and, for a partner, of its pool for customers',
      fields: {
        level: 'pool, account or project',
        project: 'the project’s identifier, for a limit of a project',
        resource: 'the key of the resource',
        unit: 'its unit; empty for what is counted in pieces',
        amount: 'the number; empty where it was taken away again',
        remark: 'what was remarked when it was set',
        'set by': 'who set it last',
        'set from': 'the account that it was set from; empty for Support',
        set: 'when',
      },
      rows: () => pages((after) => listLimits(db, accountId, after)),
    },
    {
      name: 'quota-requests',
      words: 'Requests for more quota: a row for each resource that was asked for',
      fields: {
        request: 'the number of the request',
        project: 'the project’s identifier; empty for a request for the account',
        'requested by': 'who asked',
        reason: 'why',
        state: 'open, approved, declined or cancelled',
        resource: 'the key of the resource',
        asked: 'the limit that was asked for',
        granted: 'the limit that was granted',
        comment: 'what the decision says',
        created: 'when it was asked',
        ended: 'when it was decided or taken back',
      },
      rows: () => pages((after) => listRequests(db, accountId, after)),
    },
    {
      name: 'history',
      words: 'Everything that was changed in the account, the newest first',
      fields: {
        when: 'when',
        who: 'who did it, as they were called then; empty for the set-up and the panel itself',
        'who is now': 'what they are called now',
        side: 'Support or Partner, where it was done for one of these',
        from: 'the account that it was done from: this one, or a partner’s',
        what: 'what was done',
        on: 'whom or what it was done to',
        account: 'the account’s name',
        change: 'the fields that changed, before → after',
        'ip address': 'from where',
      },
      *rows() {
        const every = everyRow((query) => listRecords(db, { accountId }, query), firstPage(recordList))
        for (const record of every)
          yield Object.fromEntries(Object.entries(recordList.columns).map(([name, value]) => [name, value(record)]))
      },
    },
  ]
}

const setter = alias(users, 'setter')
const setFrom = alias(accounts, 'set_from')

function listLimits(db: Db, accountId: number, after: number) {
  return db
    .select({
      limit: limits,
      project: projects.identifier,
      resource: resources,
      by: setter.name,
      from: setFrom.name,
    })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .leftJoin(projects, eq(projects.id, limits.projectId))
    .leftJoin(setter, eq(setter.id, limits.setBy))
    .leftJoin(setFrom, eq(setFrom.id, limits.setFrom))
    .where(and(eq(limits.accountId, accountId), gt(limits.id, after)))
    .orderBy(asc(limits.id))
    .limit(pageSize)
    .all()
    .map(({ limit, project, resource, by, from }) => ({
      id: limit.id,
      row: {
        level: limit.level,
        project,
        resource: resource.key,
        unit: resource.unit,
        amount: limit.amount,
        remark: limit.remark,
        'set by': by,
        'set from': from,
        set: isoTime(limit.setAt),
      },
    }))
}

const requester = alias(users, 'requester')

function listRequests(db: Db, accountId: number, after: number) {
  const some = db
    .select({ request: quotaRequests, project: projects.identifier, by: requester.name })
    .from(quotaRequests)
    .innerJoin(requester, eq(requester.id, quotaRequests.requestedBy))
    .leftJoin(projects, eq(projects.id, quotaRequests.projectId))
    .where(and(eq(quotaRequests.accountId, accountId), gt(quotaRequests.id, after)))
    .orderBy(asc(quotaRequests.id))
    .limit(pageSize)
    .all()
  const amounts = db
    .select({ amount: quotaRequestAmounts, key: resources.key })
    .from(quotaRequestAmounts)
    .innerJoin(resources, eq(resources.id, quotaRequestAmounts.resourceId))
    .where(
      inArray(
        quotaRequestAmounts.requestId,
        some.map(({ request }) => request.id),
      ),
    )
    .orderBy(asc(quotaRequestAmounts.requestId), asc(resources.id))
    .all()
  return some.flatMap(({ request, project, by }) =>
    amounts
      .filter(({ amount }) => amount.requestId === request.id)
      .map(({ amount, key }) => ({
        id: request.id,
        row: {
          request: request.id,
          project,
          'requested by': by,
          reason: request.reason,
          state: request.state,
          resource: key,
          asked: amount.asked,
          granted: amount.granted,
          comment: request.comment,
          created: isoTime(request.createdAt),
          ended: isoTime(request.endedAt),
        },
      })),
  )
}

/** Every row, page by page; each page begins after the last id of the one before it. */
function* pages(read: (after: number) => { id: number; row: ExportRow }[]): Generator<ExportRow> {
  let after = 0
  for (;;) {
    const page = read(after)
    for (const { id, row } of page) {
      yield row
      after = id
    }
    if (page.length === 0) return
  }
}
