import t from 'tap'
import { accounts, memberships, projects, users } from '../../src/db/schema.ts'
import type { CastName } from '../../src/demo.ts'
import { accountId, type Panel, startApp } from '../harness.ts'

// How many bytes a list of 50 rows takes before it is compressed. The shell around the rows is some 12 kB of it. In a row of
// customers, the identifier stands seven times and the labels of its links are fixed: that leaves no less than 700 bytes.

const most: { who: CastName; path: string; kB: number }[] = [
  { who: 'petra', path: '/partner/customers', kB: 63.5 },
  { who: 'petra', path: '/partner/customers/acme/users', kB: 30 },
  { who: 'petra', path: '/partner/customers/acme/projects', kB: 30 },
  { who: 'stella', path: '/projects', kB: 30 },
  { who: 'stella', path: '/customer/users', kB: 55 },
  { who: 'olga', path: '/support/accounts', kB: 53 },
  { who: 'olga', path: '/support/users', kB: 43 },
]

/** Names and identifiers as long as those of many a business. */
function fill(panel: Panel): void {
  const { db, app } = panel
  const [partnerId, acme] = [accountId(panel, 'cloudhaus'), accountId(panel, 'acme')]
  for (let n = 0; n < 60; n++) {
    const row = { name: `Bäckerei Müller ${n}`, search: `bäckerei ${n}`, createdAt: app.now() }
    const named = { ...row, identifier: `baeckerei-mueller-${n}` }
    db.insert(accounts)
      .values({ ...named, kind: 'customer', partnerId })
      .run()
    db.insert(projects)
      .values({ ...named, accountId: acme })
      .run()
    const email = `maria.mueller.${n}@baeckerei.example`
    const { id } = db
      .insert(users)
      .values({ ...row, email, emailKey: email, passwordHash: '' })
      .returning()
      .get()
    db.insert(memberships)
      .values({ accountId: acme, userId: id, role: 'member', createdAt: app.now(), lastUsedAt: app.now() })
      .run()
  }
}

t.test('lists of 50 rows are small', async (t) => {
  const panel = await startApp(t)
  fill(panel)
  for (const { who, path, kB } of most) {
    const page = await (await panel.signIn(who)).get(`${path}?size=50`)
    t.equal(page.tableRows.length, 50, path)
    const size = Buffer.byteLength(page.body)
    t.ok(size <= kB * 1_000, `${path}: ${size} bytes`)
  }
})
