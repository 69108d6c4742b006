import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { FastifyRequest } from 'fastify'
import { Client, type Fields, Page, type Panel, publicUrl } from '../harness.ts'

// Requests that take their time: something happens after the panel has let them in, and before they act.

/** A form as it is sent: ready before anything is lost. */
export type Body = { type: string; bytes: Buffer }

/** A form that no page needs to offer, with the tokens of one that this client has open. */
export async function formBody(client: Client, fields: Fields): Promise<Body> {
  const pairs = Object.entries({ ...(await hiddenFields(client)), ...fields }).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one]),
  )
  return {
    type: 'application/x-www-form-urlencoded',
    bytes: Buffer.from(new URLSearchParams(pairs).toString()),
  }
}

/** The same with a file, as browsers send it. */
export async function fileBody(client: Client, file: { name: string; content: string }): Promise<Body> {
  const boundary = 'late'.repeat(6)
  const part = (head: string, content: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`
  const fields = Object.entries(await hiddenFields(client)).map(([name, value]) => part(`name="${name}"`, value))
  const content = part(`name="file"; filename="${file.name}"\r\nContent-Type: text/csv`, file.content)
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    bytes: Buffer.from(`${fields.join('')}${content}--${boundary}--\r\n`),
  }
}

async function hiddenFields(client: Client): Promise<Record<string, string>> {
  const page = await client.open('/')
  const input = (name: string) => page.root.querySelector(`input[name="${name}"]`)?.getAttribute('value')
  const account = input('_account')
  return { _csrf: input('_csrf') ?? '', ...(account ? { _account: account } : {}) }
}

/** Another browser window: it has the client's cookies, and what it is answered changes them in no other. */
export function windowOf(panel: Panel, client: Client): Client {
  const other = new Client(panel.app)
  for (const [name, value] of client.cookies) other.cookies.set(name, value)
  return other
}

export type Late = { path: string; client: Client; body: Body }

const agent = new Agent({ keepAlive: true })

/**
 * Sends the head of a form over a real connection, does something once the panel has taken that, and only then
 * sends the body. `100 Continue` is the panel's word that it has the head.
 */
export async function holdBody(base: string, { path, client, body }: Late, meanwhile: () => unknown): Promise<Page> {
  const sent = request(base + path, {
    method: 'POST',
    agent,
    headers: {
      cookie: [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      origin: publicUrl,
      'content-type': body.type,
      'content-length': body.bytes.length,
      expect: '100-continue',
    },
  })
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>
  sent.flushHeaders()
  await once(sent, 'continue')
  await meanwhile()
  sent.end(body.bytes)
  const [answer] = await answered
  return new Page(path, {
    statusCode: answer.statusCode ?? 0,
    headers: answer.headers,
    body: await text(answer),
    cookies: [],
  })
}

/**
 * Sends a form, and does something when the panel has let it pass to its handler; or, at the `end`, when that has done
 * all that needs no waiting.
 */
export async function loseInside(
  panel: Panel,
  { path, client, body }: Late,
  meanwhile: () => void,
  at: 'start' | 'end' = 'start',
): Promise<Page> {
  let reached = false
  const moment = `tracing:fastify.request.handler:${at}`
  const listener = (message: unknown) => {
    const { method, url } = (message as { request: FastifyRequest }).request
    if (reached || method !== 'POST' || url !== path) return
    reached = true
    meanwhile()
  }
  subscribe(moment, listener)
  try {
    const page = await windowOf(panel, client).postRaw(path, body.bytes, { 'content-type': body.type })
    if (!reached) throw new Error(`${path} was never handled: ${page.status}`)
    return page
  } finally {
    unsubscribe(moment, listener)
  }
}
