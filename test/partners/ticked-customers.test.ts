import { eq } from 'drizzle-orm'
import t from 'tap'
import { suspendAccount } from '../../src/accounts/suspension/data.ts'
import { accounts, memberships, records, ties, tieTags } from '../../src/db/schema.ts'
import { notYours } from '../../src/partners/customers/ticked/run.ts'
import { notFound } from '../../src/web/answer/errors.ts'
import { accountId, type Panel, startApp, there, userId } from '../harness.ts'

const base = '/partner/ticked-customers'

const suspendedOnes = ({ db }: Panel) =>
  db
    .select()
    .from(accounts)
    .all()
    .filter(({ suspendedAt }) => suspendedAt !== null)
    .map(({ identifier }) => identifier)
    .sort()

const taggedOnes = ({ db }: Panel) =>
  db
    .select({ identifier: accounts.identifier, tag: tieTags.tag })
    .from(tieTags)
    .innerJoin(ties, eq(ties.id, tieTags.tieId))
    .innerJoin(accounts, eq(accounts.id, ties.accountId))
    .all()
    .map(({ identifier, tag }) => `${identifier} ${tag}`)
    .sort()

/** More customers of Cloudhaus: c-0, c-1 and so on, the first one the oldest. */
function addCustomers(panel: Panel, n: number): void {
  const partnerId = accountId(panel, 'cloudhaus')
  const rows = Array.from({ length: n }, (_, at) => ({
    kind: 'customer' as const,
    partnerId,
    name: `Customer ${at}`,
    identifier: `c-${at}`,
    search: `customer ${at}\nc-${at}`,
    sortKey: `customer ${at}`,
    createdAt: at + 1,
  }))
  for (let from = 0; from < n; from += 500)
    panel.db
      .insert(accounts)
      .values(rows.slice(from, from + 500))
      .run()
}

t.test('ticked customers are suspended after a preview, and the list is as it was', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 3)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Unpaid' })
  const list = await petra.get('/partner/customers?sort=name&size=25')
  t.equal(list.root.querySelectorAll('form#t input[name="c"]').length, 5)
  const hidden = list.root.querySelector('form#t input[name="list"]')?.getAttribute('value') ?? ''
  t.match(hidden, 'sort=name')

  const address = `${base}/suspension?list=${encodeURIComponent(hidden)}&c=acme&c=c-0&c=c-1`
  const before = panel.rows().accounts
  const preview = await petra.get(address)
  t.equal(preview.status, 200)
  t.match(
    preview.text,
    /Suspend 2 customers\? .*Will be changed 2.*Customer 0.*Customer 1.*stay as they are 1.*Acme.*already suspended/,
  )
  t.strictSame(panel.rows().accounts, before, 'a preview changes nothing')

  const wrong = await petra.press(preview, 'Suspend 2 customers', {})
  t.equal(wrong.status, 422)
  t.match(wrong.error('reason'), 'Say why')
  t.same(suspendedOnes(panel), ['acme'])

  const done = await petra.press(wrong, 'Suspend 2 customers', { reason: 'Holidays' })
  t.equal(done.status, 303)
  t.equal(done.location, '/partner/customers?sort=name')
  t.equal((await petra.open(done.location ?? '')).notice, '2 customers were suspended. Undo')
  t.same(suspendedOnes(panel), ['acme', 'c-0', 'c-1'])
  const told = panel.db.select().from(records).where(eq(records.kind, 'account.suspended')).all()
  t.equal(told.length, 3, 'each is in the history')

  const again = await petra.submitAndFollow(`${base}/resumption?c=acme&c=c-0&c=c-2`, 'Resume 2 customers')
  t.equal(again.notice, '2 customers were resumed.')
  t.same(suspendedOnes(panel), ['c-1'])
})

