import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { accounts, limits, quotaRequests, resources } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { type Client, type Panel, startApp } from '../harness.ts'
import { linkIn, startMailServer, until } from '../smtp.ts'

const own = '/customer/quotas'
const customer = '/partner/customers/acme/quotas'
const day = 24 * 3_600_000

async function start<Name extends CastName>(t: Test, names: readonly Name[], settings: Record<string, string> = {}) {
  const panel = await startApp(t, { settings })
  const people = {} as Record<Name, Client>
  for (const name of names) people[name] = await panel.signIn(name)
  return { panel, ...people }
}

/** The numbers that are set, by level and resource. */
function numbers(panel: Panel): Record<string, number | null> {
  const rows = panel.db
    .select({ level: limits.level, key: resources.key, amount: limits.amount, account: accounts.identifier })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .innerJoin(accounts, eq(accounts.id, limits.accountId))
    .all()
  return Object.fromEntries(rows.map(({ level, key, amount, account }) => [`${account} ${level} ${key}`, amount]))
}

const states = (panel: Panel) =>
  panel.db
    .select()
    .from(quotaRequests)
    .all()
    .map(({ state }) => state)

t.test(
  'a Customer Admin asks for more, the Partner Admin approves, and both get letters that name the other',
  async (t) => {
    const mail = await startMailServer(t)
    const { panel, petra, stella, max } = await start(t, ['petra', 'stella', 'max'], { SMTP_URL: mail.url })
    await petra.submit(customer, 'Save quotas', { cores: '4', ram: '1024' })
    const asked = await stella.submitAndFollow(own, 'Send request', {
      cores: '8',
      ram: '4096',
      reason: 'The <Christmas> sale',
    })
    t.match(asked.notice, 'Cloudhaus has your request')
    t.match(
      asked.text,
      /Stella .* asked on .* for the account Acme: “The <Christmas> sale” Cores: 8 RAM: 4 GB.*Waiting for Cloudhaus/,
    )

    const toPartner = (await mail.letterTo(cast.petra.email)).mail
    t.equal(toPartner.subject, 'Acme asks for more quota')
    t.match(toPartner.text, /The account Acme asks for more:[\s\S]*Asked by: Stella\s+E-mail: stella@acme.example/)
    t.match(
      toPartner.text,
      /Cores: 8 \(now 4\)\n.*RAM: 4 GB \(now 1 GB\)\n\nReason: The <Christmas> sale\n\nAsked by: Stella\nE-mail: stella@acme.example\n\nReview the request:\n/,
    )
    t.match(toPartner.html, 'The &lt;Christmas&gt; sale')
    const link = linkIn(toPartner.text, 'http://localhost:3000', '/partner/customers/acme/quotas')
    t.match((await petra.open('/')).text, 'Acme asks for more quota')
    t.match((await stella.open('/')).text, 'The request for more of Stella is waiting for Cloudhaus')
    t.match((await petra.open('/partner/quotas')).text, /Requests for more 1 Acme/)
    t.notOk((await max.open(customer)).hasButton('Approve'))
    t.match((await max.open(customer)).text, /Cores: 4 → 8.*Waiting for a Partner Admin/)

    const page = await petra.open(link)
    t.equal(page.value('cores'), '8', 'what was asked for stands in the form')
    const approved = await petra.submitAndFollow(link, 'Approve', { ram: '2048', comment: 'Half of the RAM for now' })
    t.match(approved.notice, 'approved')
    t.same(numbers(panel), { 'acme account cores': 8, 'acme account ram': 2048 })
    t.match((await stella.open(own)).row('RAM'), 'Set by Petra Cloudhaus')
    // The first told of the limits that Petra had set.
    const toCustomer = (await mail.letterTo(cast.stella.email, 2)).mail
    t.equal(toCustomer.subject, 'More quota for Acme was approved')
    t.match(
      toCustomer.text,
      /Your request for more for Acme was approved\.\s+Decided by: Petra\nActed for: Cloudhaus, partner of Acme\n/,
    )
    t.match(toCustomer.text, /Cores: 8 now\n.*RAM: 2 GB now, asked for 4 GB\n\nComment: Half of the RAM for now\n/)
    t.match((await stella.open(own)).text, /approved by Petra on .*“Half of the RAM for now”/)
    t.match((await petra.open('/')).text, 'You’re all caught up.')
    t.match((await stella.open('/customer/history')).text, 'approved the request for more quota')
  },
)

