import type { FastifyRequest } from 'fastify'
import type { ListQuery, ListSpec } from '../../db/list.ts'
import { isOfSupportArea } from '../../policy.ts'
import { findListChoice, keepListChoice } from './data.ts'
import { isFromSamePage, listAddress, readList, readListText, refererQuery } from './list.ts'
import { listSavedViews } from './saved/data.ts'
import { shownViews } from './saved/views.ts'

// A list is shown again as its user last chose: sort, rows, and view (the filters with fixed values). What was searched for
// or typed is not kept. An address that says how it is wanted is always followed.

/** Reads what is asked of a list, as `readList`; where nothing is, what the user chose last. With the views that they saved. */
export function readRemembered<Filters extends string>(
  request: FastifyRequest,
  spec: ListSpec<never, Filters>,
): ListQuery<Filters> {
  const query = readChoice(request, spec)
  const { user, account } = request.viewer
  if (!user || Object.keys(spec.filters).length === 0) return query
  const { can } = request.routeOptions.config
  const accountId = can && isOfSupportArea(can) ? null : account?.id
  if (accountId === undefined) return query
  const of = { userId: user.id, accountId, list: spec.name }
  return { ...query, saved: shownViews(listSavedViews(request.server.db, of), spec) }
}

function readChoice<Filters extends string>(
  request: FastifyRequest,
  spec: ListSpec<never, Filters>,
): ListQuery<Filters> {
  const asked = readList(request, spec)
  const { user } = request.viewer
  if (!user) return asked
  const { db, storage } = request.server
  const given = Object.keys(request.method === 'GET' ? (request.query as object) : refererQuery(request))
  const names = ['q', 'sort', 'size', ...Object.keys(spec.filters)]
  let choice = findListChoice(db, user.id, spec.name)
  if (!given.some((name) => name === 'at' || names.includes(name)))
    return choice ? { ...readListText(choice, spec), remembered: true } : asked

  const chosen = choiceOf(asked, spec)
  // A choice is made on the page of the list itself: no other site can make it, and no link from elsewhere in the panel.
  if (chosen !== choice && isFromSamePage(request) && given.every((name) => names.includes(name))) {
    try {
      keepListChoice(db, user.id, spec.name, chosen)
      choice = chosen
    } catch (error) {
      // The page is shown all the same.
      storage.note(error)
      request.log.warn({ err: error }, 'how a list is seen could not be kept')
    }
  }
  return { ...asked, remembered: choice !== '' }
}

/** Whether somebody sees a list otherwise than it is at first, if they just open it. */
export function isRemembered(request: FastifyRequest, spec: ListSpec<never>): boolean {
  const { user } = request.viewer
  return user !== undefined && findListChoice(request.server.db, user.id, spec.name) !== ''
}

function choiceOf<Filters extends string>(query: ListQuery<Filters>, spec: ListSpec<never, Filters>): string {
  const filters = Object.fromEntries(
    Object.entries<string>(query.filters).filter(([name]) => typeof spec.filters[name as Filters] === 'object'),
  )
  return listAddress('', { ...query, q: '', filters, remembered: false, spec }).replace('?', '')
}
