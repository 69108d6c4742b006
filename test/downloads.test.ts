import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { accounts, records, users } from '../src/db/schema.ts'
import { cast } from '../src/demo.ts'
import { type Client, formFields, type Panel, publicUrl, startApp } from './harness.ts'
import { pause } from './smtp.ts'

// A download is made no faster than it is read, and nobody has more than a few open.

t.setTimeout(120_000)

const many = 8_000

function sqliteOf({ dataDir }: Panel): Database.Database {
  return new Database(join(dataDir, 'panel.db'), { timeout: 5_000 })
}

/** Writes so many records of acts of Stella’s, with random text: no buffer on the way takes them all. */
function addRecords(panel: Panel, n = many): void {
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()?.id ?? 0
  const stella = panel.db.select().from(users).where(eq(users.email, cast.stella.email)).get()?.id ?? 0
  sqliteOf(panel)
    .prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO records (at, kind, account_id, actor_id, actor_account_id, by_support, change, ip)
       SELECT i, 'access.role-changed', ?, ?, ?, 0, json_object('role', json_array(null, hex(randomblob(1000)))), hex(randomblob(1000)) FROM n`,
    )
    .run(n, acme, stella, acme)
}

/** Where the form of a download stands, and its button. */
const forms: Record<string, [page: string, button: string]> = {
  '/customer/account/export': ['/customer/account', 'Download everything (ZIP)'],
  '/profile/data': ['/profile', 'Download my data'],
}

/** Asks for a file as a browser would that then reads nothing. */
async function ask(t: Test, panel: Panel, client: Client, path: string, encoding: string) {
  const [page, button] = forms[path] ?? []
  const fields = page && button ? formFields((await client.open(page)).form(button).form) : undefined
  const body = fields ? new URLSearchParams(fields as Record<string, string>).toString() : ''
  const { port } = panel.app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.pause()
  const cookie = [...client.cookies].map((pair) => pair.join('=')).join('; ')
  socket.write(
    `${fields ? 'POST' : 'GET'} ${path} HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\norigin: ${publicUrl}\r\naccept-encoding: ${encoding}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n${body}`,
  )
  return socket
}

/** A number once it has stopped to grow. */
async function settled(look: () => number): Promise<number> {
  let [last, same] = [look(), 0]
  while (same < 30) {
    await pause(10)
    same = look() === last && last > 0 ? same + 1 : 0
    last = look()
  }
  return last
}

for (const [path, encoding, rows] of [
  ['/customer/history?download=csv', 'identity', many],
  ['/customer/history?download=csv', 'br', many],
  ['/customer/account/export', 'identity', 2 * many],
  ['/profile/data', 'identity', many],
] as const)
  t.test(`${path} (${encoding}) is read from the database no faster than its reader takes it`, async (t) => {
    const panel = await startApp(t)
    await panel.app.listen({ port: 0, host: '127.0.0.1' })
    const stella = await panel.signIn('stella')
    addRecords(panel)
    let read = 0
    const statement: Database.Statement = Object.getPrototypeOf(sqliteOf(panel).prepare('SELECT 1'))
    const { all } = statement
    t.intercept(statement, 'all', {
      value(this: Database.Statement, ...values: unknown[]) {
        const found = all.apply(this, values)
        read += found.length
        return found
      },
    })
    const socket = await ask(t, panel, stella, path, encoding)
    const stalled = await settled(() => read)
    t.ok(stalled < rows * 0.9, `${stalled} rows were read for somebody who took none`)
    let got = 0
    socket.on('data', (part) => {
      got += part.length
    })
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    t.ok(read >= rows, 'then all of them')
    t.ok(got > many * 1_000)
  })

t.test('what somebody downloads about themselves is whole, however long', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  addRecords(panel, 1_203)
  const { history } = JSON.parse((await stella.submit('/profile', 'Download my data')).body)
  const id = panel.db.select().from(users).where(eq(users.email, cast.stella.email)).get()?.id ?? 0
  const own = panel.db.select().from(records).all()
  t.same(
    history.map(({ what, at }: { what: string; at: string }) => [what, at]),
    own
      .filter(({ actorId, userId }) => actorId === id || userId === id)
      .map(({ kind, at }) => [kind, new Date(at).toISOString()]),
  )
})

t.test('a user has four downloads open; who leaves one may begin another', async (t) => {
  const panel = await startApp(t)
  await panel.app.listen({ port: 0, host: '127.0.0.1' })
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  addRecords(panel)
  const paths = ['/customer/history?download=csv', '/customer/account/export', '/profile/data', '/profile/data']
  const open = await Promise.all(paths.map((path, n) => ask(t, panel, stella, path, n % 2 ? 'br' : 'identity')))
  const wait = async (status: number) => {
    let page = await stella.get('/customer/users?download=csv')
    for (let tries = 0; tries < 1_000 && page.status !== status; tries++) {
      await pause(10)
      page = await stella.get('/customer/users?download=csv')
    }
    return page
  }
  const fifth = await wait(429)
  t.equal(fifth.status, 429)
  t.match(fifth.text, /4 downloads open.*Wait until one of them ends/)
  t.equal((await tom.submit('/profile', 'Download my data')).status, 200, 'others are not kept from theirs')
  for (const socket of open) socket.destroy()
  t.match((await wait(200)).body, cast.stella.email)
})
