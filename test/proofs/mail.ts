// node test/proofs/mail.ts [WAITING=10000] [SECONDS=30]
// So many invitations wait, and the mail server takes 20 ms a command: when does a password reset arrive that is asked
// for now, and how many e-mails go out a second?
import t from 'tap'
import { letters } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { seal } from '../../src/secrets.ts'
import { startApp } from '../harness.ts'
import { deadAddress, pause, startMailServer } from '../smtp.ts'

const [waiting = 10_000, seconds = 30] = process.argv.slice(2).map(Number)

t.setTimeout(0)
t.test('mail', async (t) => {
  const before = await startApp(t, { settings: { SMTP_URL: await deadAddress() } })
  const { db, app } = before
  const at = app.now()
  db.transaction((tx) => {
    for (let n = 0; n < waiting; n++) {
      const body = seal(
        app.secrets,
        JSON.stringify({ text: `Hello Guest ${n},\n`.repeat(20), html: '<p>Hello</p>'.repeat(50) }),
      )
      tx.insert(letters)
        .values({
          ...{
            messageId: `<${n}@waiting>`,
            email: `guest${n}@waiting.example`,
            name: `Guest ${n}`,
            subject: 'You are invited',
          },
          ...{ search: 'guest', body, reason: 'none', priority: 2, createdAt: at, dueAt: at, giveUpAt: at + 1e9 },
        })
        .run()
    }
  })
  await before.close()

  const mail = await startMailServer(t, { delay: 20 })
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url }, dataDir: before.dataDir })
  await pause(2_000)
  const [sent, start] = [mail.taken.length, performance.now()]
  await panel.visit().submit('/password-reset', 'Send link', { email: cast.tom.email })
  await mail.letterTo(cast.tom.email)
  const reset = performance.now() - start
  await pause(Math.max(0, seconds * 1_000 - reset))
  const rate = (mail.taken.length - sent) / ((performance.now() - start) / 1_000)
  t.comment(`${waiting} waiting: the reset arrived after ${Math.round(reset)} ms; ${Math.round(rate)} e-mails a second`)
})
