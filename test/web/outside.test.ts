import { execFile } from 'node:child_process'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createSocketServer } from 'node:net'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { root } from '../../src/config.ts'
import { newOutside, type OutsideAnswer, type OutsideRequest } from '../../src/web/outside.ts'

const request = (url: string, more: Partial<OutsideRequest> = {}): OutsideRequest => ({
  method: 'POST',
  url,
  body: '{}',
  within: 2_000,
  mostBytes: 1_000,
  ...more,
})

/** A server on loopback; it counts the connections. */
async function listen(
  t: Test,
  answer: RequestListener,
): Promise<{ url: string; port: number; connections: () => number }> {
  const server: Server = createServer(answer)
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/hook`, port, connections: () => connections }
}

const whyNot = async (sent: Promise<OutsideAnswer>) =>
  sent.then(
    ({ status }) => `answered ${status}`,
    (error: Error) => error.message,
  )

/** Ways to write an address that is not public. */
const inner = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0x7f.0.0.1',
  '0X7F.1',
  '0177.0.0.1',
  '017700000001',
  '127.0.0.1.',
  '127.255.255.254',
  '１２７.０.０.１',
  '127。0。0。1',
  '%31%32%37.0.0.1',
  '0',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.5',
  '167772165',
  '100.64.0.1',
  '169.254.169.254',
  '0xa9fea9fe',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:10.0.0.5]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::1]',
  '[100::1]',
  '[2001::1]',
  '[2001:db8::1]',
  '[2002:7f00:1::]',
  '[3fff::1]',
  '[fc00::1]',
  '[fd12:3456:789a::1]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
]

t.test('no spelling of an inner address is reached', async (t) => {
  const outside = newOutside([])
  for (const host of inner) {
    const url = `https://${host}/`
    t.match(outside.whyNot(url), /is no public address\.$/, host)
    t.match(await whyNot(outside.send(request(url))), /is no public address\.$/, host)
  }
})

t.test('public addresses may be reached, by https alone', async (t) => {
  const outside = newOutside([])
  for (const host of ['8.8.8.8', '134744072', '[2606:4700:4700::1111]', 'hooks.example.com']) {
    t.equal(outside.whyNot(`https://${host}/`), undefined, host)
  }
  for (const url of ['http://8.8.8.8/', 'http://hooks.example.com/'])
    t.match(outside.whyNot(url), /must begin with https/, url)
  t.match(await whyNot(outside.send(request('http://8.8.8.8/'))), /must begin with https/)
})

t.test('an address that is none, or holds more, is refused', async (t) => {
  const outside = newOutside([])
  for (const url of [
    '',
    'hooks.example.com',
    'https://',
    'ftp://8.8.8.8/',
    'file:///etc/passwd',
    'https://[fe80::1%25eth0]/',
  ])
    t.type(outside.whyNot(url), 'string', url)
  for (const url of ['https://user@8.8.8.8/', 'https://user:word@8.8.8.8/', 'https://:word@8.8.8.8/'])
    t.match(outside.whyNot(url), /user name or password/, url)
})

t.test('all addresses of a name must be public', async (t) => {
  const names: Record<string, string[]> = {
    'inner.example': ['10.0.0.5'],
    'half.example': ['8.8.8.8', '10.0.0.5'],
    'six.example': ['2606:4700:4700::1111', 'fe80::1%2'],
    'mapped.example': ['::ffff:10.0.0.5'],
    'none.example': [],
  }
  const outside = newOutside([], async (name) => (names[name] ?? []).map((address) => ({ address, family: 4 })))
  const why = (name: string) => whyNot(outside.send(request(`https://${name}/`)))
  t.equal(await why('inner.example'), 'inner.example is at 10.0.0.5, which is no public address.')
  t.equal(await why('half.example'), 'half.example is at 10.0.0.5, which is no public address.')
  t.equal(await why('six.example'), 'six.example is at fe80::1, which is no public address.')
  t.equal(await why('mapped.example'), 'mapped.example is at ::ffff:10.0.0.5, which is no public address.')
  t.equal(await why('none.example'), 'The name none.example has no address.')
})

t.test('the name is looked up once, and the connection goes to what was found', async (t) => {
  const { port, connections } = await listen(t, (_, reply) => reply.end('here'))
  const answers = ['127.0.0.1', '127.0.0.2', '127.0.0.2']
  let asked = 0
  const outside = newOutside(['127.0.0.1'], async () => [{ address: answers[asked++] ?? '', family: 4 }])
  const url = `http://hooks.example:${port}/`
  t.equal((await outside.send(request(url))).body.toString(), 'here', 'allowed at first')
  t.equal(asked, 1)
  t.equal(await whyNot(outside.send(request(url))), 'hooks.example is at 127.0.0.2, which is no public address.')
  t.equal(asked, 2)
  t.equal(connections(), 1)
})

