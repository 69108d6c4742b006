import { count, eq } from 'drizzle-orm'
import t from 'tap'
import { purgeAccount } from '../../src/accounts/deletion/purge/data.ts'
import { searchText } from '../../src/db/fold.ts'
import {
  accounts,
  invitations,
  invitationTokens,
  letters,
  memberships,
  notifications,
  personalChanges,
  projectAccess,
  projects,
  records,
  users,
} from '../../src/db/schema.ts'
import { byItself, record } from '../../src/records/record.ts'
import { accountId, startApp, userId } from '../harness.ts'

const day = 24 * 3_600_000
/** More than is deleted at once, of everything. */
const many = 1_200

t.test('the purge of a large account does a little at a time, and leaves nothing', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const [acme, tom] = [accountId(panel, 'acme'), userId(panel, 'tom')]
  const at = app.now()
  const numbers = Array.from({ length: many }, (_, n) => n)
  const emails = numbers.map((n) => `many-${n}@x.example`)
  const people = db
    .insert(users)
    .values(
      emails.map((email) => ({ email, emailKey: email, name: email, search: email, passwordHash: '', createdAt: at })),
    )
    .returning({ id: users.id })
    .all()
  db.insert(memberships)
    .values(
      people.map(({ id }) => ({ accountId: acme, userId: id, role: 'member' as const, createdAt: at, lastUsedAt: at })),
    )
    .run()
  const project = db.select().from(projects).where(eq(projects.accountId, acme)).limit(1).get()
  if (!project) throw new Error('Acme has no project.')
  db.insert(projectAccess)
    .values(
      people.map(({ id }) => ({
        accountId: acme,
        projectId: project.id,
        userId: id,
        role: 'user' as const,
        createdAt: at,
      })),
    )
    .run()
  for (const n of numbers) {
    const email = `stranger-${n}@x.example`
    const { id } = db
      .insert(invitations)
      .values({
        ...{ accountId: acme, email, emailKey: email, name: email, search: searchText(email), role: 'member' as const },
        ...{ invitedBy: tom, state: 'cancelled' as const, createdAt: at, sentAt: at, expiresAt: at },
      })
      .returning({ id: invitations.id })
      .get()
    db.insert(invitationTokens)
      .values({ hash: `many-${n}`, invitationId: id, createdAt: at })
      .run()
    const letter = { email, name: email, subject: email, search: email, createdAt: at, dueAt: at, giveUpAt: at }
    db.insert(letters)
      .values({ ...letter, messageId: `many-${n}`, invitationId: id, accountId: acme, state: 'sent' })
      .run()
    record(db, byItself(at), { kind: 'account.renamed', accountId: acme })
  }
  const last = db.select({ id: records.id }).from(records).where(eq(records.accountId, acme)).all()
  for (const { id } of last.slice(-many)) {
    db.insert(personalChanges).values({ recordId: id, userId: tom, field: 'reason', before: '', after: 'typed' }).run()
    db.insert(notifications)
      .values({
        userId: tom,
        recordId: id,
        audience: 'admins',
        topic: 'users',
        accountId: acme,
        createdAt: at,
        mail: 'none',
      })
      .run()
  }
  const members = db.select({ n: count() }).from(memberships).where(eq(memberships.accountId, acme)).get()?.n
  db.update(projects).set({ deletedAt: at }).where(eq(projects.accountId, acme)).run()
  db.update(accounts).set({ deletedAt: at }).where(eq(accounts.id, acme)).run()

  const later = at + 31 * day
  let steps = 0
  const files = new Set<number>()
  const traces: string[] = []
  const options = {
    removeFiles: (ids: number[]) => {
      for (const id of ids) files.add(id)
    },
    eraseTraces: (_: unknown, texts: string[]) => traces.push(...texts),
  }
  while (purgeAccount(db, later, acme, options)) steps++
  t.ok(steps > (4 * many) / 500, `${steps} steps`)
  t.ok(files.size >= many, 'the files of all e-mails were removed')
  t.equal(traces.length, 500)
  for (const table of [memberships, projectAccess, invitations, letters, notifications])
    t.same(db.select().from(table).where(eq(table.accountId, acme)).all(), [])
  t.same(db.select().from(personalChanges).where(eq(personalChanges.after, 'typed')).all(), [])
  t.notOk(db.select().from(invitationTokens).where(eq(invitationTokens.hash, 'many-0')).get())
  const purged = db.select().from(records).where(eq(records.kind, 'account.purged')).all()
  t.same(
    purged.map(({ change }) => JSON.parse(change)),
    [{ users: [members, 0] }],
  )
})
