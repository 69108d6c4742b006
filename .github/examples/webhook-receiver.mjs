// Receives webhooks, checks that each is from the panel, and prints what happened.
//
//   export SECRET=whsec_… PORT=8080
//   node webhook-receiver.mjs
//
// While a secret is being replaced, SECRET holds both, separated by a space. Put it behind a web server with https.
// Node 20 or newer; no package is needed.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const keys = (process.env.SECRET ?? '').split(' ').map((secret) => Buffer.from(secret.replace('whsec_', ''), 'base64'))
const longest = 20_000
const fiveMinutes = 300

/** Standard Webhooks 1.0: an HMAC of id, time and body. Old requests could be somebody else’s copies. */
function isSigned(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures = '' } = headers
  if (!(Math.abs(Date.now() / 1_000 - Number(time)) < fiveMinutes)) return false
  const wanted = keys.map((key) => createHmac('sha256', key).update(`${id}.${time}.${body}`).digest())
  return signatures.split(' ').some((text) => {
    const given = Buffer.from(text.replace('v1,', ''), 'base64')
    return wanted.some((one) => one.length === given.length && timingSafeEqual(one, given))
  })
}

// An event may come twice, under the same id. A real receiver keeps the ids with what it does.
const known = new Set()

const server = createServer(async (request, reply) => {
  let body = ''
  for await (const piece of request) if (body.length <= longest) body += piece
  if (!isSigned(request.headers, body)) return reply.writeHead(401).end()
  const id = request.headers['webhook-id']
  if (!known.has(id)) {
    known.add(id)
    const { type, timestamp, data } = JSON.parse(body)
    console.log(`${timestamp} ${type} ${data.account ?? ''} ${data.project ?? ''}`.trim())
  }
  // Answer soon: after 15 seconds the panel takes it for failed, and sends it again.
  reply.writeHead(204).end()
})
server.listen(Number(process.env.PORT ?? 8080), () => console.log(`listening on ${server.address().port}`))
