// Creates a customer, limits it, and invites its admin. An order can be sent again: what was done stays done once.
//
//   npm install openapi-fetch && npm install --save-dev openapi-typescript typescript@5
//   npx openapi-typescript https://panel.example.com/api/v1/openapi.json --output panel.d.ts
//   export API=https://panel.example.com/api/v1/accounts/cloudhaus TOKEN=mpp_…
//   node customer.mts ORDER IDENTIFIER NAME ADMIN E-MAIL
//
// The token needs the rights to change customers and quotas. Node 22.18 or newer runs it as it is. Your editor and
// tsc know every address, field and answer from panel.d.ts: make it again after an update of the panel.
import { setTimeout } from 'node:timers/promises'
import createClient from 'openapi-fetch'
import type { components, paths } from './panel.d.ts'

const [order = '', identifier = '', name = '', adminName = '', email = ''] = process.argv.slice(2)
const [, baseUrl = '', account = ''] = /^(.+)\/accounts\/([^/]+)$/.exec(process.env.API ?? '') ?? []

const panel = createClient<paths>({
  baseUrl,
  headers: { authorization: `Bearer ${process.env.TOKEN}` },
  fetch: patiently,
})

/** Waits where the panel asks for it. */
async function patiently(request: Request): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const answer = await fetch(request.clone())
    if (![429, 503].includes(answer.status) || tries === 5) return answer
    await setTimeout(Number(answer.headers.get('retry-after') ?? 1) * 1_000)
  }
}

/** The same key and body are done once, and answered alike. */
const once = (step: string) => ({ 'Idempotency-Key': `order-${order}-${step}` })

/** What an operation answers. Throws what it says is wrong. */
function answerOf<Data>({ data, error }: { data?: Data; error?: components['schemas']['Problem'] }): Data {
  if (data === undefined) throw new Error(error ? describe(error) : 'The panel did not answer.')
  return data
}

/** A problem (RFC 9457) in a line. */
function describe({ title, detail, errors = [], request_id }: components['schemas']['Problem']): string {
  const values = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`)
  return [`${title}. ${detail}`, ...values, `(request ${request_id})`].join(' ')
}

try {
  const customer = answerOf(
    await panel.POST('/accounts/{account}/customers', {
      params: { path: { account }, header: once('create') },
      body: { name, identifier },
    }),
  )
  const path = { account, customer: customer.identifier }
  const { quotas } = answerOf(
    await panel.PUT('/accounts/{account}/customers/{customer}/quotas', {
      params: { path },
      body: { limits: { cores: 8, instances: 4 }, remark: `Order ${order}` },
    }),
  )
  answerOf(
    await panel.POST('/accounts/{account}/customers/{customer}/invitations', {
      params: { path, header: once('invite') },
      body: { name: adminName, email },
    }),
  )
  const limited = quotas.filter(({ limit }) => limit !== null).map(({ name, limit }) => `${name} ${limit}`)
  console.log(`${customer.name} (${customer.identifier}) was created, with ${limited.join(', ')}. ${email} is invited.`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
