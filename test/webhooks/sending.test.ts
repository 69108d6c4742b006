import { eq } from 'drizzle-orm'
import t from 'tap'
import { resumeAccount, suspendAccount } from '../../src/accounts/suspension/data.ts'
import { accounts, records } from '../../src/db/schema.ts'
import { wakeSending } from '../../src/records/data/deliveries.ts'
import { byItself } from '../../src/records/record.ts'
import { forgetDeliveries } from '../../src/webhooks/data/sending.ts'
import { removeWebhook, rotateWebhookSecret, testWebhook } from '../../src/webhooks/data/webhooks.ts'
import { accountId, startApp, there } from '../harness.ts'
import { pause, until } from '../smtp.ts'
import {
  addWebhook,
  allDeliveries,
  everyWebhook,
  happen,
  received,
  settled,
  startReceiver,
  status,
  toReceivers,
  verified,
} from './receiver.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const settings = toReceivers

t.test('an event arrives signed, thin, and once', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t)
  const { secret } = addWebhook(panel, accountId(panel, 'acme'), receiver.url, 'project.* member.role_changed')
  const stella = await panel.signIn('stella')
  await stella.submit('/projects', 'Create project', { name: 'Very secret plan', identifier: 'plan' })
  await stella.submit('/customer/account', 'Save name', { name: 'Acme & Sons' })
  await received(receiver, 1)
  await settled(panel)
  t.equal(receiver.posts.length, 1, 'only what was asked for')
  const [post] = receiver.posts
  if (!post) throw new Error('nothing came')
  t.same(verified(secret, post), post.event)
  t.match(post.headers['webhook-id'], /^msg_[\w-]{22}$/)
  t.match(post.headers['user-agent'], /^Meshpanel\//)
  const record = there(panel.db.select().from(records).where(eq(records.kind, 'project.created')).all().at(-1))
  t.same(post.event, {
    type: 'project.created',
    timestamp: new Date(record.at).toISOString(),
    data: {
      account: 'acme',
      project: 'plan',
      user: null,
      invitation: null,
      change: { identifier: [null, 'plan'] },
      actor: { user: record.actorId, account: 'acme', service: false, support: false },
      record: record.id,
    },
  })
  const [delivery] = allDeliveries(panel.db)
  t.match(delivery, { state: 'delivered', body: null, attempts: 1, status: 204, error: null })
})

t.test('the library refuses what was changed or is old, and takes both secrets for a day', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t)
  const owner = accountId(panel, 'acme')
  const { id, secret } = addWebhook(panel, owner, receiver.url)
  const by = () => byItself(panel.app.now())
  const test = async () => {
    testWebhook(panel.db, by(), { owner, id })
    await settled(panel)
    return there(receiver.posts.findLast(({ event }) => event.type === 'webhook.test'))
  }
  const post = await test()
  t.ok(verified(secret, post))
  t.throws(() => verified(secret, { ...post, body: post.body.replace('acme', 'evil') }))
  const shifted = (by: number) => String(Number(post.headers['webhook-timestamp']) + by)
  for (const seconds of [-600, 600])
    t.throws(() => verified(secret, { ...post, headers: { ...post.headers, 'webhook-timestamp': shifted(seconds) } }))
  const later = there(rotateWebhookSecret(panel.db, by(), { owner, id }, panel.app.secrets))
  const both = await test()
  t.equal(both.headers['webhook-signature']?.split(' ').length, 2)
  t.ok(verified(secret, both))
  t.ok(verified(later, both))
  t.throws(() => verified(later, post), 'signed before')
  panel.pass(day)
  const after = await test()
  t.equal(after.headers['webhook-signature']?.split(' ').length, 1)
  const text = JSON.stringify(everyWebhook(panel.db))
  for (const shown of [secret, later]) t.notOk(text.includes(shown.replace('whsec_', '')), 'sealed at rest')
})

t.test('what fails is tried again with growing pauses, then with the same id', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(500))
  const owner = accountId(panel, 'acme')
  addWebhook(panel, owner, receiver.url, 'project.*')
  const stella = await panel.signIn('stella')
  await stella.submit('/projects', 'Create project', { name: 'Plan', identifier: 'plan' })
  const pauses = [5_000, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]
  for (const [n, usual] of pauses.entries()) {
    await settled(panel)
    const [delivery] = allDeliveries(panel.db)
    if (!delivery) throw new Error('no delivery')
    t.match(delivery, { state: 'waiting', attempts: n + 1, status: 500 })
    const wait = delivery.dueAt - there(delivery.triedAt)
    t.ok(wait >= usual * 0.8 && wait <= usual * 1.2, `after try ${n + 1}: ${wait}`)
    panel.pass(usual * 1.2)
    if (n === pauses.length - 1) receiver.answer(status(200))
  }
  await settled(panel)
  t.match(allDeliveries(panel.db), [{ state: 'delivered', attempts: 10, body: null }])
  t.equal(new Set(receiver.posts.map(({ headers }) => headers['webhook-id'])).size, 1)
  t.match(everyWebhook(panel.db), [{ failures: 0, failingSince: null, offAt: null }])
})

