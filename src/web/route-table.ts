import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Action } from '../policy.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route with the action it names, as it was registered. */
    routeTable: RouteEntry[]
  }
  interface FastifyContextConfig {
    /** The action in policy.ts that this route is. */
    can?: Action
    /** Its address holds a token: not logged, no referrer. */
    secret?: boolean
    /** It belongs to the API: no page, no form. */
    api?: boolean
  }
}

export type RouteEntry = {
  method: string
  url: string
  config: { can?: Action; secret?: boolean; api?: boolean; confirm?: boolean | 'download' }
}

/** Lists the routes of all contexts. The panel does not start if one of them names no action. */
export default fp(async (app: FastifyInstance) => {
  const routeTable: RouteEntry[] = []
  app.decorate('routeTable', routeTable)
  app.addHook('onRoute', ({ method, url, config }) => {
    if (!config?.can) throw new Error(`${method} ${url} must name an action from policy.ts`)
    for (const one of [method].flat()) routeTable.push({ method: one, url, config })
  })
})
