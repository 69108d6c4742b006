import Fastify, { type FastifyInstance } from 'fastify'
import helmet from 'helmet'
import accessRoutes from './access/routes.ts'
import accountExportRoutes from './account-export/routes.ts'
import accountTransferRoutes from './account-transfer/routes.ts'
import accountRoutes from './accounts/routes.ts'
import viewer, { ownAccount, recentAccounts, switchTo } from './accounts/viewer.ts'
import { startCopying } from './backups/copying.ts'
import backupRoutes from './backups/routes.ts'
import { startBackups } from './backups/schedule.ts'
import clockRoutes from './clock/routes.ts'
import { watchClock } from './clock/watch.ts'
import type { Config } from './config.ts'
import customerRoutes from './customers/routes.ts'
import { startCleaning } from './db/cleaning.ts'
import type { Connection } from './db/open.ts'
import { watchStorage } from './db/storage.ts'
import deletedAccountRoutes from './deleted-accounts/routes.ts'
import deletedProjectRoutes from './deleted-projects/routes.ts'
import emailChangeRoutes from './email-change/routes.ts'
import firstRunRoutes from './first-run/routes.ts'
import historyRoutes from './history/routes.ts'
import homeRoutes from './home/routes.ts'
import importRoutes from './imports/routes.ts'
import invitationRoutes from './invitations/routes.ts'
import loginRoutes from './login/routes.ts'
import { newPost } from './mail/outbox.ts'
import { startMailWorker } from './mail/worker.ts'
import memberRoutes from './members/routes.ts'
import partnershipRoutes from './partnership/routes.ts'
import passwordResetRoutes from './password-reset/routes.ts'
import personalDataRoutes from './personal-data/routes.ts'
import profileRoutes from './profile/routes.ts'
import projectRoutes from './projects/routes.ts'
import { startPurge } from './purge/worker.ts'
import quotaRequestRoutes from './quota-requests/routes.ts'
import quotaRoutes from './quotas/routes.ts'
import type { Replica } from './replica/replica.ts'
import resourceRoutes from './resources/routes.ts'
import { newToken, type Secrets } from './secrets.ts'
import supportRoutes from './support/routes.ts'
import { watchTroubles } from './troubles/watch.ts'
import { prove } from './two-factor/proof.ts'
import twoFactorRoutes from './two-factor/routes.ts'
import watchRoutes from './watch/routes.ts'
import { newSetAside } from './watch/set-aside.ts'
import { warningsOf } from './watch/warnings.ts'
import assets from './web/assets.ts'
import { answerBroken, answerUnreadable } from './web/bare-page.ts'
import { putBaseBefore, refusePagesAsBase, takeBaseOff } from './web/base.ts'
import compression from './web/compression.ts'
import deadline, { type Deadlines, deadlines } from './web/deadline.ts'
import errors from './web/errors.ts'
import forms from './web/forms.ts'
import guard from './web/guard.ts'
import { httpLimits, logging, refuseUnclearHost, requestLog, withoutEndingSlash } from './web/http.ts'
import metrics from './web/metrics.ts'
import once from './web/once.ts'
import page from './web/page.ts'
import { reserveNamesOf } from './web/reserved-names.ts'
import session from './web/session.ts'
import unsent from './web/unsent.ts'
import wellKnownRoutes from './well-known/routes.ts'

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
  await app.register(deletedAccountRoutes)
  await app.register(accountTransferRoutes)
  await app.register(quotaRoutes)
  await app.register(quotaRequestRoutes)
  await app.register(resourceRoutes)
  await app.register(supportRoutes)
  await app.register(backupRoutes)
  await app.register(clockRoutes)
  refusePagesAsBase(app)
  return app
}
