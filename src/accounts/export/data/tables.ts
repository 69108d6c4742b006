import { and, asc, eq, gt } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { fileColumns, firstPage, isoTime } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { invitations, users } from '../../../db/schema.ts'
import { everyRow } from '../../../db/turns.ts'
import { listRecords, recordList } from '../../../history/data/records.ts'
import { accessList, listAccess } from '../../../projects/access/data/listing.ts'
import { everything, listProjects, projectList } from '../../../projects/data.ts'
import { projectRoleNames, roleName } from '../../../roles.ts'
import { findAccount } from '../../data/account.ts'
import { listMembers, memberList } from '../../members/data.ts'
import { findSecurity } from '../../security/data.ts'
import { listServiceUsers, serviceUserList } from '../../service-users/data.ts'
import { ofLimits, ofPlans, ofRequests } from './quotas.ts'
import { ofSingleSignOn } from './sso.ts'
import { type ExportTable, everyPage, rowsAtOnce } from './table.ts'

// What an account's admins take with them: everything that the panel keeps for the account, and nothing of
// another one. Never a password, a token or a secret. Rows are read page by page, so that an account of any
// size takes the same memory.

/** The tables of an account's export. Undefined if there is no such account, or it is deleted. */
export function exportTables(db: Db, accountId: AccountId): ExportTable[] | undefined {
  const account = findAccount(db, accountId)
  if (!account) return undefined
  return [
    ofAccount(db, account),
    ofUsers(db, account),
    ofServiceUsers(db, account),
    ofProjects(db, account.id),
    ofAccess(db, account.id),
    ofInvitations(db, account),
    ofLimits(db, account.id),
    ...(account.kind === 'partner' ? [ofPlans(db, account.id)] : []),
    ofRequests(db, account.id),
    ...ofSingleSignOn(db, account.id),
    ofHistory(db, account.id),
  ]
}

type ExportedAccount = NonNullable<ReturnType<typeof findAccount>>

function everyProject(db: Db, accountId: AccountId) {
  return everyRow((query) => listProjects(db, accountId, everything, query), firstPage(projectList))
}

function ofAccount(db: Db, account: ExportedAccount): ExportTable {
  const security = findSecurity(db, account.id)
  return {
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
      'two-factor login from': 'since when, or from when on, people need a second factor to work in it, if they do',
      'confirm after': 'the hours after which people confirm who they are, if it is shorter than everywhere',
      'confirm after a break': 'the minutes of a break after which they do',
      addresses: 'the IP addresses and ranges that it can be used from, if not from all',
    },
    rows: () => [
      {
        name: account.name,
        identifier: account.identifier,
        kind: account.kind,
        partner: account.partnerName,
        created: isoTime(account.createdAt),
        suspended: isoTime(account.supportSuspendedAt ?? account.suspendedAt),
        'suspended because': account.suspendedReason,
        'two-factor login from': isoTime(security.secondFactorFrom),
        'confirm after': security.sessionTime === null ? '' : security.sessionTime / 3_600_000,
        'confirm after a break': security.idleTime === null ? '' : security.idleTime / 60_000,
        addresses: security.networks,
      },
    ],
  }
}

function ofUsers(db: Db, account: ExportedAccount): ExportTable {
  return {
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
      for (const member of everyRow((query) => listMembers(db, account.id, query), firstPage(memberList)))
        yield {
          name: member.name,
          'e-mail': member.email,
          role: roleName(account.kind, member.role),
          joined: isoTime(member.joinedAt),
          'last seen': isoTime(member.lastSeenAt),
        }
    },
  }
}

