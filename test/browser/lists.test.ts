import t from 'tap'
import { accounts } from '../../src/db/schema.ts'
import { accountId } from '../harness.ts'
import { type LivePanel, launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'

// The list of customers as somebody works with it: how much of it is seen at once, how far away its first act is, and what
// ticking rows does.

needsChromium()
const browser = await launchBrowser(t)

function addCustomers(panel: LivePanel): void {
  const partnerId = accountId(panel, 'cloudhaus')
  const rows = Array.from({ length: 60 }, (_, n) => ({
    kind: 'customer' as const,
    partnerId,
    name: `Bäckerei Huber und Söhne GmbH ${n}`,
    identifier: `baeckerei-huber-${n}`,
    search: `baeckerei-huber-${n}`,
    sortKey: `baeckerei ${n}`,
    createdAt: n + 1,
  }))
  panel.db.insert(accounts).values(rows).run()
}

t.test('25 customers are seen on few screens, and the first act is five tab stops away', async (t) => {
  const panel = await startLivePanel(t)
  addCustomers(panel)
  const petra = await Person.loggedIn(browser, panel, 'petra')
  const { page } = petra
  const boxes = () => page.locator('tbody tr').evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect()))
  const height = () => page.evaluate(() => document.documentElement.scrollHeight)

  await petra.goto('/partner/customers')
  const wide = await boxes()
  t.equal(wide.length, 25)
  t.ok(Math.max(...wide.map((box) => box.height)) <= 48, 'rows of at most 48 px')
  t.ok((await height()) <= 1_500, `at most 1,500 px: ${await height()}`)

  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim())
  for (let stops = 1; stops <= 5; stops++) {
    await page.keyboard.press('Tab')
    if ((await focused()) === 'Skip to the list') await page.keyboard.press('Enter')
    if (stops === 5) t.equal(await focused(), 'Customer Users')
  }

  // With plans, the form on top has a field more.
  await petra.goto('/partner/plans/new')
  await petra.fill({ Name: 'M' })
  await petra.press('Create plan')
  await page.setViewportSize({ width: 360, height: 740 })
  await petra.goto('/partner/customers')
  const narrow = await boxes()
  t.ok((narrow[0]?.y ?? 0) <= 420, `the first one within 420 px: ${narrow[0]?.y}`)
  t.ok((await height()) <= 3_000, `at most 3,000 px: ${await height()}`)
  t.same(petra.complaints, [])
})

for (const javaScriptEnabled of [true, false]) {
  t.test(`rows are ticked, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async (t) => {
    const panel = await startLivePanel(t)
    addCustomers(panel)
    const petra = await Person.open(browser, panel, { javaScriptEnabled })
    const { page } = petra
    await petra.logIn('petra')
    await petra.goto('/partner/customers?sort=name-z')
    const bar = page.getByRole('group', { name: 'Ticked rows' })
    t.notOk(await bar.isVisible())
    const first = page.locator('tbody [name=c]').first()
    await first.check()
    t.ok(await bar.isVisible())
    if (javaScriptEnabled) {
      t.match(await bar.innerText(), '1 ticked:')
      await page.getByLabel('Tick all on this page').check()
      t.match(await bar.innerText(), '25 ticked:')
      await first.uncheck()
      t.match(await bar.innerText(), '24 ticked:')
      await bar.getByRole('button', { name: 'Clear' }).click()
      t.notOk(await bar.isVisible())
      await first.check()
    }
    await page.getByLabel('All 62 that match').check()
    await bar.getByRole('button', { name: 'Suspend' }).click()
    await page.waitForURL(/ticked-customers\/suspension/)
    t.match(await petra.text(), 'Suspend 62 customers?')
    await petra.fill({ Reason: 'Unpaid' })
    await petra.press('Suspend 62 customers')
    t.match(await petra.text(), '62 customers were suspended.')
    t.equal(petra.path, '/partner/customers?sort=name-z')
    t.same(petra.complaints, [])
  })
}

t.test('a browser remembers the view that was chosen on the list', async (t) => {
  const panel = await startLivePanel(t)
  const petra = await Person.loggedIn(browser, panel, 'petra')
  await petra.goto('/partner/customers')
  await petra.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Suspended' }).click()
  await petra.page.waitForURL(/status=suspended/)
  await petra.goto('/')
  await petra.page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Customers' }).click()
  await petra.page.waitForURL(/\/partner\/customers$/)
  t.match(await petra.text(), 'Nothing matches these filters')
  await petra.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'All' }).click()
  await petra.page.waitForURL(/sort=created/)
  t.match(await petra.text(), '2 customers')
})
