import * as z from 'zod'
import { type Account, findAccount, proposeAccountIdentifier } from '../../accounts/data/account.ts'
import { deleteAccount, findRestorable, restoreAccount } from '../../accounts/deletion/data/deleting.ts'
import { markOfProjects } from '../../accounts/deletion/data/losses.ts'
import { countAdmins, countMembers } from '../../accounts/members/data.ts'
import { directAccount, supportedAccount } from '../../accounts/scope.ts'
import { resumeAccount, suspendAccount } from '../../accounts/suspension/data.ts'
import type { Db } from '../../db/open.ts'
import { suspensionOf } from '../../db/suspension.ts'
import { accountList, listAccounts, openAccount } from '../../support/accounts/data.ts'
import { senderOf } from '../../support/scope.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { line, withIdentifier } from '../../web/fields.ts'
import { takenWords } from '../../web/taken.ts'
import { deletedAlong } from '../contract/etag.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { Problem, suspendedAlready, takenIdentifier } from '../contract/problems.ts'
import {
  deletedShape,
  newAccountName,
  newIdentifier,
  showDeleted,
  shownAdmins,
  shownIdentifier,
  shownName,
  shownSuspension,
  shownTime,
  shownTimeOrNull,
  suspension,
  timeOf,
} from '../contract/shapes.ts'
import { invitedFields } from './pending.ts'

const common = {
  identifier: shownIdentifier(),
  name: shownName(),
  kind: z.enum(['customer', 'partner']),
  partner: z.string().nullable().meta({ description: 'The name of the partner that looks after the account.' }),
  suspension,
  created_at: timeOf('When the account was created.'),
  deleted_at: timeOf('When it was deleted; null if it is not.').nullable(),
}
const row = z.strictObject(common).meta({ id: 'SupportedAccountRow' })
const supported = z
  .strictObject({
    ...common,
    users: z.int().min(0).meta({ description: 'How many users the account has.' }),
    admins: shownAdmins,
  })
  .meta({ id: 'SupportedAccount' })

const showSupported = (one: Account & { partnerName: string | null }) => ({
  identifier: one.identifier,
  name: one.name,
  kind: one.kind,
  partner: one.partnerName,
  suspension: shownSuspension(suspensionOf(one)),
  created_at: shownTime(one.createdAt),
  deleted_at: shownTimeOrNull(one.deletedAt),
})

const showWhole = (db: Db, one: Parameters<typeof showSupported>[0]) => ({
  ...showSupported(one),
  users: countMembers(db, one.id),
  admins: countAdmins(db, one.id),
  [deletedAlong]: markOfProjects(db, one.id),
})

const show = ({ db, request }: Pick<Call, 'db' | 'request'>) =>
  showWhole(db, orNotFound(findAccount(db, supportedAccount(request).id)))

/** A deleted account that Support can restore. */
function deletedAccount({ db, by, request }: Omit<Call, 'body'>) {
  const { identifier } = request.params as { identifier: string }
  return orNotFound(findRestorable(db, null, identifier, by.at))
}

const path = '/support/accounts/{identifier}' as const
const tag = 'Support: accounts' as const
const see = { can: 'support.see', tag } as const
const change = { can: 'support.account', tag, answer: supported } as const

export const supportAccountOperations = [
  listing({
    ...see,
    method: 'GET',
    path: '/support/accounts',
    summary: 'List all accounts',
    spec: accountList,
    row,
    list: ({ db }, query) => listAccounts(db, query),
    show: showSupported,
  }),
  act({
    ...change,
    method: 'POST',
    path: '/support/accounts',
    summary: 'Create an account without a partner',
    description: 'Its first admin is invited by e-mail.',
    body: z
      .strictObject({
        name: newAccountName(),
        identifier: newIdentifier('wayne'),
        kind: z.enum(['customer', 'partner']),
        admin: z.strictObject(invitedFields),
      })
      .transform(withIdentifier)
      .meta({ id: 'NewAccount' }),
    status: 201,
    do: ({ db, by, request, body }) => {
      const opened = openAccount(db, by, senderOf(request), body)
      if (opened === 'taken') {
        return takenIdentifier(takenWords(body.identifier), proposeAccountIdentifier(db, body.identifier))
      }
      return {
        status: 201,
        location: `/support/accounts/${opened.account.identifier}`,
        body: showWhole(db, { ...opened.account, partnerName: null }),
      }
    },
  }),
  reading({ ...see, method: 'GET', path, summary: 'Read any account', answer: supported, read: show }),
  act({
    ...change,
    method: 'POST',
    path: `${path}/suspend`,
    summary: 'Suspend an account as Support',
    description: 'Its users read the reason, and cannot work in it until Support resumes it.',
    body: z
      .strictObject({ reason: line('Say why: the account’s users will read it.', 300).meta({ example: 'Abuse' }) })
      .meta({ id: 'SupportSuspending' }),
    status: 200,
    current: show,
    do: (call) => {
      const { id } = supportedAccount(call.request)
      const reason = { accountId: id, reason: call.body.reason }
      const done = suspendAccount(call.db, call.by, reason, call.request.server.mailContext)
      const { supportSuspendedReason } = supportedAccount(call.request)
      if (!done && supportSuspendedReason !== reason.reason)
        return new Problem('conflict', suspendedAlready('Support has', supportSuspendedReason))
      return { status: 200, body: show(call) }
    },
  }),
  act({
    ...change,
    method: 'POST',
    path: `${path}/resume`,
    summary: 'Resume an account as Support',
    description: 'Lifts the suspension by Support. One by its partner stays.',
    status: 200,
    current: show,
    do: (call) => {
      const { id } = supportedAccount(call.request)
      resumeAccount(call.db, call.by, id, call.request.server.mailContext)
      return { status: 200, body: show(call) }
    },
  }),
  act({
    can: 'support.account',
    tag,
    method: 'DELETE',
    path,
    summary: 'Delete a customer account without a partner',
    description: 'With its projects, up to 100 of them. It can be restored for 30 days. A partner deletes its own.',
    status: 204,
    current: show,
    do: ({ db, by, request }) => {
      const { id } = directAccount(request)
      const ids = { partnerId: null, accountId: id, withProjects: markOfProjects(db, id) }
      if (orNotFound(deleteAccount(db, by, ids, request.server.mailContext)) === 'projects')
        return new Problem('conflict', 'The account has more than 100 projects. Delete some of them first.')
      return { status: 204 }
    },
  }),
  reading({
    ...see,
    method: 'GET',
    path: '/support/deleted-accounts/{identifier}',
    summary: 'Read a deleted account that Support can restore',
    description: 'The list of accounts shows deleted ones with `status=deleted`.',
    answer: deletedShape('DeletedAccount'),
    read: (call) => showDeleted(deletedAccount(call)),
  }),
  act({
    ...change,
    method: 'POST',
    path: `${path}/restore`,
    summary: 'Restore a deleted account',
    description:
      'One that had no partner, or whose partner cannot act now. If `admins` is 0 and `users` is not, make one of them admin.',
    status: 200,
    current: (call) => showDeleted(deletedAccount(call)),
    do: (call) => {
      const { id } = deletedAccount(call)
      if (typeof orNotFound(restoreAccount(call.db, call.by, null, id)) !== 'string')
        return new Problem(
          'conflict',
          'The partner’s pool does not have enough available for the limits of this account.',
        )
      return { status: 200, body: show(call) }
    },
  }),
]
