import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { CastName } from '../../src/demo.ts'
import { type Client, type Panel, publicUrl, startApp } from '../harness.ts'
import { pause } from '../smtp.ts'

// What is sent to the panel is read no further than it is wanted, and by nobody's memory kept.

t.setTimeout(600_000)

const mebibyte = 1024 * 1024
const multipart = 'multipart/form-data; boundary=x'
const urlencoded = 'application/x-www-form-urlencoded'

async function listen(panel: Panel): Promise<number> {
  await panel.app.listen({ port: 0, host: '127.0.0.1' })
  return (panel.app.server.address() as AddressInfo).port
}

type Sent = { path: string; type: string; length: number | 'chunked'; method?: string }

/** Begins a request: its head alone, nothing of its body. */
function begin(t: Test, port: number, client: Client, { path, type, length, method = 'POST' }: Sent): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  const cookie = [...client.cookies].map((pair) => pair.join('=')).join('; ')
  socket.write(
    [
      `${method} ${path} HTTP/1.1`,
      'host: localhost',
      `origin: ${publicUrl}`,
      ...(cookie ? [`cookie: ${cookie}`] : []),
      `content-type: ${type}`,
      length === 'chunked' ? 'transfer-encoding: chunked' : `content-length: ${length}`,
      '\r\n',
    ].join('\r\n'),
  )
  return socket
}

/** Everything that is answered, until its status is known. */
async function statusOf(socket: Socket): Promise<number> {
  const [first] = (await once(socket, 'data')) as [Buffer]
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(first.toString('latin1'))?.[1])
}

const part = (name: string) => `--x\r\nContent-Disposition: form-data; ${name}\r\n\r\n`

t.test('a large body is answered before any of it is read, on any route, from any sender', async (t) => {
  const panel = await startApp(t)
  const port = await listen(panel)
  const routes = panel.routes.filter(({ method }) => method === 'POST')
  t.ok(routes.length > 60, 'the routes are those of the running application')
  const actors: [string, Client][] = [['visitor', panel.visit()]]
  for (const who of ['nils', 'tom', 'max', 'petra', 'olga'] as const) actors.push([who, await panel.signIn(who)])
  // On a busy machine it takes so long that sessions are seen again.
  const rows = () => JSON.parse(JSON.stringify(panel.rows(), (name, value) => (name === 'last_seen_at' ? 0 : value)))
  const before = rows()

  for (const [who, client] of actors)
    for (const { url, config } of routes) {
      const path = url.replaceAll(/:\w+/g, '1')
      const large = { path, length: 100 * mebibyte }
      for (const type of [urlencoded, multipart, 'application/json', 'application/octet-stream']) {
        const socket = begin(t, port, client, { ...large, type })
        const status = await statusOf(socket)
        const refused = who === 'visitor' && config?.can !== 'health.see' ? [303, 413] : [403, 413]
        t.ok(refused.includes(status), `${who} ${url} ${type}: ${status}`)
        socket.destroy()
      }
    }
  t.strictSame(rows(), before)
})

