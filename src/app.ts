import Fastify, { type FastifyInstance } from 'fastify'
import { startPurge } from './accounts/deletion/purge/worker.ts'
import { newDomainLookUp } from './accounts/sso/dns.ts'
import { startDomainChecks } from './accounts/sso/worker.ts'
import api from './api/context.ts'
import { answerUnreadableAddress } from './api/unreadable.ts'
import type { Config } from './config.ts'
import { startCleaning } from './db/cleaning.ts'
import { startMerging } from './db/merging.ts'
import type { Connection } from './db/open.ts'
import { watchStorage } from './db/storage.ts'
import { newPost } from './mail/outbox.ts'
import { startMailWorker } from './mail/worker.ts'
import { startCopying } from './operations/backups/copying.ts'
import { startBackups } from './operations/backups/schedule.ts'
import { watchClock } from './operations/clock/watch.ts'
import { newSetAside } from './operations/health/set-aside.ts'
import { warningsOf } from './operations/health/warnings.ts'
import type { Replica } from './operations/replica/replica.ts'
import { watchTroubles } from './operations/troubles/watch.ts'
import pages from './pages.ts'
import ssoLogOut from './people/sso/log-out/context.ts'
import { newToken, type Secrets } from './secrets.ts'
import assets from './web/answer/assets.ts'
import { answerBroken } from './web/answer/bare-page.ts'
import compression from './web/answer/compression.ts'
import secureHeaders from './web/answer/headers.ts'
import { httpLimits, logging, refuseUnclearHost, requestLog, withoutEndingSlash } from './web/answer/http.ts'
import { refusePagesAsBase, takeBaseOff } from './web/base.ts'
import metrics from './web/metrics.ts'
import { newOutside } from './web/outside.ts'
import deadline, { type Deadlines, deadlines } from './web/request/deadline.ts'
import { reserveNamesOf } from './web/reserved-names.ts'
import routeTable from './web/route-table.ts'
import { startWebhookWorker } from './webhooks/worker.ts'

export type AppOptions = {
  config: Config
  db: Connection
  secrets: Secrets
  /** The time in milliseconds since 1970; tests bring their own clock. */
  now?: () => number
  /** The replica on another machine; the caller that opened it stops it after the application. */
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
    frameworkErrors: answerUnreadableAddress(config.publicUrl),
    ...takeBaseOff(config),
    logger: logging(config.logLevel),
    logController: requestLog,
    trustProxy: config.trustProxy.length > 0 ? config.trustProxy : false,
  })

  startWork(app, { config, db, secrets, now, replica })
  await app.register(routeTable)
  await app.register(metrics)
  await app.register(secureHeaders)
  app.addHook('onRequest', refuseUnclearHost)
  await app.register(deadline, { times })
  app.addHook('onRequest', withoutEndingSlash)
  await app.register(compression)
  await app.register(assets)

  await app.register(pages, { db })
  await app.register(api)
  await app.register(ssoLogOut)
  refusePagesAsBase(app)
  return app
}

/** Starts the work between requests, and tells the plugins about it. */
function startWork(
  app: FastifyInstance,
  { config, db, secrets, now, replica }: Required<Omit<AppOptions, 'times'>>,
): void {
  const storage = watchStorage(db, app.log)
  app.addHook('onClose', async () => storage.stop())
  const clock = watchClock(db, storage, now, app.log)
  app.addHook('onClose', async () => clock.stop())
  const shared = { db, storage, now, log: app.log }
  const clockIsWrong = () => clock.look() !== undefined
  const mail = startMailWorker({ ...shared, config, secrets, clockIsWrong })
  app.addHook('onClose', mail.stop)
  const outside = newOutside(config.outsideAllow)
  const webhooks = startWebhookWorker({ ...shared, secrets, outside, clockIsWrong })
  app.addHook('onClose', webhooks.stop)
  const setAside = newSetAside()
  replica?.start(app.log)
  const cleaning = startCleaning(db, storage, app.log, replica?.apart)
  app.addHook('onClose', cleaning.stop)
  app.addHook('onClose', startMerging(db, storage, app.log).stop)
  const purge = startPurge({ ...shared, dataDir: config.dataDir, eraseTraces: cleaning.erase, setAside, clock })
  app.addHook('onClose', purge.stop)
  const domains = startDomainChecks({ ...shared, clock, lookUp: newDomainLookUp(config.dnsServers) })
  app.addHook('onClose', domains.stop)

  const copying = startCopying(config, now, app.log, clock)
  app.addHook('onClose', copying.stop)
  const backups = startBackups(config, { now, log: app.log, clock, made: copying.wake })
  app.addHook('onClose', backups.stop)

  app.decorate('config', config)
  app.decorate('db', db)
  app.decorate('storage', storage)
  app.decorate('secrets', secrets)
  app.decorate('now', now)
  app.decorate('clock', clock)
  app.decorate('eraseTraces', cleaning.erase)
  app.decorate('wakeMail', mail.wake)
  app.decorate('outside', outside)
  app.decorate('mailTrouble', mail.trouble)
  app.decorate('setAside', setAside)
  app.decorate('backups', backups)
  app.decorate('copying', copying)
  app.decorate('replica', () => replica?.state())
  app.decorate('warnings', () => warningsOf(app))
  const { publicUrl, panelName, supportEmail } = config
  app.decorate('postLetter', newPost(config, secrets, mail.wake))
  app.decorate('mailContext', { post: app.postLetter, publicUrl, panelName, supportEmail })
  app.decorate('setupToken', newToken())

  const stopWatching = watchTroubles(app)
  app.addHook('onClose', async () => stopWatching())
}
