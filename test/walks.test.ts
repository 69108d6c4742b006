import t from 'tap'
import { cast } from '../src/demo.ts'
import { publicUrl, startApp } from './harness.ts'
import { linkIn, startMailServer } from './smtp.ts'

// The walks of the manual, as forms: browser/ walks them again in Chromium.

t.test('creating a customer account: a partner creates it, adds herself and changes into it', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')

  const home = await petra.open('/')
  t.ok(home.settingsMenu.includes('Partner Area'))
  const customers = await petra.open('/partner')
  t.match(customers.title, 'Customers')
  t.same(customers.areaMenu, ['Customers', 'Deleted customers', 'Quotas', 'Plans', 'History'])
  t.match(customers.text, 'It cannot be changed later')

  const created = await petra.submitAndFollow('/partner/customers', 'Create customer', {
    name: 'Globex',
    identifier: 'globex',
  })
  t.match(created.row('globex'), /Globex.*active/)

  const users = await petra.open(created.link('Customer Users', 'globex') ?? '')
  t.match(users.text, 'This customer has no users yet')
  const joined = await petra.submitAndFollow(users.path, 'Add Myself')
  t.match(joined.row('petra@cloudhaus.example'), 'Customer Admin')
  t.ok(joined.switcher.includes('Globex'))

  const dashboard = await petra.press(joined, 'Globex globex')
  t.equal((await petra.open(dashboard.location ?? '')).activeAccount, 'Globex')
})

t.test('providing access: a project, an invitation by e-mail, access, and what a role is worth', async (t) => {
  const mail = await startMailServer(t)
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  const stella = await panel.signIn('stella')

  const project = await stella.submitAndFollow('/projects', 'Create project', { name: 'Intranet', identifier: '' })
  t.match(project.text, 'Intranet intranet')

  const invited = await stella.submitAndFollow('/customer/users', 'Invite', {
    name: 'Nora New',
    email: 'nora@acme.example',
  })
  t.match(invited.notice, 'nora@acme.example')
  const { mail: letter } = await mail.letterTo('nora@acme.example')
  t.match(letter.text, /Stella invites you to the account Acme on Meshpanel, as Customer User/)

  const nora = panel.visit()
  const invitation = await nora.open(linkIn(letter.text, publicUrl))
  const accepted = await nora.press(invitation, 'Accept invitation', {
    password: 'correct horse battery',
    repeated: 'correct horse battery',
  })
  const dashboard = await nora.open(accepted.location ?? '')
  t.equal(dashboard.activeAccount, 'Acme')
  t.match(dashboard.text, 'You have no access to a project yet')

  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: 'nils@nowhere.example' })
  const nils = panel.visit()
  const link = linkIn((await mail.letterTo('nils@nowhere.example')).mail.text, publicUrl)
  const asKnown = await nils.open(link)
  const login = await nils.open(asKnown.link('Log in to accept') ?? '')
  const back = await nils.press(login, 'Log in', { email: cast.nils.email, password: 'demo-demo-demo' })
  t.equal(back.location, link, 'log-in returns to the invitation')
  const member = await nils.submitAndFollow(link, 'Accept invitation')
  t.match(member.notice, 'You are working in Acme now')

  const access = await stella.open((await stella.open('/customer/projects')).link('Give access', 'Intranet') ?? '')
  const intranet = access.form('Give access')
  const people = intranet.form
    .querySelectorAll('input[name="people"]')
    .map((input) => input.getAttribute('value') ?? '')
  t.equal(people.length, 3, 'Tom, Nora and Nils')
  await stella.press(access, 'Give access', { people, role: 'reader' })
  t.match((await nora.open('/projects')).row('intranet'), 'Project Reader')
  t.match((await nora.open('/projects/intranet')).text, 'You are Project Reader')
  t.notOk((await nora.open('/projects/intranet')).hasButton('Give access'))

  t.match(
    (await stella.submitAndFollow('/customer/users', 'Save', { role: 'admin' }, 'nora@acme.example')).notice,
    'Nora New is Customer Admin now',
  )
  t.ok((await nora.open('/projects')).hasButton('Create project'))
  await stella.submit('/customer/users', 'Save', { role: 'member' }, 'nora@acme.example')
  t.notOk((await nora.open('/projects')).hasButton('Create project'))
})

t.test(
  'becoming a partner: asked under Account Settings, granted by Support, seen on the very next page',
  async (t) => {
    const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'support@panel.example' } })
    const dora = await panel.signIn('dora')
    const olga = await panel.signIn('olga')
    t.notOk((await dora.open('/')).settingsMenu.includes('Partner Area'))

    const asked = await dora.submitAndFollow('/customer/account', 'Ask to become a partner')
    t.match(asked.text, 'Waiting for Support.')
    t.match((await olga.open('/')).text, 'Direct asks to become a partner')
    t.match(
      (await olga.submitAndFollow('/support/accounts', 'Make partner', {}, 'asked on')).notice,
      'Direct is a partner account now',
    )

    t.ok((await dora.open('/')).settingsMenu.includes('Partner Area'))
    t.match(
      (await dora.submitAndFollow('/partner/customers', 'Create customer', { name: 'Ärzte am Markt' })).row('rzte'),
      'arzte-am-markt',
    )
  },
)
