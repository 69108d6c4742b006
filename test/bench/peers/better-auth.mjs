// node better-auth.mjs PANEL_DATABASE PORT, from the folder where peers.ts has installed it
// better-auth with its organizations, served by Node’s own server, on the accounts and users of a panel’s database. It prints
// the session of the first partner’s admin, who belongs to an organization with that partner’s customers’ users.
import { createServer } from 'node:http'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { organization } from 'better-auth/plugins'
import Database from 'better-sqlite3'

const [panel = '', port = '0'] = process.argv.slice(2)
const base = `http://127.0.0.1:${port}`
const password = 'peer-peer-peer'
const database = new Database(`${panel}-better-auth`)
// As durable as the panel.
for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON']) database.pragma(pragma)
const auth = betterAuth({
  database,
  baseURL: base,
  secret: 'only-for-a-measurement-on-loopback',
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [
    organization({
      organizationLimit: 1e9,
      membershipLimit: 1e9,
      invitationLimit: 1e9,
      sendInvitationEmail: async () => {},
    }),
  ],
})
await (await getMigrations(auth.options)).runMigrations()
fill(await (await auth.$context).password.hash(password))

createServer(toNodeHandler(auth)).listen(Number(port), '127.0.0.1', async () => {
  const answer = await fetch(`${base}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: base },
    body: JSON.stringify({ email: 'admin-0@bench.example', password }),
  })
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
  const cookies = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
  console.log(JSON.stringify({ cookie: cookies.join('; ') }))
})

/** Copies users and accounts; the first partner’s organization has the users of its customers. */
function fill(hash) {
  const now = new Date().toISOString()
  database.exec(`ATTACH '${panel}' AS panel`)
  database.transaction(() => {
    database
      .prepare(
        'INSERT INTO user (id, name, email, emailVerified, createdAt, updatedAt) SELECT id, name, email, 1, ?, ? FROM panel.users',
      )
      .run(now, now)
    database
      .prepare(
        "INSERT INTO account (id, accountId, providerId, userId, password, createdAt, updatedAt) SELECT id, id, 'credential', id, ?, ?, ? FROM panel.users WHERE email = 'admin-0@bench.example'",
      )
      .run(hash, now, now)
    database
      .prepare(
        'INSERT INTO organization (id, name, slug, createdAt) SELECT id, name, identifier, ? FROM panel.accounts',
      )
      .run(now)
    database
      .prepare(
        `INSERT INTO member (id, organizationId, userId, role, createdAt)
         SELECT min(memberships.rowid), partner.id, user_id, CASE user_id WHEN admin.id THEN 'owner' ELSE 'member' END, ?
         FROM panel.accounts AS partner, panel.users AS admin
         JOIN panel.accounts AS customer ON customer.partner_id = partner.id OR customer.id = partner.id
         JOIN panel.memberships ON memberships.account_id = customer.id
         WHERE partner.identifier = 'bench-partner-0' AND admin.email = 'admin-0@bench.example' GROUP BY user_id`,
      )
      .run(now)
  })()
}
