import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { root } from '../../src/config.ts'
import { foldCase } from '../../src/db/fold.ts'
import { invitations, users } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { rekeyEmails } from '../../src/people/data/users.ts'
import { accountName, email, emailKey } from '../../src/web/fields.ts'
import { isReserved, reserveNamesOf } from '../../src/web/reserved-names.ts'
import { type Fields, newFolder, type Page, type Panel, startApp } from '../harness.ts'
import { runCommand } from '../process.ts'

/** A form in which somebody gives a name. */
type Naming = {
  who?: CastName
  path: string
  button: string
  field?: string
  fields?: Fields
  of: 'person' | 'account' | 'project'
}

/** Every form in which a person, an account or a project gets its name. */
function namings(): Record<string, Naming> {
  return {
    'Tom’s own name': { who: 'tom', path: '/profile', button: 'Save name', of: 'person' },
    'an invited user': {
      who: 'stella',
      path: '/customer/users',
      button: 'Invite',
      fields: { email: 'greta@acme.example' },
      of: 'person',
    },
    'a customer’s first admin': {
      who: 'petra',
      path: '/partner/customers/empty/users',
      button: 'Invite',
      fields: { email: 'eva@empty.example' },
      of: 'person',
    },
    'a new account’s admin': {
      who: 'olga',
      path: '/support/accounts',
      button: 'Create account',
      field: 'adminName',
      fields: { name: 'New', identifier: 'new-account', adminEmail: 'a@new.example' },
      of: 'person',
    },
    'a customer': {
      who: 'petra',
      path: '/partner/customers',
      button: 'Create customer',
      fields: { identifier: 'blue' },
      of: 'account',
    },
    'an account': {
      who: 'olga',
      path: '/support/accounts',
      button: 'Create account',
      fields: { identifier: 'blue', adminName: 'Ann', adminEmail: 'ann@blue.example' },
      of: 'account',
    },
    'the own account': { who: 'stella', path: '/customer/account', button: 'Save name', of: 'account' },
    'a project': {
      who: 'stella',
      path: '/projects',
      button: 'Create project',
      fields: { identifier: 'blog' },
      of: 'project',
    },
    'a project’s new name': { who: 'stella', path: '/projects/website', button: 'Rename', of: 'project' },
  }
}

const words = 'correct horse battery staple'

/** The form on an empty database. */
const setUp = ({ app }: Panel): Record<string, Naming> => ({
  'the first operator': {
    path: `/setup/${app.setupToken}`,
    button: 'Create operator',
    fields: { email: 'ops@panel.example', password: words, repeated: words },
    of: 'person',
  },
})

async function startWithEmptyCustomer(t: Parameters<typeof startApp>[0], settings: Record<string, string> = {}) {
  const panel = await startApp(t, { settings })
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Empty', identifier: 'empty' })
  return panel
}

/** Tries names in every form for names of these kinds, and hands over the answers. */
async function tryNames(
  t: Parameters<typeof startApp>[0],
  { names, kinds, settings = {} }: { names: string[]; kinds: Naming['of'][]; settings?: Record<string, string> },
  look: (answer: Page, field: string, where: string) => void,
): Promise<void> {
  const panel = await startWithEmptyCustomer(t, settings)
  const empty = await startApp(t, { empty: true, settings })
  for (const [where, naming] of [...Object.entries(namings()), ...Object.entries(setUp(empty))]) {
    if (!kinds.includes(naming.of)) continue
    const { who, path, button, field = 'name', fields = {} } = naming
    const client = who ? await panel.signIn(who) : empty.visit()
    const page = await client.open(path)
    for (const name of names)
      look(await client.press(page, button, { ...fields, [field]: name }), field, `${where}: ${JSON.stringify(name)}`)
  }
}

const everything: Naming['of'][] = ['person', 'account', 'project']

t.test('a name in which nothing can be seen is refused everywhere', async (t) => {
  const names = [
    '\u3164',
    '\u3164 \u3164',
    '\u2800\u2800',
    '\u115f\u1160',
    '\uffa0',
    '\u{e0041}\u{e0042}\u{e007f}',
    '\ufe0f',
    '\u{e0100}',
    '\u034f',
    '\u180e',
    '\u0301',
    '\u200b\u200c\u200d\u2060\ufeff',
    '\u202a \u202c',
    '\u{1d173}',
    '\u{1d159}',
    '\u{13441}\u{13442}',
    '\ufffc',
    '\u{16fe4}',
  ]
  await tryNames(t, { names, kinds: everything }, (answer, field, where) => {
    t.equal(answer.status, 422, where)
    t.not(answer.error(field), '', where)
  })
})

