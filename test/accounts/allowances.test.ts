import { and, eq } from 'drizzle-orm'
import t from 'tap'
import {
  accounts,
  emailChanges,
  importRows,
  imports,
  invitations,
  letters,
  memberships,
  records,
  throttles,
  users,
} from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { hashToken } from '../../src/secrets.ts'
import { accountId, type Client, type Page, type Panel, startApp, userId } from '../harness.ts'
import { pause, until } from '../smtp.ts'

// Nobody writes to people who have not agreed to it more often than mail/allowance.ts says, and everybody reads
// when it is possible again.

t.setTimeout(600_000)

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const invite = (who: Client, email: string, page = '/customer/users') =>
  who.submit(page, 'Invite', { name: 'Greta', email })

const lettersTo = (panel: Panel, email: string) =>
  panel.db.select().from(letters).where(eq(letters.email, email)).all().length

/** So many of an allowance were used a moment ago. */
function spend(panel: Panel, key: string, tries: number, every: number): void {
  panel.db
    .insert(throttles)
    .values({ key, tries, at: panel.app.now() + tries * every })
    .run()
}

/** Invites so many, all at once. */
async function inviteMany(who: Client, n: number, from = 0): Promise<Page[]> {
  const page = await who.open('/customer/users')
  return Promise.all(
    Array.from({ length: n }, (_, i) =>
      who.press(page, 'Invite', { name: 'Greta', email: `greta-${from + i}@acme.example`, role: 'member' }),
    ),
  )
}

t.test(
  'four hundred invitations at once become a hundred, and the form says when the next one is possible',
  async (t) => {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    const answers = await inviteMany(stella, 400)
    t.equal(answers.filter(({ status }) => status === 303).length, 100, 'a new customer invites a hundred at once')
    t.equal(panel.db.select().from(letters).all().length, 100)
    t.equal(panel.db.select().from(invitations).all().length, 100, 'nothing is left of the others')
    const refused = answers.find(({ status }) => status === 422)
    t.match(refused?.error('email'), /You have sent many invitations today. Try again in 6 minutes./)
    t.equal(refused?.value('name'), 'Greta', 'what was typed is kept')

    panel.pass(6 * minute)
    t.equal((await invite(stella, 'next@acme.example')).status, 303)
    t.equal((await invite(stella, 'another@acme.example')).status, 422)
    panel.pass(day)
    const nextDay = await inviteMany(await panel.signIn('stella'), 110, 400)
    t.equal(nextDay.filter(({ status }) => status === 303).length, 100, 'no more wait for having waited longer')
  },
)

t.test('inviting helpers does not multiply what an account sends', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  const tom = await panel.signIn('tom')
  await inviteMany(stella, 100)
  await inviteMany(tom, 100, 100)
  await stella.submit('/customer/users', 'Cancel', {}, 'greta-199@acme.example')
  const acme = accountId(panel, 'acme')
  const third = userId(panel, 'nils')
  panel.db
    .insert(memberships)
    .values({ accountId: acme, userId: third, role: 'admin', createdAt: 1, lastUsedAt: 1 })
    .run()
  const nils = await panel.signIn('nils')
  await nils.switchTo('acme')
  t.match((await invite(nils, 'more@acme.example')).error('email'), 'This account has sent many invitations today.')
  const ines = await panel.signIn('ines')
  t.equal((await invite(ines, 'more@acme.example')).status, 303, 'another account is not hindered')
})

t.test('customers and helpers do not multiply what a partner sends', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const cloudhaus = accountId(panel, 'cloudhaus')
  // What two other customers of the partner have sent today.
  spend(panel, `mail tree ${cloudhaus}`, 499, day / 2_000)
  const stella = await panel.signIn('stella')
  const ines = await panel.signIn('ines')
  t.equal((await invite(stella, 'last@acme.example')).status, 303)
  for (const [who, page] of [
    [ines, '/customer/users'],
    [petra, '/customer/users'],
  ] as const)
    t.match(
      (await invite(who, 'more@acme.example', page)).error('email'),
      'A partner and its customers together have sent many invitations today. Try again in a minute.',
    )
  t.equal((await invite(await panel.signIn('uma'), 'more@umbrella.example')).status, 303, 'another partner’s')
  t.equal((await invite(await panel.signIn('dora'), 'more@direct.example')).status, 303, 'nor an account without one')
  panel.pass(minute)
  t.equal((await invite(ines, 'more@acme.example')).status, 303)
})

