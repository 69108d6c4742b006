import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import type { Test } from 'tap'
import { type Db, write } from '../../src/db/open.ts'
import { deliveries, webhooks } from '../../src/db/schema.ts'
import { wakeSending } from '../../src/records/data/deliveries.ts'
import type { RecordKind } from '../../src/records/kinds.ts'
import { byItself, record } from '../../src/records/record.ts'
import { createWebhook, type WebhookOwner } from '../../src/webhooks/data/webhooks.ts'
import { accountId, type Panel } from '../harness.ts'
import { until } from '../smtp.ts'

// What stands at the other end of a webhook.

/** Settings with which a panel reaches receivers of tests. */
export const toReceivers = { OUTSIDE_ALLOW: '127.0.0.0/8' }

export type Post = {
  path: string
  headers: Record<string, string>
  body: string
  at: number
  event: { type: string; timestamp: string; data: Data }
}
// biome-ignore lint/suspicious/noExplicitAny: what a program reads
type Data = any

export type Receiver = {
  url: string
  posts: Post[]
  /** How many were there at the same time, at most. */
  mostAtOnce: () => number
  /** From now on it answers so. */
  answer: (how: Answerer) => void
}

type Answerer = (post: Post, reply: ServerResponse, message: IncomingMessage) => void

export const status =
  (code: number, headers: Record<string, string> = {}): Answerer =>
  (_post, reply) =>
    reply.writeHead(code, headers).end()

export async function startReceiver(t: Test, how: Answerer = status(204)): Promise<Receiver> {
  const posts: Post[] = []
  let answer = how
  let [open, most] = [0, 0]
  const server = createServer(async (message, reply) => {
    open += 1
    most = Math.max(most, open)
    reply.on('close', () => {
      open -= 1
    })
    const body = await text(message)
    const post = {
      path: message.url ?? '',
      headers: plain(message.headers),
      body,
      at: Date.now(),
      event: JSON.parse(body),
    }
    posts.push(post)
    answer(post, reply, message)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    posts,
    mostAtOnce: () => most,
    answer: (next) => {
      answer = next
    },
  }
}

const plain = (headers: IncomingHttpHeaders) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

/** Adds a webhook without the page. */
export function addWebhook(
  { db, app }: Pick<Panel, 'db' | 'app'>,
  owner: WebhookOwner,
  url: string,
  events = '*',
): { id: number; secret: string } {
  const made = createWebhook(db, byItself(app.now()), { owner, url, events }, app.secrets)
  if (made === 'full') throw new Error('There are ten webhooks.')
  return { id: made.webhook.id, secret: made.secret }
}

/** What a receiver reads with the library that others wrote; throws what is not signed. */
export const verified = (secret: string, { headers, body }: Pick<Post, 'headers' | 'body'>) =>
  new Webhook(secret).verify(body, headers)

export const allDeliveries = (db: Db) => db.select().from(deliveries).all()
export const everyWebhook = (db: Db) => db.select().from(webhooks).all()

/** Waits until so many posts have come. */
export const received = (receiver: Receiver, count: number) =>
  until(`${count} posts came`, () => receiver.posts.length >= count)

/** Waits until nothing waits any more, or only for a later try. */
export async function settled({ db, app }: Pick<Panel, 'db' | 'app'>): Promise<void> {
  wakeSending(db)
  await until('all deliveries were tried', () =>
    allDeliveries(db).every((one) => one.state !== 'waiting' || (one.attempts > 0 && one.dueAt > app.now())),
  )
}

/** Something happens in Acme, so many times. */
export function happen(panel: Pick<Panel, 'db' | 'app'>, kind: RecordKind, times = 1): void {
  const by = byItself(panel.app.now())
  write(panel.db, by, (tx) => {
    for (let n = 0; n < times; n++) record(tx, by, { kind, accountId: accountId(panel, 'acme') })
  })
}

/** A delivery that failed for good, by its id. */
export function addFailedDelivery({ db, app }: Pick<Panel, 'db' | 'app'>, webhookId: number): number {
  const at = app.now()
  const { length } = allDeliveries(db)
  return db
    .insert(deliveries)
    .values({
      webhookId,
      messageId: `msg_${length}`,
      type: 'import.stopped',
      body: '{"type":"import.stopped"}',
      state: 'failed',
      attempts: 10,
      status: 500,
      createdAt: at,
      dueAt: at,
      triedAt: at,
    })
    .returning()
    .get().id
}