t.test('nothing invisible hides within a name', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  for (const hidden of [
    'To\u3164m',
    'To\u2800m',
    'To\u{e0074}m',
    'To\ufe0fm',
    'To\u{e0100}m',
    'To\u200bm',
    'To\u202em',
    'To\u2066m',
    'To\u00adm',
    'To\u034fm',
    'To \u200dm',
    'To\u200d\u200dm',
    'Tom 1\u200c2',
    'To\ufff9m',
    'To\u{1d159}m',
    'To\ufffcm',
    '\u0332Bob',
    `Bob${'\u0301'.repeat(80)}`,
    `Bob${'\u0327\u0301'.repeat(3)}`,
    `Bob${'\u0301\u0301\u200d'.repeat(3)}x`,
    '\u{1f3f4}\u{e0061}\u{e0062}\u{e007f}',
    'Tom\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '12\u200c34',
  ]) {
    const answer = await tom.submit('/profile', 'Save name', { name: hidden })
    t.equal(answer.status, 422, JSON.stringify(hidden))
    t.match(answer.error('name'), 'invisible')
  }
})

t.test('names are written as their languages and emoji want it, and found so', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const stella = await panel.signIn('stella')
  for (const [name, search] of [
    ['می\u200cخواهم', 'میخواهم'],
    ['ශ්\u200dරී ලංකා', 'ශ්\u200dරී'],
    ['র\u200d্যাব', 'র\u200d্যাব'],
    ['क्\u200dष', 'क्ष'],
    ['Auf\u200cLage', 'auflage'],
    ['Team 👩\u200d💻', '👩'],
    ['Team 👩🏽\u200d🔬', 'team'],
    ['Family 👨\u200d👩\u200d👧', '👧'],
    ['Heart ❤\ufe0f\u200d🔥 ❤\ufe0f', '❤\ufe0f'],
    ['葛\u{e0100}城', '葛城'],
    ['Nr. 1\ufe0f\u20e3', 'nr.'],
    ['Dr. Nô-Ä', 'dr. nô'],
    ['…', '…'],
    ['۱۲\u200cها', '۱۲ها'],
    ['England 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}', 'england'],
    ['Scotland 🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}', 'scotland'],
    ['လျှို့ဝှက်', 'လျှို့'],
    ['ཧཱུྃ་བསྒྲུབས', 'ཧཱུྃ'],
    ['בְּרֵאשִׁ֖ית', 'בְּרֵאשִׁ֖ית'],
    ['مُحَمَّدٌ', 'مُحَمَّدٌ'],
    ['น้ำผึ้ง', 'น้ำผึ้ง'],
    ['Nguyễn Thị Ngọc', 'nguyễn'],
    ['ស្រីស្រស់ ញ៉ាំ', 'ញ៉ាំ'],
    ['நிர்மலா ക്ഷ്മി', 'ക്ഷ്മി'],
  ] as const) {
    t.equal((await tom.submit('/profile', 'Save name', { name })).status, 303, name)
    t.equal(panel.db.select().from(users).where(eq(users.email, cast.tom.email)).get()?.name, name.normalize('NFC'))
    t.match(
      (await stella.get(`/customer/users?q=${encodeURIComponent(search)}`)).tableRows.length,
      1,
      `${name} is found`,
    )
  }
})

t.test('marks that were pasted along with a name or an address are left out', async (t) => {
  const panel = await startWithEmptyCustomer(t)
  const stella = await panel.signIn('stella')
  const around = (text: string) => `\ufeff\u202a \u200b${text}\u200d\u200e\u202c\u00a0\u2069`
  await stella.submit('/customer/users', 'Invite', { name: around('Greta'), email: around('greta@acme.example') })
  t.match(panel.db.select().from(invitations).all(), [{ name: 'Greta', email: 'greta@acme.example' }])
  t.match(
    (await stella.submitAndFollow('/projects', 'Create project', { name: around('Blog'), identifier: around('blog') }))
      .title,
    'Blog',
  )
  t.equal((await panel.visit().logIn(around(cast.tom.email))).status, 303, 'at log-in, too')
})

