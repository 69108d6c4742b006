import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { createAccount, findAccountByIdentifier, proposeAccountIdentifier } from '../accounts/data/account.ts'
import { caretakerOf } from '../accounts/data/caretaker.ts'
import { resumeAccount, suspendAccount } from '../accounts/data/suspension.ts'
import { listSent } from '../accounts/endings/data/foreseeing.ts'
import { adminWords, invitationActs, noAdminWords } from '../accounts/invitations/acts.ts'
import { invitationList, listInvitations } from '../accounts/invitations/data/listing.ts'
import { mayHandle } from '../accounts/invitations/data/pending.ts'
import { invite, inviteAdmin, type NewInvitation } from '../accounts/invitations/data/sending.ts'
import { countAdmins, listMembers, memberList } from '../accounts/members/data.ts'
import { resumedWords } from '../accounts/resumed.ts'
import { write } from '../db/open.ts'
import { countFailed, findLetter, letterList, listLetters } from '../mail/listing.ts'
import { type LetterRow, openBody } from '../mail/outbox.ts'
import { sendAgain, sendAllFailedAgain } from '../mail/resending.ts'
import { listPendingRequests, partnerRequestList } from '../partners/partnership/data.ts'
import { endSessions } from '../people/data/sessions.ts'
import { findUser, setDisabled } from '../people/data/users.ts'
import { found } from '../web/answer/errors.ts'
import { accountName, email, identifier, line, personName, readId, withIdentifier } from '../web/fields.ts'
import { plural } from '../web/format.ts'
import { listDownload } from '../web/lists/csv.ts'
import { readList } from '../web/lists/list.ts'
import { type Form, newForm, readForm } from '../web/request/forms.ts'
import { supportActor } from '../web/request/viewer.ts'
import { accountList, listAccounts, listUsers, userList } from './data.ts'

const newAccount = z
  .strictObject({
    name: accountName('Enter the account’s name.'),
    identifier: identifier(),
    kind: z.enum(['customer', 'partner'], { error: 'Choose a kind.' }),
    adminName: personName(),
    adminEmail: email('Enter the first admin’s e-mail.'),
  })
  .transform(withIdentifier)
const firstAdmin = z.strictObject({ name: personName(), email: email() })
const disabling = z.strictObject({ confirmed: z.literal('yes').optional() })
const suspension = z.strictObject({ reason: line('Say why: the account’s users will read it.', 300) })

/** What requests to become a partner are called in the address of the page that also lists the accounts. */
const requestPrefix = 'requests-'

