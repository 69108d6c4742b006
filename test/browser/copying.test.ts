import t from 'tap'
import { codeOf } from '../two-factor.ts'
import { type LivePanel, launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'

// What is shown only once can be copied by a button, where the browser lets a script copy.

needsChromium()
const browser = await launchBrowser(t)

async function switchOnTwoFactor(panel: LivePanel, who: Person): Promise<void> {
  await who.goto('/profile/two-factor')
  const secret = (await who.page.locator('.steps code').innerText()).replaceAll(' ', '')
  await who.fill({ 'Enter the code that it shows': codeOf(panel, secret) })
  await who.press('Switch on')
}

t.test('a button copies recovery codes and links as they are shown', async (t) => {
  const panel = await startLivePanel(t)
  const stella = await Person.loggedIn(browser, panel, 'stella')
  const { page, context } = stella
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: panel.url })
  const copied = async () => {
    await stella.press('Copy')
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    return page.evaluate(() => navigator.clipboard.readText())
  }

  await switchOnTwoFactor(panel, stella)
  const codes = await page.locator('.codes code').allInnerTexts()
  t.equal(codes.length, 10)
  t.equal(await copied(), codes.join('\n'))

  await stella.goto('/customer/users')
  await stella.fill({ 'Full name': 'Nora', 'E-mail': 'nora@acme.example' })
  await stella.press('Invite')
  await stella.press('Copy link', 'nora@acme.example')
  const link = await page.getByLabel('Link', { exact: true }).inputValue()
  t.match(link, `${panel.url}/invitations/`)
  t.equal(await copied(), link)
  t.same(stella.complaints, [])
})

t.test('there is no button where nothing could be copied', async (t) => {
  const panel = await startLivePanel(t)
  const tom = await Person.open(browser, panel, { javaScriptEnabled: false })
  await tom.logIn('tom')
  await switchOnTwoFactor(panel, tom)
  t.equal(await tom.page.locator('.codes code').count(), 10)
  t.notOk(await tom.page.getByRole('button', { name: 'Copy' }).isVisible())
  t.ok(await tom.page.getByRole('link', { name: 'Download' }).isVisible())
})
