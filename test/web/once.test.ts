import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, memberships, records } from '../../src/db/schema.ts'
import { type Client, type Page, type Panel, startApp, userId } from '../harness.ts'

// What a form says that is sent again: what the first said, while that is true for certain.

const sentBefore = 'This form was sent before. The page shows how things are now.'

const noticeOf = async (client: Client, answer: Page) => (await client.open(answer.location ?? '')).notice

function statusOf({ db }: Panel, identifier: string) {
  const account = db.select().from(accounts).where(eq(accounts.identifier, identifier)).get()
  const suspensions = db.select().from(records).where(eq(records.kind, 'account.suspended')).all().length
  return { suspended: account?.suspendedAt !== null, suspensions }
}

const suspensionPage = '/partner/customers/acme/suspension'

t.test('the second click of a double click gets the same answer as the first', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const page = await petra.open(suspensionPage)
  const press = () => petra.press(page, 'Suspend', { reason: 'Unpaid' })
  const answers = await Promise.all([press(), press(), press()])
  answers.push(await press())
  for (const answer of answers) t.equal(answer.location, '/partner/customers')
  t.equal(await noticeOf(petra, await press()), 'Acme is suspended.')
  t.same(statusOf(panel, 'acme'), { suspended: true, suspensions: 1 })
})

t.test('what others do elsewhere in the same moment changes nothing in that', async (t) => {
  const panel = await startApp(t)
  const [petra, riva] = [await panel.signIn('petra'), await panel.signIn('riva')]
  const page = await petra.open(suspensionPage)
  await petra.press(page, 'Suspend', { reason: 'Unpaid' })
  await riva.submit('/partner/customers', 'Create customer', { name: 'Other', identifier: 'other' })
  t.equal(await noticeOf(petra, await petra.press(page, 'Suspend', { reason: 'Unpaid' })), 'Acme is suspended.')
})

for (const [whose, undo] of [
  [
    'oneself',
    async (_panel: Panel, petra: Client) => {
      await petra.submit('/partner/customers', 'Resume', {}, 'acme')
    },
  ],
  [
    'somebody else',
    async (panel: Panel) => {
      const max = userId(panel, 'max')
      panel.db.update(memberships).set({ role: 'admin' }).where(eq(memberships.userId, max)).run()
      await (await panel.signIn('max')).submit('/partner/customers', 'Resume', {}, 'acme')
    },
  ],
] as const)
  t.test(`a form that is sent again after its act was undone by ${whose} does not claim the act`, async (t) => {
    const panel = await startApp(t)
    const petra = await panel.signIn('petra')
    const page = await petra.open(suspensionPage)
    t.equal(await noticeOf(petra, await petra.press(page, 'Suspend', { reason: 'Unpaid' })), 'Acme is suspended.')
    await undo(panel, petra)
    const answers = await Promise.all([1, 2].map(() => petra.press(page, 'Suspend', { reason: 'Unpaid' })))
    for (const answer of answers) t.equal(answer.location, '/partner/customers')
    t.equal(await noticeOf(petra, answers[0] ?? page), sentBefore)
    t.same(statusOf(panel, 'acme'), { suspended: false, suspensions: 1 }, 'and is not done again')
  })

t.test('a form that is reloaded some time later does not claim its act', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const page = await petra.open(suspensionPage)
  await petra.press(page, 'Suspend', { reason: 'Unpaid' })
  panel.pass(11_000)
  t.equal(await noticeOf(petra, await petra.press(page, 'Suspend', { reason: 'Unpaid' })), sentBefore)
  t.same(statusOf(panel, 'acme'), { suspended: true, suspensions: 1 })
})

t.test('the panel stops saying “nothing was changed” once something was', async (t) => {
  const panel = await startApp(t)
  const [olga, elsewhere] = [await panel.signIn('olga'), await panel.signIn('olga')]
  const suspend = () => elsewhere.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'Unpaid' })
  await suspend()
  const page = await olga.open('/support/accounts')
  await elsewhere.submit('/support/accounts', 'Resume', {}, 'acme')
  const press = async () => noticeOf(olga, await olga.press(page, 'Resume', {}, 'acme'))
  t.equal(await press(), 'Acme was not suspended. Nothing was changed.')
  t.equal(await press(), 'Acme was not suspended. Nothing was changed.')
  await suspend()
  t.equal(await press(), sentBefore)
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()
  t.ok(acme?.supportSuspendedAt)
})

t.test('a double click is recognised in forms that belong to no account, too', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const page = await olga.open('/support/resources')
  const form = { key: 'lamps', name: 'Lamps', unit: '' }
  const press = async () => noticeOf(olga, await olga.press(page, 'Add resource', form))
  t.match(await press(), 'Lamps can be limited now')
  t.match(await press(), 'Lamps can be limited now')
  await olga.submit('/support/resources', 'Remove', {}, 'lamps')
  t.equal(await press(), sentBefore)
})

t.test('the account switcher switches however often its form is sent', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const page = await petra.open('/')
  await petra.press(page, 'Acme acme')
  await petra.switchTo('cloudhaus')
  const again = await petra.press(page, 'Acme acme')
  const shown = await petra.open(again.location ?? '')
  t.equal(shown.notice, 'You are working in Acme now.')
  t.equal(shown.activeAccount, 'Acme')
})
