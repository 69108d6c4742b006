import t from 'tap'
import { sessions } from '../../src/db/schema.ts'
import { launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'

needsChromium()
const browser = await launchBrowser(t)

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript'

  t.test(`creating a customer account, ${how}`, async (t) => {
    const panel = await startLivePanel(t)
    const petra = await Person.open(browser, panel, { javaScriptEnabled })
    await petra.logIn('petra')
    await petra.settings('Partner Area')
    await petra.follow('Customers')
    t.match(await petra.text(), 'It cannot be changed later')
    await petra.page.getByLabel('Name', { exact: true }).pressSequentially('Globex & Söhne')
    if (javaScriptEnabled)
      t.equal(
        await petra.page.getByLabel('Identifier', { exact: true }).inputValue(),
        'globex-sohne',
        'suggested while typing',
      )
    await petra.press('Create customer')
    t.match(await petra.row('globex-sohne'), 'Globex & Söhne')

    await petra.follow('Customer Users', 'globex-sohne')
    await petra.press('Add Myself')
    t.match(await petra.row('petra@cloudhaus.example'), 'Customer Admin')
    await petra.changeInto('Globex & Söhne')
    t.equal(await petra.activeAccount(), 'Globex & Söhne')
    t.match(await petra.text(), 'You are working in Globex & Söhne now')
    t.same(petra.complaints, [])
  })

  t.test(`providing access to it, ${how}`, async (t) => {
    const panel = await startLivePanel(t)
    const stella = await Person.open(browser, panel, { javaScriptEnabled })
    await stella.logIn('stella')
    await stella.follow('Project dashboard')
    await stella.fill({ Name: 'Intranet' })
    await stella.press('Create project')
    t.match(await stella.text(), 'Intranet was created')

    await stella.settings('Account Settings')
    await stella.fill({ 'Full name': 'Nora New', 'E-mail': 'nora@acme.example' })
    await stella.press('Invite')
    await stella.fill({ 'Full name': 'Nils', 'E-mail': 'nils@nowhere.example' })
    await stella.press('Invite')
    t.match(await stella.row('nora@acme.example'), 'Customer User')

    const nora = await Person.open(browser, panel, { javaScriptEnabled })
    await nora.goto(await panel.linkTo('nora@acme.example'))
    t.match(await nora.text(), /Stella invites nora@acme\.example to Acme as Customer User/)
    await nora.fill({ Password: 'correct horse battery', 'Repeat the password': 'correct horse battery' })
    await nora.press('Accept invitation')
    t.equal(await nora.activeAccount(), 'Acme')
    t.match(await nora.text(), 'You have no access to a project yet')

    const nils = await Person.open(browser, panel, { javaScriptEnabled })
    await nils.goto(await panel.linkTo('nils@nowhere.example'))
    await nils.follow('Log in to accept')
    await nils.fillLogIn('nils')
    await nils.press('Accept invitation')
    t.match(await nils.text(), 'You have no access to a project yet')

    await stella.settings('Account Settings')
    await stella.follow('Projects')
    await stella.follow('Give access', 'intranet')
    const intranet = stella.page.locator('main')
    await intranet.getByLabel('Nora New').check()
    await intranet.getByLabel('Nils').check()
    await intranet.getByLabel('Role', { exact: true }).selectOption('Project Reader')
    await intranet.getByRole('button', { name: 'Give access' }).click()
    t.match(await stella.text(), '2 people have access to Intranet as Project Reader now')

    await nora.follow('Project dashboard')
    t.match(await nora.row('intranet'), 'Project Reader')
    await nora.follow('Intranet')
    t.match(await nora.text(), 'You are Project Reader')
    t.equal(await nora.page.getByRole('button', { name: 'Give access' }).count(), 0)

    await stella.follow('Users')
    if (javaScriptEnabled) await stella.page.getByLabel('Role of Nora New').selectOption('Customer Admin')
    else {
      await stella.follow('Customer User', 'nora@acme.example')
      await stella.page.getByLabel('Role', { exact: true }).selectOption('Customer Admin')
      await stella.press('Save')
    }
    await stella.page.getByText('Nora New is Customer Admin now').waitFor()
    await nora.follow('Project dashboard')
    t.equal(await nora.page.getByRole('button', { name: 'Create project' }).count(), 1)
    await stella.press('Undo')
    t.match(await stella.text(), 'Nora New is Customer User now')
    await nora.goto('/projects')
    t.equal(await nora.page.getByRole('button', { name: 'Create project' }).count(), 0)
    t.same([...stella.complaints, ...nora.complaints, ...nils.complaints], [])
  })

  t.test(`becoming a partner, ${how}`, async (t) => {
    const panel = await startLivePanel(t)
    const dora = await Person.open(browser, panel, { javaScriptEnabled })
    await dora.logIn('dora')
    t.equal(
      await dora.page.locator('.settings').getByRole('link', { name: 'Partner Area', includeHidden: true }).count(),
      0,
    )
    await dora.settings('Account Settings')
    await dora.follow('Account')
    await dora.press('Ask to become a partner')
    t.match(await dora.text(), 'Waiting for Support.')

    const olga = await Person.open(browser, panel, { javaScriptEnabled })
    await olga.logIn('olga')
    await olga.follow('Review Direct asks to become a partner')
    await olga.press('Make partner', 'asked on')
    t.match(await olga.text(), 'Direct is a partner account now')

    await dora.goto('/')
    await dora.settings('Partner Area')
    t.match(await dora.text(), 'No customer yet')
    t.same([...dora.complaints, ...olga.complaints], [])
  })
}