t.test('an address gets four e-mails a day from a partner and its customers together', async (t) => {
  const panel = await startApp(t)
  const greta = 'greta@x.example'
  const [stella, ines, petra] = await Promise.all(
    (['stella', 'ines', 'petra'] as const).map((who) => panel.signIn(who)),
  )
  for (const who of [stella, ines, petra, stella]) {
    t.equal((await invite(who as Client, greta)).status, 303, 'inviting again, with another role')
    await who?.submit('/customer/users', 'Cancel', {}, greta)
  }
  const fifth = await invite(ines as Client, 'GRETA@x.example')
  t.equal(fifth.status, 422)
  t.match(fifth.error('email'), 'Several e-mails went to this address today. Try again in')
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts', 'Create account', {
    name: 'Globex',
    identifier: 'globex',
    kind: 'customer',
    adminName: 'Greta',
    adminEmail: greta,
  })
  t.equal(lettersTo(panel, greta), 5, 'Support can help people who cannot wait')
  panel.pass(6 * hour)
  t.equal((await invite(await panel.signIn('ines'), greta)).status, 303)
})

t.test('an address gets eight a day from all senders, and a first one from each new sender', async (t) => {
  const panel = await startApp(t)
  const greta = 'greta@x.example'
  const address = hashToken(greta)
  spend(panel, `mail to ${address}`, 8, day / 8)
  spend(panel, `mail to ${address}, all`, 28, day / 30)
  const [uma, dora, stella] = await Promise.all((['uma', 'dora', 'stella'] as const).map((who) => panel.signIn(who)))
  t.equal((await invite(uma as Client, greta)).status, 303, 'others cannot keep an account from inviting its colleague')
  await uma?.submit('/customer/users', 'Cancel', {}, greta)
  t.equal((await invite(uma as Client, greta)).status, 422, 'a second one')
  t.equal((await invite(dora as Client, greta)).status, 303)
  t.match(
    (await invite(stella as Client, greta)).error('email'),
    'Several e-mails went to this address today. Try again in 48 minutes.',
    'thirty are enough for anybody',
  )
  panel.pass(hour)
  t.equal((await invite(await panel.signIn('stella'), greta)).status, 303)
})

t.test('invitations to an address use up neither its owner’s confirmations nor the change to it', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  for (const email of [cast.tom.email, 'tom@new.example'])
    for (const [all, most] of [
      ['', 8],
      [', all', 30],
    ] as const)
      spend(panel, `mail to ${hashToken(email)}${all}`, most, day / most)
  db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.tom.email)).run()
  const [tom, stella] = [await panel.signIn('tom'), await panel.signIn('stella')]
  t.equal((await stella.submit('/customer/users', 'Send confirmation')).status, 429, 'an admin’s are like invitations')
  for (let n = 0; n < 4; n++) t.equal((await tom.submit('/profile', 'Send confirmation')).status, 303)
  t.equal((await tom.submit('/profile', 'Send confirmation')).status, 429, 'four a day')
  t.equal((await tom.submit('/profile', 'Change e-mail', { email: 'tom@new.example' })).status, 303)
})

t.test('an admin’s requests for a confirmation do not keep its owner from their own', async (t) => {
  const panel = await startApp(t)
  panel.db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.tom.email)).run()
  const [tom, stella] = [await panel.signIn('tom'), await panel.signIn('stella')]
  const ask = () => stella.submit('/customer/users', 'Send confirmation')
  for (let n = 0; n < 8; n++) await ask()
  t.equal((await ask()).status, 429)
  t.equal((await tom.submit('/profile', 'Send confirmation')).status, 303)
})