t.test('a request is declined with a comment, or cancelled', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit(customer, 'Save quotas', { cores: '4' })
  await stella.submit(own, 'Send request', { cores: '8', reason: 'Growth' })
  t.match((await petra.submit(customer, 'Decline')).error('comment'), 'Say why')
  const declined = await petra.submitAndFollow(customer, 'Decline', { comment: 'Not this year' })
  t.match(declined.notice, 'declined')
  t.match((await stella.open(own)).text, /declined by Petra on .*“Not this year”/)
  await stella.submit(own, 'Send request', { cores: '6', reason: 'Growth' })
  t.match((await stella.submitAndFollow(own, 'Cancel request')).notice, 'cancelled')
  t.same(states(panel), ['declined', 'cancelled'])
  t.same(numbers(panel), { 'acme account cores': 4 })
})

t.test('one request is open at a time, and one that has already ended says so', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit(customer, 'Save quotas', { cores: '4', ram: '0' })
  const form = await stella.open(own)
  await stella.press(form, 'Send request', { cores: '8', reason: 'First' })
  const second = await stella.press(form, 'Send request', { cores: '9', reason: 'Second' })
  t.equal(second.status, 422)
  t.match(second.problem, 'open already')
  const [deciding, asking] = [await petra.open(customer), await stella.open(own)]
  await stella.press(asking, 'Cancel request')
  for (const [button, fields] of [
    ['Approve', {}],
    ['Decline', { comment: 'No' }],
  ] as const) {
    const late = await petra.press(deciding, button, fields)
    t.equal(late.status, 409)
    t.match(late.problem, 'already ended')
  }
  await stella.submit(own, 'Send request', { ram: '1', reason: 'Third' })
  t.equal((await petra.press(deciding, 'Approve', { cores: '8' })).status, 409, 'another request is not the same one')
  t.equal((await stella.press(asking, 'Cancel request', { _once: 'again' })).status, 409)
  t.same(states(panel), ['cancelled', 'open'])
  t.same(numbers(panel), { 'acme account cores': 4, 'acme account ram': 0 })
})

t.test('bad requests are refused with the reason at the field, and nothing lost', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit(customer, 'Save quotas', { cores: '4' })
  const none = await stella.submit(own, 'Send request', { reason: 'Why' })
  t.equal(none.status, 422)
  t.match(none.problem, 'at least one resource')
  t.equal(none.value('reason'), 'Why')
  const unfounded = await stella.submit(own, 'Send request', { cores: '8' })
  t.match(unfounded.error('reason'), 'Say what it is needed for')
  t.equal(unfounded.value('cores'), '8')
  t.match(
    (await stella.submit(own, 'Send request', { cores: '4', reason: 'X' })).error('cores'),
    'The limit is 4 already',
  )
  const nowhere = await stella.submit(own, 'Send request', { project: 'nothing', cores: '9', reason: 'X' })
  t.equal(nowhere.status, 404)
  const inProject = await stella.submit(own, 'Send request', { project: 'shop', projects: '9', reason: 'X' })
  t.match(inProject.problem, 'A project has no limit of Projects. Ask for the account.')
  t.same(states(panel), [])

  await stella.submit(own, 'Send request', { cores: '8', reason: 'X' })
  await petra.submit(customer, 'Save quotas', { cores: '10' })
  t.match((await petra.submit(customer, 'Approve')).error('cores'), 'The limit is 10 already')
  t.match((await petra.submit(customer, 'Approve', { cores: '' })).error('cores'), 'Enter a number')
  t.match((await petra.submit(customer, 'Approve', { cores: '1e3' })).error('cores'), 'Enter a whole number')
  t.equal((await petra.submit(customer, 'Approve', { ram: '1' })).status, 400, 'what was not asked for')
  t.same(numbers(panel), { 'acme account cores': 10 })
})

