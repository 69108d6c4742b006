import type { FastifyRequest } from 'fastify'
import { apart } from '../../db/apart.ts'
import type { AccountId } from '../../db/ids.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { idFrom } from '../../web/request/address.ts'
import type { Form } from '../../web/request/forms.ts'
import { notMoreWords } from '../page.ts'
import type { Resource } from '../resources/data.ts'
import type { NotMore } from './data/deciding.ts'
import { findRequest, type QuotaRequest } from './data/reading.ts'

export const endedMeanwhile = 'This request has already ended: it was cancelled, or someone else decided it.'

/** The request that the address names, if it is this account’s. */
export function requestOf(request: FastifyRequest, accountId: AccountId): QuotaRequest {
  const id = idFrom(request, 'request')
  return orNotFound(findRequest(request.server.db, accountId, id))
}

/**
 * Puts an error at each field that asks for no more than now. A resource without a limit has no field, so its error is
 * returned.
 */
export function sayNotMore(form: Form, wrong: NotMore, resources: Resource[], outcome: string): string {
  const unlimited = resources.filter(({ id }) => wrong.get(id)?.limit === null)
  for (const resource of resources) {
    const step = wrong.get(resource.id)
    if (step) form.errors[resource.key] = notMoreWords(step, resource)
  }
  return unlimited.length > 0 ? apart`There is no limit of ${namesOf(unlimited)} to raise. ${outcome}` : ''
}

export const namesOf = (resources: Resource[]) => resources.map(({ name }) => name).join(', ')