function ofServiceUsers(db: Db, account: ExportedAccount): ExportTable {
  return {
    name: 'service-users',
    words: 'The service users of the account: its programs. Their tokens are in no file',
    fields: {
      name: 'what it is called',
      role: 'the role in the account',
      created: 'when it was created',
      'last used': 'when a program last used a token of it',
    },
    *rows() {
      const all = everyRow((query) => listServiceUsers(db, account.id, query), firstPage(serviceUserList))
      for (const { name, role, createdAt, lastUsedAt } of all)
        yield {
          name,
          role: roleName(account.kind, role),
          created: isoTime(createdAt),
          'last used': isoTime(lastUsedAt),
        }
    },
  }
}

function ofProjects(db: Db, accountId: AccountId): ExportTable {
  return {
    name: 'projects',
    words: 'The projects of the account; deleted ones are not in it',
    fields: {
      identifier: 'its identifier, which never changes',
      name: 'its name',
      people: 'how many users have access',
      created: 'when it was created',
    },
    *rows() {
      for (const { identifier, name, people, createdAt } of everyProject(db, accountId))
        yield { identifier, name, people, created: isoTime(createdAt) }
    },
  }
}

function ofAccess(db: Db, accountId: AccountId): ExportTable {
  return {
    name: 'project-access',
    words: 'Who may do what in which project',
    fields: {
      project: 'the project’s identifier',
      name: 'the user’s full name',
      'e-mail': 'the user’s e-mail address',
      role: 'the role in the project',
    },
    *rows() {
      for (const { id, identifier } of everyProject(db, accountId))
        for (const access of everyRow((query) => listAccess(db, accountId, id, query), firstPage(accessList)))
          yield {
            project: identifier,
            name: access.name,
            'e-mail': access.email,
            role: projectRoleNames[access.role],
          }
    },
  }
}

function ofInvitations(db: Db, account: ExportedAccount): ExportTable {
  return {
    name: 'invitations',
    words: 'Invitations to the account, also those that have ended; never their links',
    fields: {
      name: 'who it is for',
      'e-mail': 'the address that it went to',
      role: 'the role that it offers',
      state: 'pending, accepted, cancelled or expired',
      'invited by': 'who invited',
      created: 'when it was made',
      sent: 'when its last e-mail was written',
      expires: 'until when it can be accepted',
      ended: 'when it was accepted or cancelled, or gave way to another',
    },
    rows: () =>
      everyPage((after) =>
        db
          .select({ invitation: invitations, inviter: users.name })
          .from(invitations)
          .innerJoin(users, eq(users.id, invitations.invitedBy))
          .where(and(eq(invitations.accountId, account.id), gt(invitations.id, after)))
          .orderBy(asc(invitations.id))
          .limit(rowsAtOnce)
          .all()
          .map(({ invitation, inviter }) => ({
            id: invitation.id,
            row: {
              name: invitation.name,
              'e-mail': invitation.email,
              role: roleName(account.kind, invitation.role),
              state: invitation.state,
              'invited by': inviter,
              created: isoTime(invitation.createdAt),
              sent: isoTime(invitation.sentAt),
              expires: isoTime(invitation.expiresAt),
              ended: isoTime(invitation.endedAt),
            },
          })),
      ),
  }
}

function ofHistory(db: Db, accountId: AccountId): ExportTable {
  return {
    name: 'history',
    words: 'Everything that was changed in the account, the newest first',
    fields: {
      when: 'when',
      who: 'who did it, as they were called then; empty for the set-up and the panel itself',
      'who is now': 'what they are called now',
      side: 'Support or Partner, where it was done for one of these',
      from: 'the account that it was done from: this one, or a partner’s',
      what: 'what was done',
      on: 'who or what it was done to',
      account: 'the account’s name',
      change: 'the fields that changed, before → after',
      'ip address': 'from where',
      'api token': 'the token that a program did it with, by its last characters',
    },
    *rows() {
      const every = everyRow((query) => listRecords(db, { accountId }, query), firstPage(recordList))
      const columns = fileColumns(recordList)
      for (const record of every) yield Object.fromEntries(columns.map(({ name, cell }) => [name, cell(record)]))
    },
  }
}
