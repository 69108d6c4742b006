import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { root } from '../../config.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The address of public/, which changes with its content and so may be cached for ever. */
    assets: string
  }
}

const folder = join(root, 'public')

/** A path with the hash of all files. */
function addressNow(): string {
  const hash = createHash('sha256')
  for (const file of readdirSync(folder).sort()) hash.update(file).update(readFileSync(join(folder, file)))
  return `/assets/${hash.digest('hex').slice(0, 12)}/`
}

export default fp(async (app: FastifyInstance) => {
  const { reload } = app.config
  const address = addressNow()
  if (reload) app.decorate('assets', { getter: addressNow })
  else app.decorate('assets', address)

  await app.register(async (scope) => {
    await scope.register(fastifyStatic, {
      root: folder,
      serve: false,
      dotfiles: 'deny',
      index: false,
      immutable: true,
      maxAge: '365d',
    })
    scope.get<{ Params: { '*': string } }>(
      `${reload ? '/assets/:hash/' : address}*`,
      { config: { can: 'asset.see' } },
      (request, reply) => reply.sendFile(request.params['*']),
    )
  })
})