t.test('an approval fails, with the reason, when the pool does not have enough', async (t) => {
  const { panel, petra, stella, olga } = await start(t, ['petra', 'stella', 'olga'])
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '10', ram: '100' })
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '6' })
  await petra.submit(customer, 'Save quotas', { cores: '0', ram: '1' })
  await stella.submit(own, 'Send request', { cores: '8', ram: '50', reason: 'Growth' })
  const failed = await petra.submit(customer, 'Approve')
  t.equal(failed.status, 422)
  t.match(failed.error('cores'), /pool of Cloudhaus has 4 available, and this takes 8 more. At most 4/)
  t.equal(numbers(panel)['acme account ram'], 1, 'nothing of it was changed')
  t.same(states(panel), ['open'])
  t.equal((await petra.submit(customer, 'Approve', { cores: '4' })).status, 303)
  t.match(numbers(panel), { 'acme account cores': 4, 'acme account ram': 50 })
})

t.test('more for a project raises its account as far as needed, and no further', async (t) => {
  const { panel, petra, stella, olga } = await start(t, ['petra', 'stella', 'olga'])
  await petra.submit(customer, 'Save quotas', { cores: '6' })
  await stella.submit('/projects/shop', 'Save quotas', { cores: '0' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '4' })
  t.match((await stella.open('/projects/shop')).link('Quotas of Acme'), '/customer/quotas?project=shop')
  const page = await stella.open('/customer/quotas?project=shop')
  t.match(page.text, 'Ask for more for project Shop')
  await stella.press(page, 'Send request', { cores: '5', reason: 'Sale' })
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '8' })
  const short = await petra.submit(customer, 'Approve')
  t.match(short.error('cores'), /pool of Cloudhaus has 2 available, and this takes 3 more. Support/)
  t.same(numbers(panel), { 'acme account cores': 6, 'acme project cores': 4, 'cloudhaus pool cores': 8 })
  t.equal((await petra.submit(customer, 'Approve', { cores: '4' })).status, 303)
  t.match((await stella.open(own)).row('Cores'), /Cores 8 allocated limit reached .* 8$/)
  t.match((await stella.open('/projects/shop')).row('Cores'), 'Set by Petra Cloudhaus')
  await petra.submit(customer, 'Save quotas', { cores: '8' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '1' })
  await stella.submit(own, 'Send request', { project: 'shop', cores: '6', reason: 'Sale' })
  t.equal((await petra.submit(customer, 'Approve')).status, 303, 'the account has enough itself')
  t.equal(numbers(panel)['acme account cores'], 8)
})

t.test('small requests are approved automatically, once in 30 days a customer', async (t) => {
  const mail = await startMailServer(t)
  const { panel, petra, stella, ines } = await start(t, ['petra', 'stella', 'ines'], { SMTP_URL: mail.url })
  for (const share of ['0', '101', '-5', '1.5', 'x'])
    t.equal((await petra.submit('/partner/quotas', 'Save', { share })).status, 422, share)
  t.match((await petra.submitAndFollow('/partner/quotas', 'Save', { share: '25' })).notice, 'up to 25 % more')
  await petra.submit(customer, 'Save quotas', { cores: '8', ram: '100' })
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '8' })

  await stella.submit(own, 'Send request', { cores: '11', reason: 'Too much for it' })
  t.same(states(panel), ['open'])
  await stella.submit(own, 'Cancel request')
  await stella.submit(own, 'Send request', { cores: '10', ram: '126', reason: 'One of two is too much' })
  await stella.submit(own, 'Cancel request')

  const done = await stella.submitAndFollow(own, 'Send request', { cores: '10', reason: 'A little' })
  t.match(done.notice, 'approves such requests automatically: the new limits apply now')
  t.match(done.text, /approved automatically, by the partner’s rule/)
  t.equal(numbers(panel)['acme account cores'], 10)
  t.match(
    (await mail.letterTo(cast.stella.email, 2)).mail.text,
    /Acme was approved, automatically\.\s+Acted for: Cloudhaus, partner of Acme\n/,
  )
  const subjects = () => mail.taken.map(({ mail }) => mail.subject)
  // Those about cancelled requests may not have been sent.
  await until('Petra reads of it too', () => subjects().includes('Acme got more quota automatically'))

  panel.pass(29 * day)
  for (const client of [stella, ines, petra]) client.cookies.clear()
  await stella.logIn(cast.stella.email)
  await stella.submit(own, 'Send request', { cores: '11', reason: 'A little again' })
  t.equal(numbers(panel)['acme account cores'], 10, 'not twice in 30 days')
  await stella.submit(own, 'Cancel request')
  await ines.logIn(cast.ines.email)
  await ines.submit(own, 'Send request', { cores: '10', reason: 'Another customer' })
  t.equal(numbers(panel)['initech account cores'], 10)
  panel.pass(1.1 * day)
  await stella.logIn(cast.stella.email)
  await stella.submit(own, 'Send request', { cores: '11', reason: 'After 30 days' })
  t.equal(numbers(panel)['acme account cores'], 11)
})

