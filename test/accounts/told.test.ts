import { desc, eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { addMember } from '../../src/accounts/members/data.ts'
import { write } from '../../src/db/open.ts'
import { accounts, letterPeople, letters, users } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { plainPart } from '../../src/mail/plain.ts'
import { createUser } from '../../src/people/data/users.ts'
import { atCommandLine } from '../../src/records/record.ts'
import { accountId, type Client, type Panel, publicUrl, startApp, there, userId } from '../harness.ts'
import { linkIn, startMailServer, until } from '../smtp.ts'

// What others did to an account or to a person is told by e-mail: to the account's admins or to that person.

const help = 'help@meshpanel.example'

async function start<Name extends CastName>(t: Test, names: readonly Name[]) {
  const panel = await startApp(t, { settings: { SUPPORT_EMAIL: help } })
  const people = {} as Record<Name, Client>
  for (const name of names) people[name] = await panel.signIn(name)
  return { panel, ...people }
}

/** Every e-mail that was written, the newest first: its recipient and its subject. */
function written({ db }: Panel): string[] {
  const rows = db.select().from(letters).orderBy(desc(letters.id)).all()
  return rows.map(({ email, subject }) => `${email}: ${subject}`)
}

/** The text and HTML of the newest e-mail to somebody. */
async function textTo({ db, app }: Panel, who: CastName): Promise<{ text: string; html: string }> {
  const letter = db.select().from(letters).where(eq(letters.email, cast[who].email)).orderBy(desc(letters.id)).get()
  const html = (letter && openBody(app.secrets, letter)?.html) ?? ''
  return { text: await plainPart(html), html }
}

t.test('the admins of a customer read that somebody of the partner joined, and who', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  t.same(written(panel), ['stella@acme.example: Petra joined Acme'], 'not Tom, and not Petra herself')
  const { text } = await textTo(panel, 'stella')
  t.match(
    text,
    /^Hello Stella,\n\nPetra joined Acme as Customer Admin\.[\s\S]*\n {1,2}Acted for: Cloudhaus, partner of Acme\n/,
  )
  t.match(text, /When: .* UTC/)
  t.match((await stella.open(linkIn(text, publicUrl, '/customer/users'))).row('Petra'), 'Customer Admin')
  await petra.submit('/partner/customers/acme/users', 'Remove Myself')
  t.equal(written(panel).length, 1, 'who leaves gets none')
})

t.test('changed limits are one e-mail with all numbers, before and after', async (t) => {
  const { panel, petra, olga, stella } = await start(t, ['petra', 'olga', 'stella'])
  const quotas = '/partner/customers/acme/quotas'
  await petra.submit(quotas, 'Save quotas', { cores: '4', ram: '2048' })
  await petra.submit(quotas, 'Save quotas', { cores: '8', ram: '', projects: '3', remark: 'For <Christmas>' })
  t.same(written(panel), Array(2).fill('stella@acme.example: The limits of Acme changed'))
  const { text, html } = await textTo(panel, 'stella')
  t.match(
    text,
    /\n {1,2}Acted for: Cloudhaus, partner of Acme\n {1,2}Projects: no limit → 3\n {1,2}Cores: 4 → 8\n {1,2}RAM: 2 GB → no limit\n {1,2}Note: For <Christmas>\n {1,2}When: /,
  )
  t.match(text, 'Petra changed the limits of Acme.\n\nLowering a limit never removes anything')
  t.match(html, '<bdi>Note</bdi>: <strong><bdi>For &lt;Christmas&gt;</bdi></strong>')
  t.equal((await stella.open(linkIn(text, publicUrl, '/customer/quotas'))).status, 200)

  await petra.submit(quotas, 'Save quotas')
  t.equal(written(panel).length, 2, 'nothing changed, nothing is told')
  t.equal((await petra.submit(quotas, 'Save quotas', { cores: 'many' })).status, 422)
  t.equal(written(panel).length, 2, 'nor where nothing was saved')
  await stella.submit('/projects/website', 'Save quotas', { cores: '2' })
  t.equal(written(panel).length, 2, 'nor what an account gives its own projects')

  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '64' })
  await olga.submit('/support/accounts/direct/quotas', 'Save quotas', { cores: '6' })
  t.same(written(panel).slice(0, 2), [
    'dora@direct.example: The limits of Direct changed',
    'petra@cloudhaus.example: The pool of Cloudhaus changed',
  ])
  t.equal((await petra.open(linkIn((await textTo(panel, 'petra')).text, publicUrl, '/partner/quotas'))).status, 200)
})

