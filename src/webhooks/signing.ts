import { createHmac, randomBytes } from 'node:crypto'
import type { Delivery, Webhook } from '../records/data/deliveries.ts'
import { type Secrets, seal, unseal } from '../secrets.ts'
import { version } from '../version.ts'

// Standard Webhooks 1.0, symmetric: https://www.standardwebhooks.com

/** A secret as receivers enter it, and sealed as it is kept. */
export function newWebhookSecret(secrets: Secrets): { shown: string; sealed: string } {
  const secret = randomBytes(32).toString('base64')
  return { shown: `whsec_${secret}`, sealed: seal(secrets, secret) }
}

export type Signed = Pick<Webhook, 'secret' | 'earlierSecret' | 'earlierUntil'>

/** The headers of a try at this time; for a day after a rotation they hold the signature by the earlier secret, too. */
export function signedHeaders(
  secrets: Secrets,
  { secret, earlierSecret, earlierUntil }: Signed,
  { messageId, body }: Pick<Delivery, 'messageId' | 'body'>,
  at: number,
): Record<string, string> {
  const seconds = Math.floor(at / 1_000)
  const earlier = earlierSecret !== null && earlierUntil !== null && at < earlierUntil ? [earlierSecret] : []
  const signatures = [secret, ...earlier].map((sealed) => {
    const key = Buffer.from(unseal(secrets, sealed), 'base64')
    return `v1,${createHmac('sha256', key).update(`${messageId}.${seconds}.${body}`).digest('base64')}`
  })
  return {
    'content-type': 'application/json',
    'user-agent': `Meshpanel/${version}`,
    'webhook-id': messageId,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures.join(' '),
  }
}
