import t from 'tap'
import { launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'

// How many clicks the two walks of the manual take, from Home on. What is typed is not counted.

needsChromium()
const browser = await launchBrowser(t)

/** Somebody on Home, whose clicks are counted as the browser sees them. */
async function counted(panel: Awaited<ReturnType<typeof startLivePanel>>, who: 'petra' | 'stella') {
  const person = await Person.loggedIn(browser, panel, who)
  let clicks = 0
  await person.page.exposeFunction('clicked', () => {
    clicks++
  })
  await person.page.addInitScript(() => {
    const { clicked } = globalThis as unknown as { clicked: () => void }
    addEventListener('pointerdown', () => clicked(), true)
  })
  await person.goto('/')
  return { person, clicks: () => clicks }
}

t.test('a customer is created, joined and worked in with 6 clicks at most', async (t) => {
  const { person: petra, clicks } = await counted(await startLivePanel(t), 'petra')
  await petra.follow('Customers')
  await petra.fill({ Name: 'Globex' })
  await petra.press('Create customer')
  await petra.follow('Customer Users', 'globex')
  await petra.press('Add Myself')
  await petra.press('Work in Globex')
  t.equal(await petra.activeAccount(), 'Globex')
  t.ok(clicks() >= 4, 'they are counted')
  t.ok(clicks() <= 6, `${clicks()} clicks`)
  t.comment(`${clicks()} clicks`)
})

t.test('a project is created, and somebody is invited into it, with 10 clicks at most', async (t) => {
  const panel = await startLivePanel(t)
  const { person: stella, clicks } = await counted(panel, 'stella')
  await stella.follow('Project dashboard')
  await stella.fill({ Name: 'Intranet' })
  await stella.press('Create project')
  await stella.settings('Account Settings')
  await stella.fill({ 'Full name': 'Nora New', 'E-mail': 'nora@acme.example' })
  await stella.page.getByText('Give project access too').click()
  await stella.page.locator('.give').getByLabel('Intranet').click()
  await stella.press('Invite')
  t.match(await stella.text(), 'Invitation sent to nora@acme.example')
  const by = clicks()
  t.ok(by >= 6, 'they are counted')
  t.ok(by <= 10, `${by} clicks`)
  t.comment(`${by} clicks`)

  const nora = await Person.open(browser, panel)
  await nora.goto(await panel.linkTo('nora@acme.example'))
  await nora.fill({ Password: 'correct horse battery', 'Repeat the password': 'correct horse battery' })
  await nora.press('Accept invitation')
  t.match(await nora.text(), 'Intranet')
})