t.test('an unconfirmed address gets only links to confirm it', async (t) => {
  const { panel, petra, olga } = await start(t, ['petra', 'olga'])
  const victim = 'victim@bank.example'
  const to = () => written(panel).filter((letter) => letter.startsWith(victim))
  await petra.submit('/partner/customers', 'Create customer', { name: 'Globex', identifier: 'globex' })
  const globex = '/partner/customers/globex'
  await petra.submit(`${globex}/users`, 'Invite', { name: 'Victor', email: victim })
  const copied = await petra.submit(`${globex}/users`, 'Copy link')
  const link = linkIn(copied.root.querySelector('#link')?.getAttribute('value') ?? '', publicUrl)
  const words = 'correct horse battery staple'
  const victor = panel.visit()
  await victor.submit(link, 'Accept invitation', { password: words, repeated: words })
  t.equal(to().length, 1, 'the invitation')

  for (let n = 1; n <= 3; n++)
    await petra.submit(`${globex}/quotas`, 'Save quotas', { cores: String(n), remark: `WIN http://evil.example/${n}` })
  await victor.submit('/customer/quotas', 'Send request', { cores: '9', reason: 'Growth' })
  await petra.submit(`${globex}/quotas`, 'Decline', { comment: 'WIN http://evil.example' })
  await petra.submit(`${globex}/users`, 'Add Myself')
  await petra.submit(`${globex}/suspension`, 'Suspend', { reason: 'WIN http://evil.example' })
  await petra.submit('/partner/customers', 'Resume', {}, 'globex')
  await petra.submit('/customer/users?account=globex', 'Save', { role: 'member' }, victim)
  await victor.submit('/profile', 'Change password', { current: words, password: `${words} 2`, repeated: `${words} 2` })
  await victor.submit('/profile', 'Change e-mail', { email: 'victor@elsewhere.example' })
  await olga.submit('/support/accounts/globex/partner', 'Move', { partner: 'rival' })
  t.equal(to().length, 1, 'nothing else')

  await victor.submit('/profile', 'Send confirmation')
  await panel.visit().submit('/password-reset', 'Send link', { email: victim })
  await until('the link is written', () => to().length === 3)
  t.same(to(), [
    `${victim}: Choose a new password`,
    `${victim}: Confirm your e-mail address`,
    `${victim}: Petra invites you to Globex`,
  ])
})

t.test('the same kind of act is told five times at once, then every ten minutes; Support’s always', async (t) => {
  const { panel, petra, olga } = await start(t, ['petra', 'olga'])
  const quotas = '/partner/customers/acme/quotas'
  const save = async (from: number, times: number) => {
    for (let n = from; n < from + times; n++)
      t.equal((await petra.submit(quotas, 'Save quotas', { cores: String(n) })).status, 303)
  }
  await save(1, 8)
  t.equal(written(panel).length, 5)
  t.equal((await petra.open(quotas)).amount('cores'), 8, 'each was done')
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '4' })
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'The bill of May' })
  t.equal(written(panel).length, 7, 'other readers and other kinds of acts are told')
  await petra.submit('/partner/customers', 'Resume', {}, 'acme')
  panel.pass(10 * 60_000)
  await save(20, 2)
  t.equal(written(panel).length, 9, 'another one after ten minutes')
  for (let n = 1; n <= 8; n++)
    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: String(n + 40) })
  t.equal(written(panel).length, 17)
})

