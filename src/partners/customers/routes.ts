import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { proposeAccountIdentifier } from '../../accounts/data/account.ts'
import { resumeAccount, suspendAccount } from '../../accounts/data/suspension.ts'
import { listSent } from '../../accounts/endings/data/foreseeing.ts'
import { adminWords, invitationActs, noAdminWords } from '../../accounts/invitations/acts.ts'
import { invitationList, listInvitations } from '../../accounts/invitations/data/listing.ts'
import { type Handler, mayCopyLink, mayHandle } from '../../accounts/invitations/data/pending.ts'
import { inviteAdmin } from '../../accounts/invitations/data/sending.ts'
import {
  addMember,
  countAdmins,
  findMember,
  listMembers,
  type MemberFilter,
  memberList,
  removeMember,
} from '../../accounts/members/data.ts'
import { tellJoined } from '../../accounts/notices/data.ts'
import { resumedWords } from '../../accounts/resumed.ts'
import type { ListQuery } from '../../db/list.ts'
import { write } from '../../db/open.ts'
import { orTooMany, TooMany } from '../../mail/pace.ts'
import { listProjects, projectList } from '../../projects/data.ts'
import { isCounted, nearestLimit } from '../../quotas/arithmetic.ts'
import { projectQuota } from '../../quotas/data/limits.ts'
import { poolBoundsProjects } from '../../quotas/data/pool.ts'
import { limitsOfProjects, usesOf } from '../../quotas/data/uses.ts'
import { found } from '../../web/answer/errors.ts'
import { accountName, email, identifier, line, personName, withIdentifier } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { customerOf } from '../scope.ts'
import { type Customer, createCustomer } from './data/customers.ts'
import { customerList, listCustomers } from './data/listing.ts'

const newCustomer = z
  .strictObject({ name: accountName('Enter the customer’s name.'), identifier: identifier() })
  .transform(withIdentifier)
const firstAdmin = z.strictObject({ name: personName(), email: email() })
const suspension = z.strictObject({ reason: line('Say why: the account’s users will read it.', 300) })

