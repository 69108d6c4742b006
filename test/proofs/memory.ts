// node test/proofs/memory.ts [UPLOADS=10] [MEBIBYTES=100] [MOST=200]
// What a running panel takes in resident memory while files are sent to it that it does not want: by a visitor, by a
// user of no account, by a user without the right, and by one who has it. Fails when that is more than MOST MiB above
// what it takes idle. Only for Linux, which says what a process takes (/proc).
import { copyFileSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { cast } from '../../src/demo.ts'
import { type Client, castDatabase, newFolder } from '../harness.ts'
import { startProcess } from '../process.ts'

const [uploads = 10, size = 100, most = 200] = process.argv.slice(2).map(Number)
const dataDir = newFolder()
copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
const panel = await startProcess(dataDir, { settings: { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent' } })
const mebibyte = Buffer.alloc(1024 * 1024, 'name,identifier\n')

const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${panel.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

/** Sends a body of that many MiB, whatever the answer: its status, or how the connection ended. */
function send(client: Client, path: string, part: string, csrf: string): Promise<string> {
  const field = (name: string, value: string) =>
    `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const next = `\r\n--x\r\nContent-Disposition: form-data; ${part}\r\n\r\n`
  const head = `${field('_csrf', csrf)}${field('_account', 'cloudhaus')}--x\r\nContent-Disposition: form-data; ${part}\r\n\r\n`
  const tail = '\r\n--x--\r\n'
  const parts = part.includes('text') ? Math.floor(size / 9) : 0
  const { host, hostname, port } = new URL(panel.url)
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: ${host}`,
    `cookie: ${[...client.cookies].map((pair) => pair.join('=')).join('; ')}`,
    `origin: ${panel.url}`,
    'content-type: multipart/form-data; boundary=x',
    `content-length: ${Buffer.byteLength(head) + size * mebibyte.length + parts * next.length + tail.length}`,
  ]
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    let status = ''
    let all = false
    const done = (how: string) => {
      resolve(status || how)
      socket.destroy()
    }
    socket.on('data', (answer) => {
      status ||= answer.toString('latin1').slice(9, 12)
      if (all) done(status)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    socket.on('close', () => done('closed'))
    socket.write(`${lines.join('\r\n')}\r\n\r\n${head}`)
    let n = 0
    const more = () => {
      while (n < size) {
        // A part may hold up to 10 MiB: the next one begins before that.
        if (n % 9 === 8 && parts > 0) socket.write(next)
        n++
        if (!socket.write(mebibyte)) return socket.once('drain', more)
      }
      socket.write(tail, () => {
        all = true
        if (status) done(status)
      })
    }
    more()
  })
}

let failed = false
for (const [who, as, part] of [
  ['a visitor', undefined, 'name="file"; filename="large.csv"'],
  ['a user of no account', 'nils', 'name="file"; filename="large.csv"'],
  ['a user without the right', 'max', 'name="file"; filename="large.csv"'],
  ['a user with the right', 'petra', 'name="file"; filename="large.csv"'],
  ['a user of no account, as fields', 'nils', 'name="text"'],
  ['a user with the right, as fields', 'petra', 'name="text"'],
] as const) {
  const client = panel.visit()
  if (as) await client.logIn(cast[as].email)
  const page = await client.open('/')
  const csrf = page.root.querySelector('input[name="_csrf"]')?.getAttribute('value') ?? ''
  await pause(1_000)
  const idle = resident()
  let peak = idle
  const watching = setInterval(() => {
    peak = Math.max(peak, resident())
  }, 10)
  const began = performance.now()
  const answers = await Promise.all(Array.from({ length: uploads }, () => send(client, '/partner/imports', part, csrf)))
  clearInterval(watching)
  const more = peak - idle
  if (more > most) failed = true
  console.log(
    `${who}: ${uploads} × ${size} MiB → ${[...new Set(answers)].join(', ')} in ${Math.round(performance.now() - began)} ms; ` +
      `resident ${idle.toFixed(0)} MiB idle, ${peak.toFixed(0)} MiB at most (+${more.toFixed(0)})`,
  )
}
await panel.stop()
rmSync(dataDir, { recursive: true, force: true })
process.exit(failed ? 1 : 0)
