import type { ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { mock } from 'node:test'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { addMember, changeRole, findMember, removeMember } from '../../src/accounts/members/data.ts'
import { write } from '../../src/db/open.ts'
import { records } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { atCommandLine } from '../../src/records/record.ts'
import { accountId, type Client, formFields, type Panel, publicUrl, startApp, userId } from '../harness.ts'
import { pause, until } from '../smtp.ts'

// A download is made no faster than it is read, and nobody has more than a few open.

t.setTimeout(600_000)

const many = 8_000

function sqliteOf({ dataDir }: Panel): Database.Database {
  return new Database(join(dataDir, 'panel.db'), { timeout: 5_000 })
}

/** Writes so many records of acts of Stella’s, with random text: no buffer on the way takes them all. */
function addRecords(panel: Panel, n = many): void {
  const acme = accountId(panel, 'acme')
  const stella = userId(panel, 'stella')
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

/** Asks for a file as a browser would that then reads nothing, and waits until it has begun. */
async function ask(t: Test, panel: Panel, client: Client, { path, encoding }: { path: string; encoding: string }) {
  const [page, button] = forms[path] ?? []
  const fields = page && button ? formFields((await client.open(page)).form(button).form) : undefined
  const body = fields ? new URLSearchParams(fields as Record<string, string>).toString() : ''
  const { port } = panel.app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.pause()
  const begun = new Promise<void>((resolve) => {
    panel.app.server.once('request', (_, answer: ServerResponse) => {
      resolve(until('the download has begun', () => answer.headersSent).then(() => {}))
    })
  })
  const cookie = [...client.cookies].map((pair) => pair.join('=')).join('; ')
  socket.write(
    `${fields ? 'POST' : 'GET'} ${path} HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\norigin: ${publicUrl}\r\naccept-encoding: ${encoding}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n${body}`,
  )
  await begun
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
    const socket = await ask(t, panel, stella, { path, encoding })
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

type Ended = { how: string; end: (panel: Panel, client: Client) => unknown }

const olga = (panel: Panel) => panel.signIn('olga')

/** How the right to a download ends while it is read. */
const endings: Ended[] = [
  {
    how: 'is disabled',
    end: async (panel) => (await olga(panel)).submit('/support/users', 'Disable', {}, cast.stella.email),
  },
  { how: 'logs out', end: (_panel, client) => client.submit('/', 'Log out') },
  {
    how: 'is removed',
    end: (panel) =>
      removeMember(
        panel.db,
        atCommandLine(panel.app.now()),
        { accountId: accountId(panel, 'acme'), userId: userId(panel, 'stella') },
        { exit: 'member.removed' },
      ),
  },
  {
    how: 'is no longer an admin',
    end: (panel) => {
      const by = atCommandLine(panel.app.now())
      const { version = 0 } = findMember(panel.db, accountId(panel, 'acme'), userId(panel, 'stella')) ?? {}
      changeRole(
        panel.db,
        by,
        { accountId: accountId(panel, 'acme'), userId: userId(panel, 'stella') },
        { role: 'member', version },
      )
    },
  },
  {
    how: 'reads for more than half an hour',
    // The time that passes, whatever the server's clock says.
    end: () => {
      const now = performance.now.bind(performance)
      mock.method(performance, 'now', () => now() + 31 * 60_000)
    },
  },
]

for (const [path, encoding] of [
  ['/customer/history?download=csv', 'identity'],
  ['/customer/history?download=csv', 'br'],
  ['/customer/account/export', 'identity'],
] as const)
  for (const { how, end } of endings)
    t.test(`${path} (${encoding}) breaks off when its reader ${how}`, async (t) => {
      t.teardown(() => mock.restoreAll())
      const panel = await startApp(t)
      await panel.app.listen({ port: 0, host: '127.0.0.1' })
      const by = atCommandLine(panel.app.now())
      const uma = userId(panel, 'uma')
      write(panel.db, by, (tx) =>
        addMember(tx, by, { accountId: accountId(panel, 'acme'), userId: uma, role: 'admin' }, 'member.joined'),
      )
      const stella = await panel.signIn('stella')
      addRecords(panel)
      const socket = await ask(t, panel, stella, { path, encoding })
      await end(panel, stella)
      let got = 0
      socket.on('data', (part) => {
        got += part.length
      })
      socket.resume()
      await new Promise((resolve) => socket.once('close', resolve))
      // Each record has 4,000 random characters; compression halves them.
      t.ok(got < many * 1_000, `${got} bytes had been made before`)
      const last = await panel.signIn('uma')
      t.equal((await last.get('/profile')).status, 200, 'the panel goes on')
    })

t.test('a partner’s download of a customer’s users breaks off when the customer goes to another partner', async (t) => {
  const panel = await startApp(t)
  await panel.app.listen({ port: 0, host: '127.0.0.1' })
  const petra = await panel.signIn('petra')
  const support = await olga(panel)
  sqliteOf(panel).exec(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${many})
     INSERT INTO users (email, email_key, name, search, password_hash, created_at)
     SELECT hex(randomblob(1000)) || i, i, 'A', 'a', '', 1 FROM n;
     INSERT INTO memberships (account_id, user_id, role, created_at, last_used_at)
     SELECT ${accountId(panel, 'acme')}, id, 'member', 1, 1 FROM users WHERE name = 'A'`,
  )
  const socket = await ask(t, panel, petra, {
    path: '/partner/customers/acme/users?download=csv',
    encoding: 'identity',
  })
  await support.submit('/support/accounts/acme/partner', 'Move', { partner: 'rival' })
  let got = 0
  socket.on('data', (part) => {
    got += part.length
  })
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  t.ok(got > 0 && got < many * 1_500, `${got} bytes had been made before`)
})

t.test('what somebody downloads about themselves is whole, however long', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  addRecords(panel, 1_203)
  const { history } = JSON.parse((await stella.submit('/profile', 'Download my data')).body)
  const id = userId(panel, 'stella')
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
  const open: Socket[] = []
  for (const [n, path] of paths.entries())
    open.push(await ask(t, panel, stella, { path, encoding: n % 2 ? 'br' : 'identity' }))
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
