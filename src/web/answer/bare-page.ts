import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

// Pages for a request that cannot be read far enough to know who looks: no view, no session, no database.

/** Text as it is written into HTML. */
export const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** A whole page in plain HTML, with a way back to the panel. */
export function barePage(title: string, words: string, home: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<h1>${escaped(title)}</h1>
<p>${escaped(words)}</p>
<p><a href="${escaped(home)}/">Go to the start page</a></p>
</html>
`
}

/** What a browser may do with such a page. */
export const bareHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  connection: 'close',
}

/** Words for what Node says of requests that it gives up. */
const broken: Record<string, readonly [status: number, title: string, words: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [
    408,
    'The request took too long',
    'It did not arrive in time. Nothing was changed. Try again.',
  ],
  HPE_HEADER_OVERFLOW: [
    431,
    'Too much at once',
    'The address or the cookies are too long. Open the start page; if that fails too, delete the cookies of this site.',
  ],
}
const unreadable = [400, 'This request cannot be read', 'It is no valid HTTP. Nothing was changed. Try again.'] as const

/** Answers an address that cannot be read; `home` is the panel's address. */
export function answerUnreadable(home: string) {
  return (_error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void => {
    const [status, title] = unreadable
    reply
      .code(status)
      .headers(bareHeaders)
      .send(barePage(title, 'The address holds what no address can. Type it again.', home))
  }
}

/** Answers an incomplete HTTP request; `home` is the panel's address. An answer that has begun is cut off. */
export function answerBroken(home: string) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return
    // As Node's own answer: what was begun cannot be taken back.
    const begun = (socket as { _httpMessage?: { headersSent: boolean } })._httpMessage?.headersSent
    if (socket.writable && !begun) {
      const [status, title, words] = broken[error.code ?? ''] ?? unreadable
      const page = barePage(title, words, home)
      const headers = { ...bareHeaders, 'content-length': Buffer.byteLength(page) }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${page}`)
    }
    socket.destroy(error)
  }
}
