import { and, eq } from 'drizzle-orm'
import t from 'tap'
import { listMembersWithFactors, memberListWithFactors } from '../../src/accounts/members/factors/data.ts'
import { firstPage } from '../../src/db/list.ts'
import { memberships, passkeys } from '../../src/db/schema.ts'
import { Authenticator } from '../authenticator.ts'
import { accountId, type Client, startApp, userId } from '../harness.ts'
import { enrol } from '../two-factor.ts'
import { fillLists } from '../web/full-lists.ts'

const list = '/customer/users'
const without = `${list}?factor=none`

/** The rows of the list of users, as texts. */
const rowsOf = async (client: Client, path: string) =>
  (await client.get(path)).root.querySelectorAll('#list tbody tr').map(({ text }) => text.replace(/\s+/g, ' '))

t.test('admins see who has a second factor, which, and who has none', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')
  t.equal((await rowsOf(stella, without)).length, 2, 'nobody has one')
  await enrol(panel, stella)
  const phone = new Authenticator()
  await phone.addTo(tom)
  const [first, second] = await rowsOf(stella, list)
  t.match(first, /Stella.*authenticator app/)
  t.match(second, /Tom.*passkey/)
  t.match((await stella.get(without)).text, 'Nothing', 'nobody is left')
  const file = (await stella.get(`${list}?download=csv`)).body
  t.match(file, /second factor/)
  t.match(file, /Tom[^\r\n]*passkey/)

  panel.db.update(passkeys).set({ host: 'old.example' }).run()
  t.match(await rowsOf(stella, without), [/Tom.*none/], 'a passkey for another host is none')
  t.equal((await rowsOf(stella, `${without}&role=admin`)).length, 0)
  t.equal((await rowsOf(stella, `${without}&q=tom`)).length, 1, 'searched')
  t.match((await stella.get('/customer/security')).body, without, 'linked where it is required')
})

t.test('nobody else learns it: no column, no filter, no file, no view of earlier days', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')
  await enrol(panel, tom)
  await stella.submit(`${without}&sort=joined`, 'Save view', { viewName: 'Weak' })
  t.match((await stella.get(list)).text, 'Weak')
  const plain = await rowsOf(tom, list)
  t.equal(plain.length, 2)
  t.notMatch(plain.join(), /authenticator|none/)
  t.same(await rowsOf(tom, without), plain, 'the filter narrows nothing')
  for (const path of [list, without]) {
    const page = await tom.get(path)
    t.notMatch(page.body, /second factor/i)
    t.notMatch((await tom.get(`${path}${path === list ? '?' : '&'}download=csv`)).body, /factor|authenticator/)
  }

  // The view and what was chosen last stay with somebody who is no admin any more.
  const acme = { accountId: accountId(panel, 'acme'), userId: userId(panel, 'stella') }
  panel.db
    .update(memberships)
    .set({ role: 'member' })
    .where(and(eq(memberships.accountId, acme.accountId), eq(memberships.userId, acme.userId)))
    .run()
  t.equal((await rowsOf(stella, without)).length, 2)
  t.equal((await rowsOf(stella, list)).length, 2)
  t.notMatch((await stella.get(list)).body, /factor/)
})

t.test('the filter finds the same in turns as at once, page by page', async (t) => {
  const panel = await startApp(t)
  fillLists(panel)
  const where = { accountId: accountId(panel, 'acme'), host: panel.app.config.passkeyHost }
  const { db } = panel
  const query = { ...firstPage(memberListWithFactors), size: 25 }
  const asked = { ...query, filters: { ...query.filters, factor: 'none' } }
  const [all, none] = [query, asked].map((each) => listMembersWithFactors(db, where, each))
  t.equal(none?.total, all?.total)
  const stella = await panel.signIn('stella')
  const there = await stella.get(without)
  t.equal(there.root.querySelectorAll('#list tbody tr').length, 25)
  const second = there.root.querySelector('a[rel=next]')?.getAttribute('href') ?? ''
  t.match(second, 'factor=none', 'the next page is narrowed, too')
  t.notSame(await rowsOf(stella, second), await rowsOf(stella, without))
})
