// What a page could cost at least, served in a process of its own: `node --import tsx
// test/bench/reference.ts DATABASE PORT PAGES.json`. /bare/NAME sends the page’s bytes and does nothing
// else; /hand/NAME looks the session up, reads the same rows and prints them with one template literal.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import Fastify from 'fastify'

/** A page as the panel sent it, and how it is read by hand. */
export type ReferencePage = {
  html: string
  /** The rows of it: a query with its values; absent where the page has none. */
  sql?: string
  values?: (string | number)[]
  session: string
}

const [file = '', port = '0', pagesFile = ''] = process.argv.slice(2)
const pages = JSON.parse(readFileSync(pagesFile, 'utf8')) as Record<string, ReferencePage>
const sqlite = new Database(file, { readonly: true })
const app = Fastify({ logger: false })

const session = sqlite.prepare(
  `SELECT users.id, users.name, accounts.name AS account, memberships.role FROM sessions
   JOIN users ON users.id = sessions.user_id
   LEFT JOIN memberships ON memberships.user_id = users.id AND memberships.account_id = sessions.active_account_id
   LEFT JOIN accounts ON accounts.id = memberships.account_id WHERE sessions.hash = ?`,
)
const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escaped = (value: unknown) => String(value ?? '').replace(/[&<>"']/g, (mark) => marks[mark] ?? mark)

for (const [name, page] of Object.entries(pages)) {
  app.get(`/bare/${name}`, async (_request, reply) => reply.type('text/html; charset=utf-8').send(page.html))

  // The page around its rows, and one row of it as the template: its cells are the row’s columns.
  const [head = '', body = '', tail = ''] = page.html.split(/(?<=<tbody>)|(?=<\/tbody>)/)
  const row = body.split(/(?<=<\/tr>)/)[0] ?? ''
  const rows = page.sql ? sqlite.prepare(page.sql) : undefined
  app.get(`/hand/${name}`, async (request, reply) => {
    const id = /(?:__Host-)?meshpanel=([^;.]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
    const viewer = session.get(createHash('sha256').update(decodeURIComponent(id)).digest('base64url')) ?? { name: '' }
    const read = rows?.all(...(page.values ?? [])) ?? []
    const printed = read
      .map(
        (one) =>
          `${row}<!-- ${Object.values(one as object)
            .map(escaped)
            .join(' ')} -->`,
      )
      .join('')
    return reply
      .type('text/html; charset=utf-8')
      .send(`${head}${printed}${tail}<!-- ${escaped((viewer as { name: string }).name)} -->`)
  })
}

await app.listen({ port: Number(port), host: '127.0.0.1' })
