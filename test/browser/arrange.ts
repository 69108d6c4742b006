import type { CastName } from '../../src/demo.ts'
import { Client, type Fields, there } from '../harness.ts'
import { enrol } from '../two-factor.ts'
import { clientOf, type LivePanel } from './chromium.ts'

export const longName = 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.padEnd(
  100,
  'x',
)
export const longIdentifier = 'a-very-long-identifier-of-32-abc'
const longAddress = (name: string) => `${name}@${'long-domain.'.repeat(5)}example`

/** Sends a form that must succeed, and returns the page that follows, with its address. */
async function send(client: Client, path: string, pressed: string | [string, within: string], fields: Fields = {}) {
  const [button, within] = [pressed].flat() as [string, string?]
  const { location, problem, text } = await client.submit(path, button, fields, within)
  if (!location) throw new Error(`“${button}” on ${path} did not succeed: ${problem} ${text}`)
  // The notice is read, too.
  return { page: await client.open(location), path: location }
}

/** Puts something on each page of the panel, and returns who did so and the addresses that came of it. */
export async function arrange(panel: LivePanel) {
  const as = (who: CastName) => clientOf(panel, who)
  const [petra, max, stella, olga, dora] = [
    await as('petra'),
    await as('max'),
    await as('stella'),
    await as('olga'),
    await as('dora'),
  ]
  await addCustomers(petra)
  const invitations = await invite(panel, stella)
  await send(olga, '/support/accounts/cloudhaus/quotas', 'Save pool', {
    ...{ projects: '8', cores: '64', ram: '131072', remark: 'As in the contract of November' },
  })
  await limit(petra, stella, olga)
  await send(dora, '/customer/account', 'Ask to become a partner')
  await send(olga, '/support/accounts/initech/suspension', 'Suspend', { reason: 'The contract ended on 1 November.' })
  const ended = await deleteOneOfEach(panel, { petra, stella, olga })
  const viv = await addUnconfirmed(panel, petra)
  const text = (head: string, email: string) => `${head}\n${longName},${email}\nTwo,x`
  const { path: partnerImport } = await send(petra, '/partner/imports', 'Check the file', {
    text: text('name,identifier', 'one'),
  })
  const { path: ownImport } = await send(stella, '/customer/imports', 'Check the file', {
    text: text('name,e-mail', 'one@acme.example'),
  })
  await send(olga, '/support/accounts', 'Create account', {
    ...{ name: 'Solo', identifier: 'solo', adminName: 'Sol', adminEmail: 'sol@solo.example' },
  })
  await send(max, '/profile', 'Change e-mail', { email: 'max@new.example' })
  const emailLink = await panel.linkTo('max@new.example', '/profile/email/')
  const uma = await as('uma')
  await enrol(panel, uma)
  const half = await as('uma')
  // What was counted in between is counted again.
  panel.pass(60_000)
  return { petra, stella, ended, viv, uma, half, ...invitations, partnerImport, ownImport, emailLink }
}

async function addCustomers(petra: Client): Promise<void> {
  await send(petra, '/partner/customers', 'Create customer', { name: longName, identifier: longIdentifier })
  await send(petra, `/partner/customers/${longIdentifier}/users`, 'Invite', {
    name: longName,
    email: longAddress('first.admin'),
  })
}

/** Three invitations, of which one is cancelled: their links, and the id of the first. */
async function invite(panel: LivePanel, stella: Client) {
  await send(stella, '/projects', 'Create project', { name: longName, identifier: longIdentifier })
  for (const [name, email] of [
    ['Nora New', 'nora@acme.example'],
    ['Nils', 'nils@nowhere.example'],
    ['Carl Cancelled', 'carl@acme.example'],
  ] as const)
    await send(stella, '/customer/users', 'Invite', { name, email })
  const [nora, invitedNils, cancelled] = [
    await panel.linkTo('nora@acme.example'),
    await panel.linkTo('nils@nowhere.example'),
    await panel.linkTo('carl@acme.example'),
  ]
  const { page } = await send(stella, '/customer/users', ['Cancel', 'carl@acme.example'])
  const rows = page.root.querySelectorAll('tr').filter((row) => row.textContent.includes('nora@acme.example'))
  const norasInvitation = there(rows[0]?.querySelector('input[type=checkbox]')?.getAttribute('value'))
  return { nora, invitedNils, cancelled, norasInvitation }
}

