// node test/proofs/uploads.ts [ROWS=50000] [KILOBYTES_A_SECOND=100]
// Whether a file of ROWS rows holds up other requests while it is checked and deleted (the longest time that the event
// loop of a running panel did nothing else), and whether 10 MiB arrive at so many kB a second.
import { copyFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { cast } from '../../src/demo.ts'
import { castDatabase, newFolder } from '../harness.ts'
import { startProcess } from '../process.ts'

const [rows = 50_000, speed = 100] = process.argv.slice(2).map(Number)
const dataDir = newFolder()
copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
const panel = await startProcess(dataDir, { settings: { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent' } })
const petra = panel.visit()
await petra.logIn(cast.petra.email)
const imports = '/partner/imports'

/** Milliseconds since it was last asked; the panel starts again with each answer. */
async function longestStall(): Promise<number> {
  const { body } = await panel.visit().get('/metrics')
  return 1_000 * Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(body)?.[1])
}

async function measured(what: string, act: () => Promise<unknown>): Promise<void> {
  await longestStall()
  const start = performance.now()
  await act()
  const time = performance.now() - start
  console.log(`${what}: ${(time / 1_000).toFixed(1)} s, longest stall ${(await longestStall()).toFixed(0)} ms`)
}

/** A form as its page sends it, with a file of so many bytes. */
async function formOf(size: number): Promise<Buffer> {
  const page = await petra.get(imports)
  const part = (name: string) => `--x\r\nContent-Disposition: form-data; ${name}\r\n\r\n`
  const hidden = [...page.root.querySelectorAll(`form[action="${imports}"] input[type=hidden]`)]
  const fields = hidden.map((one) => `${part(`name="${one.getAttribute('name')}"`)}${one.getAttribute('value')}\r\n`)
  const head = `${fields.join('')}${part('name="file"; filename="large.csv"')}`
  const row = `Large,large,${'x'.repeat(1_000)}\n`
  const file = `name,identifier,note\n${row.repeat(Math.floor(size / row.length) - 1)}`
  return Buffer.from(`${head}${file}\r\n--x--\r\n`)
}

async function sendSlowly(body: Buffer): Promise<string> {
  const { host, hostname, port } = new URL(panel.url)
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.on('data', (part) => {
    answer ||= part.toString('latin1').slice(0, 12)
  })
  socket.on('error', (error) => {
    answer ||= error.message
  })
  const lines = [
    `POST ${imports} HTTP/1.1`,
    `host: ${host}`,
    `cookie: ${[...petra.cookies].map((pair) => pair.join('=')).join('; ')}`,
    `origin: ${panel.url}`,
    'content-type: multipart/form-data; boundary=x',
    `content-length: ${body.length}`,
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const start = performance.now()
  for (let sent = 0; sent < body.length && !answer; ) {
    const due = Math.min(body.length, Math.ceil(performance.now() - start) * speed)
    socket.write(body.subarray(sent, due))
    sent = due
    await pause(100)
  }
  while (!answer) await pause(100)
  socket.destroy()
  return answer
}

async function check(count: number) {
  const lines = Array.from({ length: count }, (_, n) => `Müller ${n},shop-${n},,,,${n % 9}\r\n`)
  const bytes = Buffer.from(`name,identifier,admin name,admin e-mail,role,project limit\r\n${lines.join('')}`, 'latin1')
  return petra.upload(imports, 'Check the file', { name: 'rows.csv', bytes })
}

// What runs for the first time is compiled first.
let page = await check(2_000)
await petra.press(page, 'Discard')
await measured(`${rows.toLocaleString('en')} rows checked`, async () => {
  page = await check(rows)
})
await measured('discarded and deleted', async () => {
  await petra.press(page, 'Discard')
  await pause(5_000)
})
await measured(`10 MiB at ${speed} kB/s`, async () => {
  const body = await formOf(10 * 1024 * 1024)
  console.log(`${body.length.toLocaleString('en')} bytes: ${await sendSlowly(body)}`)
})
await panel.stop()
rmSync(dataDir, { recursive: true, force: true })