t.test('a correction that stays at the address waits as a resend does; another address does not', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await invite(stella, 'greta@acme.example')
  const to = (await stella.open('/customer/users')).link('Greta', 'greta@acme.example') ?? ''
  for (const fields of [{}, { name: 'Gerda' }, { email: 'GRETA@acme.example' }]) {
    const before = panel.rows()
    const soon = await stella.submit(to, 'Send invitation', fields)
    t.equal(soon.status, 429)
    t.match(soon.error('email'), 'The last e-mail was sent less than 5 minutes ago. Try again in 5 minutes.')
    t.equal(soon.value('name'), fields.name ?? 'Greta', 'what was typed is kept')
    const after = panel.rows()
    t.strictSame([after.letters, after.invitations], [before.letters, before.invitations])
  }
  t.equal((await stella.submit(to, 'Send invitation', { email: 'gerda@acme.example' })).status, 303)
  panel.pass(5 * minute)
  t.equal((await stella.submit(to, 'Send invitation', { name: 'Gerda' })).status, 303)
})

t.test('an invitation is sent again after five minutes, by whomever', async (t) => {
  const panel = await startApp(t)
  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  await invite(stella, 'greta@acme.example')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Globex', identifier: 'globex' })
  await invite(petra, 'hank@globex.example', '/partner/customers/globex/users')
  for (const [who, page] of [
    [stella, '/customer/users'],
    [petra, '/partner/customers/globex/users'],
  ] as const) {
    const before = panel.rows()
    const soon = await who.submit(page, 'Resend')
    t.equal(soon.status, 429)
    t.match(soon.text, /Nothing was changed. The last e-mail was sent less than 5 minutes ago. Try again in 5 minutes./)
    t.equal(soon.response.headers['retry-after'], '300')
    const after = panel.rows()
    t.strictSame(
      [after.letters, after.invitations, after.invitation_tokens],
      [before.letters, before.invitations, before.invitation_tokens],
    )
    t.match((await who.open(page)).text, 'five minutes after the last e-mail', 'the page says so in advance')
  }
  panel.pass(5 * minute)
  const page = await stella.open('/customer/users')
  const answers = await Promise.all(['1', '2', '3'].map((_once) => stella.press(page, 'Resend', { _once })))
  t.same(answers.map(({ status }) => status).sort(), [303, 429, 429], 'parallel ones count')
})

t.test('changes to addresses of others are few a day, and known and unknown ones count alike', async (t) => {
  for (const address of [(n: number) => `foreign-${n}@x.example`, () => cast.uma.email]) {
    const panel = await startApp(t)
    const nils = await panel.signIn('nils')
    const statuses: number[] = []
    for (let n = 0; n < 6; n++) {
      panel.pass(5 * minute)
      const asked = await nils.submit('/profile', 'Change e-mail', { email: address(n) })
      const page = asked.status === 403 ? await nils.press(asked, 'Confirm', { _proof: 'demo-demo-demo' }) : asked
      statuses.push(page.status)
      if (n === 5) t.match(page.error('email'), 'You have asked for several changes of your e-mail today. Try again in')
    }
    t.same(statuses, [303, 303, 303, 303, 303, 429])
    t.ok(panel.db.select().from(emailChanges).all().length <= 1)
  }
})

t.test('asking Support to become a partner writes three e-mails a day', async (t) => {
  const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'support@meshpanel.example' } })
  const [dora, olga] = [await panel.signIn('dora'), await panel.signIn('olga')]
  for (let n = 0; n < 3; n++) {
    t.equal((await dora.post('/customer/account/partner-request')).status, 303)
    await olga.post('/support/accounts/direct/partner-request/removal')
  }
  const fourth = await dora.post('/customer/account/partner-request')
  t.equal(fourth.status, 429)
  t.match(fourth.text, 'This account has asked several times today.')
  t.equal(lettersTo(panel, 'support@meshpanel.example'), 3)
})

