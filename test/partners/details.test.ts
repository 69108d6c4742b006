import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, ties, tieTags } from '../../src/db/schema.ts'
import { accountId, type Client, type Panel, startApp } from '../harness.ts'

const form = '/partner/customers/acme/details'
const overview = '/partner/customers/acme'

const filled = {
  contactName: 'Karla Contact',
  contactEmail: 'karla@acme.example',
  contactPhone: '+49 30 1234',
  contactAddress: 'Main Street 1\r\nBerlin',
  reference: 'K-1007',
  tags: 'VIP, north',
  note: 'Call after noon.\r\nPays late.',
}

async function describe(petra: Client, fields: Record<string, string> = filled) {
  return petra.submitAndFollow(form, 'Save details', fields)
}

const kept = ({ db }: Panel) => db.select().from(ties).all()

t.test('a partner keeps contact, reference, note and tags of a customer', async (t) => {
  const panel = await startApp(t)
  const [petra, max] = [await panel.signIn('petra'), await panel.signIn('max')]
  t.match((await petra.get(overview)).text, 'No contact, reference, note or tags yet')
  const done = await describe(petra)
  t.match(done.notice, 'The details of Acme were saved')
  for (const words of ['Karla Contact', 'karla@acme.example', '+49 30 1234', 'K-1007', 'VIP', 'Pays late.'])
    t.match(done.text, words)
  t.match(kept(panel), [{ contactAddress: 'Main Street 1\nBerlin', note: 'Call after noon.\nPays late.', version: 1 }])

  const seen = await max.get(overview)
  t.match(seen.text, 'Pays late.', 'a Partner User sees them')
  t.equal((await max.get(form)).status, 403, 'and changes nothing')

  t.match((await describe(petra)).notice, 'Nothing was changed')
  t.match((await describe(petra, { ...filled, note: '' })).notice, 'were saved')
  t.match(kept(panel), [{ note: '', version: 2 }])
})

t.test('nobody of the customer, and no other partner, reads them anywhere', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await describe(petra, { ...filled, contactName: 'Zebra', note: 'Zebra', reference: 'Zebra', tags: 'zebra' })
  for (const who of ['stella', 'tom', 'riva', 'olga'] as const) {
    const client = await panel.signIn(who)
    for (const { method, url } of panel.routes.filter(({ method }) => method === 'GET')) {
      if (url.includes(':') && !url.startsWith('/partner/customers/:customer')) continue
      const page = await client.get(url.replace(':customer', 'acme'))
      t.notMatch(page.body, /zebra/i, `${who}: ${method} ${url}`)
    }
    if (who !== 'riva') t.notMatch((await client.get('/search?q=zebra')).text, 'Acme', `${who} does not find it`)
  }
  const stella = await panel.signIn('stella')
  t.notMatch((await stella.get('/customer/history')).text, 'the details of', 'nor in the account’s history')
  t.match((await petra.get('/customer/history')).row('changed the details of the customer'), 'acme')
})

t.test('a reference is one customer’s', async (t) => {
  const panel = await startApp(t)
  const [petra, riva] = [await panel.signIn('petra'), await panel.signIn('riva')]
  await describe(petra)
  const taken = await petra.submit('/partner/customers/initech/details', 'Save details', { reference: 'k-1007' })
  t.match(taken.error('reference'), 'Acme has this reference')
  t.equal(kept(panel).length, 1)
  const other = await riva.submitAndFollow('/partner/customers/umbrella/details', 'Save details', {
    reference: 'K-1007',
  })
  t.match(other.notice, 'were saved', 'another partner counts for itself')
  for (const customer of ['acme', 'initech'])
    t.match(
      (await petra.submitAndFollow(`/partner/customers/${customer}/details`, 'Save details', { reference: '' })).notice,
      /saved|Nothing/,
    )
})

t.test('customers are found by contact, reference and tag, and narrowed down to a tag', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await describe(petra)
  for (const q of ['karla', 'K-1007', 'north', 'karla@acme.example']) {
    t.match((await petra.get(`/partner/customers?q=${q}`)).row('acme'), 'by its contact, reference or tags', q)
    t.match((await petra.get(`/search?q=${q}`)).text, 'Acme', q)
  }
  t.equal((await petra.get('/partner/customers?q=noon')).tableRows.length, 0, 'the note is not searched')
  t.equal((await petra.get('/partner/customers?tag=vip')).tableRows.length, 1)
  t.equal((await petra.get('/partner/customers?tag=vi')).tableRows.length, 0)
  t.match((await petra.get('/partner/customers?tag=VIP&q=acme')).row('acme'), 'Acme')
  const page = await petra.get(overview)
  t.equal(page.link('VIP'), '/partner/customers?tag=VIP')
})