t.test('what the pool cannot give waits for the partner, also with automatic approval', async (t) => {
  const { panel, petra, stella, olga } = await start(t, ['petra', 'stella', 'olga'])
  await petra.submit('/partner/quotas', 'Save', { share: '100' })
  await petra.submit(customer, 'Save quotas', { cores: '8' })
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '9' })
  await stella.submit(own, 'Send request', { cores: '10', reason: 'A little' })
  t.same(states(panel), ['open'])
  t.equal(numbers(panel)['acme account cores'], 8)
  await petra.submitAndFollow('/partner/quotas', 'Save', { share: '' })
  t.equal(panel.db.select().from(accounts).where(eq(accounts.identifier, 'cloudhaus')).get()?.automaticShare, null)
})

t.test('Support decides for accounts without a partner', async (t) => {
  const mail = await startMailServer(t)
  const settings = { SMTP_URL: mail.url, SUPPORT_EMAIL: 'support@meshpanel.example' }
  const { panel, dora, olga } = await start(t, ['dora', 'olga'], settings)
  await olga.submit('/support/accounts/direct/quotas', 'Save quotas', { projects: '2' })
  await dora.submit(own, 'Send request', { projects: '3', reason: 'Growth' })
  const letter = (await mail.letterTo('support@meshpanel.example')).mail
  t.match(letter.text, /The account Direct asks for more:[\s\S]*Asked by: Dora\s+E-mail: dora@direct.example/)
  t.match((await olga.open('/')).text, 'Direct asks for more quota')
  await olga.submit('/support/accounts/direct/quotas', 'Approve', {})
  t.same(numbers(panel), { 'direct account projects': 3 })
  t.match(
    // The first told of the limits that Olga had set.
    (await mail.letterTo(cast.dora.email, 2)).mail.text,
    /Direct was approved\.\s+Decided by: Olga\nActed as: Support\n/,
  )
  t.equal((await olga.post('/support/accounts/acme/quotas/requests/1/approval')).status, 403)
})

t.test('a request ends with its project, and with the partner', async (t) => {
  const { panel, petra, stella, olga } = await start(t, ['petra', 'stella', 'olga'])
  await petra.submit(customer, 'Save quotas', { cores: '2' })
  await stella.submit('/projects/shop', 'Save quotas', { cores: '2' })
  await stella.submit(own, 'Send request', { project: 'shop', cores: '3', reason: 'X' })
  await stella.submit('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  t.match((await stella.open(own)).text, 'The project Shop was deleted.')
  await stella.submit(own, 'Send request', { cores: '3', reason: 'X' })
  await olga.submit('/support/accounts', 'Make partner', {}, 'acme')
  t.same(states(panel), ['cancelled', 'cancelled'])
  await petra.open('/')
  t.notMatch((await petra.open('/partner/quotas')).text, 'Acme')
  t.match((await stella.open('/customer/history')).text, 'The account became a partner account.')
})

t.test('an account asks ten times a day, and no more', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit(customer, 'Save quotas', { cores: '2' })
  for (let n = 0; n < 10; n++) {
    t.equal((await stella.submit(own, 'Send request', { cores: '3', reason: `${n}` })).status, 303)
    await stella.submit(own, 'Cancel request')
  }
  const eleventh = await stella.submit(own, 'Send request', { cores: '3', reason: 'X' })
  t.equal(eleventh.status, 422)
  t.match(eleventh.problem, 'ten times today')
  t.equal(states(panel).length, 10)
})