for (const javaScriptEnabled of [true, false])
  t.test(
    `what was typed while the session ended is sent after the log-in, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`,
    async (t) => {
      const panel = await startLivePanel(t)
      const petra = await Person.open(browser, panel, { javaScriptEnabled })
      await petra.logIn('petra')
      await petra.goto('/partner/customers?q=acm')
      await petra.fill({ Name: 'Müller & Söhne', Identifier: 'muller' })
      panel.db.delete(sessions).run()
      await petra.press('Create customer')
      t.match(await petra.page.innerText('body'), 'what you typed is kept')
      await petra.fillLogIn('petra')
      t.equal(petra.path, '/unsent-forms')
      t.match(await petra.text(), /name\s+Müller & Söhne\s+identifier\s+muller/i)
      await petra.press('Send it again')
      t.match(await petra.page.innerText('body'), 'Müller & Söhne was created')

      await petra.goto('/partner/customers')
      panel.db.delete(sessions).run()
      await petra.fill({ 'Search customers': 'mueller' })
      await petra.press('Search')
      await petra.fillLogIn('petra')
      t.match(await petra.text(), '1 customer found for “mueller”')
      t.same(petra.complaints, [])
    },
  )

t.test('the product’s old links lead to the pages meant, logged in and through log-in', async (t) => {
  const panel = await startLivePanel(t)
  const links = {
    '/#/partner': '/partner/customers',
    '/#/partner/customers': '/partner/customers',
    '/#/customer/users': '/customer/users',
  }
  for (const [old, meant] of Object.entries(links)) {
    const petra = await Person.open(browser, panel)
    await petra.goto(old)
    await petra.fillLogIn('petra')
    await petra.page.waitForURL(`**${meant}`)
    await petra.goto('/profile')
    await petra.goto(old)
    await petra.page.waitForURL(`**${meant}`)
    t.equal(petra.path, meant)
  }
})

t.test('by keyboard alone a partner creates a customer, adds herself and changes into it', async (t) => {
  const panel = await startLivePanel(t)
  const petra = await Person.open(browser, panel)
  const { keyboard } = petra.page
  /** Tabs on until what has the focus is named so. */
  const tabTo = async (name: string | RegExp) => {
    for (let tabs = 0; tabs < 60; tabs++) {
      const focused = await petra.page.evaluate(() => {
        const element = document.activeElement as HTMLElement | null
        const label = (element as HTMLInputElement | null)?.labels?.[0]?.textContent
        const outline = element ? getComputedStyle(element).outlineStyle : ''
        return {
          name: (element?.getAttribute('aria-label') ?? label ?? element?.textContent ?? '')
            .replace(/\s+/g, ' ')
            .trim(),
          outline,
        }
      })
      if (typeof name === 'string' ? focused.name === name : name.test(focused.name)) {
        if (tabs > 0) t.not(focused.outline, 'none', `the focus is seen on ${focused.name}`)
        return
      }
      await keyboard.press('Tab')
    }
    throw new Error(`the keyboard does not reach ${name}`)
  }
  const loaded = () => petra.page.waitForLoadState('load')

  await petra.goto('/login')
  await tabTo('E-mail')
  await keyboard.type('petra@cloudhaus.example')
  await tabTo('Password')
  await keyboard.type('demo-demo-demo')
  await keyboard.press('Enter')
  await petra.page.waitForURL('**/')
  await tabTo('Settings')
  await keyboard.press('Enter')
  await keyboard.press('Escape')
  t.equal(await petra.page.locator('details[open]').count(), 0, 'Escape closes the menu')
  await keyboard.press('Enter')
  t.equal(await petra.page.locator('details[open]').count(), 1)
  await keyboard.press('Shift+Tab')
  t.equal(await petra.page.locator('details[open]').count(), 0, 'and so does leaving it')
  await keyboard.press('Tab')
  await keyboard.press('Enter')
  await tabTo('Partner Area')
  await keyboard.press('Enter')
  await petra.page.waitForURL('**/partner/customers')
  await tabTo('Name')
  await keyboard.type('Globex')
  await tabTo('Create customer')
  await keyboard.press('Enter')
  await petra.page.getByText('Globex was created').waitFor()
  await tabTo('Customer Users')
  await keyboard.press('Enter')
  await petra.page.waitForURL('**/partner/customers/globex/users')
  await tabTo('Add Myself')
  await keyboard.press('Space')
  await petra.page.getByText('You are Customer Admin of Globex now').waitFor()
  await loaded()
  await tabTo('Cloudhaus')
  await keyboard.press('Enter')
  await tabTo(/^Globex globex$/)
  await keyboard.press('Enter')
  await petra.page.waitForURL('**/projects')
  t.equal(await petra.activeAccount(), 'Globex')
})
