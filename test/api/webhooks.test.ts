import { eq } from 'drizzle-orm'
import t from 'tap'
import { deliveries } from '../../src/db/schema.ts'
import { startApp } from '../harness.ts'
import { until } from '../smtp.ts'
import {
  addFailedDelivery,
  allDeliveries,
  settled,
  startReceiver,
  toReceivers,
  verified,
} from '../webhooks/receiver.ts'
import { program, tokenOf } from './program.ts'

// What programs do with webhooks, from the first to the last.

const path = '/accounts/acme/webhooks'

t.test('a program creates a webhook, tests, changes, and removes it', async (t) => {
  const panel = await startApp(t, { settings: toReceivers })
  const receiver = await startReceiver(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme', { scopes: ['webhooks:write'] }))
  const made = await ask('POST', path, { url: receiver.url, events: ['project.created', 'project.*', 'member.left'] })
  t.equal(made.status, 201)
  const { id, secret, ...shown } = made.body
  t.match(shown, { url: receiver.url, events: ['member.left', 'project.*'], active: true, off_because: null })
  const one = `${path}/${id}`
  const old = addFailedDelivery(panel, id)
  panel.db.update(deliveries).set({ createdAt: 1 }).where(eq(deliveries.id, old)).run()
  t.equal(made.headers.location, `http://localhost:3000/api/v1${one}`)
  t.same((await ask('GET', one)).body, { id, ...shown })
  t.notOk('secret' in (await ask('GET', one)).body, 'it is shown once')
  t.same((await ask('GET', path)).body.data, [{ id, ...shown }])

  t.match((await ask('POST', `${one}/test`)).body, { type: 'webhook.test', event: null })
  await settled(panel)
  t.ok(verified(secret, receiver.posts[0] ?? { headers: {}, body: '' }))
  const list = await ask('GET', `${one}/deliveries`)
  t.match(list.body.data, [{ type: 'webhook.test', state: 'delivered', status: 204, attempts: 1 }, { id: old }])

  const failed = addFailedDelivery(panel, id)
  t.match((await ask('POST', `${one}/deliveries/${failed}/retry`)).body, { state: 'waiting', attempts: 0 })
  await until('it was sent', () =>
    allDeliveries(panel.db).every((each) => each.id === old || each.state === 'delivered'),
  )
  t.equal((await ask('POST', `${one}/deliveries/${failed}/retry`)).status, 409)
  addFailedDelivery(panel, id)
  t.equal((await ask('POST', `${one}/retry`, { from: '2026-01-01T00:00:00Z' })).status, 204)
  await until('the new one was sent', () => receiver.posts.length === 3)
  t.match((await ask('GET', `${one}/deliveries?state=failed`)).body.data, [{ id: old }])

  const later = (await ask('POST', `${one}/rotate-secret`)).body.secret
  t.match(later, /^whsec_/)
  t.not(later, secret)
  t.match((await ask('PATCH', one, { active: false })).body, {
    active: false,
    off_because: 'person',
    url: receiver.url,
  })
  t.equal((await ask('POST', `${one}/test`)).status, 409)
  t.equal((await ask('POST', `${one}/retry`, { from: '2026-01-01T00:00:00Z' })).status, 409)
  t.match((await ask('PATCH', one, { active: true, events: ['*'] })).body, { active: true, events: ['*'] })
  t.equal((await ask('DELETE', one)).status, 204)
  t.equal((await ask('GET', one)).status, 404)
})

t.test('what it must not be is refused', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme', { scopes: ['webhooks:write'] }))
  const url = 'https://hooks.example'
  for (const inner of [
    'http://hooks.example',
    'https://127.0.0.1',
    'https://[::1]/',
    'https://u:p@hooks.example',
    'hooks',
  ]) {
    const { status, body } = await ask('POST', path, { url: inner })
    t.equal(status, 422, inner)
    t.match(body.errors, [{ pointer: '#/url' }])
  }
  for (const events of [['user.*'], ['nothing'], ['member.role-changed']])
    t.match((await ask('POST', path, { url, events })).body.errors, [{ pointer: '#/events/0', code: 'unknown' }])
  for (let n = 0; n < 10; n++) t.equal((await ask('POST', path, { url })).status, 201)
  t.equal((await ask('POST', path, { url })).status, 409)
})
