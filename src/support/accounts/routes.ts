import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { proposeAccountIdentifier } from '../../accounts/data/account.ts'
import { supportedAccount } from '../../accounts/scope.ts'
import { resumeAccount, suspendAccount } from '../../accounts/suspension/data.ts'
import { resumedWords } from '../../accounts/suspension/resumed.ts'
import { apart } from '../../db/apart.ts'
import { listPendingRequests, partnerRequestList } from '../../partners/partnership/data.ts'
import { accountName, email, identifier, line, personName, withIdentifier } from '../../web/fields.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { readRemembered } from '../../web/lists/remembered.ts'
import { readInTurns } from '../../web/lists/turns.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { supportActor } from '../../web/request/viewer.ts'
import { freeWords, takenWords } from '../../web/taken.ts'
import { senderOf } from '../scope.ts'
import { accountList, accountViews, customerCounts, listAccounts, openAccount } from './data.ts'

const newAccount = z
  .strictObject({
    name: accountName('Enter the account’s name.'),
    identifier: identifier(),
    kind: z.enum(['customer', 'partner'], { error: 'Choose a kind.' }),
    adminName: personName(),
    adminEmail: email('Enter the first admin’s e-mail.'),
  })
  .transform(withIdentifier)
const suspension = z.strictObject({ reason: line('Say why: the account’s users will read it.', 300) })

/** What requests to become a partner are called in the address of the page that also lists the accounts. */
const requestPrefix = 'requests-'

export default async function supportAccountRoutes(app: FastifyInstance) {
  const { db } = app
  const account = { config: { can: 'support.account' } } as const

  app.get('/support', { config: { can: 'support.see' } }, async (_request, reply) =>
    reply.seeOther('/support/accounts'),
  )

  app.get(
    '/support/accounts',
    account,
    async (request, reply) =>
      listDownload(request, reply, { spec: accountList, list: (query) => listAccounts(db, query) }) ??
      listDownload(request, reply, {
        spec: partnerRequestList,
        list: (query) => listPendingRequests(db, query),
        prefix: requestPrefix,
      }) ??
      showAccounts(request, reply),
  )

  app.post('/support/accounts', account, async (request, reply) => {
    const form = readForm(newAccount, request.body)
    if (form.input) {
      const { adminName, adminEmail, ...input } = form.input
      const admin = { name: adminName, email: adminEmail }
      const opened = openAccount(db, supportActor(request), senderOf(request), { ...input, admin })
      if (opened !== 'taken')
        return reply.seeOther(
          '/support/accounts',
          opened.invited
            ? apart`${input.name} was created, and an invitation was sent to ${adminName}.`
            : apart`${input.name} was created, but ${adminName} could not be invited.`,
        )
      form.values.identifier ||= input.identifier
      const free = proposeAccountIdentifier(db, input.identifier)
      form.errors.identifier = `${takenWords(input.identifier)} ${freeWords(free)}`
    }
    return showAccounts(request, reply.code(422), form)
  })

  app.get('/support/accounts/:identifier/suspension', account, async (request, reply) =>
    showSuspension(request, reply, newForm()),
  )

  app.post('/support/accounts/:identifier/suspension', account, async (request, reply) => {
    const { id, name } = supportedAccount(request)
    const form = readForm(suspension, request.body)
    if (!form.input) return showSuspension(request, reply.code(422), form)
    const done = suspendAccount(
      db,
      supportActor(request),
      { accountId: id, reason: form.input.reason },
      app.mailContext,
    )
    return reply.seeOther(
      '/support/accounts',
      done ? apart`${name} is suspended.` : apart`Support had suspended ${name} already. Nothing was changed.`,
    )
  })

  app.post('/support/accounts/:identifier/suspension/removal', account, async (request, reply) => {
    const { id, name } = supportedAccount(request)
    const resumed = resumeAccount(db, supportActor(request), id, app.mailContext)
    return reply.seeOther('/support/accounts', resumedWords(name, resumed))
  })
}

async function showAccounts(request: FastifyRequest, reply: FastifyReply, form?: Form) {
  const { db } = request.server
  const list = await readInTurns(request, (query) => listAccounts(db, query), readRemembered(request, accountList))
  return reply.page('support/accounts', {
    title: 'Accounts',
    form: form ?? newForm({ kind: 'customer' }),
    requests: listPendingRequests(db, readList(request, partnerRequestList, requestPrefix)),
    requestPrefix,
    views: accountViews(db),
    customers: customerCounts(
      db,
      list.rows.flatMap(({ id, kind }) => (kind === 'partner' ? [id] : [])),
    ),
    list,
  })
}

function showSuspension(request: FastifyRequest, reply: FastifyReply, form: Form) {
  const suspended = supportedAccount(request)
  return reply.page('support/suspension', { title: apart`Suspend ${suspended.name}`, suspended, form })
}