/** Plans, details of a customer, limits, and a request for more. */
async function limit(petra: Client, stella: Client, olga: Client): Promise<void> {
  for (const [planName, limits] of [
    ['Small', { projects: '2', cores: '8', ram: '16 GB' }],
    [longName, { projects: '20', cores: '96', ram: '128 GB', volumes: '40', floating_ips: '0' }],
  ] as const)
    await send(petra, '/partner/plans/new', 'Create plan', { planName, ...limits })
  await send(petra, '/partner/customers/acme/details', 'Save details', {
    contactName: longName,
    contactEmail: longAddress('karla'),
    contactPhone: '+49 30 123 456 78',
    contactAddress: 'Main Street 1\n12345 Berlin',
    reference: 'K-1007',
    tags: 'VIP, north, pays late',
    note: `Call after noon.\n${longName.repeat(3)}`,
  })
  const ofAcme = '/partner/customers/acme/quotas'
  await send(petra, ofAcme, 'Save quotas', {
    ...{ projects: '4', cores: '16', ram: '32768', volumes: '10', remark: 'The large package' },
  })
  await send(stella, '/projects/website', 'Save quotas', { cores: '14', ram: '24576', volumes: '10' })
  await send(petra, ofAcme, 'Save quotas', { volumes: '8' })
  await send(stella, '/customer/quotas', 'Send request', { cores: '20', ram: '65536', reason: longName })
  await send(olga, '/support/accounts/direct/quotas', 'Save quotas', { cores: '4', ram: '8192' })
}

/** Deletes a customer, a project, and an account whose admin is returned. */
async function deleteOneOfEach(
  panel: LivePanel,
  { petra, stella, olga }: Record<'petra' | 'stella' | 'olga', Client>,
): Promise<Client> {
  await send(petra, '/partner/customers', 'Create customer', {
    name: `Gone ${longName}`.slice(0, 100),
    identifier: 'gone',
  })
  await send(petra, '/partner/customers/gone/removal', 'Delete customer', { identifier: 'gone' })
  await send(stella, '/projects', 'Create project', { name: longName, identifier: 'gone' })
  await send(stella, '/projects/gone/removal', 'Delete project', { identifier: 'gone' })
  await send(olga, '/support/accounts', 'Create account', {
    ...{ name: 'Ended', identifier: 'ended', adminName: 'Nils', adminEmail: 'nils@nowhere.example' },
  })
  const ended = await clientOf(panel, 'nils')
  await send(ended, '/', ['Accept', 'Ended'])
  await send(olga, '/support/accounts/ended/removal', 'Delete account', { identifier: 'ended' })
  return ended
}

/** A customer whose users Petra invites as its admin; Viv has joined by a link, her address is not confirmed. */
async function addUnconfirmed(panel: LivePanel, petra: Client): Promise<Client> {
  await send(petra, '/partner/customers', 'Create customer', { name: 'Mills', identifier: 'mills' })
  await send(petra, '/partner/customers/mills/users', 'Add Myself')
  await petra.switchTo('mills')
  for (const [name, email] of [
    ['Viv', 'viv@mills.example'],
    [longName, longAddress('wim')],
  ] as const)
    await send(petra, '/customer/users', 'Invite', { name, email })
  const copied = await petra.submitAndFollow('/customer/users', 'Copy link', {}, 'viv@mills.example')
  const link = there(copied.root.querySelector('#link')?.getAttribute('value')).slice(panel.url.length)
  const viv = new Client(panel.app, panel.url)
  const words = 'correct horse battery staple'
  const { page } = await send(viv, link, 'Accept invitation', { password: words, repeated: words })
  if (page.activeAccount !== 'Mills') throw new Error('Viv has not joined')
  await petra.switchTo('cloudhaus')
  await petra.open('/')
  return viv
}