export default async function supportRoutes(app: FastifyInstance) {
  const { db, config, postLetter, secrets } = app
  const account = { config: { can: 'support.account' } } as const
  const user = { config: { can: 'support.user' } } as const
  const mail = { config: { can: 'support.mail' } } as const

  app.get('/support', { config: { can: 'support.see' } }, async (_request, reply) =>
    reply.seeOther('/support/accounts'),
  )

  app.get(
    '/support/accounts',
    account,
    async (request, reply) =>
      listDownload(request, reply, accountList, (query) => listAccounts(db, query)) ??
      listDownload(request, reply, partnerRequestList, (query) => listPendingRequests(db, query), requestPrefix) ??
      showAccounts(request, reply),
  )

  app.post('/support/accounts', account, async (request, reply) => {
    const form = readForm(newAccount, request.body)
    if (form.input) {
      const { adminName, adminEmail, ...input } = form.input
      const actor = supportActor(request)
      const sender = senderOf(request)
      const created = write(db, actor, (tx) => {
        const created = createAccount(tx, actor, { ...input, partnerId: null })
        if (!created) return undefined
        const admin = { name: adminName, email: adminEmail, role: 'admin', projects: [] } satisfies NewInvitation
        return { ...created, invited: typeof invite(tx, actor, sender, created, admin) === 'object' }
      })
      if (created)
        return reply.seeOther(
          '/support/accounts',
          created.invited
            ? `${created.name} was created, and ${adminName} is invited.`
            : `${created.name} was created, but ${adminName} could not be invited.`,
        )
      form.values.identifier ||= input.identifier
      form.errors.identifier = `“${input.identifier}” is taken, or was once. “${proposeAccountIdentifier(db, input.identifier)}” is free.`
    }
    return showAccounts(request, reply.code(422), form)
  })

  app.get('/support/accounts/:identifier/users', account, async (request, reply) => {
    const { id } = supportedAccount(request)
    return (
      listDownload(request, reply, memberList, (query) => listMembers(db, id, query)) ??
      listDownload(request, reply, invitationList, (query) => listInvitations(db, id, query), 'invited-') ??
      showAccountUsers(request, reply)
    )
  })

  app.post('/support/accounts/:identifier/invitations', account, async (request, reply) => {
    const supported = supportedAccount(request)
    const form = readForm(firstAdmin, request.body)
    if (form.input) {
      const by = supportActor(request)
      const invited = inviteAdmin(db, by, senderOf(request), supported, form.input, app.mailContext)
      if (typeof invited === 'object') return reply.seeOther(usersOf(supported), adminWords(supported, invited))
      if (invited === 'has-admin')
        return showAccountUsers(
          request,
          reply.code(422),
          form,
          `${supported.name} has an admin who can log in and invite its users.`,
        )
      form.errors.email = noAdminWords[invited]
    }
    return showAccountUsers(request, reply.code(422), form)
  })

  invitationActs(app, {
    base: '/support/accounts/:identifier/invitations',
    config: account.config,
    accountOf: supportedAccount,
    actor: supportActor,
    sender: senderOf,
    handler: () => ({ from: null }),
    list: (request) => usersOf(supportedAccount(request)),
    area: 'support',
    copies: false,
  })

  app.get('/support/accounts/:identifier/suspension', account, async (request, reply) =>
    showSuspension(request, reply, newForm()),
  )

  app.post('/support/accounts/:identifier/suspension', account, async (request, reply) => {
    const { id, name } = accountOf(request)
    const form = readForm(suspension, request.body)
    if (!form.input) return showSuspension(request, reply.code(422), form)
    const done = suspendAccount(db, supportActor(request), id, form.input.reason, app.mailContext)
    return reply.seeOther(
      '/support/accounts',
      done ? `${name} is suspended.` : `Support had suspended ${name} already. Nothing was changed.`,
    )
  })

  app.post('/support/accounts/:identifier/suspension/removal', account, async (request, reply) => {
    const { id, name } = accountOf(request)
    const resumed = resumeAccount(db, supportActor(request), id, app.mailContext)
    return reply.seeOther('/support/accounts', resumedWords(name, resumed))
  })

  app.get(
    '/support/users',
    user,
    async (request, reply) =>
      listDownload(request, reply, userList, (query) => listUsers(db, query)) ?? showUsers(request, reply),
  )

  app.post('/support/users/:user/disabling', user, async (request, reply) => {
    const { id, name, disabledAt } = userOf(request)
    const isEnabled = disabledAt === null
    if (id === request.signedIn.id)
      return showUsers(request, reply.code(422), 'You cannot disable yourself: another of Support has to.')
    const sent = listSent(db, id)
    // What ends with the log-in is said first.
    if (readForm(disabling, request.body).input?.confirmed !== 'yes' && sent.total > 0 && isEnabled)
      return reply.page('accounts/endings/confirmation', {
        title: `Disable ${name}`,
        lead: `${name} is logged out everywhere, and cannot log in until Support enables them again.`,
        area: 'support',
        ends: { sent },
        you: false,
        formAction: `/support/users/${id}/disabling`,
        fields: {},
        keeps: false,
        label: `Disable ${name}`,
        back: '/support/users',
      })
    const ended = setDisabled(db, supportActor(request), id, true)
    if (ended === 'last-operator')
      return showUsers(request, reply.code(422), 'The panel keeps at least one user of Support who can log in.')
    const cancelled = ended ? ` ${plural(ended, 'invitation')} that they had sent ended.` : ''
    return reply.seeOther(
      '/support/users',
      ended === undefined
        ? `${name} was disabled already. Nothing was changed.`
        : `${name} is disabled and logged out everywhere.${cancelled}`,
    )
  })

  app.post('/support/users/:user/disabling/removal', user, async (request, reply) => {
    const { id, name } = userOf(request)
    const enabled = setDisabled(db, supportActor(request), id, false)
    return reply.seeOther(
      '/support/users',
      enabled === undefined ? `${name} was not disabled. Nothing was changed.` : `${name} can log in again.`,
    )
  })

  app.post('/support/users/:user/sessions/removal', user, async (request, reply) => {
    const { id, name } = userOf(request)
    const ended = endSessions(db, supportActor(request), id)
    return reply.seeOther(
      '/support/users',
      ended ? `${plural(ended, 'session')} of ${name} ended.` : `${name} has no session. Nothing was changed.`,
    )
  })

  app.get('/support/mail', mail, async (request, reply) => {
    const file = listDownload(request, reply, letterList, (query) => listLetters(db, query))
    if (file) return file
    return reply.page('support/mail', {
      title: 'Mail',
      toServer: config.smtp !== undefined,
      failed: countFailed(db),
      list: listLetters(db, readList(request, letterList)),
    })
  })

  /** Undefined where it is not kept any more, or damaged. */
  function textOf(letter: LetterRow): string | undefined {
    try {
      return openBody(secrets, letter)?.text
    } catch {
      return undefined
    }
  }

  app.get('/support/mail/:letter', mail, async (request, reply) => {
    const letter = found(findLetter(db, letterId(request)))
    // With a mail server the letter is its reader's alone: it may carry a link that acts for them.
    const text = config.smtp ? undefined : textOf(letter)
    return reply.page('support/letter', { title: letter.subject, letter, text: text ?? '' })
  })

  app.post('/support/mail/resending', mail, async (request, reply) => {
    const { again, withdrawn } = await sendAllFailedAgain(db, supportActor(request))
    app.wakeMail()
    const gone = withdrawn > 0 ? ` ${plural(withdrawn, 'e-mail')} no longer held true and will not be sent.` : ''
    return reply.seeOther(
      '/support/mail',
      again + withdrawn > 0
        ? `${plural(again, 'e-mail')} ${again === 1 ? 'is' : 'are'} being sent again.${gone}`
        : 'No e-mail has failed. Nothing was changed.',
    )
  })

  app.post('/support/mail/:letter/resending', mail, async (request, reply) => {
    const letter = found(findLetter(db, letterId(request)))
    const again = sendAgain(db, supportActor(request), letter.id)
    app.wakeMail()
    return reply.seeOther(
      '/support/mail',
      again === 'again'
        ? `The e-mail to ${letter.email} is being sent again.`
        : again === 'nothing'
          ? `The e-mail to ${letter.email} can no longer be sent.`
          : `The e-mail to ${letter.email} was not sent again: ${again.whyNot}.`,
    )
  })

  /** An account that Support looks after, since it has no partner or its partner cannot act now. */
  function supportedAccount(request: FastifyRequest) {
    const account = accountOf(request)
    return found(caretakerOf(db, account) ? undefined : account)
  }

  function usersOf({ identifier }: { identifier: string }): string {
    return `/support/accounts/${identifier}/users`
  }

  function senderOf(request: FastifyRequest) {
    return { post: postLetter, publicUrl: config.publicUrl, inviter: request.signedIn.name, from: 'support' as const }
  }

  function showAccountUsers(request: FastifyRequest, reply: FastifyReply, form?: Form, problem = '') {
    const details = supportedAccount(request)
    const admins = countAdmins(db, details.id)
    return reply.page('support/account-users', {
      title: `Users of ${details.name}`,
      details,
      problem,
      form: form ?? newForm(),
      admins,
      list: listMembers(db, details.id, readList(request, memberList)),
      invitations: listInvitations(db, details.id, readList(request, invitationList, 'invited-'), (invitation) => ({
        handled: mayHandle({ from: null }, invitation, admins),
        copied: false,
      })),
      now: app.now(),
    })
  }

  function accountOf(request: FastifyRequest) {
    return found(findAccountByIdentifier(db, (request.params as { identifier: string }).identifier))
  }

  function userOf(request: FastifyRequest) {
    const user = found(findUser(db, found(readId((request.params as { user: string }).user))))
    return found(user.deletedAt === null ? user : undefined)
  }

  function letterId(request: FastifyRequest): number {
    return found(readId((request.params as { letter: string }).letter))
  }

  function showAccounts(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    return reply.page('support/accounts', {
      title: 'Accounts',
      form: form ?? newForm({ kind: 'customer' }),
      requests: listPendingRequests(db, readList(request, partnerRequestList, requestPrefix)),
      requestPrefix,
      list: listAccounts(db, readList(request, accountList)),
    })
  }

  function showSuspension(request: FastifyRequest, reply: FastifyReply, form: Form) {
    const suspended = accountOf(request)
    return reply.page('support/suspension', { title: `Suspend ${suspended.name}`, suspended, form })
  }

  function showUsers(request: FastifyRequest, reply: FastifyReply, problem = '') {
    return reply.page('support/users', {
      title: 'Users',
      problem,
      list: listUsers(db, readList(request, userList)),
    })
  }
}