t.test('what could not be done is named on one page, with the reason', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 3)
  const petra = await panel.signIn('petra')
  const preview = await petra.get(`${base}/suspension?list=${encodeURIComponent('sort=name')}&c=c-0&c=c-1&c=c-2`)
  const actor = {
    userId: userId(panel, 'petra'),
    accountId: accountId(panel, 'cloudhaus'),
    bySupport: false,
    at: panel.app.now(),
    ip: null,
    requestId: null,
    stillMay: null,
  }
  suspendAccount(panel.db, actor, { accountId: accountId(panel, 'c-1'), reason: 'Meanwhile' }, panel.app.mailContext)
  panel.db
    .update(accounts)
    .set({ partnerId: accountId(panel, 'rival') })
    .where(eq(accounts.identifier, 'c-2'))
    .run()
  const done = await petra.press(preview, 'Suspend 3 customers', { reason: 'Unpaid' })
  t.equal(done.location, `${base}/result`)
  const result = await petra.open(`${base}/result`)
  t.equal(result.notice, '1 customer was suspended. Undo')
  t.match(result.text, /Not done for 2 customers.*1 of 3 customers was changed.*Customer 1.*already suspended/)
  t.notMatch(result.text, 'Customer 2', 'the name of what is another’s now is not shown')
  t.match(result.text, '1 customer: no longer one of your customers')
  t.equal(result.link('Back to the customers'), '/partner/customers?sort=name')
  t.same(suspendedOnes(panel), ['c-0', 'c-1'])

  const riva = await panel.signIn('riva')
  t.equal((await riva.get(`${base}/result`)).location, '/partner/customers', 'a result is its author’s')
  panel.db
    .update(accounts)
    .set({ supportSuspendedAt: 1, supportSuspendedReason: 'Abuse' })
    .where(eq(accounts.identifier, 'c-0'))
    .run()
  const resumed = await petra.submitAndFollow(`${base}/resumption?c=c-0`, 'Resume 1 customer')
  t.match(resumed.text, 'your suspension was lifted, but Support has suspended it too')
})

/** Suspending these customers ends with these errors. Tells which were tried. */
function failing({ db }: Panel, faults: Record<string, () => Error | undefined>): string[] {
  const tried: string[] = []
  db.$client.function('fault', (identifier) => {
    tried.push(String(identifier))
    const error = faults[String(identifier)]?.()
    if (error) throw error
    return 0
  })
  db.$client.exec(`create temp trigger faulty before update of suspended_at on main.accounts
    begin select fault(new.identifier); end`)
  return tried
}

t.test('one that fails stops no other, whatever its place', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 4)
  failing(panel, { 'c-0': () => new Error('Nobody foresaw this'), 'c-2': notFound })
  const petra = await panel.signIn('petra')
  const preview = await petra.get(`${base}/suspension?c=c-0&c=c-1&c=c-2&c=c-3`)
  const done = await petra.press(preview, 'Suspend 4 customers', { reason: 'Unpaid' })
  t.equal(done.location, `${base}/result`)
  t.same(suspendedOnes(panel), ['c-1', 'c-3'])
  const result = await petra.open(`${base}/result`)
  t.equal(result.notice, '2 customers were suspended. Undo')
  t.match(result.text, 'this could not be saved: try again')
  t.match(result.text, notYours)
})

t.test('when nothing can be saved any more, the rest is not tried', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 4)
  const full = () => Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
  const faults: Record<string, () => Error | undefined> = { 'c-1': full }
  const tried = failing(panel, faults)
  const petra = await panel.signIn('petra')
  const preview = await petra.get(`${base}/suspension?c=c-0&c=c-1&c=c-2&c=c-3`)
  await petra.press(preview, 'Suspend 4 customers', { reason: 'Unpaid' })
  t.same(suspendedOnes(panel), ['c-0'])
  t.same(tried, ['c-0', 'c-1'])
  t.match((await petra.open(`${base}/result`)).text, /Not done for 3 customers.*Customer 3.*could not be saved/)

  const none = await petra.press(await petra.get(`${base}/suspension?c=c-1&c=c-2`), 'Suspend 2 customers', {
    reason: 'Unpaid',
  })
  t.equal(none.status, 507, 'where none was changed, it is offered again')
  t.match(none.body, 'Unpaid')
})

