import * as z from 'zod'
import { adminWords, noAdminWords } from '../../accounts/invitations/acts.ts'
import { inviteAdmin } from '../../accounts/invitations/data/sending.ts'
import { listMembers, memberList } from '../../accounts/members/data.ts'
import { accountOfSupport } from '../../accounts/scope.ts'
import { letterList, listLetters } from '../../mail/listing.ts'
import { listPendingRequests, partnerRequestList } from '../../partners/partnership/data.ts'
import { endSessions } from '../../people/data/sessions.ts'
import { setDisabled } from '../../people/data/users.ts'
import { senderOf } from '../../support/scope.ts'
import { listUsers, userList } from '../../support/users/data.ts'
import { userOf } from '../../support/users/user/scope.ts'
import { notDisabledWords } from '../../support/users/words.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { shownIdentifier, shownName, shownTime, shownTimeOrNull, timeOf } from '../contract/shapes.ts'
import { memberShape, showMember } from './members.ts'
import { firstAdmin, invitedShape } from './of-customers.ts'
import { pendingOperations } from './pending.ts'

// People as Support sees them: the users of accounts that it looks after, all users, letters, and who asks to become a partner.

const partnerRequest = z
  .strictObject({
    id: z.int(),
    account: shownIdentifier('The account that asks.'),
    name: shownName(),
    requested_by: z.string().meta({ description: 'The name of who asked.' }),
    email: z.string(),
    created_at: timeOf('When it was asked.'),
  })
  .meta({ id: 'PartnerRequest' })

const user = z
  .strictObject({
    id: z.int(),
    name: shownName(),
    email: z.string(),
    is_support: z.boolean(),
    is_disabled: z.boolean(),
    created_at: timeOf('When the user was created.'),
    last_seen_at: timeOf('When the user last used the panel; null if never.').nullable(),
  })
  .meta({ id: 'User' })

type Shown = Pick<
  ReturnType<typeof userOf>,
  'id' | 'name' | 'email' | 'operator' | 'disabledAt' | 'createdAt' | 'lastSeenAt'
>

const showUser = (one: Shown) => ({
  id: one.id,
  name: one.name,
  email: one.email,
  is_support: one.operator,
  is_disabled: one.disabledAt !== null,
  created_at: shownTime(one.createdAt),
  last_seen_at: shownTimeOrNull(one.lastSeenAt),
})

const show = ({ request }: Pick<Call, 'request'>) => showUser(userOf(request))

const letter = z
  .strictObject({
    id: z.int(),
    subject: z.string(),
    name: shownName(),
    email: z.string(),
    state: z.enum(['waiting', 'sent', 'kept', 'failed', 'withdrawn']),
    error: z.string().nullable().meta({ description: 'What the mail server said last; null if nothing failed.' }),
    created_at: timeOf('When it was written.'),
    done_at: timeOf('When it left, or was given up; null while it waits.').nullable(),
  })
  .meta({ id: 'Letter' })

const account = '/support/accounts/{identifier}' as const
const path = '/support/users/{user}' as const
const tag = 'Support: users' as const
const see = { can: 'support.see', tag, method: 'GET' } as const
const change = { can: 'support.user', tag, method: 'POST', answer: user, status: 200 } as const

export const supportPeopleOperations = [
  listing({
    ...see,
    path: `${account}/members`,
    summary: 'List the users of an account that Support looks after',
    spec: memberList,
    row: memberShape,
    list: ({ db, request }, query) => listMembers(db, accountOfSupport(request).id, query),
    show: showMember,
  }),
  act({
    can: 'support.account',
    tag,
    method: 'POST',
    path: `${account}/invitations`,
    summary: 'Invite the first admin of an account that Support looks after',
    body: firstAdmin,
    answer: invitedShape,
    status: 200,
    do: ({ db, by, request, body }) => {
      const supported = accountOfSupport(request)
      const { mailContext: mail } = request.server
      const invited = inviteAdmin(db, by, senderOf(request), { account: supported, person: body, mail })
      if (invited === 'has-admin')
        return new Problem('conflict', `${supported.name} has an admin who can log in and invite its users.`)
      if (typeof invited === 'string') return new Problem('conflict', noAdminWords[invited])
      return { status: 200, body: { message: adminWords(supported, invited) } }
    },
  }),
  ...pendingOperations({
    path: `${account}/invitations`,
    see: 'support.see',
    change: 'support.account',
    tag,
    of: ' of an account that Support looks after',
    accountOf: ({ request }) => accountOfSupport(request),
    handlerOf: () => ({ from: null }),
    sender: ({ request }) => senderOf(request),
  }),
  listing({
    ...see,
    path: '/support/users',
    summary: 'List all users',
    spec: userList,
    row: user,
    list: ({ db }, query) => listUsers(db, query),
    show: showUser,
  }),
  reading({ ...see, path, summary: 'Read any user', answer: user, read: show }),
  act({
    ...change,
    path: `${path}/disable`,
    summary: 'Disable a user',
    description: 'Sessions, API tokens and the invitations that the user sent end.',
    current: show,
    do: (call) => {
      const done = setDisabled(call.db, call.by, userOf(call.request).id, true)
      if (typeof done === 'string') return new Problem('conflict', notDisabledWords[done])
      return { status: 200, body: show(call) }
    },
  }),
  act({
    ...change,
    path: `${path}/enable`,
    summary: 'Enable a user',
    current: show,
    do: (call) => {
      setDisabled(call.db, call.by, userOf(call.request).id, false)
      return { status: 200, body: show(call) }
    },
  }),
  act({
    ...change,
    path: `${path}/end-sessions`,
    summary: 'Log a user out everywhere',
    do: (call) => {
      endSessions(call.db, call.by, userOf(call.request).id)
      return { status: 200, body: show(call) }
    },
  }),
  listing({
    ...see,
    path: '/support/letters',
    summary: 'List the e-mails that the panel wrote',
    spec: letterList,
    row: letter,
    list: ({ db }, query) => listLetters(db, query),
    show: (one) => ({
      id: one.id,
      subject: one.subject,
      name: one.name,
      email: one.email,
      state: one.state,
      error: one.error,
      created_at: shownTime(one.createdAt),
      done_at: shownTimeOrNull(one.doneAt),
    }),
  }),
  listing({
    ...see,
    path: '/support/partner-requests',
    summary: 'List who asks to become a partner',
    description: 'A person decides, on the page: it asks for proof.',
    spec: partnerRequestList,
    row: partnerRequest,
    list: ({ db }, query) => listPendingRequests(db, query),
    show: (one) => ({
      id: one.id,
      account: one.identifier,
      name: one.account,
      requested_by: one.requester,
      email: one.email,
      created_at: shownTime(one.at),
    }),
  }),
]
