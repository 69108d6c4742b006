import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Connection, migrationCheck } from '../../db/open.ts'
import { notFound } from '../../web/answer/errors.ts'
import { plural } from '../../web/format.ts'
import { mayReadMetrics } from './access.ts'
import { readAnything } from './data.ts'
import { addGauges } from './gauges.ts'

/** Milliseconds between two writes that are made to see whether they can be. */
const writtenEvery = 10_000

/** Where machines look how the panel is doing. */
export default async function watchRoutes(app: FastifyInstance, { db }: { db: Connection }) {
  const { storage, now, metrics, processMetrics, config } = app
  const hasMigrations = migrationCheck(db)
  // Asked for every few seconds: logged only when it goes wrong.
  const health = { config: { can: 'health.see', sessionless: true }, logLevel: 'warn' } as const
  let stopping = false
  let writtenAt = Number.NEGATIVE_INFINITY

  app.addHook('preClose', async () => {
    stopping = true
  })
  addGauges({
    metrics,
    db,
    dataDir: config.dataDir,
    storage,
    now,
    mailTrouble: app.mailTrouble,
    clock: app.clock,
    copying: app.copying,
    setAside: app.setAside,
    replica: app.replica,
  })

  app.get('/health/live', health, async (_request, reply) => plain(reply, 'live'))

  app.get('/health/ready', health, async (_request, reply) => {
    const reason = whyNotReady()
    return reason
      ? plain(reply.code(503), `not ready: ${reason}`)
      : plain(reply, ['ready', ...troubles()].join(', but '))
  })

  app.get('/metrics', { config: { can: 'metrics.see' }, logLevel: 'warn' }, async (request, reply) => {
    if (!mayReadMetrics(request)) throw notFound()
    return reply.type(metrics.contentType).send((await metrics.metrics()) + (await processMetrics.metrics()))
  })

  /** The panel serves its pages all the same. */
  function troubles(): string[] {
    const { count } = app.setAside
    return [
      ...(app.mailTrouble() ? ['the mail server takes no e-mails'] : []),
      ...(count > 0
        ? [`${plural(count, 'item')} failed unexpectedly and ${count === 1 ? 'was' : 'were'} set aside`]
        : []),
    ]
  }

  function whyNotReady(): string | undefined {
    if (stopping) return 'it is stopping'
    try {
      readAnything(db)
      if (!hasMigrations()) return 'migrations are missing'
    } catch (error) {
      app.log.error({ err: error }, 'the database cannot be read')
      return 'the database cannot be read'
    }
    storage.look()
    // A clock that was set back must not put this off.
    if (!storage.problem && Math.abs(now() - writtenAt) >= writtenEvery) {
      writtenAt = now()
      storage.check()
    }
    return storage.problem && `nothing can be saved (${storage.problem})`
  }
}

function plain(reply: FastifyReply, words: string): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(`${words}\n`)
}