t.test('all of it ends with the tie, and does not come back', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = [await panel.signIn('olga'), await panel.signIn('petra')]
  await describe(petra)
  await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'rival' })
  t.same(kept(panel), [])
  t.same(panel.db.select().from(tieTags).all(), [])
  const riva = await panel.signIn('riva')
  t.match((await riva.get(overview)).text, 'No contact, reference, note or tags yet')
  await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'cloudhaus' })
  t.match((await petra.get(overview)).text, 'No contact, reference, note or tags yet')
  t.equal((await petra.get('/partner/customers?q=K-1007')).tableRows.length, 0)
})

t.test('two who change them at the same time lose nothing unseen', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const page = await petra.get(form)
  await describe(petra)
  const late = await petra.press(page, 'Save details', { note: 'Mine' })
  t.equal(late.status, 409)
  t.match(late.text, 'Somebody else has changed these details')
  t.equal(late.value('note'), 'Mine', 'what was typed stays')
  t.match(kept(panel), [{ note: filled.note.replace('\r\n', '\n') }])
  const again = await petra.press(late, 'Save details')
  t.equal(again.status, 303)
  t.match(panel.db.select().from(ties).where(eq(ties.note, 'Mine')).all(), [{ version: 2 }])
})

t.test('wrong details are said at their fields, and nothing is lost', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const wrong = await petra.submit(form, 'Save details', {
    contactEmail: 'karla at acme',
    reference: 'x'.repeat(51),
    tags: Array.from({ length: 11 }, (_, n) => `t${n}`).join(','),
    note: 'y'.repeat(5_001),
    contactPhone: '123',
  })
  t.equal(wrong.status, 422)
  t.match(wrong.error('contactEmail'), 'not an e-mail address')
  t.match(wrong.error('reference'), 'at most 50')
  t.match(wrong.error('tags'), 'at most 10 tags')
  t.match(wrong.error('note'), 'at most 5000')
  t.equal(wrong.value('contactPhone'), '123')
  t.same(kept(panel), [])
  const same = await describe(petra, { tags: 'a, A ,a,,b, ΟΔΟΣ, οδοσ' })
  t.match(same.notice, 'saved')
  t.same(
    panel.db
      .select()
      .from(tieTags)
      .all()
      .map(({ tag }) => tag),
    ['a', 'b', 'οδοσ'],
  )
})

t.test('a customer’s history has what it sees itself, and apart from it what only its partner sees', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await stella.submit('/projects', 'Create project', { name: 'Intranet', identifier: 'intranet' })
  await petra.submit('/partner/customers/acme/details', 'Save details', { reference: 'C-1', note: 'Pays late' })
  await petra.submit('/partner/customers/initech/details', 'Save details', { reference: 'C-2' })

  const page = await petra.open('/partner/customers/acme')
  t.match(page.text, /Last changes Stella created the project Intranet/)
  const shared = await petra.open('/partner/customers/acme/history')
  t.match(shared.row('Intranet'), 'Stella')
  t.equal(shared.tableRows.length, (await stella.open('/customer/history')).tableRows.length, 'its admins see the same')
  t.notMatch(shared.text, '127.0.0.1', 'but from where somebody acted')
  t.notMatch(shared.text, 'the details of')

  const own = await petra.open('/partner/customers/acme/history/own')
  t.match(own.row('changed the details of the customer'), /Petra.*acme.*reference, note/)
  t.notMatch(own.text, /Pays late|C-1|initech|Intranet/)
  const file = await petra.get('/partner/customers/acme/history/own?download=csv')
  t.equal(file.body.trim().split('\r\n').length, 2)

  for (const path of ['/partner/customers/acme/history', '/partner/customers/acme/history/own']) {
    t.equal((await (await panel.signIn('riva')).get(path)).status, 404)
    t.equal((await (await panel.signIn('max')).get(path)).status, 403)
    t.equal((await stella.get(path)).status, 403)
  }
  panel.db.update(accounts).set({ partnerId: null }).where(eq(accounts.identifier, 'acme')).run()
  t.equal((await petra.get('/partner/customers/acme/history')).status, 404, 'it ends with the tie')
})

t.test('a partner does not read what was in a customer’s history before it came', async (t) => {
  const panel = await startApp(t)
  const [petra, riva, olga] = [await panel.signIn('petra'), await panel.signIn('riva'), await panel.signIn('olga')]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '7', remark: 'Between us' })
  const id = accountId(panel, 'acme')
  await olga.submit('/support/accounts/acme/partner', 'Move', { to: 'partner', partner: 'rival' })
  t.equal(panel.db.select().from(accounts).where(eq(accounts.id, id)).get()?.partnerId, accountId(panel, 'rival'))
  await riva.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '9' })

  for (const path of ['/partner/customers/acme/history', '/partner/customers/acme']) {
    const page = await riva.open(path)
    t.match(page.text, 'set Cores to 9')
    t.notMatch(page.text, /Petra|Cloudhaus|Between us/, path)
  }
  t.notMatch((await riva.get('/partner/customers/acme/history?download=csv')).body, /Petra|Cloudhaus|Between us/)
  t.match((await (await panel.signIn('stella')).open('/customer/history')).text, 'Between us', 'its admins do')
})
