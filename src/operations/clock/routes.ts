import type { FastifyInstance } from 'fastify'
import { supportActor } from '../../web/request/viewer.ts'
import { believeClock } from './data.ts'

export default async function clockRoutes(app: FastifyInstance) {
  app.post('/support/clock', { config: { can: 'support.clock' } }, async (request, reply) => {
    const believed = believeClock(app.db, supportActor(request))
    app.clock.look()
    return reply.seeOther(
      '/',
      believed
        ? 'The clock is taken for right. What is due for removal will be removed.'
        : 'The clock was not in doubt. Nothing was changed.',
    )
  })
}
