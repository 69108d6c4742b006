import { eq } from 'drizzle-orm'
import t from 'tap'
import { nextDueAccount, purgeAccount } from '../../src/accounts/deletion/purge/data.ts'
import { accounts, apiReplays, apiTokens, records, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { deleteUser, forgetAnswersOf } from '../../src/people/leaving/data.ts'
import { keepReplay } from '../../src/people/tokens/replays/data.ts'
import { byItself } from '../../src/records/record.ts'
import { seal, unseal } from '../../src/secrets.ts'
import { accountId, type Panel, startApp, there, userId } from '../harness.ts'
import { program, tokenOf } from './program.ts'

// Answers that are kept for repeats: whose they are, and when they go.

const day = 24 * 3_600_000

/** Replaces the only token of somebody who is logged in. Returns a program with the successor. */
async function replaced(panel: Panel, who: 'stella' | 'olga', earlier: 'day' | 'now') {
  const client = await panel.signIn(who)
  const rotation = there((await client.open('/profile/tokens')).link('Replace'))
  const page = await client.submit(rotation, 'Replace token', { earlier })
  return program(panel.app, there(page.root.querySelector('#token')?.getAttribute('value')))
}

t.test('a key stays used when its token is replaced, by either of both and by the next one', async (t) => {
  const panel = await startApp(t)
  const before = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const create = (ask: typeof before, name: string, key: string) =>
    ask('POST', '/accounts/acme/projects', { name }, { 'idempotency-key': key })
  const projects = async () => (await before('GET', '/accounts/acme/projects')).body.total
  const first = await create(before, 'Alpha', 'order-1')
  const all = await projects()

  const after = await replaced(panel, 'stella', 'day')
  const again = await create(after, 'Alpha', 'order-1')
  t.equal(again.headers['idempotent-replayed'], 'true')
  t.same([again.status, again.body, again.headers.etag], [201, first.body, first.headers.etag])
  t.match((await create(after, 'Other', 'order-1')).body, { status: 422, type: /idempotency-key-reused$/ })

  await create(after, 'Beta', 'order-2')
  t.equal(
    (await create(before, 'Beta', 'order-2')).headers['idempotent-replayed'],
    'true',
    'the earlier one works still',
  )
  t.equal(await projects(), all + 1)

  panel.pass(25 * 3_600_000)
  await create(after, 'Gamma', 'order-3')
  const last = await replaced(panel, 'stella', 'now')
  t.equal((await create(last, 'Gamma', 'order-3')).headers['idempotent-replayed'], 'true', 'the third')
})

t.test('a token of its own knows nothing of the keys of another', async (t) => {
  const panel = await startApp(t)
  const [one, other] = [tokenOf(panel, 'stella', 'acme'), tokenOf(panel, 'stella', 'acme')]
  const key = { 'idempotency-key': 'order-1' }
  t.equal((await program(panel.app, one)('POST', '/accounts/acme/projects', { name: 'Alpha' }, key)).status, 201)
  t.equal((await program(panel.app, other)('POST', '/accounts/acme/projects', { name: 'Alpha' }, key)).status, 409)
})

t.test(
  'what a deleted user is called goes from the kept answers of all programs, and nothing is done twice',
  async (t) => {
    const panel = await startApp(t)
    const { db, app } = panel
    const tom = userId(panel, 'tom')
    const name = 'Tom "Zed" Zbvnmt'
    db.update(users).set({ name }).where(eq(users.id, tom)).run()
    const [olga, stella, petra] = [
      program(app, tokenOf(panel, 'olga', null)),
      program(app, tokenOf(panel, 'stella', 'acme')),
      program(app, tokenOf(panel, 'petra', 'cloudhaus')),
    ]
    const asked = () =>
      Promise.all([
        olga('POST', `/support/users/${tom}/end-sessions`, undefined, { 'idempotency-key': 'a' }),
        olga('POST', '/support/accounts/acme/suspend', { reason: `Ask ${cast.tom.email}` }, { 'idempotency-key': 'b' }),
        olga('POST', `/support/users/${userId(panel, 'max')}/end-sessions`, undefined, { 'idempotency-key': 'c' }),
        petra(
          'POST',
          '/accounts/cloudhaus/customers/acme/suspend',
          { reason: `${name}, again` },
          { 'idempotency-key': 'd' },
        ),
      ])
    const kept = () =>
      db
        .select()
        .from(apiReplays)
        .all()
        .filter(({ answer }) => answer !== '')
    t.same((await stella('POST', '/accounts/acme/projects', { name: 'New' }, { 'idempotency-key': 'e' })).status, 201)
    t.same(
      (await asked()).map(({ status }) => status),
      [200, 200, 200, 200],
    )
    t.equal(kept().length, 5)
    const acts = () => db.select().from(records).all().length
    const done = deleteUser(db, byItself(app.now()), tom, {
      secrets: app.secrets,
      removeFiles: () => {},
      eraseTraces: () => {},
    })
    t.equal(done, 'deleted')
    t.same(
      kept().map(({ answer }) => /zbvnmt|tom@/i.test(unseal(app.secrets, answer))),
      [false, false],
      'the other two stay',
    )
    const before = acts()
    const [first, second, third, fourth] = await asked()
    for (const gone of [second, fourth])
      t.match(gone?.body, { status: 409, detail: /was done before.* is gone, with a user who was deleted/ })
    t.equal(first?.status, 409)
    t.equal(third?.headers['idempotent-replayed'], 'true')
    t.equal(acts(), before)
  },
)

t.test(
  'kept answers are looked at in turns before a user is deleted, and those of the meantime with the deletion',
  async (t) => {
    const panel = await startApp(t)
    const { db, app } = panel
    const { secrets } = app
    const tom = userId(panel, 'tom')
    db.update(users).set({ name: 'Tom Zbvnmt' }).where(eq(users.id, tom)).run()
    tokenOf(panel, 'tom', 'acme')
    const ofTom = there(db.select().from(apiTokens).orderBy(apiTokens.id).all().at(-1)).id
    tokenOf(panel, 'stella', 'acme')
    const ofStella = there(db.select().from(apiTokens).orderBy(apiTokens.id).all().at(-1)).id
    const at = app.now() - 3_600_000
    const keep = (key: string, name: string, { tokenId = ofStella, since = at } = {}) =>
      keepReplay(db, {
        ...{ tokenId, keyHash: key, requestHash: key, status: 201, at: since },
        answer: seal(secrets, JSON.stringify({ status: 201, body: { name } })),
      })
    db.transaction(() => {
      for (let n = 0; n < 1_000; n++) keep(`other ${n}`, 'Website')
    })
    keep('named', 'For Tom Zbvnmt')
    keep('his', 'Shop', { tokenId: ofTom })
    const emptied = () =>
      db
        .select({ key: apiReplays.keyHash })
        .from(apiReplays)
        .where(eq(apiReplays.answer, ''))
        .all()
        .map(({ key }) => key)
        .sort()

    const forgotten = forgetAnswersOf(db, byItself(app.now()), tom, secrets)
    t.same(emptied(), [], 'others have their turn between the parts')
    // Meanwhile a program gets an answer in place of an earlier one, which was looked at before.
    keep('other 0', 'Tom Zbvnmt', { since: app.now() })
    const answersSince = await forgotten
    t.same(emptied(), ['his', 'named'])
    const erasing = { secrets, removeFiles: () => {}, eraseTraces: () => {}, answersSince }
    t.equal(deleteUser(db, byItself(app.now()), tom, erasing), 'deleted')
    t.same(emptied(), ['his', 'named', 'other 0'])
  },
)

t.test('nothing is forgotten for a user who cannot be deleted', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  await ask('POST', '/accounts/acme/projects', { name: `For ${cast.stella.email}` }, { 'idempotency-key': 'a' })
  const { db, app } = panel
  t.equal(await forgetAnswersOf(db, byItself(app.now()), userId(panel, 'stella'), app.secrets), undefined)
  t.equal(db.select().from(apiReplays).where(eq(apiReplays.answer, '')).all().length, 0)
})

t.test('what a program was told of an account is gone before the account is purged', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const ask = program(app, tokenOf(panel, 'olga', null))
  await ask('POST', '/support/accounts/direct/suspend', { reason: 'Abuse' }, { 'idempotency-key': 'a' })
  t.equal((await ask('DELETE', '/support/accounts/direct')).status, 204)
  // The panel did not run meanwhile, so nothing was forgotten by the hour.
  const at = app.now() + 31 * day
  t.equal(nextDueAccount(db, at), accountId(panel, 'direct'))
  while (nextDueAccount(db, at)) purgeAccount(db, at, accountId(panel, 'direct'), { removeFiles: () => {} })
  t.ok(db.select().from(accounts).where(eq(accounts.identifier, 'direct')).get()?.purgedAt)
  t.same(db.select().from(apiReplays).all(), [])
})