t.test('who asks in one account after the other is counted too', async (t) => {
  const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'support@meshpanel.example' } })
  const petra = await panel.signIn('petra')
  const statuses: number[] = []
  for (let n = 0; n < 4; n++) {
    await petra.switchTo('cloudhaus')
    await petra.submit('/partner/customers', 'Create customer', { name: `New ${n}`, identifier: `new-${n}` })
    await petra.submit(`/partner/customers/new-${n}/users`, 'Add Myself')
    await petra.switchTo(`new-${n}`)
    const page = await petra.post('/customer/account/partner-request')
    statuses.push(page.status)
    if (n === 3) t.match(page.text, 'You have asked several times today.')
  }
  t.same(statuses, [303, 303, 303, 429])
  t.equal(lettersTo(panel, 'support@meshpanel.example'), 3)
})

t.test('what is counted names nobody', async (t) => {
  const panel = await startApp(t)
  await invite(await panel.signIn('stella'), 'greta@acme.example')
  await panel.visit().submit('/password-reset', 'Send link', { email: 'nobody@nowhere.example' })
  for (const { key } of panel.db.select().from(throttles).all()) t.notMatch(key, /greta|nobody|@/)
})

/** Checks a file and starts its import. */
async function startImport(who: Client, text: string, path: string): Promise<string> {
  const checked = await who.upload(path, 'Check the file', { name: 'list.csv', bytes: Buffer.from(text) })
  const button = checked.root.querySelectorAll('button').find((one) => /^Import \d/.test(one.text.trim()))
  await who.press(checked, button?.text.trim() ?? '')
  return checked.path
}

/** The page of an import, once it says that it waits. */
async function whenWaiting(who: Client, path: string): Promise<Page> {
  let page = await who.open(path)
  for (let tries = 0; tries < 1_000 && !page.text.includes('Waiting until'); tries++) {
    await pause(10)
    page = await who.open(path)
  }
  return page
}

t.test('an import waits until more invitations are allowed, says so, and then continues automatically', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const rows = Array.from({ length: 103 }, (_, n) => `Greta ${n},greta-${n}@acme.example\n`).join('')
  const path = await startImport(stella, `name,e-mail\n${rows}`, '/customer/imports')
  const done = () => panel.db.select().from(importRows).where(eq(importRows.state, 'done')).all().length
  await until('a hundred are invited', () => done() === 100)
  t.match(
    (await whenWaiting(stella, path)).text,
    /100 of 103 Waiting until .*: You have sent many invitations today. The import then continues automatically./,
  )
  t.equal(panel.db.select().from(importRows).where(eq(importRows.state, 'failed')).all().length, 0, 'nothing fails')

  // Another person’s import goes on, and wakes the worker.
  const uma = await panel.signIn('uma')
  const wake = async (n: number) => {
    const other = await startImport(uma, `name,e-mail\nHank,hank-${n}@umbrella.example\n`, '/customer/imports')
    await until('it is done', () =>
      panel.db
        .select()
        .from(imports)
        .where(and(eq(imports.state, 'done'), eq(imports.id, Number(other.split('/').at(-1)))))
        .get(),
    )
  }
  await wake(1)
  t.equal(done(), 101, 'one of Uma’s, none of Stella’s')
  panel.pass(6 * minute)
  await wake(2)
  t.equal(done(), 103)
  panel.pass(6 * minute)
  await panel.close()

  const again = await startApp(t, { dataDir: panel.dataDir })
  again.pass(18 * minute)
  const late = await again.signIn('uma')
  await startImport(late, 'name,e-mail\nHank,hank-3@umbrella.example\n', '/customer/imports')
  await until('all is done, after a restart too', () =>
    again.db
      .select()
      .from(imports)
      .all()
      .every(({ state }) => state === 'done'),
  )
  t.match((await (await again.signIn('stella')).open(path)).text, 'Result 103 done')
})

