import t from 'tap'
import { cast } from '../../src/demo.ts'
import { type Client, type Panel, startApp, userId } from '../harness.ts'

// Names in sentences lead to the pages of whom and what they name: to those that the reader may open.

const linksOn = async (client: Client, path: string) =>
  (await client.open(path)).root
    .querySelectorAll('.log a.name')
    .map((link) => [link.text, link.getAttribute('href') ?? ''] as const)

/** Each link of a history, and that it opens a page which shows the name. */
async function linked(t: Tap, client: Client, path: string): Promise<Record<string, string>> {
  const links = await linksOn(client, path)
  for (const [name, href] of links) {
    const page = await client.open(href)
    t.equal(page.status, 200, `${name}: ${href}`)
    t.match(page.text, name)
  }
  return Object.fromEntries(links)
}

type Tap = { equal: (one: unknown, other: unknown, words: string) => void; match: (one: string, other: string) => void }

const inAcme = async (panel: Panel) => {
  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  await stella.submit('/projects/website', 'Save', { role: 'reader' }, cast.tom.email)
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.submit(`/partner/customers/acme/users/${userId(panel, 'tom')}`, 'Send password link')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '4' })
  return { stella, petra }
}

t.test('each reader of a history gets links that open', async (t) => {
  const panel = await startApp(t)
  const { stella, petra } = await inAcme(panel)
  const olga = await panel.signIn('olga')
  const tom = userId(panel, 'tom')
  t.match(await linked(t, stella, '/customer/history'), {
    Tom: '/customer/users?q=Tom',
    Stella: '/customer/users?q=Stella',
    Petra: '/customer/users?q=Petra',
    Website: '/projects/website',
  })
  const partners = await linked(t, petra, '/partner/history')
  t.match(partners, { Acme: '/partner/customers/acme', Tom: `/partner/customers/acme/users/${tom}` })
  t.notOk(partners.Petra, 'a partner helps none of its own people there')
  t.match(await linked(t, petra, '/partner/customers/acme/history'), {
    Tom: `/partner/customers/acme/users/${tom}`,
    Website: '/partner/customers/acme/projects?q=Website',
  })
  t.match(await linked(t, olga, '/support/history'), {
    Acme: '/support/accounts?q=acme',
    Petra: `/support/users/${userId(panel, 'petra')}`,
    Tom: `/support/users/${tom}`,
  })
})

t.test('who left, what was deleted and what is another’s has none', async (t) => {
  const panel = await startApp(t)
  const { stella, petra } = await inAcme(panel)
  const olga = await panel.signIn('olga')
  await petra.submit('/partner/customers/acme/users', 'Remove Myself')
  await stella.submit(`/customer/users/${userId(panel, 'tom')}/removal`, 'Remove Tom')
  await stella.submit('/projects/website/removal', 'Delete project', { identifier: 'website' })
  const own = await linked(t, stella, '/customer/history')
  for (const name of ['Tom', 'Petra', 'Website']) t.notOk(own[name], `${name} in the account’s history`)
  t.notOk((await linked(t, petra, '/partner/customers/acme/history')).Tom, 'in the customer’s')

  await olga.submit('/support/accounts/acme/partner', 'Move', { to: 'partner', partner: 'rival' })
  t.same(
    (await linksOn(petra, '/partner/history')).filter(([, href]) => href.includes('/acme')),
    [],
    'after it has left',
  )
  await olga.submit(`/support/users/${userId(panel, 'tom')}/removal`, 'Delete Tom', { email: cast.tom.email })
  const all = await linked(t, olga, '/support/history')
  t.notOk(all.Tom)
  t.notOk(all['Deleted user'])
})
