// node test/bench/reference.ts DATABASE PORT PLACES.json
// What a page could cost at least, served in a process of its own. /bare/NAME sends the page’s bytes and does nothing
// else; /hand/NAME looks the session up, reads the rows that the page shows with better-sqlite3, and
// prints them with one template literal, or writes the rows that the form writes.
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import formbody from '@fastify/formbody'
import Database from 'better-sqlite3'
import Fastify from 'fastify'
import { acts, type Place } from './places.ts'

export type Reference = { html: string; place: Place }

const [file = '', port = '0', placesFile = ''] = process.argv.slice(2)
const pages = JSON.parse(readFileSync(placesFile, 'utf8')) as Record<string, Reference>
const sqlite = new Database(file)
for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON', 'busy_timeout = 5000'])
  sqlite.pragma(pragma)
const app = Fastify({ logger: false })
await app.register(formbody)

/** Who asks: the session, the user, the active account with the role, and what the switcher shows. */
const session = sqlite.prepare(
  `SELECT users.id, users.name, users.email, users.disabled_at, accounts.id AS account, accounts.name AS account_name, memberships.role
   FROM sessions JOIN users ON users.id = sessions.user_id
   LEFT JOIN memberships ON memberships.user_id = users.id AND memberships.account_id = sessions.active_account_id
   LEFT JOIN accounts ON accounts.id = memberships.account_id WHERE sessions.hash = ?`,
)
const recent = sqlite.prepare(
  `SELECT accounts.name, accounts.identifier FROM memberships JOIN accounts ON accounts.id = memberships.account_id
   WHERE memberships.user_id = ? ORDER BY memberships.last_used_at DESC, memberships.account_id DESC LIMIT 11`,
)
const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escaped = (value: unknown) => String(value ?? '').replace(/[&<>"']/g, (mark) => marks[mark] ?? mark)

function viewerOf(cookie = '') {
  const id = /(?:__Host-)?meshpanel=([^;.]+)/.exec(cookie)?.[1] ?? ''
  const viewer = session.get(createHash('sha256').update(decodeURIComponent(id)).digest('base64url')) as
    | { id: number; name: string; account: number }
    | undefined
  return { viewer, accounts: viewer ? recent.all(viewer.id) : [] }
}

const line = (row: unknown) =>
  Object.values(row as object)
    .map(escaped)
    .join(' ')

for (const [name, { html, place }] of Object.entries(pages)) {
  const { act } = place
  if (act) {
    const write = acts[act](sqlite)
    const commit = sqlite.transaction((viewer: { id: number; account: number }, n: number) => write(viewer, n))
    app.post(`/bare/${name}`, async (_request, reply) => reply.redirect('/', 303))
    let n = 0
    app.post(`/hand/${name}`, async (request, reply) => {
      const { viewer } = viewerOf(request.headers.cookie)
      if (!viewer) return reply.code(403).send('nobody')
      const began = performance.now()
      commit.immediate(viewer, n++)
      return reply.header('x-committed', String(performance.now() - began)).redirect('/', 303)
    })
    continue
  }

  app.get(`/bare/${name}`, async (_request, reply) => reply.type('text/html; charset=utf-8').send(html))

  // The page around its rows as it was sent, and its rows: as many bytes as the panel's, printed from what was read.
  const [head = '', body = '', tail = ''] = html.split(/(?<=<tbody>)|(?=<\/tbody>)/)
  const row = body.split(/(?<=<\/tr>)/)[0] ?? ''
  const queries = place.read.map(({ sql, values }) => ({ rows: sqlite.prepare(sql), values }))
  app.get(`/hand/${name}`, async (request, reply) => {
    const { viewer, accounts } = viewerOf(request.headers.cookie)
    const [first = [], ...others] = queries.map(({ rows, values }) => rows.all(...values))
    const printed = first
      .slice(0, 25)
      .map((one) => {
        const text = line(one)
        return `${row.slice(0, Math.max(0, row.length - text.length))}${text}`
      })
      .join('')
    const more = `${line(viewer ?? {})}${accounts.map(line).join()}${others.flat().map(line).join()}`
    return reply
      .type('text/html; charset=utf-8')
      .send(`${head}${printed}${tail.slice(0, Math.max(0, tail.length - more.length))}${more}`)
  })
}

app.get('/', async () => randomUUID())
await app.listen({ port: Number(port), host: '127.0.0.1' })
