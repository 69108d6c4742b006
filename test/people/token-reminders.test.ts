import { eq } from 'drizzle-orm'
import t from 'tap'
import { apiTokens, letters } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { startNotificationWorker } from '../../src/home/notifications/worker.ts'
import { tokenOf } from '../api/program.ts'
import { type Panel, startApp, there } from '../harness.ts'

// Before a token expires, its user gets an e-mail 14 days and 2 days ahead, once each.

const day = 24 * 3_600_000

/** A worker that has just started, as after a restart. */
async function work({ app }: Panel): Promise<void> {
  const worker = startNotificationWorker(app, app.mailContext)
  worker.wake()
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve))
  await worker.stop()
}

/** The subjects of the e-mails that say when a token of the panel expires. */
const told = ({ db }: Panel, email: string) =>
  db
    .select({ subject: letters.subject })
    .from(letters)
    .where(eq(letters.email, email))
    .all()
    .flatMap(({ subject }) => (subject.includes('expires in') ? [subject] : []))

/** With a token of Stella’s, and what is said of it before this many days. */
async function withToken(panel: Panel, days = 90) {
  const end = tokenOf(panel, 'stella', 'acme', { days }).slice(-4)
  await work(panel)
  return (left: number) => `Your API token …${end} for Acme expires in ${left} day${left === 1 ? '' : 's'}`
}

t.test('its user is told 14 and 2 days before, once each, whenever the panel restarts', async (t) => {
  const panel = await startApp(t)
  const says = await withToken(panel)
  panel.pass(75 * day)
  await work(panel)
  t.same(told(panel, cast.stella.email), [], '15 days before nothing is said')
  panel.pass(day)
  for (let n = 0; n < 3; n++) await work(panel)
  t.same(told(panel, cast.stella.email), [says(14)])

  const stella = await panel.signIn('stella')
  t.match((await stella.get('/profile/tokens')).row('stella here'), 'expires in 14 days')
  const noted = (await stella.get('/customer/history')).row('expires in')
  t.match(noted, /The panel noted that the API token …\w+ of Stella expires in 14 days/)
  t.match((await stella.get('/notifications')).text, says(14))

  panel.pass(12 * day)
  for (let n = 0; n < 3; n++) await work(panel)
  t.same(told(panel, cast.stella.email), [says(14), says(2)])
  panel.pass(3 * day)
  await work(panel)
  t.equal(told(panel, cast.stella.email).length, 2, 'nothing more when it has expired')
  t.match((await (await panel.signIn('stella')).get('/profile/tokens')).row('stella here'), 'expired')
})

t.test('a panel that was off for days says what is still true, once', async (t) => {
  const panel = await startApp(t)
  const says = await withToken(panel)
  panel.pass(89 * day)
  await work(panel)
  await work(panel)
  t.same(told(panel, cast.stella.email), [says(1)])
  const late = await startApp(t)
  await withToken(late)
  late.pass(91 * day)
  await work(late)
  t.same(told(late, cast.stella.email), [], 'of an expired one nothing is said')
})

t.test('nothing is said by a clock that cannot be right, and nothing twice by one that was set back', async (t) => {
  const panel = await startApp(t)
  const says = await withToken(panel)
  panel.jump(77 * day)
  await work(panel)
  t.same(told(panel, cast.stella.email), [])
  panel.jump(-77 * day)
  panel.pass(76 * day)
  await work(panel)
  panel.jump(-3 * 3_600_000)
  await work(panel)
  panel.pass(4 * 3_600_000)
  await work(panel)
  t.same(told(panel, cast.stella.email), [says(14)])
})

t.test('nothing is said of a token that was ended or replaced, nor of a deleted account', async (t) => {
  const panel = await startApp(t)
  await withToken(panel)
  const stella = await panel.signIn('stella')
  const link = there((await stella.open('/profile/tokens')).link('Replace'))
  await stella.submit(link, 'Replace token')
  const rows = () => panel.db.select().from(apiTokens).all()
  t.same(
    rows().map(({ remindAt }) => remindAt === null),
    [true, false],
    'the successor is told of',
  )
  await work(panel)
  await stella.submit('/profile/tokens', 'End', {}, 'stella here')
  await stella.submit('/profile/tokens', 'End', {}, 'stella here')
  t.ok(rows().every(({ remindAt }) => remindAt === null))

  tokenOf(panel, 'ines', 'initech')
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/initech/removal', 'Delete customer', { identifier: 'initech' })
  panel.pass(76 * day)
  await work(panel)
  t.same([...told(panel, cast.stella.email), ...told(panel, cast.ines.email)], [])
})
