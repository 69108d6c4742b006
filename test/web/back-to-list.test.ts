import t from 'tap'
import { cast } from '../../src/demo.ts'
import { type Client, type Fields, type Panel, publicUrl, startApp, userId } from '../harness.ts'

// An act from a row of a list leads back to the list as it was, also where a page asks something before.

type Way = {
  who: 'petra' | 'stella' | 'olga'
  list: string
  /** The page that the row links to, and that asks. */
  page: (panel: Panel) => string
  button: string
  fields?: Fields
  first?: (panel: Panel, client: Client) => Promise<unknown>
}

const invite = (_: Panel, stella: Client) =>
  stella.submit('/customer/users', 'Invite', { name: 'Guest', email: 'guest@acme.example' })

const ways: Way[] = [
  {
    who: 'petra',
    list: '/partner/customers?q=acme&status=active&sort=name&size=50',
    page: () => '/partner/customers/acme/suspension',
    button: 'Suspend',
    fields: { reason: 'Unpaid' },
  },
  {
    who: 'stella',
    list: '/customer/users?role=member&sort=joined',
    page: (panel) => `/customer/users/${userId(panel, 'tom')}/removal`,
    button: 'Remove Tom',
  },
  {
    who: 'stella',
    list: '/customer/users?q=stella&sort=joined',
    first: invite,
    page: () => '/customer/invitations/1/correction',
    button: 'Send invitation',
    fields: { name: 'Gert', email: 'gert@acme.example' },
  },
  {
    who: 'olga',
    list: '/support/accounts?q=acme&kind=customer',
    page: () => '/support/accounts/acme/suspension',
    button: 'Suspend',
    fields: { reason: 'Unpaid' },
  },
  {
    who: 'olga',
    list: '/support/users?q=tom&sort=created',
    page: (panel) => `/support/users/${userId(panel, 'tom')}/removal`,
    button: 'Delete Tom',
    fields: { email: cast.tom.email },
  },
]

for (const way of ways)
  t.test(`${way.button} on ${way.list}`, async (t) => {
    const panel = await startApp(t)
    const client = await panel.signIn(way.who)
    await way.first?.(panel, client)
    const from = { referer: `${publicUrl}${way.list}` }
    const page = await client.get(way.page(panel), from)
    const path = way.list.split('?')[0]
    const cancel = page.link('Cancel')
    if (cancel?.startsWith(`${path}?`)) t.equal(cancel, way.list, 'Cancel leads there as well')
    const wrong = way.fields ? await client.press(page, way.button, {}) : page
    if (way.fields) t.ok(wrong.status >= 400, 'what is wrong is shown first')
    const done = await client.press(wrong, way.button, way.fields)
    t.equal(done.status, 303, done.text)
    t.equal(done.location, way.list)
    t.ok((await client.open(done.location ?? '')).notice, 'and it says what was done')
  })

t.test('a deletion leads to where it can be undone, and Cancel back to the list', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const list = '/partner/customers?q=initech&sort=identifier'
  const page = await petra.get('/partner/customers/initech/removal', { referer: publicUrl + list })
  t.equal(page.link('Cancel'), list)
  t.equal(
    (await petra.press(page, 'Delete customer', { identifier: 'initech' })).location,
    '/partner/deleted-customers',
  )
})

t.test('only a list of the panel is led back to', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const suspension = '/partner/customers/acme/suspension'
  for (const referer of ['https://evil.example/partner/customers?q=x', `${publicUrl}/support/accounts?q=x`, 'x', '']) {
    const page = await petra.get(suspension, { referer })
    t.equal(page.link('Cancel'), '/partner/customers', referer)
  }
  for (const _back of [
    'https://evil.example/?x',
    '//evil.example/?x',
    '/partner/customers/?q=x',
    '/support/accounts?q=x',
    '/partner/customersX?q=x',
  ]) {
    const page = await petra.get(suspension)
    const done = await petra.press(page, 'Suspend', { reason: 'Unpaid', _back })
    t.equal(done.location, '/partner/customers', _back)
    await petra.submit('/partner/customers', 'Resume')
  }
  const page = await petra.get(suspension)
  const done = await petra.press(page, 'Suspend', { reason: 'Unpaid', _back: '/partner/customers?q=a\r\nX: y#z' })
  t.match(done.location, /^\/partner\/customers\?q=a[^\r\n#]*$/)
})