t.test('who hears of what: an account of itself, a partner of what it may see, Support of everything', async (t) => {
  const panel = await startApp(t, { settings })
  const owners = { acme: 'acme', initech: 'initech', cloudhaus: 'cloudhaus', rival: 'rival', support: null }
  const receivers = Object.fromEntries(
    await Promise.all(
      Object.entries(owners).map(async ([name, identifier]) => {
        const receiver = await startReceiver(t)
        addWebhook(panel, identifier === null ? null : accountId(panel, identifier), receiver.url)
        return [name, receiver] as const
      }),
    ),
  )
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '16', remark: '' })
  await settled(panel)
  for (const { posts } of Object.values(receivers)) posts.length = 0
  await stella.submit('/projects', 'Create project', { name: 'Plan', identifier: 'plan' })
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '20', reason: 'We grow in Berlin' })
  await received(there(receivers.acme), 3)
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Not paid' })
  await petra.submit('/profile', 'Save name', { name: 'Petra P.' })
  await received(there(receivers.support), 5)
  await until('all were sent', () =>
    allDeliveries(panel.db).every((one) => one.state === 'delivered' || one.attempts === 0),
  )
  await pause(100)
  const heard = (name: string) =>
    there(receivers[name])
      .posts.map(({ event }) => event.type)
      .sort()
  const atAcme = ['invitation.sent', 'limit.requested', 'project.created']
  t.same(
    heard('support').filter((type) => !type.startsWith('webhook.')),
    [...atAcme, 'account.suspended', 'user.renamed'].sort(),
  )
  t.same(heard('cloudhaus'), ['account.suspended', 'limit.requested'])
  t.same(heard('acme'), atAcme, 'and the suspension waits with the account')
  t.same([...heard('initech'), ...heard('rival')], [])
  const sent = Object.values(receivers)
    .flatMap(({ posts }) => posts.map(({ body }) => body))
    .join('\n')
  for (const typed of ['Nora', 'nora@', 'Berlin', 'paid', 'Petra', 'Plan']) t.notOk(sent.includes(typed), typed)
})

t.test('a suspended account’s deliveries wait, a deleted one’s are withdrawn', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t)
  addWebhook(panel, accountId(panel, 'acme'), receiver.url, 'limit.* project.*')
  const { db, app } = panel
  const by = byItself(app.now())
  suspendAccount(db, by, { accountId: accountId(panel, 'acme'), reason: 'Not paid' }, app.mailContext)
  happen(panel, 'project.renamed')
  wakeSending(db)
  await pause(100)
  t.equal(receiver.posts.length, 0)
  const petra = await panel.signIn('petra')
  resumeAccount(db, by, accountId(panel, 'acme'), app.mailContext)
  panel.pass(minute)
  wakeSending(db)
  await received(receiver, 1)
  receiver.answer(status(500))
  happen(panel, 'project.renamed', 300)
  await received(receiver, 2)
  const stella = await panel.signIn('stella')
  for (const identifier of ['website', 'shop'])
    await stella.submit(`/projects/${identifier}/removal`, 'Delete project', { identifier })
  await petra.submit('/partner/customers/acme/removal', 'Delete customer', { identifier: 'acme' })
  await until('all are withdrawn', () => allDeliveries(db).every(({ state }) => state !== 'waiting'))
  t.same(
    new Set(allDeliveries(db).map(({ state, body }) => `${state} ${body}`)),
    new Set(['delivered null', 'withdrawn null']),
  )
})

t.test('what a partner would hear of a customer ends with the tie', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(500))
  addWebhook(panel, accountId(panel, 'cloudhaus'), receiver.url, 'limit.* account.*')
  happen(panel, 'limit.requested', 2)
  await received(receiver, 1)
  await until('it was noted', () => allDeliveries(panel.db).some(({ attempts }) => attempts > 0))
  panel.db
    .update(accounts)
    .set({ partnerId: accountId(panel, 'rival') })
    .where(eq(accounts.identifier, 'acme'))
    .run()
  receiver.answer(status(200))
  panel.pass(hour)
  wakeSending(panel.db)
  await until('both are withdrawn', () => allDeliveries(panel.db).every(({ state }) => state === 'withdrawn'))
  t.equal(receiver.posts.length, 1)
})

t.test('a removed address gets nothing more, and its rows go; old deliveries go after 30 days', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t)
  const owner = accountId(panel, 'acme')
  const { id } = addWebhook(panel, owner, receiver.url, 'project.*')
  addWebhook(panel, owner, `${receiver.url}/other`, 'project.*')
  happen(panel, 'project.renamed', 250)
  await settled(panel)
  t.equal(receiver.posts.length, 500)
  removeWebhook(panel.db, byItself(panel.app.now()), { owner, id })
  await until('its rows are gone', () => everyWebhook(panel.db).length === 1 && allDeliveries(panel.db).length === 250)
  happen(panel, 'project.renamed')
  await settled(panel)
  t.equal(receiver.posts.length, 501)
  const forget = () => {
    while (forgetDeliveries(panel.db, panel.app.now()));
    return allDeliveries(panel.db).length
  }
  panel.pass(30 * day - minute)
  t.equal(forget(), 251)
  panel.pass(2 * minute)
  t.equal(forget(), 0)
})

t.test('nothing is sent while nothing can be saved', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t)
  addWebhook(panel, accountId(panel, 'acme'), receiver.url, 'project.*')
  panel.db.$client.pragma('query_only = on')
  panel.app.storage.check()
  panel.db.$client.pragma('query_only = off')
  happen(panel, 'project.renamed')
  await pause(200)
  t.equal(receiver.posts.length, 0)
  panel.app.storage.check()
  await received(receiver, 1)
})

t.test('an address inside is never reached, and the delivery says why', async (t) => {
  const panel = await startApp(t)
  const receiver = await startReceiver(t)
  addWebhook(panel, accountId(panel, 'acme'), receiver.url, 'project.*')
  happen(panel, 'project.renamed')
  await settled(panel)
  t.match(allDeliveries(panel.db), [{ status: null, error: '127.0.0.1 is no public address.', attempts: 1 }])
  t.equal(receiver.posts.length, 0)
})