t.test('when the right to do it ends on the way, the rest is left as it is', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 3)
  const theirs = eq(memberships.userId, userId(panel, 'petra'))
  const demote = () => {
    setImmediate(() => panel.db.update(memberships).set({ role: 'member' }).where(theirs).run())
    return undefined
  }
  failing(panel, { 'c-0': demote })
  const petra = await panel.signIn('petra')
  const preview = await petra.get(`${base}/suspension?c=c-0&c=c-1&c=c-2`)
  const ended = await petra.press(preview, 'Suspend 3 customers', { reason: 'Unpaid' })
  t.equal(ended.status, 403)
  t.match(ended.text, 'You can no longer do this 1 customer was suspended. The rest was left as it was.')
  t.same(suspendedOnes(panel), ['c-0'])
})

t.test('tags are given and taken, and other details stay', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 2)
  const petra = await panel.signIn('petra')
  const tags = 'a, b, c, d, e, f, g, h, i, j'
  await petra.submit('/partner/customers/c-1/details', 'Save details', { note: 'Pays late', tags })
  await petra.submit('/partner/customers/acme/details', 'Save details', {
    note: 'Call first',
    reference: 'K-1',
    tags: 'vip',
  })

  const asked = await petra.get(`${base}/tag?c=acme&c=c-0&c=c-1`)
  t.match(asked.text, '3 customers chosen')
  t.ok(asked.hasButton('vip'), 'tags in use are offered')
  for (const [typed, words] of [
    ['', 'Enter a tag.'],
    ['x'.repeat(31), 'Use at most 30 characters.'],
    ['a,b', 'Use one tag'],
  ] as const) {
    const wrong = await petra.get(`${base}/tag?c=acme&tag=${typed}`)
    t.equal(wrong.status, 422)
    t.match(wrong.error('tag'), words)
  }
  const preview = await petra.get(`${base}/tag?c=acme&c=c-0&c=c-1&tag=VIP`)
  t.match(preview.text, /Add the tag “VIP” to 1 customer\?.*Customer 0.*Acme acme has this tag already.*has 10 tags/)
  await petra.press(preview, 'Add tag to 1 customer')
  t.same(
    taggedOnes(panel).filter((one) => /vip/i.test(one)),
    ['acme vip', 'c-0 VIP'],
  )

  await petra.submit(`${base}/tag?c=acme&tag=north`, 'Add tag to 1 customer')
  const removed = await petra.submitAndFollow(
    `${base}/tag-removal?c=acme&c=c-0&c=c-1&tag=vip`,
    'Remove tag from 2 customers',
  )
  t.equal(removed.notice, 'The tag “vip” was removed from 2 customers. Undo')
  t.same(
    taggedOnes(panel).filter((one) => !one.startsWith('c-1')),
    ['acme north'],
  )
  const kept = there(
    panel.db
      .select()
      .from(ties)
      .where(eq(ties.accountId, accountId(panel, 'acme')))
      .get(),
  )
  t.match(kept, { note: 'Call first', reference: 'K-1' })
  t.match(kept.search, 'north', 'and it is found by its tag')
  t.notMatch((await petra.get('/partner/customers/acme/history')).text, 'north')
})

