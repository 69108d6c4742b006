import Fastify, { type FastifyInstance } from 'fastify'
import helmet from 'helmet'
import { startPurge } from './accounts/deletion/purge/worker.ts'
import deletedAccountRoutes from './accounts/deletion/routes.ts'
import accountExportRoutes from './accounts/export/routes.ts'
import importRoutes from './accounts/imports/routes.ts'
import invitationRoutes from './accounts/invitations/routes.ts'
import memberRoutes from './accounts/members/routes.ts'
import accountRoutes from './accounts/routes.ts'
import viewer, { ownAccount, recentAccounts, switchTo } from './accounts/viewer.ts'
import type { Config } from './config.ts'
import { startCleaning } from './db/cleaning.ts'
import type { Connection } from './db/open.ts'
import { watchStorage } from './db/storage.ts'
import historyRoutes from './history/routes.ts'
import homeRoutes from './home/routes.ts'
import searchRoutes from './home/search/routes.ts'
import { newPost } from './mail/outbox.ts'
import { startMailWorker } from './mail/worker.ts'
import { startCopying } from './operations/backups/copying.ts'
import backupRoutes from './operations/backups/routes.ts'
import { startBackups } from './operations/backups/schedule.ts'
import clockRoutes from './operations/clock/routes.ts'
import { watchClock } from './operations/clock/watch.ts'
import watchRoutes from './operations/health/routes.ts'
import { newSetAside } from './operations/health/set-aside.ts'
import { warningsOf } from './operations/health/warnings.ts'
import type { Replica } from './operations/replica/replica.ts'
import { watchTroubles } from './operations/troubles/watch.ts'
import wellKnownRoutes from './operations/well-known/routes.ts'
import customerRoutes from './partners/customers/routes.ts'
import customerSuspensionRoutes from './partners/customers/suspension/routes.ts'
import customerUserRoutes from './partners/customers/users/routes.ts'
import accountTransferRoutes from './partners/partnership/move/routes.ts'
import partnershipRoutes from './partners/partnership/routes.ts'
import emailChangeRoutes from './people/email/routes.ts'
import firstRunRoutes from './people/first-run/routes.ts'
import personalDataRoutes from './people/leaving/routes.ts'
import loginRoutes from './people/log-in/routes.ts'
import passwordResetRoutes from './people/password/routes.ts'
import profileRoutes from './people/profile/routes.ts'
import { prove } from './people/two-factor/proof.ts'
import twoFactorRoutes from './people/two-factor/routes.ts'
import accessRoutes from './projects/access/routes.ts'
import deletedProjectRoutes from './projects/deletion/routes.ts'
import projectRoutes from './projects/routes.ts'
import quotaRequestRoutes from './quotas/requests/routes.ts'
import resourceRoutes from './quotas/resources/routes.ts'
import quotaRoutes from './quotas/routes.ts'
import { newToken, type Secrets } from './secrets.ts'
import supportAccountRoutes from './support/accounts/routes.ts'
import supportAccountUserRoutes from './support/accounts/users/routes.ts'
import supportMailRoutes from './support/mail/routes.ts'
import supportUserRoutes from './support/users/routes.ts'
import assets from './web/answer/assets.ts'
import { answerBroken, answerUnreadable } from './web/answer/bare-page.ts'
import compression from './web/answer/compression.ts'
import errors from './web/answer/errors.ts'
import { httpLimits, logging, refuseUnclearHost, requestLog, withoutEndingSlash } from './web/answer/http.ts'
import page from './web/answer/page.ts'
import { putBaseBefore, refusePagesAsBase, takeBaseOff } from './web/base.ts'
import metrics from './web/metrics.ts'
import deadline, { type Deadlines, deadlines } from './web/request/deadline.ts'
import forms from './web/request/forms.ts'
import guard from './web/request/guard.ts'
import once from './web/request/once.ts'
import session from './web/request/session.ts'
import unsent from './web/request/unsent.ts'
import { reserveNamesOf } from './web/reserved-names.ts'

export type AppOptions = {
  config: Config
  db: Connection
  secrets: Secrets
  /** The time in milliseconds since 1970; tests bring their own clock. */
  now?: () => number
  /** The replica on another machine; whoever opened it stops it after the application. */
  replica?: Replica | undefined
  /** How long requests may take to arrive; tests bring shorter times. */
  times?: Deadlines
}