t.test('only Customer Admins ask, and another partner decides nothing', async (t) => {
  const { panel, petra, stella, tom, riva } = await start(t, ['petra', 'stella', 'tom', 'riva'])
  await petra.submit(customer, 'Save quotas', { cores: '2' })
  t.notOk((await tom.open(own)).hasButton('Send request'))
  t.equal((await tom.post('/customer/quotas/requests', { cores: '3', reason: 'X' })).status, 403)
  await stella.submit(own, 'Send request', { cores: '3', reason: 'X' })
  t.equal((await tom.post('/customer/quotas/requests/1/cancellation')).status, 403)
  t.equal((await riva.post('/partner/customers/acme/quotas/requests/1/approval', { cores: '3' })).status, 404)
  const mixed = await riva.post('/partner/customers/umbrella/quotas/requests/1/approval', { cores: '3' })
  t.equal(mixed.status, 404)
  t.equal((await riva.post('/partner/customers/umbrella/quotas/requests/1/refusal', { comment: 'X' })).status, 404)
  t.same(states(panel), ['open'])
  t.notMatch((await riva.open('/partner/quotas')).text, 'Acme')
})

t.test(
  'asking for more never gives less: resources without a limit are not offered, accepted or approved',
  async (t) => {
    const { panel, petra, stella, olga } = await start(t, ['petra', 'stella', 'olga'])
    const none = await stella.open(own)
    t.notOk(none.hasButton('Send request'))
    t.match(none.text, 'Acme has no limits of its own, so there is nothing to raise.')
    await petra.submit(customer, 'Save quotas', { cores: '4', ram: '8' })
    const page = await stella.open(own)
    t.same([page.value('cores'), page.value('ram'), page.value('volumes')], ['', '', undefined])
    t.match(page.text, /Cores Now 4, 4 available RAM \(MiB\) Now 8 MiB, 8 MiB available/)
    const forged = await stella.submit(own, 'Send request', { volumes: '40', reason: 'X' })
    t.equal(forged.status, 422)
    t.match(forged.problem, 'There is no limit of Volumes to raise. Nothing was sent.')
    t.equal((await petra.submit('/partner/quotas', 'Save', { share: '100' })).status, 303)
    t.equal((await stella.submit(own, 'Send request', { volumes: '40', reason: 'X' })).status, 422, 'nor by the rule')
    await petra.submit('/partner/quotas', 'Save', { share: '' })
    t.same(states(panel), [])

    // Both limits are lifted while Petra has the form open.
    await stella.press(page, 'Send request', { cores: '40', ram: '16', reason: 'X' })
    const stale = await petra.open(customer)
    await petra.submit(customer, 'Save quotas', { cores: '' })
    const late = await petra.press(stale, 'Approve')
    t.equal(late.status, 422)
    t.match(late.problem, 'There is no limit of Cores to raise. Nothing was approved.')
    t.same(numbers(panel), { 'acme account cores': null, 'acme account ram': 8 })
    const fresh = await petra.open(customer)
    t.match(fresh.text, 'Cores has no limit now, so there is nothing to approve.')
    t.equal((await petra.press(fresh, 'Approve')).status, 303, 'what still has a limit is approved without it')
    t.same(numbers(panel), { 'acme account cores': null, 'acme account ram': 16 })
    t.match((await stella.open(own)).text, /Cores: 40, without a limit when it was approved RAM: 16 MiB/)

    await stella.submit(own, 'Send request', { ram: '32', reason: 'X' })
    await petra.submit(customer, 'Save quotas', { ram: '' })
    t.notOk((await petra.open(customer)).hasButton('Approve'))
    for (const fields of [{}, { ram: '32' }] as Record<string, string>[])
      t.equal((await petra.post(`${customer}/requests/2/approval`, fields)).status, 422)
    t.equal(numbers(panel)['acme account ram'], null)

    // Without a limit of its own, an account or a project shares what is above it.
    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '9', ram: '9' })
    await stella.submit(own, 'Cancel request')
    t.match(
      (await stella.open(own)).text,
      /Acme shares what Cloudhaus has available for all its customers: Cores, RAM\./,
    )
    await petra.submit(customer, 'Save quotas', { cores: '4' })
    const shop = await stella.open(`${own}?project=shop`)
    t.match(shop.text, 'Shop has no limits of its own, so there is nothing to raise.')
    t.match(shop.text, 'the project shares what Acme has available')
    const forShop = await stella.submit(own, 'Send request', { project: 'shop', cores: '5', reason: 'X' })
    t.match(forShop.problem, 'There is no limit of Cores to raise.')
    t.equal(states(panel).filter((state) => state === 'open').length, 0)
  },
)

