import t from 'tap'
import { startApp } from '../harness.ts'

const list = '/partner/quotas'
const customer = '/partner/customers/acme/quotas'

t.test('a request is approved as it was asked, in the list and on the page of the customer', async (t) => {
  const panel = await startApp(t)
  const [petra, max, stella] = [await panel.signIn('petra'), await panel.signIn('max'), await panel.signIn('stella')]
  await petra.submit(customer, 'Save quotas', { cores: '4', ram: '1024' })
  const ask = (cores: string) => stella.submit('/customer/quotas', 'Send request', { cores, reason: 'More shops' })

  await ask('8')
  const page = await petra.get(list)
  t.match(page.text, 'Cores 4 → 8')
  t.notOk((await max.get(list)).hasButton('Approve as asked'), 'a Partner User only reads')
  const approved = await petra.press(page, 'Approve as asked')
  t.equal(approved.location, list, 'back to the requests')
  t.match((await petra.get(list)).text, 'The request of Acme is approved')
  t.match((await petra.get(customer)).value('cores'), '8')

  await ask('12')
  const again = await petra.submit(customer, 'Approve as asked')
  t.equal(again.location, customer)
  t.match((await petra.get(customer)).value('cores'), '12')
})

t.test('what a request cannot get as asked is decided on the page of the customer', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '6' })
  await petra.submit(customer, 'Save quotas', { cores: '4' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'More shops' })
  const short = await petra.submit(list, 'Approve as asked')
  t.equal(short.status, 422)
  t.match(short.error('cores'), /has 2 available/)
  t.match((await petra.get(customer)).value('cores'), '8', 'it is still open')

  // Its limit is lifted: there is nothing to approve.
  await petra.submit(customer, 'Save quotas', { cores: '' })
  t.notOk((await petra.get(list)).hasButton('Approve as asked'))
})

t.test('the last changes stand beside quotas, for those who may see the history', async (t) => {
  const panel = await startApp(t)
  const [petra, riva] = [await panel.signIn('petra'), await panel.signIn('riva')]
  t.notMatch((await petra.get(customer)).text, 'Last changes')
  for (const cores of ['4', '6']) await petra.submit(customer, 'Save quotas', { cores })
  await petra.submit('/partner/customers/acme/details', 'Save details', { tags: 'vip' })
  for (const path of [customer, list]) {
    const page = await petra.get(path)
    const card = page.root.querySelector('section[aria-labelledby="changes-title"]')
    t.match(card?.text.replaceAll(/\s+/g, ' '), /Last changes\s*Petra set Cores .*to 6 \(was 4\)/, path)
    t.equal(card?.querySelectorAll('li').length, 2, 'of quotas alone')
  }
  t.notMatch((await riva.get(list)).text, 'Last changes', 'another partner has changed nothing')
})
