import * as z from 'zod'
import { findAccount, renameAccount } from '../../accounts/data/account.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { act, type Call, reading } from '../contract/operation.ts'
import { accountRole, newAccountName, shownIdentifier, shownName, shownTime, timeOf } from '../contract/shapes.ts'

const account = z
  .strictObject({
    identifier: shownIdentifier(),
    name: shownName(),
    kind: z.enum(['customer', 'partner']),
    partner: z.string().nullable().meta({ description: 'The name of the partner that looks after the account.' }),
    created_at: timeOf('When the account was created.'),
    token: z
      .strictObject({
        user: z.int().meta({ description: 'The number of the user that the token acts as.' }),
        role: accountRole,
        scopes: z.array(z.string()),
      })
      .meta({ description: 'What this token is.' }),
  })
  .meta({ id: 'Account' })

function show({ request, account: active, by, db }: Omit<Call, 'body'>) {
  const { identifier, name, kind, partnerName, createdAt } = orNotFound(findAccount(db, active.id))
  return {
    identifier,
    name,
    kind,
    partner: partnerName,
    created_at: shownTime(createdAt),
    token: { user: by.userId, role: active.role, scopes: [...request.scopes] },
  }
}

export const accountOperations = [
  reading({
    method: 'GET',
    path: '/accounts/{account}',
    can: 'account.see',
    tag: 'Account',
    summary: 'Read the account',
    answer: account,
    read: show,
  }),
  act({
    method: 'PATCH',
    path: '/accounts/{account}',
    can: 'account.rename',
    tag: 'Account',
    summary: 'Rename the account',
    body: z.strictObject({ name: newAccountName() }).meta({ id: 'AccountChange' }),
    answer: account,
    status: 200,
    current: show,
    do: (call) => {
      const { id } = call.account
      const { version } = orNotFound(findAccount(call.db, id))
      renameAccount(call.db, call.by, id, { name: call.body.name, version })
      return { status: 200, body: show(call) }
    },
  }),
]
