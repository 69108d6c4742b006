import { constants } from 'node:zlib'
import compress from '@fastify/compress'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/**
 * Compresses answers where the browser takes it, except where their length could betray a secret: a page
 * holds the form’s token beside words of its address, and grows less the more the two have in common
 * (BREACH). To use that, another site must ask for pages again and again, and browsers say so.
 */
export default fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', async (request) => {
    if (mayBetray(request)) request.headers['x-no-compression'] = 'yes'
  })
  await app.register(compress, {
    encodings: ['br', 'gzip'],
    brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } },
    globalDecompression: false,
  })
})

function mayBetray({ method, headers, routeOptions: { config } }: FastifyRequest): boolean {
  if (config.can === 'asset.see') return false
  const byItself = headers['sec-fetch-site'] === 'same-origin' || headers['sec-fetch-site'] === 'none'
  return method !== 'GET' || config.secret === true || !byItself
}