t.test('what the operator has opened may be reached, also by http; nothing next to it', async (t) => {
  const { url, port } = await listen(t, (_, reply) => reply.end('here'))
  t.equal((await newOutside(['127.0.0.0/8']).send(request(url))).status, 200)
  t.equal((await newOutside(['10.0.0.0/8', '127.0.0.1']).send(request(url))).status, 200)
  t.match(await whyNot(newOutside(['127.0.0.2/31', 'fc00::/7']).send(request(url))), /no public address/)
  t.equal(newOutside(['127.0.0.1']).whyNot(`http://[::ffff:127.0.0.1]:${port}/`), undefined, 'the same address')
  t.match(newOutside(['10.0.0.0/8']).whyNot('http://8.8.8.8/'), /must begin with https/)
})

t.test('a request arrives as it was sent, and no redirect is followed', async (t) => {
  const heard: unknown[] = []
  const { url, connections } = await listen(t, (message, reply) => {
    let body = ''
    message.on('data', (piece) => {
      body += piece
    })
    message.on('end', () => {
      heard.push([message.method, message.url, message.headers['x-kind'], body])
      reply.writeHead(302, { location: 'http://127.0.0.1:1/other' }).end()
    })
  })
  const outside = newOutside(['127.0.0.1'])
  const sent = request(`${url}?a=1`, { headers: { 'x-kind': 'a test' }, body: 'Größe' })
  const answer = await outside.send(sent)
  t.equal(answer.status, 302)
  t.same(heard, [['POST', '/hook?a=1', 'a test', 'Größe']])
  await outside.send(sent)
  t.equal(connections(), 2, 'each request has a connection of its own')
})

t.test('an answer is read up to a limit, and only for so long', async (t) => {
  const outside = newOutside(['127.0.0.1'])
  const endless = await listen(t, (_, reply) => {
    const more = () =>
      reply.destroyed || (reply.write(Buffer.alloc(65_536, 'x')) ? setImmediate(more) : reply.once('drain', more))
    more()
  })
  const cut = await outside.send(request(endless.url))
  t.equal(cut.body.length, 1_000)
  t.equal(cut.whole, false)
  t.equal((await outside.send(request(endless.url, { mostBytes: 0 }))).body.length, 0)
  const exact = await listen(t, (_, reply) => reply.end('x'.repeat(1_000)))
  const all = await outside.send(request(exact.url))
  t.same([all.whole, all.body.length], [true, 1_000])

  const silent = await listen(t, () => undefined)
  t.equal(await whyNot(outside.send(request(silent.url, { within: 200 }))), 'No answer within 0.2 seconds.')
  const slow = createSocketServer((socket) => {
    socket.on('error', () => undefined)
    const drip = setInterval(() => socket.write('H'), 20)
    socket.on('close', () => clearInterval(drip))
  })
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
  t.teardown(() => slow.close())
  const dripping = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`
  t.match(await whyNot(outside.send(request(dripping, { within: 300 }))), /HPE_|No answer within/)
  const deaf = newOutside(['127.0.0.1'], () => new Promise(() => undefined))
  t.equal(await whyNot(deaf.send(request('https://x.example/', { within: 200 }))), 'No answer within 0.2 seconds.')
})

t.test('what fails is said in words without what the other side says', async (t) => {
  const outside = newOutside(['127.0.0.1'])
  const { url } = await listen(t, (message) => message.socket.destroy())
  t.equal(await whyNot(outside.send(request(url))), 'The connection was closed without an answer (ECONNRESET).')
  t.equal(await whyNot(outside.send(request('http://127.0.0.1:1/'))), 'The connection was refused (ECONNREFUSED).')
})

t.test('no proxy from the environment is used', async (t) => {
  const proxy = await listen(t, (_, reply) => reply.end('proxy'))
  const receiver = await listen(t, (_, reply) => reply.end('receiver'))
  const script = `import { newOutside } from './src/web/outside.ts'
    const url = ${JSON.stringify(receiver.url)}
    const { body } = await newOutside(['127.0.0.1']).send({ method: 'GET', url, within: 5_000, mostBytes: 100 })
    console.log(body.toString())`
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: new URL(proxy.url).origin }
  const ask = (program: string) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: root, env })
  t.equal((await ask(script)).stdout.trim(), 'receiver')
  t.equal(proxy.connections(), 0)
  await ask(`import { get } from 'node:http'; get(${JSON.stringify(receiver.url)}, (answer) => answer.resume())`)
  t.equal(proxy.connections(), 1, 'what goes by the environment does use it')
})
