// npm run stories: every partial in all its states on one page, light and dark. test/browser/every-page.test.ts looks at it, too.
import { fileURLToPath } from 'node:url'
import fastify, { type FastifyInstance } from 'fastify'
import type { Config } from '../../src/config.ts'
import { newEta } from '../../src/eta.ts'
import { can } from '../../src/policy.ts'
import assets from '../../src/web/answer/assets.ts'
import { tools } from '../../src/web/answer/page.ts'

const account = { name: 'Nordwind IT', identifier: 'nordwind', kind: 'partner' }

/** A server of the stories alone, which has no database and no log-in. */
export async function startStories(port = 0): Promise<FastifyInstance> {
  const app = fastify()
  app.decorate('config', { reload: false } as Config)
  await app.register(assets)
  const eta = newEta(false, tools)
  for (const theme of ['', 'light', 'dark'])
    app.get(`/${theme}`, async (_request, reply) => {
      reply.type('text/html; charset=utf-8')
      reply.header(
        'content-security-policy',
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'",
      )
      return eta.render('/stories/index', {
        page: pageOf(theme, app.assets),
        sample: sample(),
        now: Date.UTC(2026, 10, 24),
      })
    })
  await app.listen({ host: 'localhost', port })
  return app
}

function pageOf(theme: string, assets: string) {
  return {
    title: 'Stories',
    theme,
    path: '/partner/customers',
    user: { id: 1, name: 'Petra Paulsen', email: 'petra@nordwind.example' },
    account,
    activeAccount: account,
    partnerAccounts: [account],
    waiting: { '/': 3, '/notifications': 100 },
    can: (action: Parameters<typeof can>[1]) => can(['partner admin'] as never, action),
    switcher: { accounts: [account, { name: 'Acme', identifier: 'acme', kind: 'customer' }], more: true },
    ...{
      once: 'once',
      author: 'author',
      csrf: 'csrf',
      notice: '',
      warnings: [],
      panelName: 'Meshpanel',
      version: '0',
      supportEmail: '',
    },
    assets,
  }
}

function sample() {
  const at = { direction: 'after', value: 1, id: 1, from: 25 }
  const sorts = { newest: { words: 'Newest first' }, name: { words: 'Name' } }
  const filters = { status: { active: 'Active', suspended: 'Suspended' }, from: 'day' }
  return {
    ...{
      q: '',
      filters: { status: '', from: '' },
      errors: {},
      sort: 'newest',
      size: 25,
      rows: [1, 2, 3],
      total: 304,
      more: false,
      from: 0,
    },
    ...{ spec: { name: 'stories', sorts, filters }, previous: undefined, next: at },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await startStories(Number(process.env.PORT ?? 3001))
  console.log(`The stories are at http://localhost:${process.env.PORT ?? 3001}`)
}
