import t from 'tap'
import { apartPieces } from '../../src/db/apart.ts'
import type { CastName } from '../../src/demo.ts'
import { type Page, startApp } from '../harness.ts'
import { addressOf, lettersKept, prepare } from '../matrix/objects.ts'
import { bareNames, bareNamesOfLetters, hebrew, writeFromRightToLeft } from './apart.ts'

// A name that is written from right to left would reorder the words and figures around it: each has a <bdi> of its own, or the
// characters that stand for it in plain text. Notices and the e-mails of all acts: test/web/notices.test.ts.

t.setTimeout(600_000)

t.test('every name on a page or in an e-mail stands apart from the words around it', async (t) => {
  const { panel, acme } = await prepare(t)
  writeFromRightToLeft(panel)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: `${hebrew} Guest`, email: 'other@acme.example' })
  const pages = panel.routes.filter(({ method, config }) => method === 'GET' && config?.can && !config.secret)
  let named = 0
  for (const who of ['stella', 'tom', 'petra', 'olga'] satisfies CastName[]) {
    const person = await panel.signIn(who)
    for (const { url } of pages) {
      const page = await person.open(addressOf(url, acme))
      if (!`${page.response.headers['content-type']}`.startsWith('text/html')) continue
      if (page.body.includes(hebrew)) named++
      t.same(bareNames(panel, page.root), [], `${who}: ${url}`)
    }
  }
  t.ok(named > 100, `${named} pages have such a name`)

  await lettersKept(panel)
  const { bare, some } = await bareNamesOfLetters(panel)
  t.ok(some > 0, 'e-mails have such names')
  t.same(bare, [])
})

t.test('errors at fields and what stands in the way, too', async (t) => {
  const panel = await startApp(t)
  writeFromRightToLeft(panel)
  const [stella, petra, olga] = [await panel.signIn('stella'), await panel.signIn('petra'), await panel.signIn('olga')]
  const check = (page: Page, words: string) => {
    t.match(page.text, words)
    t.match(page.body, `<bdi>${hebrew} `)
    t.same(bareNames(panel, page.root), [], words)
  }
  const opened = await stella.open('/customer/account')
  await stella.submit('/customer/account', 'Save name', { name: `${hebrew} Acme Two` })
  check(await stella.press(opened, 'Save name', { name: 'Acme' }), 'Somebody has renamed the account to')
  check(
    await stella.submit('/customer/users', 'Save', { role: 'member' }, 'stella@'),
    'keeps at least one Customer Admin',
  )
  check(
    await olga.submit('/support/accounts/acme/partner', 'Move', { to: 'partner', partner: 'cloudhaus' }),
    'is there already',
  )
  const form = await petra.open('/projects')
  await petra.get('/partner/customers/acme/users')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.get('/projects?account=acme')
  const other = await petra.press(form, 'Create project', { name: 'Two', identifier: 'two' })
  t.equal(other.status, 409)
  check(other, 'this form belongs to')
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Unpaid' })
  check(await stella.open('/projects'), 'is suspended')
})

t.test('a sentence is read in pieces, names at each second place', async (t) => {
  t.same(apartPieces('Tom left.'), ['Tom left.'])
  t.same(apartPieces('\u2068שלום\u2069 left \u2068עולם\u2069.'), ['', 'שלום', ' left ', 'עולם', '.'])
})
