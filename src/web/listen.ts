import { lstatSync, rmSync } from 'node:fs'
import { connect, type ListenOptions, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { StartError } from '../db/start-error.ts'

/**
 * Listens where the settings say, or on the socket with the descriptor `handedOver`. Throws a StartError that names the
 * setting.
 */
export async function listen(app: FastifyInstance, handedOver: number | undefined): Promise<void> {
  const { host, port, socket } = app.config
  const where =
    handedOver !== undefined ? 'LISTEN_FDS' : socket !== undefined ? `HOST ${host}` : `HOST ${host}, PORT ${port}`
  try {
    if (handedOver !== undefined) await bind(app, { fd: handedOver })
    else if (socket !== undefined) await bind(app, { path: await freed(socket) })
    else await app.listen({ host, port })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (error instanceof StartError || code === '') throw error
    throw new StartError(`${where}: ${whyNot[code] ?? 'the panel cannot listen there'} (${code}).`)
  }
}

const whyNot: Record<string, string> = {
  EADDRINUSE: 'another program listens there; set PORT to a free one',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no address is known for this name',
  EAI_AGAIN: 'no address can be found for this name now',
  ENOENT: 'there is no such folder',
}

async function bind(app: FastifyInstance, options: ListenOptions & { fd?: number }): Promise<void> {
  const { server } = app
  await app.ready()
  // A Unix socket is for its owner and group: anyone who may connect is treated as this machine's proxy.
  const before = process.umask(0o117)
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      // That of a handed over Unix socket has no name.
      const address = server.address() as ReturnType<typeof server.address> | null
      if (typeof address !== 'object' || address === null) server.on('connection', nameLocal)
      resolve()
    })
  })
  process.umask(before)
  await listening
}

/**
 * A Unix socket has no address for its clients: they count as this machine, for TRUST_PROXY and every limit by
 * address.
 */
function nameLocal(socket: Socket): void {
  Object.defineProperty(socket, 'remoteAddress', { value: '127.0.0.1' })
}

/** Removes a socket file that a crash left behind, if nothing listens on it. Returns the path. */
async function freed(path: string): Promise<string> {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (!there) return path
  if (!there.isSocket()) throw new StartError(`HOST unix:${path}: there is a file that is no socket. Move it away.`)
  const answer = await new Promise<string>((resolve) => {
    const client = connect(path, () => resolve('connected'))
    client.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    client.on('connect', () => client.destroy())
  })
  if (answer !== 'ECONNREFUSED') throw new StartError(`HOST unix:${path}: another program listens there.`)
  rmSync(path)
  return path
}
