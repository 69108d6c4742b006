import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { root } from '../src/config.ts'
import { nodeFlags } from '../src/tooling/contents.mjs'
import { type Answer, Client, type Server, type ServerRequest } from './harness.ts'
import { pause } from './smtp.ts'

// A panel that runs as a process of its own, and clients that reach it over HTTP.

export const launch = join(root, 'src/tooling/launch.mjs')

export type PanelProcess = {
  url: string
  pid: number
  printed: () => string
  visit: () => Client
  /** Stops it as a service manager would; returns its exit code. */
  stop: () => Promise<number | null>
  /** Ends it as a power cut would. */
  kill: () => Promise<void>
}

/** Starts a panel on a data folder, and waits until it answers. */
export async function startProcess(
  dataDir: string,
  {
    command = 'start',
    settings = {},
    program: [file = '', ...args] = [process.execPath, ...nodeFlags, launch],
    cwd,
  }: { command?: string; settings?: Record<string, string>; program?: string[]; cwd?: string } = {},
): Promise<PanelProcess> {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const child: ChildProcess = spawn(file, [...args, command], {
    cwd,
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      HOST: 'localhost',
      LOG_LEVEL: 'warn',
      ...(dataDir ? { DATA_DIR: dataDir } : {}),
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      out += chunk
    })
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const ended = once(child, 'exit')
    child.kill(signal)
    const [code] = await ended
    return code as number | null
  }
  for (let tries = 0; tries < 1_000 && child.exitCode === null && !(await answers(url)); tries++) await pause(20)
  const server = overHttp(url)
  return {
    url,
    pid: child.pid ?? 0,
    printed: () => out,
    visit: () => new Client(server, url),
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL')
    },
  }
}

/** Runs a command of the command line to its end. */
export function runCommand(args: string[], dataDir: string, input = '', settings: Record<string, string> = {}) {
  return runProgram([process.execPath, launch, ...args], dataDir, input, settings)
}

/** Runs a program with the environment of a command. */
export function runProgram(
  [program = '', ...args]: string[],
  dataDir: string,
  input = '',
  settings: Record<string, string> = {},
) {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', ...(dataDir ? { DATA_DIR: dataDir } : {}), ...settings },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const done = (async () => {
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { code: code as number | null, out, err }
  })()
  return { child, done }
}

function answers(url: string): Promise<boolean> {
  return fetch(`${url}/login`).then(
    (answer) => answer.ok,
    () => false,
  )
}

/** Sends a client's requests to an address, as a browser would: redirects are the client's to follow. */
export function overHttp(base: string): Server {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  return {
    inject: ({ method, url, headers, payload }: ServerRequest) =>
      new Promise<Answer>((resolve, reject) => {
        const body = payload === undefined ? undefined : Buffer.from(payload)
        const sent = request(
          new URL(base).origin + url,
          { method, agent, headers: { ...headers, ...(body ? { 'content-length': body.length } : {}) } },
          async (answer) => {
            try {
              const { statusCode = 0, headers } = answer
              const cookies = (headers['set-cookie'] ?? []).map(readCookie)
              resolve({ statusCode, headers, body: await text(answer), cookies })
            } catch (error) {
              reject(error)
            }
          },
        )
        sent.on('error', reject)
        sent.end(body)
      }),
  }
}

function readCookie(header: string): Answer['cookies'][number] {
  const [pair = '', ...attributes] = header.split(/;\s*/)
  const [name = '', value = ''] = pair.split(/=(.*)/s)
  const maxAge = attributes.find((attribute) => /^max-age=/i.test(attribute))?.split('=')[1]
  return { name, value, ...(maxAge === undefined ? {} : { maxAge: Number(maxAge) }) }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || !address) throw new Error('no port is free')
  return address.port
}