t.test('a plan is applied to several customers, each for itself, after a preview', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 2)
  const [petra, olga] = [await panel.signIn('petra'), await panel.signIn('olga')]
  t.notMatch((await petra.get('/partner/customers')).text, 'Apply plan', 'there is none yet')
  t.match((await petra.get(`${base}/plan?c=acme`)).text, 'You have none yet')
  await petra.submit('/partner/plans/new', 'Create plan', { planName: 'M', projects: '1', cores: '8' })
  await petra.submit('/partner/customers/c-0/quotas', 'Save quotas', { projects: '1', cores: '8' })
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '20' })
  const limitsOf = async (identifier: string) => {
    const page = await petra.get(`/partner/customers/${identifier}/quotas`)
    return [page.value('projects'), page.value('cores')]
  }
  const chosen = await petra.get(`${base}/plan?c=acme&c=c-0&c=c-1&c=initech`)
  t.match(chosen.text, '4 customers chosen')
  const preview = await petra.get(`${base}/plan?c=acme&c=c-0&c=c-1&c=initech&plan=1`)
  t.match(preview.text, 'Apply the plan M to 3 customers?')
  t.match(preview.text, 'Cores: 12 available, 24 more needed')
  t.match(preview.text, /Acme acme Projects 1, below 2 in use/)
  t.match(preview.text, /stay as they are 1 Customer 0 c-0 has these limits already/)
  t.same(await limitsOf('acme'), ['', ''], 'a preview changes nothing')

  const done = await petra.press(preview, 'Apply plan to 3 customers')
  t.equal(done.location, `${base}/result`)
  const result = await petra.open(`${base}/result`)
  t.equal(result.notice, '1 customer has the limits of the plan M now.')
  t.match(result.text, /Initech initech the pool does not have enough: 4 of Cores available, 8 more needed/)
  t.same(
    [await limitsOf('acme'), await limitsOf('c-1'), await limitsOf('initech')],
    [
      ['1', '8'],
      ['', ''],
      ['', ''],
    ],
    'of the others nothing is set, not even what would fit',
  )

  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '' })
  const seen = await petra.get(`${base}/plan?all=yes&plan=1`)
  t.match(seen.text, 'Apply the plan M to 2 customers?')
  await petra.submit('/partner/plans/1', 'Save plan', { cores: '9' })
  const changed = await petra.press(seen, 'Apply plan to 2 customers')
  t.equal(changed.status, 409)
  t.match(changed.problem, 'The plan was changed')
  t.same(await limitsOf('initech'), ['', ''])
  const last = await petra.press(changed, 'Apply plan to 2 customers')
  t.match((await petra.open(last.location ?? '')).notice, '2 customers have the limits of the plan M now')
  t.same(
    [await limitsOf('initech'), await limitsOf('c-1')],
    [
      ['1', '9'],
      ['1', '9'],
    ],
  )

  const riva = await panel.signIn('riva')
  await riva.submit('/partner/plans/new', 'Create plan', { planName: 'Secret' })
  for (const plan of ['2', '99', 'x']) t.equal((await petra.get(`${base}/plan?c=acme&plan=${plan}`)).status, 404)
  t.equal((await petra.post(`${base}/plan`, { customers: 'acme', plan: '2', version: '1' })).status, 404)
  t.equal((await petra.post(`${base}/plan`, { customers: 'acme' })).status, 400)
})

t.test('all that match are changed, in slices, at most 1,000 at once', async (t) => {
  const panel = await startApp(t)
  addCustomers(panel, 1_005)
  const petra = await panel.signIn('petra')
  const list = await petra.get('/partner/customers?q=customer')
  t.ok(list.text.includes('All that match') || list.text.includes('All 1,005 that match'))
  const found = encodeURIComponent('q=customer&sort=name')
  const preview = await petra.get(`${base}/suspension?list=${found}&all=yes&c=acme`)
  t.match(preview.text, 'Suspend 1,000 customers?')
  t.match(preview.text, 'These are the first 1,000')
  t.equal(preview.root.querySelectorAll('.named li').length, 1_000, 'each is named')
  let turns = 0
  const ticking = setInterval(() => turns++, 1)
  const done = await petra.press(preview, 'Suspend 1,000 customers', { reason: 'Unpaid' })
  clearInterval(ticking)
  t.equal(done.location, '/partner/customers?q=customer&sort=name')
  t.ok(turns > 10, 'other requests come between')
  t.equal(suspendedOnes(panel).length, 1_000)
  t.notOk(suspendedOnes(panel).includes('acme'), 'and none that does not match')

  const active = encodeURIComponent('status=active&q=customer')
  const rest = await petra.get(`${base}/suspension?list=${active}&all=yes`)
  t.match(rest.text, 'Suspend 5 customers?')
  const tooMany = Array.from({ length: 1_001 }, (_, n) => `c-${n}`).join()
  t.equal((await petra.post(`${base}/resumption`, { customers: tooMany })).status, 400)
})

