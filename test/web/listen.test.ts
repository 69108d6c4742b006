import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { readConfig, takeHandedOver } from '../../src/config.ts'
import { newFolder } from '../harness.ts'
import { freePort, launch, runCommand } from '../process.ts'
import { pause, until } from '../smtp.ts'

// Where the panel listens apart from a port of its own: a Unix socket, and one that a service manager hands over.

type Answer = { status: number; body: string }

function ask(where: { socketPath: string } | { port: number }, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, host: 'localhost', path, agent: false }, async (answer) =>
      resolve({ status: answer.statusCode ?? 0, body: await text(answer) }),
    )
    asked.on('error', reject)
    asked.end()
  })
}

const isReady = (where: Parameters<typeof ask>[0]) => () =>
  ask(where, '/health/ready').then(
    ({ status }) => status === 200,
    () => false,
  )

function startOn(t: Test, dataDir: string, socket: string): ChildProcess {
  const child = spawn(process.execPath, [launch, 'start'], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, HOST: `unix:${socket}`, LOG_LEVEL: 'warn' },
    stdio: 'ignore',
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
  const ended = once(child, 'exit')
  child.kill(signal)
  return (await ended)[0]
}

t.test('HOST=[::] listens on every address, of IPv6 too', async (t) => {
  const port = await freePort()
  const child = spawn(process.execPath, [launch, 'start'], {
    env: { PATH: process.env.PATH, DATA_DIR: newFolder(), HOST: '[::]', PORT: String(port), LOG_LEVEL: 'warn' },
    stdio: 'ignore',
  })
  t.teardown(() => child.kill('SIGKILL'))
  for (const address of ['::1', '127.0.0.1'])
    await until(`an answer at ${address}`, isReady({ hostname: address, port } as { port: number }))
})

t.test(
  'on a Unix socket owner and group are served, as this machine, and a crash leaves nothing in the way',
  async (t) => {
    const dataDir = newFolder()
    const socket = join(newFolder(), 'panel.sock')
    const first = startOn(t, dataDir, socket)
    await until('it is ready', isReady({ socketPath: socket }))
    t.equal(statSync(socket).mode & 0o777, 0o660)
    t.match(await ask({ socketPath: socket }, '/metrics'), { status: 200, body: /meshpanel_writable 1/ })

    const other = { HOST: `unix:${socket}` }
    t.match(await runCommand(['start'], newFolder(), '', other).done, { code: 2, err: /another program listens there/ })
    t.equal((await ask({ socketPath: socket }, '/login')).status, 200, 'which harms nobody')

    await end(first, 'SIGKILL')
    t.ok(existsSync(socket), 'its file stays after a crash')
    const second = startOn(t, dataDir, socket)
    await until('it is ready again', isReady({ socketPath: socket }))
    t.equal(await end(second, 'SIGTERM'), 0)
    t.notOk(existsSync(socket))

    mkdirSync(socket)
    t.match(await runCommand(['start'], dataDir, '', other).done, { code: 2, err: /^HOST .* no socket.*\n$/ })
    const nowhere = { HOST: `unix:${join(dataDir, 'none', 'panel.sock')}` }
    t.match(await runCommand(['start'], dataDir, '', nowhere).done, { code: 2, err: /^HOST .*\n$/ })
  },
)

t.test('HOST names a Unix socket by a path that a socket can have', (t) => {
  t.equal(readConfig({}, { HOST: 'unix:/run/meshpanel/panel.sock' }).socket, '/run/meshpanel/panel.sock')
  for (const path of ['panel.sock', '', `/${'x'.repeat(107)}`])
    t.throws(() => readConfig({}, { HOST: `unix:${path}` }), { message: /^HOST / })
  t.end()
})

t.test('only a socket that is meant for this process is taken over, and nothing of it is passed on', (t) => {
  const mine = { LISTEN_PID: String(process.pid), LISTEN_FDS: '1', LISTEN_FDNAMES: 'http', PATH: 'x' }
  t.equal(takeHandedOver(mine), 3)
  t.same(mine, { PATH: 'x' })
  t.equal(takeHandedOver({ LISTEN_PID: '1', LISTEN_FDS: '1' }), undefined)
  t.equal(takeHandedOver({}), undefined)
  t.throws(() => takeHandedOver({ LISTEN_PID: String(process.pid), LISTEN_FDS: '2' }), { message: /^LISTEN_FDS is 2/ })
  t.end()
})

/** Three panels, one after another, on one listening socket that a shell holds as descriptor 3, as systemd does. */
const inTurn = `for n in 1 2 3; do
  /bin/sh -c 'echo "pid $$"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$1" start' "$0" "$1"
done`

for (const kind of ['a port', 'a Unix socket']) {
  t.test(`on ${kind} that is handed over, restarts turn nobody away`, async (t) => {
    const socketPath = join(newFolder(), 'panel.sock')
    const made = `${socketPath}.made`
    const listening = createServer()
    listening.listen(kind === 'a port' ? { port: 0, host: '127.0.0.1' } : { path: made })
    await once(listening, 'listening')
    const address = listening.address()
    const where = typeof address === 'object' && address ? { port: address.port, family: 4 } : { socketPath }
    const { fd } = (listening as unknown as { _handle: { fd: number } })._handle
    const shell = spawn('/bin/sh', ['-c', inTurn, process.execPath, launch], {
      env: { PATH: process.env.PATH, DATA_DIR: newFolder(), PUBLIC_URL: 'http://localhost', LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'pipe', 'inherit', fd],
    })
    let printed = ''
    shell.stdout?.on('data', (chunk) => {
      printed += chunk
    })
    const pids = () => [...printed.matchAll(/^pid (\d+)$/gm)].map(([, pid]) => Number(pid))
    t.teardown(() => {
      shell.kill('SIGKILL')
      const last = pids().at(-1)
      if (last !== undefined && shell.exitCode === null) process.kill(last, 'SIGKILL')
    })
    // Closing removes the file of a Unix socket by its name.
    if (kind !== 'a port') renameSync(made, socketPath)
    listening.close()
    await until('it is ready', isReady(where))

    const answers: (number | string)[] = []
    let asking = true
    const askers = Array.from({ length: 4 }, async () => {
      while (asking) {
        const answer = ask(where, '/login').then(
          ({ status }) => status,
          (error: NodeJS.ErrnoException) => error.code ?? error.message,
        )
        answers.push(await answer)
        await pause(5)
      }
    })
    for (let n = 1; n <= 2; n++) {
      await pause(200)
      process.kill(pids().at(-1) ?? 0, 'SIGTERM')
      await until('another one has taken over', () => pids().length > n)
      const before = answers.length
      await until('it answers', () => answers.length > before + 8)
    }
    asking = false
    await Promise.all(askers)
    t.same([...new Set(answers)], [200], `${answers.length} requests, all answered`)
    const ended = once(shell, 'exit')
    process.kill(pids().at(-1) ?? 0, 'SIGTERM')
    t.same((await ended)[0], 0)
  })
}