t.test('a suspension and a resumption say who did it and why, by the partner and by Support', async (t) => {
  const { panel, petra, olga, stella } = await start(t, ['petra', 'olga', 'stella'])
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'The bill of May' })
  t.match(
    (await textTo(panel, 'stella')).text,
    /Petra suspended Acme.*\n\nIf.* contact Cloudhaus\.\n[\s\S]*Acted for: Cloudhaus, partner of Acme\n {1,2}Reason: The bill of May\n/,
  )
  t.match(
    (await stella.open(linkIn((await textTo(panel, 'stella')).text, publicUrl, '/customer/account'))).text,
    'The bill of May',
  )
  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'Abuse' })
  t.match(
    (await textTo(panel, 'stella')).text,
    /Olga suspended Acme.*\n\nIf.* Meshpanel Support \(help@meshpanel\.example\)\.\n[\s\S]*Acted as: Support\n/,
  )
  await petra.submit('/partner/customers', 'Resume', {}, 'acme')
  const toStella = () => written(panel).filter((line) => line.startsWith(cast.stella.email))
  t.equal(toStella().length, 2, 'it is suspended still: nothing is told')
  await olga.submit('/support/accounts', 'Resume', {}, 'acme')
  t.same(toStella(), [
    'stella@acme.example: Acme is active again',
    'stella@acme.example: Acme was suspended',
    'stella@acme.example: Acme was suspended',
  ])
  t.match((await textTo(panel, 'stella')).text, /Olga resumed Acme\.[\s\S]*Acted as: Support\n/)
})

t.test('the admins of a deleted account read until when it can be restored, and who to ask', async (t) => {
  const { panel, petra, olga } = await start(t, ['petra', 'olga'])
  await petra.submit('/partner/customers/initech/removal', 'Delete customer', { identifier: 'initech' })
  await olga.submit('/support/accounts/direct/removal', 'Delete account', { identifier: 'direct' })
  t.same(written(panel), ['dora@direct.example: Direct was deleted', 'ines@initech.example: Initech was deleted'])
  t.match(
    (await textTo(panel, 'ines')).text,
    /Petra deleted Initech[\s\S]*until \d+ \w+ \d{4}\. To have it restored, contact Cloudhaus\./,
  )
  t.match((await textTo(panel, 'dora')).text, /contact Meshpanel Support \(help@meshpanel\.example\)\./)
  await until('they are not withdrawn', () =>
    panel.db
      .select()
      .from(letters)
      .all()
      .every(({ state }) => state === 'kept'),
  )
})

t.test('a person reads that they were removed, or have another role; nobody reads of their own act', async (t) => {
  const { panel, stella, tom } = await start(t, ['stella', 'tom'])
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'Tom')
  t.same(written(panel), ['tom@acme.example: Your role in Acme changed'])
  t.match(
    (await textTo(panel, 'tom')).text,
    /Stella changed your role in Acme\.\n[\s\S]*Acted for: Acme\n {1,2}Role: Customer User → Customer Admin\n/,
  )
  t.equal((await tom.open(linkIn((await textTo(panel, 'tom')).text, publicUrl, '/projects'))).status, 200)
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'Tom')
  t.equal(written(panel).length, 1, 'the same role is no news')

  await tom.submit('/customer/users', 'Save', { role: 'member' }, 'Tom')
  t.equal(written(panel).length, 1, 'Tom has made himself a user again')
  await stella.submit((await stella.get('/customer/users')).link('Remove', 'Tom') ?? '', 'Remove Tom')
  t.same(written(panel)[0], 'tom@acme.example: You were removed from Acme')
  t.match(
    (await textTo(panel, 'tom')).text,
    /Stella removed you from Acme\. You no longer have access[\s\S]*contact Stella\./,
  )

  const { db, app } = panel
  const by = atCommandLine(app.now())
  for (const who of ['nils', 'uma'] as const)
    write(db, by, (tx) =>
      addMember(
        tx,
        by,
        { accountId: accountId(panel, 'acme'), userId: userId(panel, who), role: 'admin' },
        'member.joined',
      ),
    )
  const [nils, uma] = [await panel.signIn('nils'), await panel.signIn('uma')]
  await nils.submit((await nils.open('/customer/users?account=acme')).link('Remove', 'Nils') ?? '', 'Remove Nils')
  await uma.submit('/profile/accounts/acme/removal', 'Leave Acme')
  t.equal(written(panel).length, 2, 'who removes themselves or leaves gets none')
})