t.test('a foreign customer is never named and never changed', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const state = () => panel.rows().accounts
  const recordsOf = (identifier: string) =>
    panel.db
      .select()
      .from(records)
      .where(eq(records.accountId, accountId(panel, identifier)))
      .all()
  const [before, recorded] = [state(), recordsOf('umbrella')]
  await petra.submitAndFollow('/partner/plans/new', 'Create plan', { planName: 'M', cores: '8' })
  const limited = panel.rows().limits
  for (const act of ['suspension', 'resumption', 'plan', 'tag', 'tag-removal']) {
    const foreign = await petra.get(`${base}/${act}?c=umbrella&tag=x&plan=1`)
    const nobody = await petra.get(`${base}/${act}?c=nobody&tag=x&plan=1`)
    t.equal(foreign.status, 404)
    t.equal(foreign.withoutTokens, nobody.withoutTokens)
    const mixed = await petra.get(`${base}/${act}?c=umbrella&c=initech&tag=x&plan=1`)
    t.notMatch(mixed.body, 'Umbrella')
    const sent = await petra.post(`${base}/${act}`, {
      customers: 'umbrella',
      ...(act === 'suspension' ? { reason: 'Mine' } : {}),
      ...(act.startsWith('tag') ? { tag: 'x' } : {}),
      ...(act === 'plan' ? { plan: '1', version: '1' } : {}),
    })
    t.equal(sent.status, 404)
  }
  t.strictSame(state(), before)
  t.strictSame(panel.rows().limits, limited)
  const both = await petra.post(`${base}/suspension`, { customers: 'umbrella,initech', reason: 'Mine' })
  t.equal(both.status, 303)
  t.same(suspendedOnes(panel), ['initech'])
  t.same(recordsOf('umbrella'), recorded, 'nor is anything in its history')

  const file = await petra.get(`${base}/file?c=umbrella&c=acme`)
  t.match(file.body, /Acme,acme/)
  t.notMatch(file.body, /Umbrella|Initech/)
})

t.test('a list is returned to, and nothing else: no foreign address, no damaged query', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  for (const list of ['//evil.example', 'https://evil.example/', 'sort=none', 'x%00=1', 'at=none', '?q=a']) {
    const cancelled = (await petra.get(`${base}/suspension?c=acme&list=${encodeURIComponent(list)}`)).link('Cancel')
    t.match(cancelled, /^\/partner\/customers(\?|$)/, list)
  }
  const none = await petra.get(`${base}/suspension?list=${encodeURIComponent('q=ac&limits=over')}`)
  t.equal(none.location, '/partner/customers?q=ac&limits=over')
  t.equal((await petra.open(none.location ?? '')).notice, 'Tick at least one customer first.')
})

t.test('a Partner User ticks customers for a file, and finds no acts', async (t) => {
  const panel = await startApp(t)
  const max = await panel.signIn('max')
  const list = await max.get('/partner/customers')
  t.same(
    list.root.querySelectorAll('form#t button').map(({ text }) => text.trim()),
    ['Export', 'Clear'],
  )
  t.equal((await max.get(`${base}/suspension?c=acme`)).status, 403)
})