t.test('nobody takes a name of the panel or of Support, or one that looks like it', async (t) => {
  const names = [
    'Support',
    'support',
    ' S u p p o r t ',
    '★ Support ★',
    'Supp\u03bfrt',
    'Ѕuppоrt',
    'SUPP0RT',
    'Śüpport',
    'Ｓｕｐｐｏｒｔ',
    '𝐒𝐮𝐩𝐩𝐨𝐫𝐭',
    'Cloud-Panel',
    'Cloud Panel Support',
    'C1oud Pane1 – Support',
    'Meshpanel',
    'Rneshpanel',
    'MESHPANEL SUPPORT',
    'Deleted user',
    'DE1ETED USER',
    'The panel',
  ]
  const look = (answer: Page, field: string, where: string) => {
    t.equal(answer.status, 422, where)
    t.match(answer.error(field), /reserved.*Choose another name/, where)
  }
  await tryNames(t, { names, kinds: ['person', 'account'], settings: { PANEL_NAME: 'Cloud Panel' } }, look)
})

t.test('what a reader takes for a reserved name is reserved, too', (t) => {
  reserveNamesOf('Cloud Panel')
  const ofEither = {
    signs: ['Support!', '$upport!', 'Support 1', 'Supp0rt 24/7', 'Support™', 'Support℠', 'S.u.p.p.o.r.t', 'Support 🇬🇧'],
    fillers: ['Support Desk', 'The Support', 'Customer Support', 'Supportteam', 'Meshpanel Helpdesk', 'Support-Team'],
    places: [
      'Olga (Support)',
      'Olga (Meshpanel Support)',
      'Olga (Me$hpanel)',
      'Olga – Support',
      'Olga - Support',
      'Olga, Support',
      'Olga of Support',
      'Olga from the Support',
      'Olga @ Support',
      'Olga|Support',
      'Olga/Support',
      'Olga “Support”',
      'Support: Olga',
      '[Support] Olga',
      'Meshpanel Support Olga',
      'Olga Cloud Panel Customer Support',
      'Acted as: Support. Olga',
    ],
    looks: [
      '🅢🅤🅟🅟🅞🅡🅣',
      '🆂🆄🅿🅿🅾🆁🆃',
      '🇸 🇺 🇵 🇵 🇴 🇷 🇹',
      'ꓢꓴꓑꓑꓳꓣꓔ',
      'Տupport',
      'Ꮪupport',
      'ᏚUPPORT',
      'Suppoꭇt',
      'Sʋpport',
      'Suppσrt',
      'Ⲙeshpanel',
      'ⲙeshpanel',
    ],
  }
  for (const name of Object.values(ofEither).flat())
    for (const kind of ['person', 'account'] as const) t.ok(isReserved(name, kind), `${name}, of ${kind}`)
  for (const name of ['System', 'Setup', 'Set-up 2', 'Olga (System)', 'Olga (IT Support)']) {
    t.ok(isReserved(name, 'person'), name)
    t.notOk(isReserved(name, 'account'), `${name} GmbH could be called so`)
  }
  for (const name of [
    'Supporter Club',
    'Support Group Berlin e.V.',
    'Acme IT Support',
    'IT-Support Müller',
    'Sales & Support GmbH',
    'Cloud Panel GmbH',
    'Meshpanel Berlin GmbH',
    'Support Dogs UK (Leeds)',
    'The Team',
    'Helpdesk',
    'Petra (Acme)',
    'Anna-Maria O’Neill',
    'Theo von der Lippe',
    'Leonardo da Vinci',
  ])
    for (const kind of ['person', 'account'] as const) t.notOk(isReserved(name, kind), `${name}, of ${kind}`)
  t.end()
})

/** Of the processor, in microseconds: backtracking without an end takes minutes. */
const endless = 2_000_000

t.test('a name of signs takes no time to judge', (t) => {
  for (const part of ['!', '1', '! ', 'l! ', 's$', '🇸', '(,', 'the ', 'd e t s c ', 'support ']) {
    const hostile = [...part.repeat(100)].slice(0, 100).join('')
    isReserved(hostile, 'person')
    const begun = process.cpuUsage()
    isReserved(hostile, 'person')
    t.ok(process.cpuUsage(begun).user < endless, JSON.stringify(part))
  }
  t.end()
})

t.test('what only resembles a reserved name is a name; projects may have any', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (const name of ['Support GmbH', 'Acme Support', 'Systema', 'Mesh & Panel Ltd', 'Suppo', 'サポート', 'Поддержка'])
    t.equal((await stella.submit('/customer/account', 'Save name', { name })).status, 303, name)
  t.equal((await stella.submit('/projects', 'Create project', { name: 'Support', identifier: 'help' })).status, 303)
})

