import { and, asc, eq, gt } from 'drizzle-orm'
import type { UserId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import {
  accounts,
  importRows,
  imports,
  invitations,
  keptAccess,
  limits,
  memberships,
  partnerRequests,
  projectAccess,
  projects,
  quotaRequests,
} from '../../../../db/schema.ts'
import { isOneOf } from '../../../../db/search.ts'
import { importRowsAbout, invitationsTo, type Known } from '../../forget/data/recognising.ts'
import { inPieces, pageSize, pages } from './pages.ts'
import type { Section } from './section.ts'

const account = accounts.identifier

export function ofMemberships(db: Db, userId: UserId): Section[] {
  return [
    {
      name: 'accounts',
      rows: () =>
        db
          .select({ account, name: accounts.name, role: memberships.role, since: memberships.createdAt })
          .from(memberships)
          .innerJoin(accounts, eq(accounts.id, memberships.accountId))
          .where(eq(memberships.userId, userId))
          .orderBy(asc(accounts.id))
          .all(),
    },
    {
      name: 'projects',
      rows: () =>
        db
          .select({
            account,
            project: projects.identifier,
            role: projectAccess.role,
            since: projectAccess.createdAt,
          })
          .from(projectAccess)
          .innerJoin(projects, eq(projects.id, projectAccess.projectId))
          .innerJoin(accounts, eq(accounts.id, projectAccess.accountId))
          .where(eq(projectAccess.userId, userId))
          .orderBy(asc(projects.id))
          .all(),
    },
    {
      name: 'deletedProjects',
      rows: () =>
        db
          .select({ account, project: projects.identifier, role: keptAccess.role })
          .from(memberships)
          .innerJoin(
            keptAccess,
            and(eq(keptAccess.accountId, memberships.accountId), eq(keptAccess.userId, memberships.userId)),
          )
          .innerJoin(projects, eq(projects.id, keptAccess.projectId))
          .innerJoin(accounts, eq(accounts.id, keptAccess.accountId))
          .where(eq(memberships.userId, userId))
          .orderBy(asc(projects.id))
          .all(),
    },
  ]
}

export function ofInvitations(db: Db, userId: UserId, person: Known): Section[] {
  return [
    {
      name: 'invitations',
      rows: () =>
        inPieces(invitationsTo(db, person), (ids) =>
          db
            .select({
              account,
              email: invitations.email,
              name: invitations.name,
              role: invitations.role,
              state: invitations.state,
              sentAt: invitations.sentAt,
              endedAt: invitations.endedAt,
            })
            .from(invitations)
            .innerJoin(accounts, eq(accounts.id, invitations.accountId))
            .where(isOneOf(invitations.id, ids))
            .orderBy(asc(invitations.id))
            .all(),
        ),
    },
    {
      name: 'invitationsByMe',
      rows: () =>
        pages((after) =>
          db
            .select({
              id: invitations.id,
              row: { account, role: invitations.role, state: invitations.state, sentAt: invitations.sentAt },
            })
            .from(invitations)
            .innerJoin(accounts, eq(accounts.id, invitations.accountId))
            .where(and(eq(invitations.invitedBy, userId), gt(invitations.id, after)))
            .orderBy(asc(invitations.id))
            .limit(pageSize)
            .all(),
        ),
    },
  ]
}

export function ofQuotas(db: Db, userId: UserId): Section[] {
  return [
    {
      name: 'quotaRequests',
      rows: () =>
        db
          .select({
            account,
            project: projects.identifier,
            reason: quotaRequests.reason,
            state: quotaRequests.state,
            comment: quotaRequests.comment,
            sentAt: quotaRequests.createdAt,
            endedAt: quotaRequests.endedAt,
          })
          .from(quotaRequests)
          .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
          .leftJoin(projects, eq(projects.id, quotaRequests.projectId))
          .where(eq(quotaRequests.requestedBy, userId))
          .orderBy(asc(quotaRequests.id))
          .all(),
    },
    {
      name: 'partnerRequests',
      rows: () =>
        db
          .select({ account, state: partnerRequests.state, sentAt: partnerRequests.createdAt })
          .from(partnerRequests)
          .innerJoin(accounts, eq(accounts.id, partnerRequests.accountId))
          .where(eq(partnerRequests.requestedBy, userId))
          .orderBy(asc(partnerRequests.id))
          .all(),
    },
    {
      name: 'limits',
      rows: () =>
        pages((after) =>
          db
            .select({
              id: limits.id,
              row: { account, level: limits.level, amount: limits.amount, remark: limits.remark, setAt: limits.setAt },
            })
            .from(limits)
            .innerJoin(accounts, eq(accounts.id, limits.accountId))
            .where(and(eq(limits.setBy, userId), gt(limits.id, after)))
            .orderBy(asc(limits.id))
            .limit(pageSize)
            .all(),
        ),
    },
  ]
}

export function ofImports(db: Db, userId: UserId, person: Known): Section[] {
  return [
    {
      name: 'imports',
      rows: () =>
        db
          .select({ account, kind: imports.kind, file: imports.fileName, startedAt: imports.createdAt, ip: imports.ip })
          .from(imports)
          .innerJoin(accounts, eq(accounts.id, imports.accountId))
          .where(eq(imports.createdBy, userId))
          .orderBy(asc(imports.id))
          .all(),
    },
    {
      name: 'importRows',
      rows: () =>
        db
          .select({
            account,
            line: importRows.line,
            subject: importRows.subject,
            input: importRows.input,
            cells: importRows.cells,
            state: importRows.state,
            words: importRows.words,
          })
          .from(importRows)
          .innerJoin(imports, eq(imports.id, importRows.importId))
          .innerJoin(accounts, eq(accounts.id, imports.accountId))
          .where(importRowsAbout(person))
          .orderBy(asc(importRows.importId), asc(importRows.line))
          .all(),
    },
  ]
}