t.test('an approval lowers nothing, and gives no less than is allocated', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit(customer, 'Save quotas', { cores: '8', ram: '8', projects: '3' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '6' })
  await petra.submit(customer, 'Save quotas', { cores: '2', projects: '1' })
  const over = await stella.submit(own, 'Send request', { cores: '4', ram: '9', reason: 'X' })
  t.match(over.error('cores'), 'The limit is 2 and 6 are allocated already. Enter at least 6.')
  t.equal(over.error('ram'), '')
  const used = await stella.submit(own, 'Send request', { projects: '1', reason: 'X' })
  t.match(used.error('projects'), 'The limit is 1 and 2 are allocated already. Enter at least 2.')

  await stella.submit(own, 'Send request', { cores: '10', ram: '9', reason: 'X' })
  const tooLittle = await petra.submit(customer, 'Approve', { cores: '5' })
  t.equal(tooLittle.status, 422)
  t.match(tooLittle.error('cores'), 'The limit is 2 and 6 are allocated already. Enter at least 6.')
  t.match((await petra.submit(customer, 'Approve', { ram: '7' })).error('ram'), 'The limit is 8 MiB already.')
  t.equal((await petra.submit(customer, 'Approve', { cores: '2' })).status, 303, 'nothing is given of what stays')
  t.match(numbers(panel), { 'acme account cores': 2, 'acme account ram': 9 })

  // The limit was raised beyond the request in between.
  await stella.submit(own, 'Send request', { ram: '20', reason: 'X' })
  const before = await petra.open(customer)
  await petra.submit(customer, 'Save quotas', { ram: '50' })
  t.match((await petra.press(before, 'Approve')).error('ram'), 'The limit is 50 MiB already. Enter more than that.')
  t.equal(numbers(panel)['acme account ram'], 50)
})

t.test('automatic approval raises no account by more than its share, for a project neither', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit('/partner/quotas', 'Save', { share: '50' })
  await petra.submit(customer, 'Save quotas', { cores: '20' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '18' })
  await stella.submit('/projects/shop', 'Save quotas', { cores: '2' })
  await petra.submit(customer, 'Save quotas', { cores: '4' })
  await stella.submit(`${own}?project=shop`, 'Send request', { cores: '3', reason: 'Half as much again' })
  t.same(states(panel), ['open'], 'the account would have to rise from 4 to 21')
  t.match(numbers(panel), { 'acme account cores': 4 })
})

const suspendCloudhaus = (olga: Client) =>
  olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'X' })
const resumeCloudhaus = (olga: Client) => olga.submit('/support/accounts', 'Resume', {}, 'cloudhaus')
const disablePetra = (olga: Client) => olga.submit('/support/users', 'Disable', {}, 'petra@')
const enablePetra = (olga: Client) => olga.submit('/support/users', 'Enable', {}, 'petra@')

