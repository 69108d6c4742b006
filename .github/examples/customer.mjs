// Creates a customer, limits it, and invites its admin. An order can be sent again: what was done stays done once.
//
//   export API=https://panel.example.com/api/v1/accounts/cloudhaus TOKEN=mpp_…
//   node customer.mjs ORDER IDENTIFIER NAME ADMIN E-MAIL
//
// The token needs the rights to change customers and quotas. Node 20 or newer; no package is needed.
const { API, TOKEN } = process.env
const [order, identifier, name, adminName, email] = process.argv.slice(2)

/** Calls an operation. Waits where the panel asks for it, and throws what it says is wrong. */
async function call(method, path, { key, body } = {}) {
  for (let tries = 1; ; tries++) {
    const answer = await fetch(API + path, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(key ? { 'idempotency-key': `order-${order}-${key}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (answer.ok) return answer.status === 204 ? undefined : answer.json()
    const problem = await answer.json()
    if (![429, 503].includes(answer.status) || tries === 5) throw new Error(describe(problem))
    const seconds = Number(answer.headers.get('retry-after') ?? 1)
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
  }
}

/** A problem (RFC 9457) in a line. */
function describe({ title, detail, errors = [], request_id }) {
  const values = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`)
  return [`${title}. ${detail}`, ...values, `(request ${request_id})`].join(' ')
}

try {
  const customer = await call('POST', '/customers', { key: 'create', body: { name, identifier } })
  const here = `/customers/${customer.identifier}`
  const limits = { cores: 8, instances: 4 }
  const { quotas } = await call('PUT', `${here}/quotas`, { body: { limits, remark: `Order ${order}` } })
  await call('POST', `${here}/invitations`, { key: 'invite', body: { name: adminName, email } })
  const limited = quotas.filter(({ limit }) => limit !== null).map(({ name, limit }) => `${name} ${limit}`)
  console.log(`${customer.name} (${customer.identifier}) was created, with ${limited.join(', ')}. ${email} is invited.`)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
