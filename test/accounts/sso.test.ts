import t, { type Test } from 'tap'
import { noteCheck } from '../../src/accounts/sso/data/domains.ts'
import { newDomainLookUp } from '../../src/accounts/sso/dns.ts'
import { startDomainChecks } from '../../src/accounts/sso/worker.ts'
import { accountDomains, accountProviders, letters } from '../../src/db/schema.ts'
import { byItself } from '../../src/records/record.ts'
import { unseal } from '../../src/secrets.ts'
import { type Client, type Panel, publicUrl, startApp, there } from '../harness.ts'
import { type NameServer, startNameServer } from '../name-server.ts'
import { startOidc } from '../oidc.ts'
import { until } from '../smtp.ts'

const page = '/customer/log-in'
const hour = 3_600_000

async function start(t: Test) {
  const oidc = await startOidc(t)
  const names = await startNameServer(t)
  const settings = { OUTSIDE_ALLOW: '127.0.0.0/8', ...names.settings }
  const panel = await startApp(t, { settings })
  const stella = await panel.signIn('stella')
  return { oidc, names, panel, stella }
}

const fieldsOf = (issuer: string) => ({
  issuer,
  clientId: 'panel',
  clientSecret: 'a-secret-of-the-panel-alone',
})

const domainOf = ({ db }: Panel) => db.select().from(accountDomains).get()

async function prove(names: NameServer, panel: Panel, client: Client) {
  await client.submit(page, 'Add domain', { domain: 'acme.example' })
  names.records.set('_meshpanel.acme.example', `meshpanel=${there(domainOf(panel)).token}`)
  return client.submitAndFollow(page, 'Check now')
}

t.test('an admin names a provider that answers; its secret is sealed and never shown again', async (t) => {
  const { oidc, panel, stella } = await start(t)
  t.match((await stella.get(page)).body, `${publicUrl}/login/sso/callback/acme`, 'the address to register')

  for (const [issuer, why] of [
    ['http://127.0.0.1:1', 'The connection was refused'],
    [`${oidc.issuer}/other`, 'There is no OpenID Connect provider that calls itself by this address'],
    ['http://10.0.0.7', '10.0.0.7 is no public address.'],
    ['ftp://id.example', 'Enter an https address without a query'],
  ] as const) {
    const refused = await stella.submit(page, 'Save', fieldsOf(issuer))
    t.equal(refused.status, 422)
    t.match(refused.root.querySelector('#issuer-error')?.text, why)
    t.equal(refused.root.querySelector('#issuer')?.getAttribute('value'), issuer, 'what was typed stays')
  }
  t.equal(panel.db.select().from(accountProviders).get(), undefined)

  const { clientSecret, ...without } = fieldsOf(oidc.issuer)
  t.match((await stella.submit(page, 'Save', without)).body, 'Enter the client secret.')
  const saved = await stella.submitAndFollow(page, 'Save', fieldsOf(oidc.issuer))
  t.match(saved.notice, 'The login of Acme was saved.')
  t.notMatch(saved.body, clientSecret)
  const row = there(panel.db.select().from(accountProviders).get())
  t.equal(unseal(panel.app.secrets, row.clientSecret), clientSecret)
  t.notMatch(JSON.stringify(panel.rows().records), clientSecret)

  await stella.submit(page, 'Save', { ...without, emailTrusted: 'yes' })
  const changed = there(panel.db.select().from(accountProviders).get())
  t.same([changed.emailTrusted, changed.clientSecret], [true, row.clientSecret], 'an empty secret keeps it')
  t.match((await stella.get('/customer/history')).text, 'Stella changed the provider of single sign-on')

  await stella.submit(`${page}/removal`, 'Remove provider')
  t.equal(panel.db.select().from(accountProviders).get(), undefined)
})

t.test('a domain is proved by its record, and by one account only', async (t) => {
  const { names, panel, stella } = await start(t)
  for (const domain of ['example', 'https://acme.example', '10.0.0.1', 'a b.example'])
    t.equal((await stella.submit(page, 'Add domain', { domain })).status, 422, domain)
  await stella.submit(page, 'Add domain', { domain: 'Acme.Example.' })
  const added = there(domainOf(panel))
  t.equal(added.domain, 'acme.example')
  const shown = await stella.get(page)
  t.match(shown.body, '_meshpanel.acme.example')
  t.match(shown.body, `meshpanel=${added.token}`)
  t.match((await stella.submitAndFollow(page, 'Check now')).notice, 'has no such record yet')
  names.records.set('_meshpanel.acme.example', 'meshpanel=another')
  t.match((await stella.submitAndFollow(page, 'Check now')).notice, 'has no such record yet')
  t.same([domainOf(panel)?.provedAt, names.asked.at(-1)], [null, '_meshpanel.acme.example'])
  t.match((await prove(names, panel, stella)).notice, 'acme.example is proved.')
  t.ok(domainOf(panel)?.provedAt)

  const riva = await panel.signIn('riva')
  await riva.submit(page, 'Add domain', { domain: 'acme.example' })
  const second = there(panel.db.select().from(accountDomains).all()[1])
  names.records.set('_meshpanel.acme.example', `meshpanel=${second.token}`)
  t.match((await riva.submitAndFollow(page, 'Check now')).notice, 'Another account has proved acme.example.')
  t.equal((await riva.post(`${page}/domains/${added.id}/removal`, {})).status, 404, 'Acme’s is not Riva’s')

  await stella.submit(page, 'Remove', {}, 'acme.example')
  t.match((await riva.submitAndFollow(page, 'Check now')).notice, 'acme.example is proved.')
})

t.test(
  'a proved domain is checked each day: a missing record ends it after a day, a silent server nothing',
  async (t) => {
    const { names, panel, stella } = await start(t)
    await prove(names, panel, stella)
    const { db, app } = panel
    const work = async () => {
      const before = names.asked.length
      const lookUp = newDomainLookUp([...app.config.dnsServers])
      const { storage, clock, log, now } = app
      const worker = startDomainChecks({ db, storage, clock, log, now, lookUp })
      await worker.stop()
      return names.asked.length > before
    }
    t.notOk(await work(), 'it was checked a moment ago')
    panel.pass(24 * hour)
    t.ok(await work())
    t.equal(domainOf(panel)?.failingSince, null)

    panel.pass(24 * hour)
    const checkedAt = domainOf(panel)?.checkedAt
    names.silent = true
    await work()
    t.same([domainOf(panel)?.checkedAt, domainOf(panel)?.failingSince], [checkedAt, null])

    names.silent = false
    names.records.clear()
    await work()
    t.ok(domainOf(panel)?.provedAt, 'once is not enough')
    panel.pass(hour)
    t.equal(noteCheck(db, byItself(app.now()), there(domainOf(panel)), false), 'unproved', 'twice in an hour neither')
    panel.pass(25 * hour)
    await work()
    t.equal(domainOf(panel)?.provedAt, null)
    t.match(
      (await (await panel.signIn('stella')).get('/notifications')).text,
      'The domain acme.example is no longer proved',
    )
    panel.pass(10 * 60_000)
    await until('it is mailed', () =>
      db
        .select()
        .from(letters)
        .all()
        .some(({ subject }) => /acme\.example/.test(subject)),
    )
  },
)
