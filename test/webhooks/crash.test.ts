import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { openInstallation } from '../../src/operations/installation/open.ts'
import { byItself } from '../../src/records/record.ts'
import { createWebhook } from '../../src/webhooks/data/webhooks.ts'
import { accountId, type Client, castDatabase, newFolder } from '../harness.ts'
import { startProcess } from '../process.ts'
import { pause, until } from '../smtp.ts'
import { startReceiver, status, toReceivers } from './receiver.ts'

t.setTimeout(600_000)

const writers = 16
const rounds = 5

t.test(
  'each record of a chosen kind arrives, and none without its record, however often the panel is killed',
  async (t) => {
    const dataDir = newFolder()
    copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
    const receiver = await startReceiver(t)
    const { db, secrets, close } = openInstallation(dataDir, Date.now())
    createWebhook(
      db,
      byItself(Date.now()),
      { owner: accountId({ db }, 'acme'), url: receiver.url, events: 'project.created' },
      secrets,
    )
    close()
    const settings = { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent', ...toReceivers }
    let cookies: Map<string, string>[] = []

    for (let round = 0; round < rounds; round++) {
      // Some of the time it answers, some of the time it fails, and some answers are lost with the panel.
      receiver.answer(round % 2 ? (_post, reply) => setTimeout(() => reply.writeHead(204).end(), 20) : status(204))
      const panel = await startProcess(dataDir, { settings })
      const clients: Client[] = []
      for (let n = 0; n < writers; n++) {
        const client = panel.visit()
        for (const [name, value] of cookies[n] ?? []) client.cookies.set(name, value)
        if (round === 0) await client.logIn('stella@acme.example')
        clients.push(client)
      }
      cookies = clients.map((client) => client.cookies)
      let running = true
      const work = clients.map(async (client, n) => {
        for (let step = 0; running; step++) {
          const identifier = `r${round}-w${n}-s${step}`
          await client.submit('/projects', 'Create project', { name: identifier, identifier }).catch(() => undefined)
        }
      })
      await pause(500)
      await panel.kill()
      running = false
      await Promise.all(work)
    }

    receiver.answer(status(204))
    const panel = await startProcess(dataDir, { settings })
    const file = new Database(join(dataDir, 'panel.db'), { readonly: true })
    const waiting = file.prepare("SELECT count(*) FROM deliveries WHERE state <> 'delivered'").pluck()
    await until('everything was delivered', () => waiting.get() === 0)
    const recorded = file
      .prepare("SELECT id FROM records WHERE kind = 'project.created' ORDER BY id")
      .pluck()
      .all() as number[]
    const before = file.prepare("SELECT max(id) FROM records WHERE kind = 'webhook.created'").pluck().get() as number
    file.close()
    await panel.stop()
    const arrived = [...new Set(receiver.posts.map(({ event }) => event.data.record as number))].sort((a, b) => a - b)
    t.ok(arrived.length > rounds, `${arrived.length} events arrived`)
    t.same(
      arrived,
      recorded.filter((id) => id > before),
    )
    t.ok(receiver.posts.every(({ event }) => event.type === 'project.created'))
    const ids = new Map(receiver.posts.map(({ headers, event }) => [headers['webhook-id'], event.data.record]))
    t.equal(ids.size, arrived.length, 'what came twice came under the same id')
  },
)
