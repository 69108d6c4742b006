import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Place } from '../elsewhere/place.ts'
import { environmentFor, type Litestream, lastErrorIn, writeSettings } from './litestream.ts'

export type Child = {
  /** Litestream's metrics, as Prometheus reads them. */
  metrics: () => Promise<string>
  /** Resolves when it has ended, with the last error that it said. */
  ended: Promise<string>
  /** Lets it send everything that is written, and end; after `longest` milliseconds it is killed. */
  stop: (longest: number) => Promise<void>
}

const pidFile = (dataDir: string) => join(dataDir, 'replica', 'litestream.pid')

/** Starts Litestream on a database. `say` gets each line of its log. */
export async function startChild(
  { file }: Litestream,
  { dataDir, place, keepHours }: { dataDir: string; place: Place; keepHours: number },
  say: (line: string) => void,
): Promise<Child> {
  await endOrphan(dataDir)
  const port = await freePort()
  const settings = writeSettings(dataDir, place, { name: 'litestream.json', port, keepHours })
  // It ends within half a second of the panel, also where that was killed: two of them must never share a database. The
  // loop itself ends with either.
  const alive = `sh -c 'while kill -0 ${process.pid} && kill -0 $PPID; do sleep 0.5; done 2>/dev/null'`
  const child = spawn(file, ['replicate', '-no-expand-env', '-config', settings, '-exec', alive], {
    env: environmentFor(place),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const listen = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-20_000)
    for (const line of chunk.toString().split('\n').filter(Boolean)) say(line)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message))
    child.once('exit', (code) => resolve(lastErrorIn(said) || `it ended with ${code ?? 'a signal'}`))
  })
  if (child.pid !== undefined) writeFileSync(pidFile(dataDir), String(child.pid), { mode: 0o600 })
  return {
    metrics: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2_000) })
      return answer.text()
    },
    ended,
    stop: async (longest) => {
      await stopChild(child, ended, longest)
      rmSync(pidFile(dataDir), { force: true })
    },
  }
}

async function stopChild(child: ChildProcess, ended: Promise<unknown>, longest: number): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), longest)
  await ended
  clearTimeout(timer)
}

/** Ends a Litestream that a killed panel left on this database: at once, as the panel was. */
async function endOrphan(dataDir: string): Promise<void> {
  let pid: number
  try {
    pid = Number(readFileSync(pidFile(dataDir), 'utf8'))
    // The number may be another program's by now.
    if (!pid || !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(dataDir, 'replica'))) return
  } catch {
    return
  }
  for (let tries = 0; tries < 50; tries++) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