t.test('a row whose address must wait holds up no other row', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const row = (n: number, email: string) => `Shop ${n},shop-${n},Greta,${email}\n`
  const rows = [1, 2, 3, 4, 5].map((n) => row(n, 'greta@x.example')).join('') + row(6, 'hank@x.example')
  const path = await startImport(petra, `name,identifier,admin name,admin e-mail\n${rows}`, '/partner/imports')
  await until(
    'five are created',
    () => panel.db.select().from(importRows).where(eq(importRows.state, 'done')).all().length === 5,
  )
  t.match((await whenWaiting(petra, path)).text, /5 of 6 Waiting until .*: Several e-mails went to this address today/)
  t.equal(
    panel.db.select().from(accounts).where(eq(accounts.identifier, 'shop-5')).get(),
    undefined,
    'nothing of it is done by halves',
  )
  t.ok(panel.db.select().from(accounts).where(eq(accounts.identifier, 'shop-6')).get())
})

t.test('an account has so many files checked', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const file = { name: 'list.csv', bytes: Buffer.from('name,e-mail\nAnn,ann@acme.example\n') }
  const statuses: number[] = []
  for (let n = 0; n < 21; n++) statuses.push((await stella.upload('/customer/imports', 'Check the file', file)).status)
  t.same(statuses, [...Array.from({ length: 20 }, () => 200), 429])
  t.equal(panel.db.select().from(imports).all().length, 20)
})

t.test(
  'what is checked tells nothing of other partners’ identifiers; what is carried out is recorded and limited',
  async (t) => {
    const panel = await startApp(t)
    const petra = await panel.signIn('petra')
    const text = 'name,identifier,project limit\nOwn,acme,\nForeign,umbrella,\nForeign,rival,3\nFree,free-one,\n'
    const checked = await petra.upload('/partner/imports', 'Check the file', {
      name: 'list.csv',
      bytes: Buffer.from(text),
    })
    t.match(checked.row('(acme)'), 'renames it to Own', 'one’s own is known')
    const words = (identifier: string) => checked.row(`(${identifier})`).replace(/^.*?\)/, '')
    t.equal(words('umbrella'), words('free-one'), 'a foreign one reads as one that is free')
    t.match(checked.text, 'Whether an identifier is free is known only when its customer is created')

    await petra.press(checked, 'Import 4 customers')
    await until('it is done', () => panel.db.select().from(imports).where(eq(imports.state, 'done')).get())
    const taken = panel.db.select().from(records).where(eq(records.kind, 'account.identifier-taken')).all()
    t.same(
      taken.map(({ change }) => JSON.parse(change)),
      [{ identifier: [null, 'umbrella'] }, { identifier: [null, 'rival'] }],
    )
    const history = await petra.open('/customer/history?account=cloudhaus')
    t.match(history.row('umbrella'), 'tried the identifier umbrella, which is taken')
  },
)

t.test('after a hundred taken identifiers a partner waits, whatever the next one is', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const page = await petra.open('/partner/customers')
  const create = (identifier: string, _once: string) =>
    petra.press(page, 'Create customer', { name: 'Guess', identifier, _once })
  const answers = await Promise.all(Array.from({ length: 110 }, (_, n) => create('umbrella', `taken ${n}`)))
  t.equal(answers.filter((answer) => answer.error('identifier').includes('is taken')).length, 100)
  const [taken, free] = [await create('umbrella', 'a'), await create('free-two', 'b')]
  for (const answer of [taken, free]) {
    t.equal(answer.status, 429)
    t.match(
      answer.error('identifier'),
      'Many identifiers that this account tried today were taken. Try again in 5 minutes.',
    )
  }
  t.equal(panel.db.select().from(accounts).where(eq(accounts.identifier, 'free-two')).get(), undefined)
  panel.pass(5 * minute)
  t.equal((await create('free-two', 'c')).status, 303)
})