t.test('no name can say on whose side somebody acts', async (t) => {
  const { panel, stella, petra, olga } = await start(t, ['stella', 'petra', 'olga'])
  const call = (who: CastName, name: string) =>
    panel.db.update(users).set({ name }).where(eq(users.email, cast[who].email)).run()
  // Such names are refused, but were not always.
  call('stella', 'Olga (Meshpanel Support)')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'Tom')
  const ofStella = await textTo(panel, 'tom')
  t.match(ofStella.text, /\n {1,2}Acted for: Acme\n/)
  t.match(ofStella.html, '<li><bdi>Acted for</bdi>: <strong><bdi>Acme</bdi></strong></li>')
  t.notMatch(ofStella.text, 'Acted as')
  call('petra', 'Olga. Acted as: Support. She')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '4', remark: 'Acted as: Support' })
  t.match((await textTo(panel, 'stella')).text, /\n {1,2}Acted for: Cloudhaus, partner of Acme\n/)
  t.notMatch((await textTo(panel, 'stella')).text, /^\s*Acted as/m)
  t.match(written(panel)[0], /: The limits of Acme changed$/, 'no name stands in the subject')
  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'Abuse' })
  const real = (await textTo(panel, 'stella')).text
  t.match(real, /\nOlga suspended Acme\.[\s\S]*\n {1,2}Acted as: Support\n/)
})

t.test('at most twenty admins are told, only those who can log in', async (t) => {
  const { panel, petra, olga } = await start(t, ['petra', 'olga'])
  const by = atCommandLine(panel.app.now())
  for (let n = 0; n < 30; n++)
    write(panel.db, by, (tx) => {
      const person = { name: `Admin ${n}`, email: `admin-${n}@acme.example`, passwordHash: '', emailProved: true }
      const user = there(createUser(tx, by, person))
      addMember(tx, by, { accountId: accountId(panel, 'acme'), userId: user.id, role: 'admin' }, 'member.joined')
    })
  await olga.submit('/support/users?q=stella', 'Disable', {}, cast.stella.email)
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '4' })
  t.equal(written(panel).length, 20)
  t.notMatch(written(panel).join(), 'stella')
})

t.test('an import of customers with limits tells nobody but those it invites', async (t) => {
  const { panel, petra } = await start(t, ['petra'])
  const text = 'name,identifier,admin name,admin e-mail,project limit\nBlue,blue,Ann,ann@blue.example,5\nRed,red,,,3'
  const checked = await petra.submitAndFollow('/partner/imports', 'Check the file', { text })
  await petra.press(checked, 'Import 2 customers')
  const red = () => panel.db.select().from(accounts).where(eq(accounts.identifier, 'red')).get()
  await until('the import is done', () => red() !== undefined)
  t.same(written(panel), ['ann@blue.example: Petra invites you to Blue'])
})

t.test('an e-mail notes the people that its text names besides its reader', async (t) => {
  const { panel, petra, stella } = await start(t, ['petra', 'stella'])
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '4' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
  await petra.submit('/partner/customers/acme/quotas', 'Decline', { comment: 'Not now' })
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example', role: 'member' })
  const named = (subject: string) =>
    panel.db
      .select({ userId: letterPeople.userId })
      .from(letterPeople)
      .innerJoin(letters, eq(letters.id, letterPeople.letterId))
      .where(eq(letters.subject, subject))
      .all()
      .map(({ userId }) => userId)
  t.same(named('Petra joined Acme'), [userId(panel, 'petra')])
  t.same(named('Acme asks for more quota'), [userId(panel, 'stella')])
  t.same(named('More quota for Acme was declined'), [userId(panel, 'petra')])
  t.same(named('Stella invites you to Acme'), [userId(panel, 'stella')])
})

