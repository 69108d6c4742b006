import { spawn } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../../src/config.ts'
import { byItself } from '../../src/records/record.ts'
import { changeWebhook, rotateWebhookSecret } from '../../src/webhooks/data/webhooks.ts'
import { accountId, startApp, there } from '../harness.ts'
import { until } from '../smtp.ts'
import { addWebhook, allDeliveries, happen, settled, toReceivers } from './receiver.ts'

// The example of a receiver takes what the panel sends, and refuses what others send.

t.test('the example takes what is signed, also while the secret is replaced, and refuses the rest', async (t) => {
  const panel = await startApp(t, { settings: toReceivers })
  const owner = accountId(panel, 'acme')
  const by = byItself(panel.app.now())
  const { id, secret } = addWebhook(panel, owner, 'http://127.0.0.1:1', 'project.*')
  const example = spawn(process.execPath, [join(root, '.github/examples/webhook-receiver.mjs')], {
    env: { SECRET: secret, PORT: '0' },
  })
  t.teardown(() => example.kill())
  let printed = ''
  example.stdout.on('data', (piece) => {
    printed += piece
  })
  const port = await until('it listens', () => /listening on (\d+)/.exec(printed)?.[1])
  const url = `http://127.0.0.1:${port}/`
  changeWebhook(panel.db, by, { owner, id }, { url, events: 'project.*', on: true })

  happen(panel, 'project.renamed')
  await settled(panel)
  there(rotateWebhookSecret(panel.db, by, { owner, id }, panel.app.secrets))
  happen(panel, 'project.deleted')
  await settled(panel)
  t.match(allDeliveries(panel.db), [{ state: 'delivered' }, { state: 'delivered' }])
  t.match(printed, /Z project\.renamed acme\n.*Z project\.deleted acme\n$/)

  const forged = await fetch(url, {
    method: 'POST',
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
      'webhook-signature': 'v1,AAAA',
    },
    body: '{"type":"project.created","timestamp":"","data":{}}',
  })
  t.equal(forged.status, 401)
  t.notMatch(printed, 'project.created')
})