export default async function customerRoutes(app: FastifyInstance) {
  const { db, config, postLetter } = app
  const see = { config: { can: 'customer.see' } } as const
  const join = { config: { can: 'customer.join', inAccount: true } } as const
  const inviting = { config: { can: 'customer.invite', inAccount: true } } as const
  const suspending = { config: { can: 'customer.suspend', inAccount: true } } as const

  // The menu's entry: it switches to the partner account if need be, and says so.
  app.get('/partner', { config: { can: 'partner-area.enter' } }, async (request, reply) => {
    const { account, partnerAccount } = request.viewer
    if (account?.kind === 'partner') return reply.seeOther('/partner/customers')
    return reply.seeOther(`/partner/customers?account=${found(partnerAccount).identifier}`)
  })

  app.get(
    '/partner/customers',
    see,
    async (request, reply) =>
      listDownload(request, reply, customerList, (query) =>
        listCustomers(db, request.member.account.id, query, app.now()),
      ) ?? showCustomers(request, reply),
  )

  app.post('/partner/customers', { config: { can: 'customer.create', inAccount: true } }, async (request, reply) => {
    const form = readForm(newCustomer, request.body)
    if (form.input) {
      const { input } = form
      const created = orTooMany(() => createCustomer(db, actor(request), request.member.account.id, input))
      if (created instanceof TooMany) {
        form.errors.identifier = created.message
        return showCustomers(request, reply.code(429), form)
      }
      if (created)
        return reply.seeOther(
          '/partner/customers',
          `${created.name} was created. It has no users yet: open its Customer Users.`,
        )
      form.values.identifier ||= form.input.identifier
      form.errors.identifier = `“${form.input.identifier}” is taken, or was once. “${proposeAccountIdentifier(db, form.input.identifier)}” is free.`
    }
    return showCustomers(request, reply.code(422), form)
  })

  app.get('/partner/customers/:customer', see, async (request, reply) => reply.seeOther(usersOf(customerOf(request))))

  app.get('/partner/customers/:customer/users', see, async (request, reply) => {
    customerOf(request)
    // Asked for each page of a download: it may be another partner's by then.
    const members = (query: ListQuery<MemberFilter>) => listMembers(db, customerOf(request).id, query)
    const invitations = (query: ListQuery) => listInvitations(db, customerOf(request).id, query)
    return (
      listDownload(request, reply, memberList, members) ??
      listDownload(request, reply, invitationList, invitations, 'invited-') ??
      showUsers(request, reply)
    )
  })

  app.post('/partner/customers/:customer/own-membership', join, async (request, reply) => {
    const customer = customerOf(request)
    const { user } = request.member
    const added = write(db, actor(request), (tx) => {
      const own = { accountId: customer.id, userId: user.id, role: 'admin', fromPartner: true } as const
      const added = addMember(tx, actor(request), own, 'member.added-self')
      if (added) tellJoined(tx, actor(request), customer.id, own.role, app.mailContext)
      return added
    })
    return reply.seeOther(
      usersOf(customer),
      added
        ? `You are Customer Admin of ${customer.name} now. Change into it with the account switcher at the top left.`
        : `You are a user of ${customer.name} already.`,
    )
  })

  app.post('/partner/customers/:customer/own-membership/removal', join, async (request, reply) => {
    const customer = customerOf(request)
    const { id } = request.member.user
    const { removed, ended } = write(db, actor(request), (tx) => {
      const ended = listSent(tx, id, customer.id).total
      const how = { mayEmpty: true }
      return { ended, removed: removeMember(tx, actor(request), customer.id, id, 'member.removed-self', how) }
    })
    if (removed === 'last-admin') {
      return showUsers(
        request,
        reply.code(422),
        undefined,
        `You are the last Customer Admin of ${customer.name}, which has other users. Make one of them Customer Admin first.`,
      )
    }
    return reply.seeOther(
      usersOf(customer),
      removed
        ? `You are no user of ${customer.name} any more.${ended > 0 ? ` ${plural(ended, 'invitation')} that you had sent ended.` : ''}`
        : `You are no user of ${customer.name}.`,
    )
  })

  app.post('/partner/customers/:customer/invitations', inviting, async (request, reply) => {
    const customer = customerOf(request)
    const form = readForm(firstAdmin, request.body)
    if (form.input) {
      const { input } = form
      const invited = orTooMany(() =>
        inviteAdmin(db, actor(request), senderOf(request), customer, input, app.mailContext),
      )
      if (invited === 'has-admin')
        return showUsers(
          request,
          reply.code(422),
          form,
          `${customer.name} has a Customer Admin who can log in and invite its users.`,
        )
      if (invited instanceof TooMany) form.errors.email = invited.message
      else if (typeof invited === 'object') return reply.seeOther(usersOf(customer), adminWords(customer, invited))
      else form.errors.email = noAdminWords[invited]
    }
    return showUsers(request, reply.code(422), form)
  })

  invitationActs(app, {
    base: '/partner/customers/:customer/invitations',
    config: inviting.config,
    accountOf: customerOf,
    actor,
    sender: senderOf,
    handler: handlerOf,
    list: (request) => usersOf(customerOf(request)),
    area: 'partner',
    copies: true,
  })

  app.get('/partner/customers/:customer/projects', see, async (request, reply) => {
    const customer = customerOf(request)
    const all = { userId: request.signedIn.id, seesAll: true }
    const file = listDownload(request, reply, projectList, (query) =>
      listProjects(db, customerOf(request).id, all, query),
    )
    if (file) return file
    const list = listProjects(db, customer.id, all, readList(request, projectList))
    return reply.page('partners/customers/projects', {
      title: 'Customer Projects',
      customer,
      quota: projectQuota(db, customer.id),
      list,
      given: limitsOfProjects(
        db,
        customer.id,
        list.rows.map(({ id }) => id),
      ),
    })
  })

  app.get('/partner/customers/:customer/suspension', { config: { can: 'customer.suspend' } }, async (request, reply) =>
    showSuspension(request, reply, newForm()),
  )

  app.post('/partner/customers/:customer/suspension', suspending, async (request, reply) => {
    const customer = customerOf(request)
    const form = readForm(suspension, request.body)
    if (!form.input) return showSuspension(request, reply.code(422), form)
    const done = suspendAccount(db, actor(request), customer.id, form.input.reason, app.mailContext)
    return reply.seeOther(
      '/partner/customers',
      done ? `${customer.name} is suspended.` : `You had suspended ${customer.name} already. Nothing was changed.`,
    )
  })

  app.post('/partner/customers/:customer/suspension/removal', suspending, async (request, reply) => {
    const customer = customerOf(request)
    return reply.seeOther(
      '/partner/customers',
      resumedWords(customer.name, resumeAccount(db, actor(request), customer.id, app.mailContext)),
    )
  })

  function usersOf(customer: Customer): string {
    return `/partner/customers/${customer.identifier}/users`
  }

  function handlerOf(request: FastifyRequest): Handler {
    return { from: request.member.account.id }
  }

  function senderOf(request: FastifyRequest) {
    const { user, account } = request.member
    return { post: postLetter, publicUrl: config.publicUrl, inviter: user.name, from: { partner: account.name } }
  }

  function showSuspension(request: FastifyRequest, reply: FastifyReply, form: Form) {
    const customer = customerOf(request)
    return reply.page('partners/customers/suspension', { title: `Suspend ${customer.name}`, customer, form })
  }

  function showCustomers(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    const partnerId = request.member.account.id
    const list = listCustomers(db, partnerId, readList(request, customerList), app.now())
    const uses = usesOf(
      db,
      list.rows.map(({ id }) => id),
    )
    return reply.page('partners/customers/index', {
      title: 'Customers',
      form: form ?? newForm(),
      shared: poolBoundsProjects(db, partnerId),
      list: {
        ...list,
        rows: list.rows.map((customer) => {
          const own = uses.get(customer.id) ?? []
          return { ...customer, projectUse: own.find(isCounted), nearest: nearestLimit(own) }
        }),
      },
    })
  }

  function showUsers(request: FastifyRequest, reply: FastifyReply, form?: Form, problem = '') {
    const customer = customerOf(request)
    const admins = countAdmins(db, customer.id)
    const inside = findMember(db, customer.id, request.signedIn.id) !== undefined
    return reply.page('partners/customers/users', {
      title: 'Customer Users',
      customer,
      problem,
      form: form ?? newForm(),
      inside,
      sent: inside ? listSent(db, request.signedIn.id, customer.id) : null,
      admins,
      list: listMembers(db, customer.id, readList(request, memberList)),
      invitations: listInvitations(db, customer.id, readList(request, invitationList, 'invited-'), (invitation) => ({
        handled: mayHandle(handlerOf(request), invitation, admins),
        copied: mayCopyLink(handlerOf(request), invitation, admins),
      })),
      now: app.now(),
    })
  }
}