t.test('no name holds a link or an e-mail address', async (t) => {
  await tryNames(
    t,
    { names: ['WIN http://evil.example', 'Call me: greta@evil.example'], kinds: everything },
    (answer, field, where) => {
      t.equal(answer.status, 422, where)
      t.match(answer.error(field), 'Leave out links and e-mail addresses', where)
    },
  )
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (const name of [
    'HTTPS://evil',
    'hxxp://evil.example',
    'See www.evil.example',
    'WWW.evil',
    '(www2.evil.example)',
    'ｗｗｗ．evil.example',
    'mailto:x',
    'a@b.example',
    'x@müller.example',
    'ftp://x',
  ])
    t.equal((await stella.submit('/customer/account', 'Save name', { name })).status, 422, name)
  for (const name of [
    '@home GmbH',
    'Dr. No',
    'A.B. Müller',
    'Yahoo! Inc.',
    'Booking.com B.V.',
    'B@B Italia',
    'Procter & Gamble',
    'Wwwolf & Co.',
    'C++ // Rust e.V.',
    'Max @ Home',
    'Node.js',
  ])
    t.equal((await stella.submit('/customer/account', 'Save name', { name })).status, 303, name)
})

t.test('a link is recognised, a name that only resembles one is not', async (t) => {
  const name = accountName('Enter a name.')
  for (const link of [
    'bit.ly/win',
    'WIN: evil.example/win?x=1',
    't.me/x',
    'http:evil.example',
    'https:/evil.example',
    'http:\\\\evil.example',
    '//evil.example',
    '//evil.example/x',
    'evil.example?win',
    'evil.example./win',
    'evil.example\\win',
    'evil。example/win',
    'evil.xn--p1ai/win',
    'пример.рф/приз',
    '1.2.3.4/win',
    '1.2.3.4:80',
    'evil.com:8080',
    'wwww.evil.com',
    'ftp.evil.com',
    'tel:+4930123456',
    'World://Wide',
  ])
    t.notOk(name.safeParse(link).success, link)
  for (const fine of [
    'Booking.com',
    'Booking.com: Travel',
    '@home GmbH',
    'Node.js GmbH',
    'Smith & Sons Co. Ltd',
    'AT&T',
    'Dr. No',
    'A/B Testing',
    'Kunst@Kultur',
    '24/7 Service',
    'Müller u. Söhne',
    'St. Gallen/Zürich',
    'Chor e.V./Orchester e.V.',
    'Hotel: Garni',
    'Telefon & Netz',
    'Yahoo.com?',
    'Release 1.2.3/4',
    'Max @ Home // Studio',
  ])
    t.ok(name.safeParse(fine).success, fine)
  const begun = process.cpuUsage()
  for (const long of ['/'.repeat(100), 'a.'.repeat(50), '//a.'.repeat(25), 'a@'.repeat(50)]) name.safeParse(long)
  t.ok(process.cpuUsage(begun).user < endless, 'whatever is typed, it is told at once')
})

t.test('imports and the command line take no other names than forms do', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  const file = (text: string) => ({ name: 'list.csv', bytes: Buffer.from(text) })
  const names = { Support: 'reserved', 'WIN http://evil.example': 'Leave out links', 'a\u3164b': 'invisible' }
  for (const [name, why] of Object.entries(names)) {
    const rows = `name,identifier,admin name,admin e-mail\n${name},one,,\nFine,two,${name},a@fine.example\n`
    const customers = await petra.upload('/partner/imports', 'Check the file', file(rows))
    t.equal(customers.tableRows.filter((row) => row.includes(why)).length, 2, name)
    const people = await stella.upload(
      '/customer/imports',
      'Check the file',
      file(`name,e-mail\n${name},x@acme.example\n`),
    )
    t.match(people.tableRows.join(), why, name)
    const operator = await runCommand(
      ['create-operator', '--email', 'ops@panel.example', '--name', name],
      newFolder(),
      'correct horse battery staple',
    ).done
    t.match(operator, { code: 2, err: new RegExp(`^--name: .*${why}`) }, name)
  }
})

t.test('every name of a person, an account or a project is read by the one rule', async (t) => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.ts$/.test(file),
  )
  let found = 0
  // Names of resources are Support’s; a contact is no user of ours, and no e-mail holds what a partner notes of them.
  const others = ['quotas/resources/', 'partners/customers/details/']
  for (const source of sources.filter((file) => !others.some((other) => file.startsWith(other))))
    for (const [field, reader] of readFileSync(join(root, 'src', source), 'utf8').matchAll(
      /(?:\bname|Name|' ?name'|'admin name'): ((?:optional\()?(?:line|optionalLine|z|personName|accountName|projectName)\b)/g,
    )) {
      found++
      t.match(reader, /(person|account|project)Name$/, `${source}: ${field}`)
    }
  t.ok(found >= 8, 'the forms are there')
})