t.test(
  'a body of unknown length is read up to the size of a form, and up to a file’s where one is wanted',
  async (t) => {
    const panel = await startApp(t)
    const port = await listen(panel)
    const petra = await panel.signIn('petra')
    const chunk = (size: number) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`
    for (const { url } of panel.routes.filter(({ method }) => method === 'POST')) {
      const socket = begin(t, port, petra, { path: url.replaceAll(/:\w+/g, '1'), type: urlencoded, length: 'chunked' })
      socket.write(chunk(64 * 1024 + 1))
      t.equal(await statusOf(socket), 413, url)
      socket.destroy()
    }
    const socket = begin(t, port, petra, { path: '/partner/imports', type: multipart, length: 'chunked' })
    const head = part('name="file"; filename="large.csv"')
    socket.write(`${head.length.toString(16)}\r\n${head}\r\n`)
    for (let n = 0; n < 11; n++) socket.write(chunk(mebibyte))
    t.equal(await statusOf(socket), 413)
  },
)

t.test('a sender who may not send a file is told so before its first byte, even if its size is allowed', async (t) => {
  const panel = await startApp(t)
  const port = await listen(panel)
  for (const who of ['nils', 'tom', 'max', 'olga'] as const) {
    const client = await panel.signIn(who)
    for (const path of ['/partner/imports', '/customer/imports'])
      for (const length of ['chunked', mebibyte] as const) {
        const socket = begin(t, port, client, { path, type: multipart, length })
        t.equal(await statusOf(socket), 403, `${who} ${path} ${length}`)
        socket.destroy()
      }
  }
})

t.test('a file is taken only by the forms that ask for one', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const body = `${part('name="_csrf"')}x\r\n--x--\r\n`
  for (const { url, config } of panel.routes.filter(({ method }) => method === 'POST')) {
    const answer = await petra.postRaw(url.replaceAll(/:\w+/g, '1'), body, { 'content-type': multipart })
    const takesFile = /^\/(partner|customer)\/imports$/.test(url)
    t.equal(answer.status, takesFile ? 403 : 415, `${url} ${config?.can}`)
  }
})

t.test('who sends too large a file reads why, on a connection that stays whole', async (t) => {
  const panel = await startApp(t)
  const port = await listen(panel)
  const petra = await panel.signIn('petra')
  for (const [what, head, size, status] of [
    ['a file', part('name="file"; filename="large.csv"'), 12 * mebibyte, 413],
    ['a file that is a little too large', part('name="file"; filename="large.csv"'), 10 * mebibyte + 1, 413],
    ['pasted lines', part('name="text"'), 2 * mebibyte, 413],
    ['thousands of parts', part('name="a"').repeat(20_000), 2 * mebibyte, 400],
    ['a header without end, and so no field', '--x\r\nContent-Disposition: form-data; name="', 2 * mebibyte, 403],
  ] as const) {
    const tail = '\r\n--x--\r\n'
    const length = head.length + size + tail.length
    const socket = begin(t, port, petra, { path: '/partner/imports', type: multipart, length })
    const answer = statusOf(socket)
    socket.write(head)
    socket.write(Buffer.alloc(size, 'x'))
    socket.write(tail)
    t.equal(await answer, status, what)
    socket.destroy()
  }
  t.same(panel.rows().imports, [])
})

t.test('of one user two files are read at once, of all users six; the others read that they must wait', async (t) => {
  const panel = await startApp(t)
  const port = await listen(panel)
  const clients = new Map<CastName, Client>()
  for (const who of ['petra', 'riva', 'stella', 'uma'] as const) clients.set(who, await panel.signIn(who))
  const pages = {
    petra: '/partner/imports',
    riva: '/partner/imports',
    stella: '/customer/imports',
    uma: '/customer/imports',
  }
  const start = (who: keyof typeof pages) => {
    const client = clients.get(who)
    if (!client) throw new Error(`${who} has not logged in`)
    const socket = begin(t, port, client, { path: pages[who], type: multipart, length: mebibyte })
    socket.write(part('name="file"; filename="slow.csv"'))
    return socket
  }
  // What is admitted is answered only when its body has come.
  const slow = [start('petra'), start('petra')]
  t.equal(await statusOf(start('petra')), 429)
  slow.push(start('riva'), start('riva'), start('stella'), start('stella'))
  t.equal(await statusOf(start('uma')), 429)
  for (const socket of slow) socket.destroy()
  const file = { name: 'list.csv', bytes: Buffer.from('name,e-mail\nAnn,ann@umbrella.example\n') }
  let status = 0
  for (let tries = 0; tries < 1_000 && status !== 200; tries++) {
    status = (await clients.get('uma')?.upload('/customer/imports', 'Check the file', file))?.status ?? 0
    await pause(10)
  }
  t.equal(status, 200, 'who goes away makes room')
})

t.test('people who may not import take no place from those who may, however slowly they send', async (t) => {
  const panel = await startApp(t)
  const port = await listen(panel)
  for (const who of ['nils', 'tom', 'max', 'olga'] as const) {
    const client = await panel.signIn(who)
    for (const path of ['/customer/imports', '/partner/imports'])
      for (const _ of [1, 2]) {
        const socket = begin(t, port, client, { path, type: multipart, length: 1_000 })
        socket.write(part('name="file"; filename="slow.csv"'))
      }
  }
  await pause(200)
  const file = { name: 'list.csv', bytes: Buffer.from('name,e-mail\nAnn,ann@umbrella.example\n') }
  const uma = await panel.signIn('uma')
  t.equal((await uma.upload('/customer/imports', 'Check the file', file)).status, 200)
})

/** A whole form with a file, as the page of the client sends it. */
async function formOf(client: Client, path: string, content: string): Promise<string> {
  const page = await client.get(path)
  const hidden = [...page.root.querySelectorAll(`form[action="${path}"] input[type=hidden]`)]
  const fields = hidden.map((one) => `${part(`name="${one.getAttribute('name')}"`)}${one.getAttribute('value')}\r\n`)
  return `${fields.join('')}${part('name="file"; filename="slow.csv"')}${content}\r\n--x--\r\n`
}

/** Sends bytes in equal parts over so many milliseconds; stops when the connection is closed. */
async function sendSlowly(socket: Socket, body: string, time: number): Promise<void> {
  const parts = 20
  const size = Math.ceil(body.length / parts)
  for (let n = 0; n < parts && !socket.destroyed; n++) {
    socket.write(body.slice(n * size, (n + 1) * size))
    await pause(time / parts)
  }
}

/** All that is answered until the connection is closed. */
async function answerOf(socket: Socket): Promise<string> {
  const parts: Buffer[] = []
  socket.on('data', (one: Buffer) => parts.push(one))
  await once(socket, 'close')
  return Buffer.concat(parts).toString()
}

t.test('a slow upload arrives; every other request that is as slow reads that it took too long', async (t) => {
  const panel = await startApp(t, { times: { form: 1_000, upload: 6_000 } })
  const port = await listen(panel)
  const [petra, max] = [await panel.signIn('petra'), await panel.signIn('max')]
  const imports = '/partner/imports'
  const body = await formOf(petra, imports, `name,identifier\nSlow,slow\n${' '.repeat(10_000)}`)
  const ask = (
    who: Client,
    path: string,
    { type, length = body.length, method = 'POST' }: { type: string; length?: number; method?: string },
  ) => begin(t, port, who, { path, type, length, method })

  const whole = ask(petra, imports, { type: multipart })
  const status = statusOf(whole)
  await sendSlowly(whole, body, 1_500)
  t.equal(await status, 303, 'longer than a form may take')
  t.equal(panel.rows().imports?.length, 1)
  whole.destroy()

  for (const [what, socket, time, wanted] of [
    ['an upload without end', ask(petra, imports, { type: multipart }), 9_000, 408],
    ['a form', ask(petra, '/partner/customers', { type: urlencoded }), 2_500, 408],
    ['a form of a visitor', ask(panel.visit(), '/login', { type: urlencoded }), 2_500, 408],
    ['an upload by somebody who may not import', ask(max, imports, { type: multipart }), 2_500, 408],
    ['a page', ask(petra, imports, { type: urlencoded, length: body.length, method: 'GET' }), 2_500, 200],
  ] as const) {
    const answer = answerOf(socket)
    await sendSlowly(socket, body, time)
    const text = await answer
    t.match(text, `HTTP/1.1 ${wanted}`, what)
    t.match(text, /content-type: text\/html/i, what)
    if (wanted === 408) t.match(text, /did not arrive within (1 second|6 seconds)\. Nothing was changed/, what)
  }
  t.equal(panel.rows().imports?.length, 1, 'and nothing of them was kept')
})

t.test('whatever is refused is a page in words, with a way back', async (t) => {
  const panel = await startApp(t)
  const port = await listen(panel)
  const petra = await panel.signIn('petra')
  const cookie = [...petra.cookies].map((pair) => pair.join('=')).join('; ')
  const send = async (head: string, ...headers: string[]) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    const answer = answerOf(socket)
    const rest = ['connection: close', `cookie: ${cookie}`, `origin: ${publicUrl}`, ...headers, '', '']
    socket.write([head, 'host: localhost', ...rest].join('\r\n'))
    return answer
  }
  const post = (path: string, type: string, body: string) =>
    send(`POST ${path} HTTP/1.1`, `content-type: ${type}`, `content-length: ${body.length}`, '', body)
  for (const [what, answer, status] of [
    ['no address', await send('GET /%zz HTTP/1.1'), 400],
    ['an address that leads nowhere', await send('GET /nothing/here HTTP/1.1'), 404],
    ['a long address', await send(`GET /${'x'.repeat(300)} HTTP/1.1`), 404],
    ['a far too long address', await send(`GET /${'x'.repeat(40_000)} HTTP/1.1`), 431],
    ['no HTTP', await send('Hello there'), 400],
    ['two hosts', await send('GET /login HTTP/1.1', 'host: other'), 400],
    ['another method', await send('PUT /partner/customers HTTP/1.1', 'content-length: 0'), 404],
    ['a method that is never used', await send('PROPFIND /partner/customers HTTP/1.1'), 404],
    ['JSON', await post('/partner/customers', 'application/json', '{}'), 415],
    ['a type that is none', await post('/partner/customers', 'nonsense', 'x'), 415],
    ['a file where none is wanted', await post('/partner/customers', multipart, '--x--'), 415],
    ['a form without boundary', await post('/partner/imports', 'multipart/form-data', 'x'), 400],
    ['a form that is cut', await post('/partner/imports', multipart, part('name="file"; filename="a.csv"')), 400],
    ['no asset', await send('GET /assets/nothing.css HTTP/1.1'), 404],
    ['an asset outside', await send('GET /assets/%2e%2e/package.json HTTP/1.1'), 404],
    ['a wrong length', await send('POST /login HTTP/1.1', 'content-length: x'), 400],
    [
      'wrong chunks',
      await send('POST /login HTTP/1.1', `content-type: ${urlencoded}`, 'transfer-encoding: chunked', '', 'zz'),
      400,
    ],
  ] as const) {
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `), what)
    t.match(answer, /content-type: text\/html/i, `${what} is a page`)
    t.match(answer, /<h1>/, what)
    t.match(answer, /<a [^>]*href="[^"]*\/"/, `${what}: a way back`)
  }
})