for (const [state, asleep, awake] of [
  ['is suspended', suspendCloudhaus, resumeCloudhaus],
  ['has no admin who can log in', disablePetra, enablePetra],
] as const)
  t.test(`while the partner ${state}, its customers’ requests go to Support, and its rule rests`, async (t) => {
    const mail = await startMailServer(t)
    const settings = { SMTP_URL: mail.url, SUPPORT_EMAIL: 'support@meshpanel.example' }
    const { panel, petra, max, stella, olga } = await start(t, ['petra', 'max', 'stella', 'olga'], settings)
    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '10' })
    await petra.submit(customer, 'Save quotas', { cores: '4', ram: '8' })
    await petra.submit('/partner/quotas', 'Save', { share: '100' })
    t.notOk((await olga.open('/support/accounts/acme/quotas')).hasButton('Save quotas'))
    t.equal((await olga.post('/support/accounts/acme/quotas', { cores: '5', version: '3' })).status, 403)

    await asleep(olga)
    const asked = await stella.submitAndFollow(own, 'Send request', { cores: '8', reason: 'Growth' })
    t.match(asked.notice, 'Meshpanel Support has your request')
    t.match(asked.text, 'Waiting for Support.')
    t.match((await stella.open('/')).text, 'The request for more of Stella is waiting for Support.')
    t.same(states(panel), ['open'], 'the rule rests')
    const letter = (await mail.letterTo('support@meshpanel.example')).mail
    t.match(letter.text, 'http://localhost:3000/support/accounts/acme/quotas')
    t.same(
      mail.taken.filter(({ mail }) => mail.subject === 'Acme asks for more quota').map(({ mail }) => mail.to),
      [letter.to],
      'the partner’s people get none',
    )
    t.match((await olga.open('/')).text, 'Acme asks for more quota')
    t.match((await olga.open('/support/quotas')).text, 'Acme acme a customer of Cloudhaus, which cannot decide now')
    t.notMatch((await max.open('/partner/quotas')).text, 'Growth')
    t.notMatch((await max.open('/')).text, 'for more quota')

    // With the partner back, the request goes back to it.
    await awake(olga)
    petra.cookies.clear()
    await petra.logIn(cast.petra.email)
    t.match((await stella.open(own)).text, 'Waiting for Cloudhaus.')
    t.match((await petra.open('/')).text, 'Acme asks for more quota')
    t.match((await petra.open('/partner/quotas')).text, 'Growth')
    t.notMatch((await olga.open('/')).text, 'Acme asks for more quota')
    t.notMatch((await olga.open('/support/quotas')).text, 'Growth')
    t.equal((await olga.post('/support/accounts/acme/quotas/requests/1/approval', { cores: '8' })).status, 403)

    // In the partner’s place, Support raises limits as far as the pool goes.
    await asleep(olga)
    const supportPage = '/support/accounts/acme/quotas'
    const short = await olga.submit(supportPage, 'Approve', { cores: '11' })
    t.match(short.error('cores'), 'The pool of Cloudhaus has 6 available, and this takes 7 more.')
    t.equal((await olga.submit(supportPage, 'Approve', { cores: '9' })).status, 303)
    t.match(numbers(panel), { 'acme account cores': 9 })
    t.equal((await olga.submit(supportPage, 'Save quotas', { ram: '16' })).status, 303)
    t.match(numbers(panel), { 'acme account ram': 16 })
    await until('Stella reads of the decision', () =>
      mail.taken.some(
        ({ recipients, mail }) =>
          recipients.includes(cast.stella.email) && mail.subject === 'More quota for Acme was approved',
      ),
    )
  })

t.test('without an admin who can log in, a partner’s people read that requests go to Support', async (t) => {
  const { petra, max, stella, olga } = await start(t, ['petra', 'max', 'stella', 'olga'])
  await petra.submit(customer, 'Save quotas', { cores: '4' })
  await stella.submit(own, 'Send request', { cores: '8', reason: 'Growth' })
  await olga.submit('/support/users', 'Disable', {}, 'petra@')
  t.match(
    (await max.open('/partner/quotas')).problem,
    'Cloudhaus has no Partner Admin who can log in, so requests of its customers go to Support.',
  )
  t.match((await max.open(customer)).text, 'Waiting for Support: Cloudhaus has no Partner Admin who can log in.')
})

t.test('a request to become a partner is waiting for Support, and says so', async (t) => {
  const { stella, tom } = await start(t, ['stella', 'tom'])
  t.notMatch((await stella.open('/')).text, 'become a partner')
  await stella.submit('/customer/account', 'Ask to become a partner')
  t.match((await stella.open('/')).text, 'The request to become a partner is waiting for Support.')
  t.match((await tom.open('/customer/account')).text, /The request was sent on .* Waiting for Support\./)
})
