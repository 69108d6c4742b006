import type { FastifyInstance } from 'fastify'
import viewer, { ownAccount, recentAccounts, switchTo } from './accounts/viewer.ts'
import type { Connection } from './db/open.ts'
import { waitingFor } from './home/waiting.ts'
import watchRoutes from './operations/health/routes.ts'
import { offerProofs } from './people/sso/proof.ts'
import { prove } from './people/two-factor/proof.ts'
import { rooms } from './rooms.ts'
import errors from './web/answer/errors.ts'
import page from './web/answer/page.ts'
import { putBaseBefore } from './web/base.ts'
import forms from './web/request/forms.ts'
import guard from './web/request/guard.ts'
import once from './web/request/once.ts'
import session from './web/request/session.ts'
import unsent from './web/request/unsent.ts'

/** Everything that people see in a browser: plugins in the order in which a request meets them, then the rooms. */
export default async function pages(app: FastifyInstance, { db }: { db: Connection }): Promise<void> {
  await app.register(session)
  await app.register(viewer)
  await app.register(unsent)
  await app.register(forms)
  await app.register(page, { recentAccounts, waitingFor })
  await app.register(errors)
  await app.register(guard, {
    switchAccount: (request, identifier) => switchTo(request, identifier) !== undefined,
    findOwnAccount: ownAccount,
    prove,
    offerProofs,
  })
  await app.register(once)
  app.addHook('onSend', putBaseBefore)

  await watchRoutes(app, { db })
  // Called, not registered: a plugin of its own for each would take a tenth of a start.
  for (const room of rooms) await room(app)
}
