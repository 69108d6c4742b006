import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { letters } from '../../src/db/schema.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import type { Role } from '../../src/policy.ts'
import { byItself } from '../../src/records/record.ts'
import { everyScope, program } from '../api/program.ts'
import { accountId, type Panel, startApp, there, userId } from '../harness.ts'
import { serviceUserOf } from '../matrix/objects.ts'
import { startMailServer } from '../smtp.ts'

// Who reads of an act sees whether a person or a program did it.

function shopOf(panel: Panel, account: string, by: 'stella' | 'petra') {
  const { userId: serviceUser } = serviceUserOf(panel, account, 'Shop')
  const actor = { ...byItself(panel.app.now()), userId: userId(panel, by) }
  const choice = { name: 'Till', scopes: everyScope, networks: [], days: 90, serviceUser }
  return program(panel.app, there(createApiToken(panel.db, actor, accountId(panel, account), choice)).token)
}

async function start(t: Test) {
  const mail = await startMailServer(t)
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  const shop = shopOf(panel, 'acme', 'stella')
  return { mail, panel, shop }
}

t.test('a request by a program says so in the letter, and has no line for an e-mail', async (t) => {
  const { mail, panel, shop } = await start(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '3' })
  const asked = await shop('POST', '/accounts/acme/quota-requests', { amounts: { projects: 9 }, reason: 'Growth' })
  t.equal(asked.status, 201, asked.text)
  const { text } = (await mail.letterTo('petra@cloudhaus.example')).mail
  t.match(text, /Asked by: the service user Shop\n\n/)
  t.notMatch(text, /E-mail:/)
  t.match((await petra.get('/')).text, /Acme asks for more quota .*by the service user “?Shop/)
  t.match((await petra.get('/partner/customers/acme/quotas')).text, /Shop service asked on/)
  const stella = await panel.signIn('stella')
  t.match((await stella.get('/')).text, /The request for more of Shop service is waiting for Cloudhaus/)
  await petra.submit('/partner/customers/acme/quotas', 'Approve', {})
  t.equal(panel.db.select().from(letters).where(eq(letters.email, '')).all().length, 0, 'nobody writes to it')
})

t.test('letters about what a program did, and its invitations, say so', async (t) => {
  const { mail, panel, shop } = await start(t)
  await shop('POST', '/accounts/acme/invitations', { name: 'Nora', email: 'nora@acme.example' })
  t.match((await mail.letterTo('nora@acme.example')).mail.text, /^The service user Shop invites you to the account\s/m)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Otto', email: 'otto@acme.example' })
  t.match((await mail.letterTo('otto@acme.example')).mail.text, /^Stella invites you to the account\s/m)

  await shop('PATCH', `/accounts/acme/members/${userId(panel, 'tom')}`, { role: 'admin' })
  t.match((await mail.letterTo('tom@acme.example')).mail.text, /A service user acted for: Acme/)
})

t.test('the form of tokens offers only rights that can be used', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const offered = async (path: string, client = stella) =>
    (await client.get(path)).root
      .querySelectorAll('input[name=scopes]')
      .map((box) => box.getAttribute('value') ?? '')
      .filter((scope) => /^(account|projects|quotas):/.test(scope))
  const { userId: id } = serviceUserOf(panel, 'acme', 'Shop')
  const page = `/customer/service-users/${id}`
  const all = ['account:read', 'account:write', 'projects:read', 'projects:write', 'quotas:read', 'quotas:write']
  t.same(await offered(page), all)
  const role: Role = 'member'
  await stella.submit(page, 'Save changes', { serviceName: 'Shop', role })
  t.same(await offered(page), ['account:read', 'quotas:read'], 'it is in no project')
  const tom = await panel.signIn('tom')
  t.same(await offered('/profile/tokens', tom), ['account:read', 'projects:read', 'projects:write', 'quotas:read'])
})
