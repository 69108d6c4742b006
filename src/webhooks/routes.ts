import type { FastifyInstance } from 'fastify'
import { actor, supportActor } from '../web/request/viewer.ts'
import { manageDeliveries } from './acts.ts'
import { manageWebhooks, type WebhookRoom } from './page.ts'

const ofAccount: WebhookRoom = {
  base: '/customer/webhooks',
  area: 'account',
  see: { config: { can: 'webhook.see' } },
  change: { config: { can: 'webhook.change', inAccount: true } },
  owner: ({ member }) => member.account.id,
  ownerKind: ({ member }) => member.account.kind,
  actor,
}

const ofSupport: WebhookRoom = {
  base: '/support/webhooks',
  area: 'support',
  see: { config: { can: 'support.webhook' } },
  change: { config: { can: 'support.webhook' } },
  owner: () => null,
  ownerKind: () => 'support',
  actor: supportActor,
}

/** Account Settings → Webhooks, and Support Area → Webhooks. */
export default async function webhookRoutes(app: FastifyInstance) {
  for (const room of [ofAccount, ofSupport]) {
    manageWebhooks(app, room)
    manageDeliveries(app, room)
  }
}
