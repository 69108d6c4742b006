import t from 'tap'
import { deleteTokensFor } from '../../src/people/tokens/data.ts'
import { program, tokenOf } from '../api/program.ts'
import { accountId, type Client, startApp } from '../harness.ts'

// A history says that a program did it, and by which token.

t.test(
  'an act with a token says so to its account, to the partner and to Support; one on a page does not',
  async (t) => {
    const panel = await startApp(t)
    const token = tokenOf(panel, 'stella', 'acme')
    const partners = tokenOf(panel, 'petra', 'cloudhaus')
    const end = `…${token.slice(-4)}`
    await program(panel.app, token)('PATCH', '/accounts/acme/projects/website', { name: 'Site' })
    await program(panel.app, partners)('POST', '/accounts/cloudhaus/customers/acme/suspend', { reason: 'Unpaid' })
    await program(panel.app, partners)('POST', '/accounts/cloudhaus/customers/acme/resume')
    const [stella, petra, olga] = [
      await panel.signIn('stella'),
      await panel.signIn('petra'),
      await panel.signIn('olga'),
    ]
    await stella.submit('/projects/website', 'Rename', { name: 'Web' })

    const by = `with the API token ${end}`
    const row = async (client: Client, path: string, what: string) => (await client.get(path)).row(what)
    const partner = '/partner/customers/acme/history'
    t.match(await row(stella, '/customer/history', 'renamed the project Website'), by)
    t.match(await row(petra, partner, 'renamed the project Website'), by)
    t.match(await row(olga, '/support/history', 'renamed the project Website'), by)
    t.match(await row(petra, '/partner/history', 'suspended'), `with the API token …${partners.slice(-4)}`)
    t.notMatch(await row(stella, '/customer/history', 'renamed the project Site'), 'API token')

    const file = (await stella.get('/customer/history?download=csv')).body.split('\r\n')
    t.ok(file.some((line) => line.includes('name: Website → Site') && line.endsWith(`,${end}`)))
    t.ok(file.some((line) => line.includes('name: Site → Web') && line.endsWith(',')))
  },
)

t.test('once an account is purged its tokens are gone, and the history still says that it was one', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  await ask('PATCH', '/accounts/acme/projects/website', { name: 'Site' })
  deleteTokensFor(panel.db, accountId(panel, 'acme'))
  const olga = await panel.signIn('olga')
  t.match((await olga.get('/support/history')).row('renamed the project'), /with the API token … 127/)
})
