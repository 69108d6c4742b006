import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../db/apart.ts'
import type { ListQuery } from '../db/list.ts'
import { findPendingRequest, mayAskToBePartner } from '../partners/partnership/data.ts'
import { orNotFound } from '../web/answer/errors.ts'
import { ownPath } from '../web/answer/redirects.ts'
import { accountName, version } from '../web/fields.ts'
import { listDownload } from '../web/lists/csv.ts'
import { readList } from '../web/lists/list.ts'
import { type Form, newForm, readForm } from '../web/request/forms.ts'
import { actor } from '../web/request/viewer.ts'
import { findAccount, renameAccount } from './data/account.ts'
import { caretakerOf } from './data/caretaker.ts'
import { listOwnAccounts, ownAccountList } from './data/switcher.ts'
import { countAdmins, listAdmins } from './members/data.ts'
import { switchTo } from './viewer.ts'

const choice = z.strictObject({ account: z.string(), next: z.string().default('') })
const rename = z.strictObject({ name: accountName('Enter the account’s name.'), version: version() })

export default async function accountRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/active-account', { config: { can: 'account.switch' } }, async (request, reply) => {
    const list = (query: ListQuery) => listOwnAccounts(db, request.signedIn.id, query)
    return (
      listDownload(request, reply, { spec: ownAccountList, list }) ??
      reply.page('accounts/choose', { title: 'Change account', list: list(readList(request, ownAccountList)) })
    )
  })

  app.post('/active-account', { config: { can: 'account.switch', repeatable: true } }, async (request, reply) => {
    const { input } = readForm(choice, request.body)
    const account = orNotFound(input && switchTo(request, input.account))
    const start = account.kind === 'partner' ? '/partner/customers' : '/projects'
    return reply.seeOther(input?.next ? ownPath(input.next) : start, apart`You are working in ${account.name} now.`)
  })

  app.get('/customer', { config: { can: 'account.see' } }, async (_request, reply) => reply.seeOther('/customer/users'))

  app.get('/customer/account', { config: { can: 'account.see' } }, async (request, reply) => show(request, reply))

  app.post('/customer/account/name', { config: { can: 'account.rename', inAccount: true } }, async (request, reply) => {
    const form = readForm(rename, request.body)
    if (!form.input) return show(request, reply.code(422), form)

    const { id } = request.member.account
    const { name, version } = form.input
    const renamed = orNotFound(renameAccount(db, actor(request), id, { name, version }))
    if (renamed !== 'stale')
      return reply.seeOther(
        '/customer/account',
        renamed === 'saved'
          ? apart`The account is called ${name} now.`
          : apart`The account is already called ${name}. Nothing was changed.`,
      )

    const current = orNotFound(findAccount(db, id))
    form.errors.name = apart`Somebody has renamed the account to “${current.name}”. Save again to call it “${name}”.`
    form.values.version = String(current.version)
    return show(request, reply.code(409), form)
  })

  function show(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    const account = orNotFound(findAccount(db, request.member.account.id))
    return reply.page('accounts/settings', {
      title: 'Account',
      details: account,
      caretaker: caretakerOf(db, account),
      admins: listAdmins(db, account.id),
      adminCount: countAdmins(db, account.id),
      request: findPendingRequest(db, account.id) ?? null,
      mayAsk: mayAskToBePartner(account, app.config.partnerRequests),
      form: form ?? newForm({ name: account.name, version: String(account.version) }),
    })
  }
}
