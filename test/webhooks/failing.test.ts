import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { eq, lte } from 'drizzle-orm'
import t from 'tap'
import { deliveries, letters, notifications, records } from '../../src/db/schema.ts'
import { wakeSending } from '../../src/records/data/deliveries.ts'
import { byItself } from '../../src/records/record.ts'
import { retryDelivery } from '../../src/webhooks/data/deliveries.ts'
import { changeWebhook, retrySince, testWebhook } from '../../src/webhooks/data/webhooks.ts'
import { accountId, type Panel, startApp, there } from '../harness.ts'
import { pause, until } from '../smtp.ts'
import {
  addWebhook,
  allDeliveries,
  everyWebhook,
  happen,
  type Receiver,
  received,
  settled,
  startReceiver,
  status,
  toReceivers,
} from './receiver.ts'

const minute = 60_000
const hour = 60 * minute
const settings = toReceivers

const acmeOf = (panel: Panel) => accountId(panel, 'acme')
const by = (panel: Panel) => byItself(panel.app.now())
const typesAt = ({ posts }: Receiver) => posts.map(({ event }) => event.type)

t.test('an address that fails rests, whatever waits for it; what comes then goes when it is well again', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(500))
  addWebhook(panel, acmeOf(panel), receiver.url, 'project.*')
  happen(panel, 'project.renamed', 20)
  await received(receiver, 1)
  await pause(200)
  t.equal(receiver.posts.length, 1, 'the others wait')
  receiver.answer(status(200))
  panel.pass(5_000)
  wakeSending(panel.db)
  await received(receiver, 20)
  panel.pass(minute)
  await settled(panel)
  t.equal(receiver.mostAtOnce(), 1, 'one at a time')
  t.ok(allDeliveries(panel.db).every(({ state }) => state === 'delivered'))
})

t.test('Retry-After is followed, up to a day', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(429, { 'retry-after': '3600' }))
  addWebhook(panel, acmeOf(panel), receiver.url, 'project.*')
  happen(panel, 'project.renamed')
  await settled(panel)
  const held = () => there(everyWebhook(panel.db)[0]).heldUntil - panel.app.now()
  t.ok(held() > 59 * minute && held() <= hour)
  happen(panel, 'project.renamed')
  await pause(100)
  t.equal(receiver.posts.length, 1, 'a later event waits, too')
  receiver.answer(status(503, { 'retry-after': new Date(panel.app.now() + 90 * 24 * hour).toUTCString() }))
  panel.pass(hour)
  wakeSending(panel.db)
  await until('it was tried again', () => receiver.posts.length === 2 && held() > 0)
  t.ok(held() > 23 * hour && held() <= 24 * hour)
})

t.test('an address that answers 410 is switched off, and its admins are told once', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(410))
  const { id } = addWebhook(panel, acmeOf(panel), receiver.url, 'project.*')
  happen(panel, 'project.renamed', 3)
  await until('it is off', () => everyWebhook(panel.db)[0]?.offBecause === 'gone')
  happen(panel, 'project.renamed')
  await pause(100)
  t.equal(receiver.posts.length, 1)
  t.equal(allDeliveries(panel.db).length, 3, 'an address that is off gets nothing')
  const told = panel.db.select().from(records).where(eq(records.kind, 'webhook.switched-off')).all()
  t.match(told, [{ accountId: acmeOf(panel), actorId: null }])
  await until('the letter is written', () => panel.db.select().from(letters).all().length > 0)
  t.match(panel.db.select().from(letters).all(), [
    { email: 'stella@acme.example', subject: /^The webhook 127\.0\.0\.1:\d+ of Acme was switched off/ },
  ])

  receiver.answer(status(200))
  const which = { owner: acmeOf(panel), id }
  changeWebhook(panel.db, by(panel), which, { url: receiver.url, events: 'project.*', on: true })
  await until('the others went', () => receiver.posts.length === 3)
})

t.test('an address that fails for 75 hours is switched off; Support’s tells Support', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(500))
  addWebhook(panel, null, receiver.url, 'project.*')
  happen(panel, 'project.renamed')
  await settled(panel)
  panel.pass(74 * hour)
  await settled(panel)
  t.equal(everyWebhook(panel.db)[0]?.offAt, null)
  panel.pass(25 * hour)
  wakeSending(panel.db)
  await until('it is off', () => everyWebhook(panel.db)[0]?.offBecause === 'failing')
  t.match(panel.db.select().from(notifications).where(eq(notifications.topic, 'webhooks')).all(), [
    { audience: 'support' },
  ])
})