t.test('the former address is told about a new one, even if Support has since disabled the login', async (t) => {
  const mail = await startMailServer(t)
  mail.refuse({ at: 'data', code: 451, words: 'not now' }, cast.tom.email)
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  const [tom, olga] = [await panel.signIn('tom'), await panel.signIn('olga')]
  await tom.submit('/profile', 'Change e-mail', { email: 'thief@new.example' })
  await tom.submit(
    linkIn((await mail.letterTo('thief@new.example')).mail.text, publicUrl, '/profile/email/'),
    'Change e-mail',
  )
  await olga.submit('/support/users', 'Disable', {}, 'thief@new.example')
  const ofTom = () => panel.db.select().from(letters).where(eq(letters.email, cast.tom.email)).all()
  await until('both wait', () => ofTom().every(({ attempts }) => attempts > 0))
  mail.refuse(undefined)
  panel.pass(120_000)
  panel.app.wakeMail()
  t.equal((await mail.letterTo(cast.tom.email)).mail.subject, 'Your e-mail was changed')
  await until('the other is withdrawn', () => ofTom().every(({ state }) => state !== 'waiting'))
  t.same(
    ofTom().map(({ subject, state }) => [subject, state]),
    [
      ['A change of your e-mail was asked for', 'withdrawn'],
      ['Your e-mail was changed', 'sent'],
    ],
  )
})

t.test('Send again says why an e-mail cannot be sent any more, and does not send it', async (t) => {
  const mail = await startMailServer(t)
  mail.refuse({ at: 'data', code: 550, words: 'no such user' })
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  const [olga, stella, petra] = [await panel.signIn('olga'), await panel.signIn('stella'), await panel.signIn('petra')]
  for (const customer of ['acme', 'initech'])
    await petra.submit(`/partner/customers/${customer}/quotas`, 'Save quotas', { cores: '4' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
  await petra.submit('/partner/customers/acme/quotas', 'Decline', { comment: 'Not now' })
  const ines = await panel.signIn('ines')
  await ines.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
  await panel.visit().submit('/password-reset', 'Send link', { email: cast.tom.email })
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example', role: 'member' })
  await until('all have failed', () => {
    const rows = panel.db.select().from(letters).all()
    return rows.length === 7 && rows.every(({ state }) => state === 'failed' || state === 'withdrawn')
  })
  mail.refuse(undefined)
  const again = (subject: string) => olga.submitAndFollow('/support/mail', 'Send again', {}, subject)

  const invited = await again('Stella invites you to Acme')
  t.match(invited.notice, 'The e-mail to greta@acme.example is being sent again.')
  await mail.letterTo('greta@acme.example')

  await olga.press(await olga.submit('/support/users', 'Disable', {}, cast.stella.email), 'Disable Stella')
  t.match(
    (await again('More quota for Acme was declined')).notice,
    'The e-mail to stella@acme.example was not sent again: its reader’s login is disabled.',
  )
  await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Abuse' })
  t.match(
    (await again('Initech asks for more quota')).notice,
    /petra.* was not sent again: its reader’s partner account is suspended/,
  )
  panel.pass(31 * 60_000)
  const renewed = await panel.signIn('olga')
  const late = await renewed.submitAndFollow('/support/mail', 'Send again', {}, 'Choose a new password')
  t.match(late.notice, 'was not sent again: its link expired before it could be sent.')
  t.match(late.row('Choose a new password'), /withdrawn.*Not sent: its link expired before it could be sent\./)
  panel.app.wakeMail()
  await mail.letterTo(cast.petra.email)
  t.same(
    mail.taken.map(({ mail }) => mail.subject),
    ['Stella invites you to Acme', 'Cloudhaus was suspended'],
    'nothing else arrived',
  )
})

t.test('while a partner is suspended, its people in a customer get no e-mails about it', async (t) => {
  const mail = await startMailServer(t)
  mail.refuse({ at: 'data', code: 451, words: 'not now' })
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  const [olga, petra] = [await panel.signIn('olga'), await panel.signIn('petra')]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'Abuse' })
  await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Abuse too' })
  const all = () => panel.db.select().from(letters).all()
  await until('all wait', () => all().length === 4 && all().every(({ attempts }) => attempts > 0))
  mail.refuse(undefined)
  panel.pass(120_000)
  panel.app.wakeMail()
  await until('all have gone', () => all().every(({ state }) => state !== 'waiting'))
  t.same(
    all()
      .filter(({ email }) => email === cast.petra.email)
      .map(({ subject, state, error }) => [subject, state, error]),
    [
      ['Acme was suspended', 'withdrawn', 'Not sent: its reader’s partner account is suspended.'],
      ['Cloudhaus was suspended', 'sent', null],
    ],
  )
  t.ok(
    all()
      .filter(({ email }) => email === cast.stella.email)
      .every(({ state }) => state === 'sent'),
  )
})
