import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { findAccount } from '../../accounts/data/account.ts'
import { findOwnAccount } from '../../accounts/data/switcher.ts'
import { memberListWithFactors } from '../../accounts/members/factors/data.ts'
import { apart } from '../../db/apart.ts'
import type { AccountId } from '../../db/ids.ts'
import type { ListSpec } from '../../db/list.ts'
import { customerList } from '../../partners/customers/data/listing.ts'
import { can } from '../../policy.ts'
import { accountList } from '../../support/accounts/data.ts'
import { userList } from '../../support/users/data.ts'
import { badRequest, notFound, orNotFound, withoutAccount } from '../../web/answer/errors.ts'
import { viewName } from '../../web/fields.ts'
import { pathBefore, readListText } from '../../web/lists/list.ts'
import {
  findSavedView,
  mostSavedViews,
  removeSavedView,
  renameSavedView,
  type SavedView,
  saveView,
} from '../../web/lists/saved/data.ts'
import { queryOfView, viewToSave } from '../../web/lists/saved/views.ts'
import { idFrom } from '../../web/request/address.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'

/** A list whose views can be saved, and the pages that show it: `page` is the one to return to if nothing else is known. */
type Saveable = { spec: ListSpec<never>; page: string; elsewhere?: RegExp; ofSupport?: true }

/** Support’s lists belong to no account. */
const lists: Saveable[] = [
  { spec: customerList, page: '/partner/customers' },
  { spec: memberListWithFactors, page: '/customer/users', elsewhere: /^\/partner\/customers\/[a-z0-9-]{2,32}\/users$/ },
  { spec: accountList, page: '/support/accounts', ofSupport: true },
  { spec: userList, page: '/support/users', ofSupport: true },
]

const newView = z.strictObject({
  viewName: viewName(),
  of: z.enum(lists.map(({ spec }) => spec.name)),
  list: z.string(),
  page: z.string(),
})
const renaming = z.strictObject({ viewName: viewName() })

const taken = 'You have a view of this name here. Choose another name.'
const full = `You have ${mostSavedViews} views here, and cannot have more. Remove one that you do not use.`

export default async function savedViewRoutes(app: FastifyInstance) {
  const { db } = app
  const see = { config: { can: 'profile.see' } } as const
  const change = { config: { can: 'profile.change' } } as const

  app.post('/saved-views', change, async (request, reply) => {
    const form = readForm(newView, request.body)
    const { of, page, list: text } = form.values as Record<string, string>
    const list = lists.find(({ spec }) => spec.name === of)
    if (!list || text === undefined || !isPageOf(list, page))
      throw badRequest('Open the list again, and save its view there.')
    const view = viewToSave(readListText(text, list.spec), list.spec)
    if (!view.search && !view.query)
      throw badRequest('This list is not narrowed down or sorted, so there is no view to save.')
    const accountId = whose(request, list)
    const back = addressOf(request, page, { ...view, id: 0, name: '', accountId, list: list.spec.name })
    if (!form.input) return showNew(reply.code(422), form, back)
    const name = form.input.viewName
    const saved = saveView(db, actor(request), { accountId, list: list.spec.name }, { ...view, name })
    if (saved === undefined) throw notFound()
    if (typeof saved === 'object') return reply.seeOther(back, apart`The view ${name} was saved. Only you see it.`)
    form.errors.viewName = saved === 'full' ? full : taken
    return showNew(reply.code(422), form, back)
  })

  // A tab: its list, on the page that it was pressed on.
  app.get('/saved-views/:savedView', see, async (request, reply) => {
    const view = viewOf(request)
    const works = queryOfView(view, listOf(view).spec) !== undefined
    return reply.redirect(works ? addressBefore(request, view) : `/saved-views/${view.id}/name`, 303)
  })

  app.get('/saved-views/:savedView/name', see, async (request, reply) => {
    const view = viewOf(request)
    return showView(request, reply, view, newForm({ viewName: view.name }))
  })

  app.post('/saved-views/:savedView/name', change, async (request, reply) => {
    const view = viewOf(request)
    const form = readForm(renaming, request.body)
    if (form.input) {
      const name = form.input.viewName
      const renamed = orNotFound(renameSavedView(db, actor(request), view.id, name))
      if (renamed !== 'taken')
        return reply.seeOther(
          addressBefore(request, renamed),
          name === view.name
            ? apart`The view is already called ${name}. Nothing was changed.`
            : apart`The view ${view.name} is now called ${name}.`,
        )
      form.errors.viewName = taken
    }
    return showView(request, reply.code(422), view, form)
  })

  app.post('/saved-views/:savedView/removal', change, async (request, reply) => {
    const removed = orNotFound(removeSavedView(db, actor(request), idFrom(request, 'savedView')))
    return reply.seeOther(addressBefore(request, removed), apart`The view ${removed.name} was removed.`)
  })
}

/** The account that the form was made in, whichever is active now: a view is for its user alone. None for Support’s lists. */
function whose(request: FastifyRequest, { ofSupport }: Saveable): AccountId | null {
  if (ofSupport) {
    if (!can(request.viewer.standings, 'support.see')) throw notFound()
    return null
  }
  const { account } = request.formMeta
  if (account === undefined) throw withoutAccount()
  return orNotFound(findOwnAccount(request.server.db, request.signedIn.id, account)).id
}

const isPageOf = ({ page, elsewhere }: Saveable, path: string | undefined): path is string =>
  path !== undefined && (path === page || elsewhere?.test(path) === true)

const viewOf = (request: FastifyRequest): SavedView =>
  orNotFound(findSavedView(request.server.db, request.signedIn.id, idFrom(request, 'savedView')))

const listOf = (view: SavedView) => orNotFound(lists.find(({ spec }) => spec.name === view.list))

/** A list as a view shows it, in the account that the view belongs to; as at first, if it no longer can. */
function addressOf(request: FastifyRequest, page: string, view: SavedView): string {
  const query = new URLSearchParams(queryOfView(view, listOf(view).spec))
  const elsewhere = otherAccount(request, page, view)
  if (elsewhere) query.set('account', elsewhere)
  return query.size > 0 ? `${page}?${query}` : page
}

/** The account of a view, where its list would open in another. The Partner Area acts in the only partner account by itself. */
function otherAccount({ viewer, server }: FastifyRequest, page: string, { accountId }: SavedView): string | undefined {
  if (accountId === null || accountId === viewer.account?.id) return undefined
  if (page.startsWith('/partner/') && viewer.partnerAccounts.length === 1) return undefined
  return findAccount(server.db, accountId)?.identifier
}

/** The list that a view’s page was opened from, as the view shows it: after its removal, it can be saved again there. */
function addressBefore(request: FastifyRequest, view: SavedView): string {
  const list = listOf(view)
  const page = request.formMeta?.back.split('?', 1)[0] || pathBefore(request)
  return addressOf(request, isPageOf(list, page) ? page : list.page, view)
}

const showNew = (reply: FastifyReply, form: Form, back: string) =>
  reply.page('home/saved-views/new', { title: 'Save view', form, back })

function showView(request: FastifyRequest, reply: FastifyReply, view: SavedView, form: Form) {
  return reply.page('home/saved-views/view', {
    title: 'Rename or remove view',
    form,
    view,
    back: addressBefore(request, view),
    works: queryOfView(view, listOf(view).spec) !== undefined,
  })
}
