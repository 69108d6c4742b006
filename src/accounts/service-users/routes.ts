import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { roleName } from '../../roles.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { serviceUserName, version } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readRemembered } from '../../web/lists/remembered.ts'
import { serviceUserIdOf } from '../../web/request/address.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { tokenActs } from './acts.ts'
import {
  changeServiceUser,
  createServiceUser,
  listServiceUsers,
  mostServiceUsers,
  removeServiceUser,
  serviceUserList,
} from './data.ts'
import { serviceUserOf, showServiceUser } from './page.ts'

const role = z.enum(['admin', 'member'], { error: 'Choose a role.' })
const newServiceUser = z.strictObject({ name: serviceUserName(), role })
const changedServiceUser = z.strictObject({ serviceName: serviceUserName(), role, version: version() })

/** Account Settings → Service users: programs that have a role in the account, and no login. */
export default async function serviceUserRoutes(app: FastifyInstance) {
  const { db } = app
  const see = { config: { can: 'service-user.see' } } as const
  const change = { config: { can: 'service-user.change', inAccount: true } } as const
  changeActs(app)
  tokenActs(app)

  app.get('/customer/service-users', see, async (request, reply) => {
    const { id } = request.member.account
    return (
      listDownload(request, reply, { spec: serviceUserList, list: (query) => listServiceUsers(db, id, query) }) ??
      showServiceUsers(request, reply)
    )
  })

  app.post('/customer/service-users', change, async (request, reply) => {
    const form = readForm(newServiceUser, request.body)
    if (!form.input) return showServiceUsers(request, reply.code(422), form)
    const made = createServiceUser(db, actor(request), request.member.account.id, form.input)
    if (made !== 'full')
      return reply.seeOther(
        `/customer/service-users/${made.userId}`,
        apart`The service user ${made.name} was created. Create its first token now.`,
      )
    form.errors.name = `An account has at most ${mostServiceUsers} service users. Remove one that is no longer used.`
    return showServiceUsers(request, reply.code(422), form)
  })

  app.get('/customer/service-users/:serviceUser', see, async (request, reply) => showServiceUser(request, reply))

  function showServiceUsers(request: FastifyRequest, reply: FastifyReply, form: Form = newForm({ role: 'member' })) {
    const { id } = request.member.account
    const query = readRemembered(request, serviceUserList)
    return reply.page('accounts/service-users/index', {
      title: 'Service users',
      form,
      list: listServiceUsers(db, id, query),
    })
  }
}

/** What changes a service user itself. */
function changeActs(app: FastifyInstance): void {
  const { db } = app
  const change = { config: { can: 'service-user.change', inAccount: true } } as const

  app.post('/customer/service-users/:serviceUser', change, async (request, reply) => {
    const { account } = request.member
    const { userId } = serviceUserOf(request)
    const form = readForm(changedServiceUser, request.body)
    if (!form.input) return showServiceUser(request, reply.code(422), { change: form })
    const { serviceName: name, ...edit } = form.input
    const done = orNotFound(changeServiceUser(db, actor(request), { accountId: account.id, userId }, { name, ...edit }))
    if (done === 'stale') {
      // What was typed stays; sent again, it replaces what somebody else has saved.
      form.values.version = String(serviceUserOf(request).version)
      return showServiceUser(request, reply.code(409), {
        change: form,
        problem:
          'Somebody else has changed this service user since you opened this page. Save again to replace theirs.',
      })
    }
    const cancelled = done.ended > 0 ? ` ${plural(done.ended, 'invitation')} that it had sent ended.` : ''
    return reply.seeOther(
      `/customer/service-users/${userId}`,
      done.changed
        ? apart`${name} is ${roleName(account.kind, edit.role)} now.${cancelled}`
        : apart`${name} is as it was. Nothing was changed.`,
    )
  })

  app.get(
    '/customer/service-users/:serviceUser/removal',
    { config: { can: 'service-user.change' } },
    async (request, reply) => {
      const service = serviceUserOf(request)
      return reply.page('accounts/service-users/removal', { title: apart`Remove ${service.name}`, service })
    },
  )

  app.post('/customer/service-users/:serviceUser/removal', change, async (request, reply) => {
    const service = { accountId: request.member.account.id, userId: serviceUserIdOf(request) }
    const removed = orNotFound(removeServiceUser(db, actor(request), service))
    return reply.seeOther(
      '/customer/service-users',
      apart`The service user ${removed.name} was removed. Its tokens no longer work.`,
    )
  })
}
