import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import fastifyView from '@fastify/view'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { root } from '../../config.ts'
import { pageSizes } from '../../db/list.ts'
import { suspensionOf } from '../../db/suspension.ts'
import { newEta } from '../../eta.ts'
import { can } from '../../policy.ts'
import { projectRoleNames, roleName } from '../../roles.ts'
import { version } from '../../version.ts'
import { identifierRule } from '../fields.ts'
import * as format from '../format.ts'
import { backTo, listAddress, listBefore, listFilterNames, refererQuery } from '../lists/list.ts'
import { tableOf } from '../lists/table.ts'
import { forReader } from '../reader.ts'
import { authorSeal } from '../request/unsent.ts'
import { visitor } from '../request/viewer.ts'
import { areas } from './areas.ts'
import { noticesOf, type Undo } from './notice.ts'
import { typedInForm } from './typed-fields.ts'
import type { PageData, Views } from './views.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Sends a page: a view, its title and its data. */
    page: <View extends keyof Views>(view: View, data: PageData<View>) => Promise<FastifyReply>
    /** Ends an act that succeeded: on to the page that shows it, and a notice that says what happened, and takes it back. */
    seeOther: (path: string, notice?: string, undo?: Undo) => FastifyReply
  }
}

export type PageOptions = {
  /** The accounts in the switcher, the last used first, and whether there are more. */
  recentAccounts: (request: FastifyRequest) => {
    accounts: { name: string; identifier: string; kind: string }[]
    more: boolean
  }
  /** How much waits for the viewer, by the page of a menu that shows it. */
  waitingFor: (request: FastifyRequest) => Partial<Record<string, number>>
}

/** What every page's view can call, as `tools`. */
export const tools = {
  ...format,
  areas,
  typedInForm,
  roleName,
  projectRoleNames,
  suspensionOf,
  identifierRule,
  table: tableOf,
  listAddress,
  listFilterNames,
  pageSizes,
}

export default fp<PageOptions>(async (app: FastifyInstance, { recentAccounts, waitingFor }) => {
  const { panelName, supportEmail, base, reload } = app.config
  const notices = noticesOf(app.config)

  await app.register(fastifyView, {
    engine: { eta: newEta(reload, tools, base) },
    root: join(root, 'views'),
    production: !reload,
  })

  // What the handler says itself: notices and errors at fields.
  app.addHook('preHandler', ({ viewer }, _reply, done) => {
    if (viewer?.user) forReader(viewer.user.reads, done)
    else done()
  })

  app.decorateReply('seeOther', function (this: FastifyReply, path: string, notice?: string, undo?: Undo) {
    if (notice) notices.keep(this, notice, undo)
    // Back to the list as it was filtered, sorted and paged.
    const asked = path.includes('?') || this.request.method !== 'POST' ? {} : refererQuery(this.request, path)
    const query = new URLSearchParams(asked).toString()
    const to = query ? `${path}?${query}` : backTo(path, this.request.method === 'POST' ? listBefore(this.request) : '')
    this.request.outcome = { path: to, notice }
    return this.redirect(to, 303)
  })

  app.decorateReply('page', async function (this: FastifyReply, view: string, { title, ...data }) {
    const { request } = this
    // An error may come before the viewer is known.
    const viewer = request.viewer ?? visitor
    const before = listBefore(request)
    const page = {
      title,
      path: request.url.split('?', 1)[0] ?? '/',
      /** With the search and filters of a list. */
      address: request.method === 'GET' ? request.url : (request.url.split('?', 1)[0] ?? '/'),
      /** The list before this page, which its forms lead back to. */
      before,
      back: (path: string) => backTo(path, before),
      user: viewer.user ?? null,
      account: viewer.account ?? null,
      activeAccount: viewer.activeAccount ?? null,
      accountLost: viewer.accountLost,
      deletedAccount: viewer.deletedAccount ?? null,
      partnerAccounts: viewer.partnerAccounts,
      can: (action: Parameters<typeof can>[1]) => can(viewer.standings, action),
      once: randomUUID(),
      author: viewer.user ? authorSeal(app.secrets.forms, viewer.user.id) : '',
      csrf: this.generateCsrf({ userInfo: viewer.sessionKey } as object),
      ...notices.take(this),
      warnings: can(viewer.standings, 'support.see') ? app.warnings() : [],
      switcher: viewer.user ? recentAccounts(request) : { accounts: [], more: false },
      waiting: viewer.user ? waitingFor(request) : {},
      panelName,
      version,
      now: app.now(),
      supportEmail: supportEmail ?? '',
      assets: app.assets,
      theme: viewer.user?.theme ?? '',
    }
    this.type('text/html; charset=utf-8')
    return viewer.user
      ? forReader(viewer.user.reads, () => this.view(view, { ...data, page }))
      : this.view(view, { ...data, page })
  })

  app.addHook('onSend', async (request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
    if (request.routeOptions.config.secret) reply.header('referrer-policy', 'no-referrer')
  })
})