t.test('addresses fold upper and lower case, and nothing else', async (t) => {
  const same = [
    ['INES@initech.example', 'ines@INITECH.example'],
    ['ÄÖÜ@x.example', 'äöü@x.example'],
    ['ΟΔΟΣ@x.example', 'οδος@x.example'],
    ['ΜΑΡΙΟΣ.Χ@x.example', 'μαριος.χ@x.example'],
    ['ΣΑΣ@x.example', 'σασ@x.example'],
    ['ИВАН@x.example', 'иван@x.example'],
    ['a\u0308@x.example', 'ä@x.example'],
    ['greta@MÜLLER.example', 'greta@xn--mller-kva.example'],
  ] as const
  for (const [one, other] of same) t.equal(emailKey(one), emailKey(other), `${one} = ${other}`)
  const different = [
    ['ınes@initech.example', 'ines@initech.example'],
    ['İnes@initech.example', 'ines@initech.example'],
    ['weiß@x.example', 'weiss@x.example'],
    ['ﬁ@x.example', 'fi@x.example'],
    ['ｉｎｅｓ@initech.example', 'ines@initech.example'],
    ['ſam@x.example', 'sam@x.example'],
    ['ines²@x.example', 'ines2@x.example'],
  ] as const
  for (const [one, other] of different) t.not(emailKey(one), emailKey(other), `${one} ≠ ${other}`)
  for (const [one, other] of [...same, ...different])
    for (const address of [one, other])
      t.equal(emailKey(foldCase(emailKey(address))), emailKey(address), 'folding it again changes nothing')
  for (const hidden of ['ines\u3164@x.example', 'ines\u200d@x.example', 'ine\ufe0fs@x.example'])
    t.notOk(email().safeParse(hidden).success, JSON.stringify(hidden))

  const panel = await startApp(t)
  t.equal((await panel.visit().logIn('ınes@initech.example')).status, 422, 'Ines alone logs in as Ines')
  t.equal((await panel.visit().logIn('INES@Initech.Example')).status, 303)
})

t.test('addresses that an earlier version folded too far get their own key, once', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Ines', email: 'ınes@initech.example' })
  const give = (who: CastName, address: string, key: string) =>
    panel.db.update(users).set({ email: address, emailKey: key }).where(eq(users.email, cast[who].email)).run()
  give('tom', 'weiß@acme.example', 'weiss@acme.example')
  give('max', 'weiẞ@acme.example', 'weiß@acme.example')
  give('dora', 'dörte@direct.example', 'dörte@direct.example')
  panel.db.update(invitations).set({ emailKey: 'ines@initech.example' }).run()
  // Another account's invitation to that address has its own key already.
  const uma = await panel.signIn('uma')
  await uma.submit('/customer/users', 'Invite', { name: 'Ines', email: 'ınes@initech.example' })
  give('uma', 'μαριος.χ@umbrella.example', 'μαριος.χ@umbrella.example')
  const ines = await panel.signIn('ines')
  t.match((await ines.get('/')).text, 'Acme', 'the earlier key showed her an invitation of somebody else')

  t.same(rekeyEmails(panel.db), ['weiß@acme.example'], 'it equals another one now')
  panel.db.update(users).set({ emailKey: cast.max.email, email: cast.max.email }).where(eq(users.name, 'Max')).run()
  t.same(rekeyEmails(panel.db), [], 'until that one has changed')
  const after = panel.rows()
  t.same(rekeyEmails(panel.db), [])
  t.strictSame(panel.rows(), after, 'nothing is left to do')
  t.equal((await panel.visit().logIn('WEIß@acme.example')).status, 303)
  t.equal((await panel.visit().logIn('weiss@acme.example')).status, 422)
  t.equal((await panel.visit().logIn('DÖRTE@direct.example')).status, 303)
  t.equal((await panel.visit().logIn('ΜΑΡΙΟΣ.Χ@umbrella.example')).status, 303)
  t.notMatch((await ines.get('/')).text, 'Acme')
  const keys = panel.db.select({ key: invitations.emailKey }).from(invitations).all()
  t.same([...new Set(keys.map(({ key }) => key))], [emailKey('ınes@initech.example')])
})
