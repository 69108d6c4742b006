import { copyFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { cast } from '../../src/demo.ts'
import { newToken } from '../../src/secrets.ts'
import { castDatabase, newFolder, startApp } from '../harness.ts'
import { type PanelProcess, startProcess } from '../process.ts'

/** Sends bytes that no HTTP client would send, and reads the answer. */
async function sendRaw(panel: PanelProcess, ...lines: string[]): Promise<string> {
  const socket = connect(Number(new URL(panel.url).port), 'localhost')
  socket.on('error', () => {})
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  return text(socket)
}

async function startWithCast(settings: Record<string, string> = {}): Promise<PanelProcess> {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  return startProcess(dataDir, { settings: { TWO_FACTOR: 'optional', ...settings } })
}

const encodeAll = (part: string) =>
  part.replaceAll(/[^/]/g, (letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** How a browser, a mail program or somebody who pastes a link may spell its address. */
const spellings: Record<string, (path: string) => string> = {
  'as it is': (path) => path,
  'one letter encoded': (path) => `/${encodeAll(path.charAt(1))}${path.slice(2)}`,
  'every letter encoded': encodeAll,
  'slashes encoded': (path) => `/${path.slice(1).replaceAll('/', '%2f')}`,
  'upper case': (path) => `/${path.slice(1).replace(/^[^/]+/, (first) => first.toUpperCase())}`,
  'two slashes': (path) => `/${path}`,
  'two slashes inside': (path) => path.replaceAll('/', '//'),
  'dots before': (path) => `/./x/..${path}`,
  'a slash after': (path) => `${path}/`,
  'something after': (path) => `${path}/more`,
  'a dot after': (path) => `${path}.`,
  'a parameter after': (path) => `${path};x=1`,
  'a query': (path) => `${path}?account=acme&next=${path}`,
  'a fragment': (path) => `${path}#x`,
  backslashes: (path) => `/${path.slice(1).replaceAll('/', '\\')}`,
  'a whole address': (path) => `http://localhost:3000${path}`,
  'another host': (path) => `http://elsewhere.example${path}`,
  'a name before the host': (path) => `http://user@localhost${path}`,
  'a bad encoding': (path) => `${path}%`,
  'a bad encoding before': (path) => `/%zz${path}`,
  'a line break inside': (path) => path.replace(/.{10}$/, (end) => `%0a${end}`),
  'far too long': (path) => `${path}${'x'.repeat(300)}`,
  'after a page': (path) => `/projects${path}`,
  'in a query': (path) => `/login?next=${encodeURIComponent(path)}`,
}

t.test('no spelling of an address with a token brings the token into the log', async (t) => {
  const app = await startApp(t)
  const secret = app.routes.filter(({ config }) => config?.secret)
  t.ok(secret.length >= 8, 'the routes of invitations, resets, set-up and e-mail changes')
  const panel = await startWithCast({ LOG_LEVEL: 'trace' })
  t.teardown(panel.kill)

  const sent: { token: string; what: string }[] = []
  let answered = 0
  for (const { method, url } of secret) {
    for (const [spelling, spell] of Object.entries(spellings)) {
      const token = newToken()
      const path = url.replaceAll(/:[a-z]+/gi, token)
      sent.push({ token, what: `${method} ${url}, ${spelling}` })
      const answer = await sendRaw(
        panel,
        `${method} ${spell(path)} HTTP/1.1`,
        'Host: localhost',
        'Connection: close',
        `Referer: http://localhost:3000${path}`,
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Length: 0',
      )
      if (/^HTTP\/1.1 \d/.test(answer)) answered++
    }
  }
  t.equal(answered, sent.length, 'each of them was answered')
  const stella = panel.visit()
  await stella.logIn(cast.stella.email)
  const token = newToken()
  sent.push({ token, what: 'a page to return to' })
  await stella.get(`/login?next=/invitations/${token}`)
  await panel.visit().logIn(cast.stella.email, 'wrong', `/invitations/${token}`)
  await stella.post('/profile/name', { name: '' }, { referer: `${panel.url}/invitations/${token}` })
  await panel.stop()

  const printed = panel.printed()
  t.match(printed, '"route":"/invitations/:token"', 'the log says which route it was')
  t.match(printed, '"path":"/login"', 'and the path of others')
  // Half of it is enough to find it, as it may stand there encoded or cut.
  for (const { token, what } of sent)
    for (const part of [token.slice(0, 20), token.slice(-20), encodeAll(token.slice(0, 20))])
      t.notOk(printed.includes(part), what)
})

t.test('a request must name one host', async (t) => {
  const panel = await startWithCast()
  t.teardown(panel.kill)
  const ask = (...headers: string[]) => sendRaw(panel, 'GET /login HTTP/1.1', ...headers, 'Connection: close')
  t.match(await ask('Host: localhost'), /^HTTP\/1.1 200 /)
  for (const headers of [
    ['Host: localhost', 'Host: evil.example'],
    ['Host: localhost', 'Host: localhost'],
    ['host: localhost', 'HOST: evil.example'],
    ['Host: localhost, evil.example'],
    ['Host: localhost evil.example'],
    ['Host: user@localhost'],
    ['Host: localhost/path'],
    [],
  ])
    t.match(await ask(...headers), /^HTTP\/1.1 400 /, JSON.stringify(headers))
  const refused = await ask('Host: localhost', 'Host: evil.example')
  t.match(refused, /one host/)
  t.notMatch(refused, /set-cookie/i, 'nothing else is done for it')
})
