import { statSync } from 'node:fs'
import { join } from 'node:path'
import closeWithGrace, { type Options } from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { type Config, takeHandedOver } from './config.ts'
import { findDamage } from './db/check.ts'
import { checkedAtStart } from './db/open.ts'
import { Unusable } from './db/place.ts'
import { openInstallation } from './operations/installation/open.ts'
import { openReplica } from './operations/replica/replica.ts'
import { hasOperator, rekeyEmails } from './people/data/users.ts'
import { endedPasskeys } from './people/passkeys/ended.ts'
import { listen } from './web/listen.ts'

const longestStop = 10_000

/**
 * Runs the panel until it is told to stop (SIGTERM, SIGINT or SIGHUP): then it says that it is not ready, takes no
 * more connections, finishes the requests under way and the letter it is sending, and closes the
 * database. After ten seconds it ends as it is: whatever was acknowledged is saved, letters go again.
 */
export async function serve(
  config: Config,
  prepare?: (app: FastifyInstance) => Promise<void>,
): Promise<FastifyInstance> {
  const handedOver = takeHandedOver()
  const database = openInstallation(config.dataDir, Date.now())
  const taken = rekeyEmails(database.db)
  const replica = await openReplica(config, database.db).catch((error) => {
    database.close()
    throw error
  })
  const app = await buildApp({ config, db: database.db, secrets: database.secrets, replica })
  if (taken.length > 0)
    app.log.warn(
      { users: taken.length },
      'e-mail addresses differ only in upper and lower case: change one of each pair',
    )
  // Not in a hook, since hooks run the last one first: workers still write while they stop.
  const close = async () => {
    await app.close()
    await replica?.stop()
    database.close()
  }
  await prepare?.(app)
  try {
    await listen(app, handedOver)
  } catch (error) {
    await close()
    throw error
  }

  stopWithGrace(app, close)
  say(app)
  lookForDamage(app)
  return app
}

function say(app: FastifyInstance): void {
  const { config, log, db, setupToken } = app
  if (!config.https && !['localhost', '127.0.0.1', '[::1]'].includes(new URL(config.publicUrl).hostname)) {
    log.warn('PUBLIC_URL is plain http: passwords cross the network readable. Put a reverse proxy with https in front.')
  }
  if (config.https && config.trustProxy.length === 0)
    log.warn(
      'PUBLIC_URL is https, but TRUST_PROXY is empty: set it to the reverse proxy’s address, or nobody can log in.',
    )
  const ended = endedPasskeys(db, config)
  if (ended) log.warn(`${ended.what}: ${ended.todo}.`)
  console.log(`\n${config.panelName} is at ${config.publicUrl}\n`)
  if (!hasOperator(db))
    console.log(
      `Nobody operates it yet. Create the first operator here, once:\n${config.publicUrl}/setup/${setupToken}\n`,
    )
}

/** A large database is checked while the panel runs; damage stops all writes. */
function lookForDamage({ storage, log, config: { dataDir } }: FastifyInstance): void {
  const file = join(dataDir, 'panel.db')
  if (statSync(file).size <= checkedAtStart) return
  findDamage(file).then(
    (problem) => {
      if (!problem) return
      log.error({ found: problem }, 'the database is damaged')
      storage.note(new Unusable('DATABASE_DAMAGED'))
    },
    (error) => log.error({ err: error }, 'the database could not be checked'),
  )
}

/** Only the signals that ask for an end. After anything else that ends a process, its state is unknown: it ends at once. */
const others = [
  ...['SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGUSR2'],
  ...['uncaughtException', 'unhandledRejection', 'beforeExit'],
] as NonNullable<Options['skip']>

function stopWithGrace(app: FastifyInstance, close: () => Promise<void>): void {
  const onTimeout = () => {
    app.log.warn('not all was done in time: it ends as it is')
    process.exit()
  }
  closeWithGrace({ delay: longestStop - 500, logger: app.log, skip: others, onTimeout }, async () => {
    setTimeout(() => app.server.closeAllConnections(), longestStop / 2).unref()
    await close()
  })
}