/** The panel: every plugin and feature, in the order in which a request meets them. */
export async function buildApp({
  config,
  db,
  secrets,
  now = Date.now,
  replica,
  times = deadlines,
}: AppOptions): Promise<FastifyInstance> {
  reserveNamesOf(config.panelName)
  const app = Fastify({
    ...httpLimits,
    clientErrorHandler: answerBroken(config.publicUrl),
    frameworkErrors: answerUnreadable(config.publicUrl),
    ...takeBaseOff(config),
    logger: logging(config.logLevel),
    logController: requestLog,
    trustProxy: config.trustProxy.length > 0 ? config.trustProxy : false,
  })

  const storage = watchStorage(db, app.log)
  app.addHook('onClose', async () => storage.stop())
  const clock = watchClock(db, storage, now, app.log)
  app.addHook('onClose', async () => clock.stop())
  const mail = startMailWorker(db, config, secrets, storage, now, app.log, () => clock.look() !== undefined)
  app.addHook('onClose', mail.stop)
  const setAside = newSetAside()
  replica?.start(app.log)
  const cleaning = startCleaning(db, storage, app.log, replica?.apart)
  app.addHook('onClose', cleaning.stop)
  const purge = startPurge(db, config.dataDir, storage, now, app.log, cleaning.erase, setAside, clock)
  app.addHook('onClose', purge.stop)

  const copying = startCopying(config, now, app.log, clock)
  app.addHook('onClose', copying.stop)
  const backups = startBackups(config, now, app.log, clock, copying.wake)
  app.addHook('onClose', backups.stop)

  app.decorate('config', config)
  app.decorate('db', db)
  app.decorate('storage', storage)
  app.decorate('secrets', secrets)
  app.decorate('now', now)
  app.decorate('clock', clock)
  app.decorate('eraseTraces', cleaning.erase)
  app.decorate('wakeMail', mail.wake)
  app.decorate('mailTrouble', mail.trouble)
  app.decorate('setAside', setAside)
  app.decorate('backups', backups)
  app.decorate('copying', copying)
  app.decorate('replica', () => replica?.state())
  app.decorate('warnings', () => warningsOf(app))
  const post = newPost(config, secrets, mail.wake)
  const { publicUrl, panelName, supportEmail } = config
  app.decorate('postLetter', post)
  app.decorate('mailContext', { post, publicUrl, panelName, supportEmail })
  app.decorate('setupToken', newToken())

  const stopWatching = watchTroubles(app)
  app.addHook('onClose', async () => stopWatching())

  await app.register(metrics)
  const secureHeaders = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        // What is found while one types (public/search.js).
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
    strictTransportSecurity: config.https ? { maxAge: 31_536_000 } : false,
  })
  app.addHook('onRequest', (request, reply, done) => {
    secureHeaders(request.raw, reply.raw, () => done())
  })
  app.addHook('onRequest', refuseUnclearHost)
  await app.register(deadline, { times })
  app.addHook('onRequest', withoutEndingSlash)
  await app.register(compression)
  await app.register(assets)
  await app.register(session)
  await app.register(viewer)
  await app.register(unsent)
  await app.register(forms)
  await app.register(page, { recentAccounts })
  await app.register(errors)
  await app.register(guard, {
    switchAccount: (request, identifier) => switchTo(request, identifier) !== undefined,
    findOwnAccount: ownAccount,
    prove,
  })
  await app.register(once)
  app.addHook('onSend', putBaseBefore)

  await app.register(watchRoutes, { db })
  await app.register(wellKnownRoutes)
  await app.register(firstRunRoutes)
  await app.register(loginRoutes)
  await app.register(twoFactorRoutes)
  await app.register(passwordResetRoutes)
  await app.register(homeRoutes)
  await app.register(searchRoutes)
  await app.register(profileRoutes)
  await app.register(emailChangeRoutes)
  await app.register(personalDataRoutes)
  await app.register(accountRoutes)
  await app.register(accountExportRoutes)
  await app.register(memberRoutes)
  await app.register(invitationRoutes)
  await app.register(importRoutes)
  await app.register(projectRoutes)
  await app.register(accessRoutes)
  await app.register(deletedProjectRoutes)
  await app.register(historyRoutes)
  await app.register(partnershipRoutes)
  await app.register(customerRoutes)
  await app.register(customerUserRoutes)
  await app.register(customerSuspensionRoutes)
  await app.register(deletedAccountRoutes)
  await app.register(accountTransferRoutes)
  await app.register(quotaRoutes)
  await app.register(quotaRequestRoutes)
  await app.register(resourceRoutes)
  await app.register(supportAccountRoutes)
  await app.register(supportAccountUserRoutes)
  await app.register(supportUserRoutes)
  await app.register(supportMailRoutes)
  await app.register(backupRoutes)
  await app.register(clockRoutes)
  refusePagesAsBase(app)
  return app
}