t.test('receivers that hang, drip, refuse, lead elsewhere or answer without end hold up nobody', async (t) => {
  const panel = await startApp(t, { settings })
  const dripping = createServer((socket) => {
    socket.on('error', () => undefined)
    const drip = setInterval(() => socket.write('H'), 50)
    socket.on('close', () => clearInterval(drip))
  })
  await new Promise<void>((resolve) => dripping.listen(0, '127.0.0.1', resolve))
  t.teardown(() => dripping.close())
  const elsewhere = await startReceiver(t)
  const kinds = {
    hanging: (await startReceiver(t, () => undefined)).url,
    dripping: `http://127.0.0.1:${(dripping.address() as AddressInfo).port}/`,
    refusing: 'http://127.0.0.1:1/',
    leading: (await startReceiver(t, status(302, { location: elsewhere.url }))).url,
    endless: (
      await startReceiver(t, (_post, reply) => {
        const more = () => {
          while (!reply.destroyed && reply.write(Buffer.alloc(65_536)));
          if (!reply.destroyed) reply.once('drain', more)
        }
        more()
      })
    ).url,
    inner: 'https://localhost:1/',
  }
  for (const url of Object.values(kinds)) addWebhook(panel, acmeOf(panel), url, 'project.*')
  const well = await startReceiver(t)
  addWebhook(panel, acmeOf(panel), well.url, 'project.*')
  const stella = await panel.signIn('stella')
  for (let n = 0; n < 5; n++) {
    happen(panel, 'project.renamed')
    t.equal((await stella.get('/projects')).status, 200)
  }
  await until('the others were tried', () => allDeliveries(panel.db).filter(({ attempts }) => attempts > 0).length >= 9)
  await received(well, 5)
  t.equal(elsewhere.posts.length, 0, 'no redirect is followed')
  const outcome = (url: string) => {
    const webhook = there(everyWebhook(panel.db).find((one) => one.url === url))
    const tried = allDeliveries(panel.db).find(({ webhookId, attempts }) => webhookId === webhook.id && attempts > 0)
    return tried && [tried.state, tried.status ?? tried.error]
  }
  t.same(outcome(kinds.leading), ['waiting', 302])
  t.same(outcome(kinds.endless), ['delivered', 200])
  t.same(outcome(kinds.refusing), ['waiting', 'The connection was refused (ECONNREFUSED).'])
  t.match(
    outcome(kinds.inner)?.[1],
    /^localhost is at (127\.0\.0\.1|::1), which is no public address\.$|ECONNREFUSED|https/,
  )
  const stop = Date.now()
  await panel.close()
  t.ok(Date.now() - stop < 8_000, 'it stops although one hangs')
})

t.test('at most four tries are under way, and addresses take turns', async (t) => {
  const panel = await startApp(t, { settings })
  const hanging: (() => void)[] = []
  const receiver = await startReceiver(t, (_post, reply) => hanging.push(() => reply.end()))
  for (let n = 0; n < 6; n++) addWebhook(panel, acmeOf(panel), `${receiver.url}/${n}`, 'project.*')
  happen(panel, 'project.renamed', 2)
  await received(receiver, 4)
  await pause(100)
  t.equal(receiver.posts.length, 4)
  for (let n = 1; n <= 12; n++) {
    await until('one more is under way', () => hanging.length > 0)
    hanging.shift()?.()
  }
  await settled(panel)
  t.equal(receiver.mostAtOnce(), 4)
  t.ok(allDeliveries(panel.db).every(({ state }) => state === 'delivered'))
  const firsts = new Set(receiver.posts.slice(0, 6).map(({ path }) => path))
  t.equal(firsts.size, 6, 'each address had its first before any had its second')
})

t.test('a test goes before all that waits, once, and says nothing about the rest', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(500))
  const which = { owner: acmeOf(panel), id: addWebhook(panel, acmeOf(panel), receiver.url, 'project.*').id }
  happen(panel, 'project.renamed', 3)
  await until('it failed', () => (everyWebhook(panel.db)[0]?.failures ?? 0) > 0)
  const failures = everyWebhook(panel.db)[0]?.failures
  t.match(testWebhook(panel.db, by(panel), which), { type: 'webhook.test' })
  await received(receiver, 2)
  t.equal(typesAt(receiver).at(-1), 'webhook.test')
  await until('it failed', () =>
    allDeliveries(panel.db).some(({ type, state }) => type === 'webhook.test' && state === 'failed'),
  )
  t.equal(everyWebhook(panel.db)[0]?.failures, failures)
})

t.test('what failed is sent again: one, or all since a time', async (t) => {
  const panel = await startApp(t, { settings })
  const receiver = await startReceiver(t, status(400))
  const which = { owner: acmeOf(panel), id: addWebhook(panel, acmeOf(panel), receiver.url, 'project.*').id }
  happen(panel, 'project.renamed', 450)
  panel.db.update(deliveries).set({ state: 'failed', attempts: 10 }).run()
  receiver.answer(status(200))
  const all = allDeliveries(panel.db)
  const [first, last] = [there(all[0]), there(all.at(-1))]
  t.match(retryDelivery(panel.db, by(panel), { ...which, delivery: first.id }), { state: 'waiting', attempts: 0 })
  await until('it was delivered', () => allDeliveries(panel.db)[0]?.state === 'delivered')
  t.equal(retryDelivery(panel.db, by(panel), { ...which, delivery: first.id }), 'ended')
  const before = receiver.posts.length
  panel.db
    .update(deliveries)
    .set({ createdAt: last.createdAt - hour })
    .where(lte(deliveries.id, first.id + 1))
    .run()
  t.ok(retrySince(panel.db, by(panel), which, first.createdAt))
  await until(
    'all are delivered',
    () => allDeliveries(panel.db).filter(({ state }) => state === 'delivered').length === 449,
  )
  t.equal(receiver.posts.length, before + 448)
  t.equal(allDeliveries(panel.db)[1]?.state, 'failed', 'it is older')
})
