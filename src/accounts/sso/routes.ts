import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { callbackOf, whyNoProvider } from '../../people/sso/of-account.ts'
import { seal, unsealed } from '../../secrets.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { idFrom } from '../../web/request/address.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import {
  addDomain,
  type DomainChecked,
  findDomain,
  listDomains,
  mostDomains,
  noteCheck,
  removeDomain,
} from './data/domains.ts'
import { findAccountProvider, removeAccountProvider, saveAccountProvider } from './data/provider.ts'
import { newDomainLookUp, recordName, recordText } from './dns.ts'
import { domainFields, providerFields } from './fields.ts'

const page = '/customer/log-in'
const nothing = z.strictObject({})
const see = { config: { can: 'account.sso' } } as const
const change = { config: { can: 'account.sso', inAccount: true, confirm: true } } as const

/** Account Settings → Log-in: the account’s own provider of single sign-on, and the domains whose people it signs in. */
export default async function accountSsoRoutes(app: FastifyInstance) {
  const { db, config, secrets } = app

  app.get(page, see, async (request, reply) => show(request, reply, {}))

  app.post(page, change, async (request, reply) => {
    const form = readForm(providerFields, request.body)
    if (!form.input) return show(request, reply.code(422), { form })
    const { id, name } = request.member.account
    const { clientSecret, emailTrusted, issuer, ...input } = form.input
    const before = findAccountProvider(db, id)
    const secret = clientSecret || (before && unsealed(secrets, before.clientSecret))
    const wanted = { ...input, issuer: new URL(issuer).href, emailTrusted: emailTrusted === 'yes' }
    if (!secret) form.errors.clientSecret = 'Enter the client secret.'
    else if (before?.issuer !== wanted.issuer) {
      const why = await whyNoProvider(config, { ...wanted, clientSecret: secret })
      if (why) form.errors.issuer = why
    }
    if (Object.keys(form.errors).length > 0) return show(request, reply.code(422), { form })
    const sealedSecret = clientSecret ? seal(secrets, clientSecret) : undefined
    const saved = saveAccountProvider(db, actor(request), id, { ...wanted, clientSecret: sealedSecret })
    if (saved === 'saved') return reply.seeOther(page, apart`The login of ${name} was saved.`)
    if (saved === 'unchanged')
      return reply.seeOther(page, apart`The login of ${name} was like this already. Nothing was changed.`)
    if (saved === 'stale') form.values.version = String(findAccountProvider(db, id)?.version ?? 0)
    form.errors.issuer = 'Somebody has changed the provider since you opened the page. Save again to replace it.'
    return show(request, reply.code(422), { form })
  })

  app.get(`${page}/removal`, see, async (request, reply) => {
    const { issuer } = orNotFound(findAccountProvider(db, request.member.account.id))
    return reply.page('accounts/sso/removal', { title: 'Remove the provider', issuer })
  })

  app.post(`${page}/removal`, change, async (request, reply) => {
    readForm(nothing, request.body)
    const removed = removeAccountProvider(db, actor(request), request.member.account.id)
    return reply.seeOther(page, removed ? 'The provider was removed.' : 'There was no provider. Nothing was changed.')
  })

  domainRoutes(app)
}

function domainRoutes(app: FastifyInstance): void {
  const { db, config } = app
  const lookUp = newDomainLookUp(config.dnsServers)

  app.post(`${page}/domains`, change, async (request, reply) => {
    const domainForm = readForm(domainFields, request.body)
    if (!domainForm.input) return show(request, reply.code(422), { domainForm })
    const { domain } = domainForm.input
    const added = addDomain(db, actor(request), request.member.account.id, domain)
    if (added === 'full') {
      domainForm.errors.domain = `An account can have ${mostDomains} domains. Remove one first.`
      return show(request, reply.code(422), { domainForm })
    }
    return reply.seeOther(
      page,
      added === 'unchanged'
        ? apart`${domain} was added already. Nothing was changed.`
        : apart`${domain} was added. Create its record in DNS, and then check it.`,
    )
  })

  app.post(`${page}/domains/:domain/check`, change, async (request, reply) => {
    readForm(nothing, request.body)
    const which = { accountId: request.member.account.id, id: idFrom(request, 'domain') }
    const domain = orNotFound(findDomain(db, which))
    const isThere = await lookUp(domain)
    if (isThere === undefined)
      return reply.seeOther(
        page,
        apart`No name server answered for ${domain.domain}. Nothing was changed. Try again later.`,
      )
    const checked = orNotFound(noteCheck(db, actor(request), domain, isThere))
    return reply.seeOther(page, checkedWords(domain.domain, checked))
  })

  app.post(`${page}/domains/:domain/removal`, change, async (request, reply) => {
    readForm(nothing, request.body)
    const which = { accountId: request.member.account.id, id: idFrom(request, 'domain') }
    const { domain } = orNotFound(removeDomain(db, actor(request), which))
    return reply.seeOther(page, apart`${domain} was removed.`)
  })
}

function checkedWords(domain: string, checked: DomainChecked): string {
  return {
    saved: apart`${domain} is proved.`,
    unproved: apart`${domain} has no such record yet. It can take an hour until a new one is known everywhere.`,
    ended: apart`${domain} has had no such record for a day, and is no longer proved.`,
    taken: apart`Another account has proved ${domain}. Its own record must go from DNS first.`,
  }[checked]
}

function show(
  request: FastifyRequest,
  reply: FastifyReply,
  { form, domainForm }: { form?: Form; domainForm?: Form },
): Promise<FastifyReply> {
  const { server, member } = request
  const { id, identifier } = member.account
  const provider = findAccountProvider(server.db, id)
  const stored = {
    issuer: provider?.issuer ?? '',
    clientId: provider?.clientId ?? '',
    emailTrusted: provider?.emailTrusted ? 'yes' : '',
    version: String(provider?.version ?? 0),
  }
  return reply.page('accounts/sso/index', {
    title: 'Log-in',
    form: form ?? newForm(stored),
    domainForm: domainForm ?? newForm(),
    provider: provider ?? null,
    domains: listDomains(server.db, id).map((domain) => ({
      ...domain,
      recordName: recordName(domain.domain),
      recordText: recordText(domain.token),
    })),
    callback: callbackOf(server.config, identifier),
    only: server.config.sso?.only ? server.config.sso.name : '',
  })
}
