import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { version } from '../../web/fields.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { supportActor } from '../../web/request/viewer.ts'
import {
  addResource,
  changeResource,
  countedResource,
  findResource,
  listResources,
  mostResources,
  removeResource,
} from './data.ts'
import { resourceKey, resourceWords } from './fields.ts'

const newResource = z.strictObject({ key: resourceKey(), ...resourceWords })
const change = z.strictObject({ ...resourceWords, version: version() })

export default async function resourceRoutes(app: FastifyInstance) {
  const { db } = app
  const support = { config: { can: 'support.quota' } } as const

  app.get('/support/resources', support, async (request, reply) => show(request, reply))

  app.post('/support/resources', support, async (request, reply) => {
    const form = readForm(newResource, request.body)
    if (form.input) {
      const added = addResource(db, supportActor(request), form.input)
      if (typeof added === 'object')
        return reply.seeOther('/support/resources', apart`${added.name} can be limited now. No limit of it is set yet.`)
      form.errors.key =
        added === 'full'
          ? `The catalogue holds ${mostResources} resources, and takes no more. Remove one that is not used.`
          : `“${form.input.key}” is in the catalogue already.`
    }
    return show(request, reply.code(422), { adding: form })
  })

  app.post('/support/resources/:key', support, async (request, reply) => {
    const { key } = resourceOf(request)
    const form = readForm(change, request.body)
    if (!form.input) return show(request, reply.code(422), { editing: { key, form } })
    const { name } = form.input
    const changed = orNotFound(changeResource(db, supportActor(request), key, form.input))
    if (changed !== 'stale')
      return reply.seeOther(
        '/support/resources',
        changed === 'saved' ? apart`${name} is saved.` : apart`${name} is as it was. Nothing was changed.`,
      )
    const current = resourceOf(request)
    form.errors.name = apart`Someone else changed it to “${current.name}” (${current.unit || 'no unit'}). Save again to call it “${name}”.`
    form.values.version = String(current.version)
    return show(request, reply.code(409), { editing: { key, form } })
  })

  app.post('/support/resources/:key/removal', support, async (request, reply) => {
    const { key, name } = resourceOf(request)
    if (removeResource(db, supportActor(request), key))
      return reply.seeOther('/support/resources', apart`${name} is gone from the catalogue.`)
    const problem =
      key === countedResource
        ? apart`${name} are counted by the panel itself, so they stay.`
        : apart`${name} stays: limits, requests or plans name it.`
    return show(request, reply.code(422), { problem })
  })

  function resourceOf(request: FastifyRequest) {
    return orNotFound(findResource(db, (request.params as { key: string }).key))
  }

  type Forms = { adding?: Form; editing?: { key: string; form: Form }; problem?: string }

  function show(_request: FastifyRequest, reply: FastifyReply, { adding, editing, problem = '' }: Forms = {}) {
    return reply.page('quotas/resources/index', {
      title: 'Resources',
      problem,
      form: adding ?? newForm({ unit: '' }),
      resources: listResources(db).map((resource) => ({
        ...resource,
        removable: resource.key !== countedResource,
        form:
          editing?.key === resource.key
            ? editing.form
            : newForm({ name: resource.name, unit: resource.unit, version: String(resource.version) }),
      })),
    })
  }
}
