import { and, eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { accounts, invitations, letters, memberships, projectAccess, projects, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { type Client, type Fields, type Page, type Panel, projectId, publicUrl, startApp, userId } from '../harness.ts'
import { linkIn, type MailServer, startMailServer, until } from '../smtp.ts'

const hour = 3_600_000
const day = 24 * hour
const password = 'correct horse battery staple'
const greta = { name: 'Greta', email: 'greta@acme.example', role: 'member' }

/** Somebody of the cast as the invitation form takes them. */
const as = ({ name, email }: { name: string; email: string }, role: string) => ({ name, email, role })

/** A panel with a mail server. */
async function startWithMail(t: Test, settings: Record<string, string> = {}): Promise<Panel & { mail: MailServer }> {
  const mail = await startMailServer(t)
  return { ...(await startApp(t, { settings: { SMTP_URL: mail.url, ...settings } })), mail }
}

/** Stella invites somebody to Acme. */
async function invite(panel: Panel, fields: Fields = greta): Promise<Page> {
  return (await panel.signIn('stella')).submitAndFollow('/customer/users', 'Invite', fields)
}

/** Invites Greta or another, and returns the path of the link in the letter. */
async function inviteByLetter(panel: Panel & { mail: MailServer }, fields: typeof greta = greta): Promise<string> {
  await invite(panel, fields)
  const { mail } = await panel.mail.letterTo(fields.email)
  return linkIn(mail.text, publicUrl)
}

function membersOf({ db }: Panel, account: string): { email: string; role: string }[] {
  return db
    .select({ email: users.email, role: memberships.role })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(eq(accounts.identifier, account))
    .all()
}

function membersNamed(panel: Panel, account: string, email: string): { email: string; role: string }[] {
  return membersOf(panel, account).filter((member) => member.email === email)
}

function pendingTo({ db }: Panel, email: string): number {
  return db
    .select()
    .from(invitations)
    .where(and(eq(invitations.email, email), eq(invitations.state, 'pending')))
    .all().length
}

const accept = (client: Client, link: string, fields: Fields = {}) =>
  client.submit(link, 'Accept invitation', { name: 'Greta', password, repeated: password, ...fields })

t.test('an invitation is a letter that names who invites, to which account, as what', async (t) => {
  const panel = await startWithMail(t)
  const page = await invite(panel)
  t.match(page.notice, 'greta@acme.example')
  t.match(page.row('greta@acme.example'), 'Customer User', 'it is listed as pending at once')

  const { recipients, mail } = await panel.mail.letterTo('greta@acme.example')
  t.same(recipients, ['greta@acme.example'], 'one recipient a letter')
  t.match(mail.subject, 'Stella')
  t.match(mail.subject, 'Acme')
  t.match(mail.from?.value[0]?.address, /@localhost$/)
  for (const part of [mail.text, mail.html || '']) {
    t.match(part, 'Stella')
    t.match(part, 'Acme')
    t.match(part, 'Customer User')
    t.match(part, `${publicUrl}/invitations/`)
  }
  t.match(linkIn(mail.text, publicUrl), /^\/invitations\/[\w-]{43}$/, 'the link holds 256 random bits')
  t.match(mail.messageId, /^<.+@.+>$/)

  const sent = await until('the letter is sent', () =>
    panel.db.select().from(letters).where(eq(letters.state, 'sent')).get(),
  )
  t.equal(sent.body, null, 'a letter that was sent is not kept')
})

t.test('the letter’s link comes from PUBLIC_URL, whatever the Host header says', async (t) => {
  const panel = await startWithMail(t, { MAIL_FROM: 'The Panel <panel@meshpanel.example>' })
  const stella = await panel.signIn('stella')
  const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
  t.equal((await stella.post('/customer/users', { ...greta, projectRole: 'user' }, headers)).status, 303)
  const { mail, raw } = await panel.mail.letterTo('greta@acme.example')
  t.ok(linkIn(mail.text, publicUrl))
  t.notMatch(raw, 'evil.example')
  t.equal(mail.from?.text, '"The Panel" <panel@meshpanel.example>')
})

t.test('looking at an invitation changes nothing, however often and by whatever scanner', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  await until('the letter is sent', () => panel.db.select().from(letters).where(eq(letters.state, 'sent')).get())
  const before = panel.rows()

  for (let looks = 0; looks < 3; looks++) {
    const page = await panel.visit().get(link)
    t.equal(page.status, 200)
    for (const words of ['Stella', 'Acme', 'Customer User', 'greta@acme.example']) t.match(page.text, words)
    t.equal(page.response.headers['referrer-policy'], 'no-referrer')
    t.equal(page.response.headers['cache-control'], 'no-store')
  }
  t.equal((await panel.app.inject({ method: 'HEAD', url: link })).statusCode, 200)
  for (const method of ['GET', 'HEAD'] as const) {
    for (const act of ['/user', '/acceptance'])
      t.equal((await panel.app.inject({ method, url: `${link}${act}` })).statusCode, 404, `${method} ${act}`)
  }
  t.same(panel.rows(), before)
})

t.test('a new person sets name and password, and is a user who sees no project', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const visitor = panel.visit()
  const page = await visitor.get(link)
  t.equal(page.value('name'), 'Greta', 'the name is filled in')

  const welcome = await visitor.open((await accept(visitor, link, { name: 'Greta Garbo' })).location ?? '')
  t.equal(welcome.activeAccount, 'Acme')
  t.match(welcome.notice, 'Acme')
  t.same(membersNamed(panel, 'acme', 'greta@acme.example'), [{ email: 'greta@acme.example', role: 'member' }])
  const dashboard = await visitor.get('/projects')
  t.notMatch(dashboard.text, /Website|Shop/)
  t.notMatch((await visitor.get('/')).text, /Website|Shop/)
  t.equal((await visitor.get('/projects/website')).status, 404)
  t.match((await visitor.get('/profile')).text, /Greta Garbo.*greta@acme\.example/)

  const stella = await panel.signIn('stella')
  const list = await stella.get('/customer/users')
  t.match(list.row('greta@acme.example'), 'Greta Garbo')
  t.match(list.text, 'No pending invitations', 'and nothing is pending any more')

  const later = panel.visit()
  t.equal((await later.logIn('greta@acme.example', password)).status, 303, 'the password opens the log-in')
})

t.test('a known person logs in first, and comes back to the invitation', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel, as(cast.nils, 'admin'))
  const nils = panel.visit()
  const page = await nils.get(link)
  t.match(page.text, 'nils@nowhere.example')
  t.notOk(page.hasButton('Accept invitation'), 'an address that is known here sets no new password')
  const before = panel.db.select().from(users).all()
  t.equal((await nils.post(`${link}/user`, { name: 'N', password, repeated: password })).status, 409)
  t.same(panel.db.select().from(users).all(), before)

  const logIn = await nils.open(page.link('Log in to accept') ?? '')
  const back = await nils.press(logIn, 'Log in', { email: cast.nils.email, password: 'demo-demo-demo' })
  t.equal(back.location, link, 'the deep link is kept through log-in')
  t.same(membersNamed(panel, 'acme', cast.nils.email), [], 'logging in does not accept')

  const inside = await nils.submitAndFollow(link, 'Accept invitation')
  t.equal(inside.activeAccount, 'Acme')
  t.same(membersNamed(panel, 'acme', cast.nils.email), [{ email: cast.nils.email, role: 'admin' }])
  t.ok((await nils.get('/projects')).hasButton('Create project'), 'as what the letter said')
})

t.test('a person logged in with another address is told so, and cannot accept', async (t) => {
  const panel = await startWithMail(t)
  const links = {
    nils: await inviteByLetter(panel, as(cast.nils, 'admin')),
    greta: await inviteByLetter(panel),
  }
  const ines = await panel.signIn('ines')
  const before = panel.rows()

  for (const link of Object.values(links)) {
    const page = await ines.get(link)
    t.match(page.text, 'ines@initech.example')
    t.notOk(page.hasButton('Accept invitation'))
    t.match(page.text, 'Stella', 'and who to ask')
    t.not((await ines.post(`${link}/acceptance`)).status, 303)
  }
  t.match((await ines.get(links.nils)).text, 'nils@nowhere.example')
  t.same(panel.rows(), before)
  t.same(membersNamed(panel, 'acme', cast.ines.email), [])
})

t.test('what is in the letter’s link is a token that nobody can guess', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const visitor = panel.visit()
  const none = await visitor.get('/invitations/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')
  t.equal(none.status, 404)
  t.equal((await visitor.get(`${link}A`)).status, 404)
  t.equal((await visitor.get(link.slice(0, -1))).status, 404)
  t.equal((await visitor.get(link.toUpperCase().replace('/INVITATIONS/', '/invitations/'))).status, 404)
})

/** Opens a dead link and checks that it says why and who to ask, and that nothing can be accepted. */
async function isDead(t: Test, panel: Panel, link: string, why: RegExp): Promise<void> {
  const page = await panel.visit().get(link)
  t.match(page.text, why)
  t.match(page.text, 'Stella')
  t.match(page.text, 'stella@acme.example')
  t.notOk(page.hasButton('Accept invitation'))
}

t.test('a used link says that it was used, and who to ask', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  await accept(panel.visit(), link)
  await isDead(t, panel, link, /used|accepted/)
  const again = panel.visit()
  t.not((await again.post(`${link}/user`, { name: 'G', password, repeated: password })).status, 303)
  t.equal(membersNamed(panel, 'acme', greta.email).length, 1)
})

t.test('a cancelled link says that it was cancelled, and who to ask', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const open = await panel.visit().get(link)
  const stella = await panel.signIn('stella')
  const page = await stella.submitAndFollow('/customer/users', 'Cancel', {}, 'greta@acme.example')
  t.match(page.notice, 'greta@acme.example')
  t.match(page.text, 'No pending invitations')
  await isDead(t, panel, link, /cancelled/)

  const visitor = panel.visit()
  await visitor.get('/login')
  const late = await visitor.post(`${open.path}/user`, { name: 'G', password, repeated: password })
  t.equal(late.status, 409, 'a form that was still open comes too late')
  t.same(membersNamed(panel, 'acme', greta.email), [])
  t.equal(panel.db.select().from(users).where(eq(users.email, greta.email)).get(), undefined)
})

t.test('a link expires after seven days, and says so and who to ask', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  panel.pass(7 * day - 60_000)
  t.ok((await panel.visit().get(link)).hasButton('Accept invitation'), 'not a minute too early')
  const visitor = panel.visit()
  const form = await visitor.get(link)
  panel.pass(120_000)
  await isDead(t, panel, link, /expired/)
  t.not((await visitor.press(form, 'Accept invitation', { password, repeated: password })).status, 303)
  t.same(membersNamed(panel, 'acme', greta.email), [])

  const stella = await panel.signIn('stella')
  t.match((await stella.get('/customer/users')).row(greta.email), /expired/)
  await stella.submit('/customer/users', 'Resend', {}, greta.email)
  const renewed = linkIn((await panel.mail.letterTo(greta.email, 2)).mail.text, publicUrl)
  t.equal((await accept(panel.visit(), renewed)).status, 303, 'resending gives another seven days')
})

t.test('an expired invitation gives way to a new one, and its link still says that it expired', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  panel.pass(8 * day)
  t.match((await invite(panel)).notice, greta.email)
  t.equal(pendingTo(panel, greta.email), 1)
  await isDead(t, panel, link, /expired|newer/)
  t.notMatch((await panel.visit().get(link)).text, /cancelled/, 'nobody has cancelled it')
})

t.test('resending makes a new link and ends the old one, which says so', async (t) => {
  const panel = await startWithMail(t)
  const old = await inviteByLetter(panel)
  const stella = await panel.signIn('stella')
  panel.pass(6 * day)
  const back = await panel.signIn('stella')
  const page = await back.submitAndFollow('/customer/users', 'Resend', {}, greta.email)
  t.match(page.notice, greta.email)
  t.equal(pendingTo(panel, greta.email), 1)

  const renewed = linkIn((await panel.mail.letterTo(greta.email, 2)).mail.text, publicUrl)
  t.not(renewed, old)
  await isDead(t, panel, old, /newer|superseded/)
  panel.pass(6 * day)
  t.equal((await accept(panel.visit(), renewed)).status, 303, 'it lives seven days from now')
  t.equal((await stella.get('/')).status, 303)
})

t.test('no letter of a cancelled invitation goes out', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 451, words: 'later' })
  await invite(panel)
  await until('the first try', () => panel.mail.refused[0])
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Cancel', {}, greta.email)
  panel.mail.refuse(undefined)
  panel.pass(12 * hour)
  await invite(panel, { ...greta, email: 'another@acme.example' })
  panel.app.wakeMail()
  await panel.mail.letterTo('another@acme.example')
  t.equal(panel.mail.taken.length, 1)
  const olga = await panel.signIn('olga')
  t.notMatch((await olga.get('/support/mail')).row(greta.email), /waiting|sent /)
})

t.test('a letter that waits gives way to the one that is sent again', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 451, words: 'later' })
  await invite(panel)
  await until('the first try', () => panel.mail.refused[0])
  const stella = await panel.signIn('stella')
  panel.mail.refuse(undefined)
  panel.pass(resendGap)
  t.equal((await stella.submit('/customer/users', 'Resend', {}, greta.email)).status, 303)
  panel.pass(7 * hour)
  panel.app.wakeMail()
  const link = linkIn((await panel.mail.letterTo(greta.email)).mail.text, publicUrl)
  t.ok((await panel.visit().get(link)).hasButton('Accept invitation'))
  await invite(panel, { ...greta, email: 'another@acme.example' }).catch(() => undefined)
  t.equal(panel.mail.taken.filter(({ recipients }) => recipients.includes(greta.email)).length, 1)
})

t.test('a copied link works, and so does the one in the letter', async (t) => {
  const panel = await startWithMail(t)
  const inLetter = await inviteByLetter(panel)
  const stella = await panel.signIn('stella')
  const page = await stella.submit('/customer/users', 'Copy link', {}, greta.email)
  const copied = page.value('link') ?? page.root.querySelector('#link')?.getAttribute('value') ?? ''
  const path = linkIn(copied, publicUrl)
  t.ok((await panel.visit().get(inLetter)).hasButton('Accept invitation'))
  t.equal((await accept(panel.visit(), path)).status, 303)
  t.equal(membersNamed(panel, 'acme', greta.email).length, 1)
  await isDead(t, panel, inLetter, /used|accepted/)
})

t.test('a copied link ends with the invitation that it belongs to', async (t) => {
  const panel = await startWithMail(t)
  await invite(panel)
  const stella = await panel.signIn('stella')
  const copy = async () => {
    const page = await stella.submit('/customer/users', 'Copy link', {}, greta.email)
    return linkIn(page.root.querySelector('#link')?.getAttribute('value') ?? '', publicUrl)
  }
  const first = await copy()
  panel.pass(resendGap)
  await stella.submit('/customer/users', 'Resend', {}, greta.email)
  await isDead(t, panel, first, /newer|superseded/)
  const second = await copy()
  await stella.submit('/customer/users', 'Cancel', {}, greta.email)
  await isDead(t, panel, second, /cancelled/)
})

t.test('at most one invitation is pending for an account and an address, in whatever case', async (t) => {
  const panel = await startWithMail(t)
  await invite(panel)
  for (const email of [greta.email, 'GRETA@Acme.Example', ' greta@ACME.example ']) {
    const again = await invite(panel, { ...greta, email })
    t.equal(again.status, 422)
    t.match(again.error('email'), /invited/)
    t.equal(again.value('name'), 'Greta')
  }
  t.equal(panel.db.select().from(invitations).all().length, 1)
  t.equal(panel.db.select().from(letters).all().length, 1)

  const ines = await panel.signIn('ines')
  t.equal((await ines.submit('/customer/users', 'Invite', greta)).status, 303, 'another account invites for itself')
})

t.test('of many invitations of one address at once, one is made', async (t) => {
  const panel = await startWithMail(t)
  const stella = await panel.signIn('stella')
  const form = await stella.get('/customer/users')
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => stella.press(form, 'Invite', { ...greta, _once: `${n}` })),
  )
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
  t.equal(panel.db.select().from(invitations).all().length, 1)
  t.equal(panel.db.select().from(letters).all().length, 1)
})

t.test('a user of the account is not invited again', async (t) => {
  const panel = await startWithMail(t)
  const page = await invite(panel, { name: 'Tom', email: 'TOM@acme.example', role: 'admin' })
  t.equal(page.status, 422)
  t.match(page.error('email'), /user of this account/)
  t.same(panel.db.select().from(invitations).all(), [])
})

t.test('accepting twice makes one membership', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel, as(cast.nils, 'member'))
  const [one, two] = [await panel.signIn('nils'), await panel.signIn('nils')]
  const [first, second] = [await one.get(link), await two.get(link)]
  const answers = await Promise.all([
    one.press(first, 'Accept invitation'),
    two.press(second, 'Accept invitation'),
    one.press(first, 'Accept invitation', { _once: 'another' }),
  ])
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
  t.equal(membersNamed(panel, 'acme', cast.nils.email).length, 1)
  const stella = await panel.signIn('stella')
  const joined = (await stella.get('/customer/history')).tableRows.filter((row) => row.includes('joined as'))
  t.equal(joined.filter((row) => row.includes('Nils')).length, 1)
})

t.test('a new person who presses twice is one user', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const visitor = panel.visit()
  const form = await visitor.get(link)
  const fields = { name: 'Greta', password, repeated: password }
  const answers = await Promise.all([
    visitor.press(form, 'Accept invitation', fields),
    visitor.press(form, 'Accept invitation', fields),
  ])
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
  t.ok(answers.every(({ status }) => status < 500))
  t.equal(panel.db.select().from(users).where(eq(users.email, greta.email)).all().length, 1)
  t.equal(membersNamed(panel, 'acme', greta.email).length, 1)
})

t.test('invitations wait on Home, and are accepted there', async (t) => {
  const panel = await startWithMail(t)
  const nils = await panel.signIn('nils')
  t.notMatch((await nils.get('/')).text, 'Acme')
  await invite(panel, { name: 'Nils', email: 'NILS@nowhere.example', role: 'member' })
  const ines = await panel.signIn('ines')
  await ines.submit('/customer/users', 'Invite', as(cast.nils, 'admin'))

  const home = await nils.get('/')
  t.match(home.text, /Stella invites you to Acme as Customer User/)
  t.match(home.text, /Ines invites you to Initech as Customer Admin/)
  t.notMatch(
    (await (await panel.signIn('uma')).get('/')).text,
    /(Stella|Ines) invites you/,
    'each finds one’s own only',
  )

  const inside = await nils.submitAndFollow('/', 'Accept', {}, 'Acme')
  t.equal(inside.activeAccount, 'Acme')
  t.same(membersNamed(panel, 'acme', cast.nils.email), [{ email: cast.nils.email, role: 'member' }])
  t.same(membersNamed(panel, 'initech', cast.nils.email), [])
  t.notMatch((await nils.get('/')).text, /Stella invites you/)

  await ines.submit('/customer/users', 'Cancel', {}, cast.nils.email)
  t.notMatch((await nils.get('/')).text, /Ines invites you/, 'a cancelled one waits no more')
})

t.test('nobody accepts on Home what is another’s, or has ended', async (t) => {
  const panel = await startWithMail(t)
  await invite(panel, as(cast.nils, 'admin'))
  const id = panel.db.select().from(invitations).get()?.id
  const ines = await panel.signIn('ines')
  await ines.post(`/my-invitations/${id}/acceptance`)
  t.same(membersNamed(panel, 'acme', cast.ines.email), [])

  panel.pass(8 * day)
  const nils = await panel.signIn('nils')
  t.notMatch((await nils.get('/')).text, /Stella invites you/)
  await nils.post(`/my-invitations/${id}/acceptance`)
  t.same(membersNamed(panel, 'acme', cast.nils.email), [])
})

t.test('Home keeps silent about no invitation, however many wait', async (t) => {
  const panel = await startWithMail(t)
  const olga = await panel.signIn('olga')
  const form = await olga.get('/support/accounts')
  const clubs = [...'abcdefghijkl'].map((letter) => `club-${letter}`)
  for (const identifier of clubs) {
    const fields = { name: identifier, identifier, adminName: 'Nils', adminEmail: cast.nils.email }
    await olga.press(form, 'Create account', { kind: 'customer', ...fields })
  }
  t.equal(pendingTo(panel, cast.nils.email), 12)
  const home = await (await panel.signIn('nils')).get('/')
  const missing = clubs.filter((name) => !home.text.includes(name))
  t.ok(missing.length === 0 || home.text.includes('12'), `no word of ${missing.join(', ')}`)
})

t.test('an invitation may give project access too', async (t) => {
  const panel = await startWithMail(t)
  const website = String(projectId(panel, 'website'))
  await invite(panel, { ...greta, projects: [website], projectRole: 'reader' })
  const link = linkIn((await panel.mail.letterTo(greta.email)).mail.text, publicUrl)
  const visitor = panel.visit()
  await accept(visitor, link)
  const dashboard = await visitor.get('/projects')
  t.match(dashboard.row('website'), 'Project Reader')
  t.notMatch(dashboard.text, 'Shop')
})

t.test('a project deleted before acceptance is left out', async (t) => {
  const panel = await startWithMail(t)
  const ids = panel.db
    .select()
    .from(projects)
    .all()
    .map(({ id }) => String(id))
  await invite(panel, { ...greta, projects: ids, projectRole: 'user' })
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  const visitor = panel.visit()
  const link = linkIn((await panel.mail.letterTo(greta.email)).mail.text, publicUrl)
  t.equal((await accept(visitor, link)).status, 303)
  t.equal((await visitor.get('/projects')).tableRows.length, 1)
})

t.test('an invitation gives no access to a project of another account', async (t) => {
  const panel = await startWithMail(t)
  const ines = await panel.signIn('ines')
  await ines.submit('/projects', 'Create project', { name: 'Printer', identifier: 'printer' })
  const printer = String(projectId(panel, 'printer'))
  const stella = await panel.signIn('stella')
  const foreign = await stella.post('/customer/users', { ...greta, projects: printer, projectRole: 'admin' })
  const missing = await stella.post('/customer/users', { ...greta, projects: '99999', projectRole: 'admin' })
  t.equal(foreign.status, missing.status)
  t.notMatch(foreign.body, 'Printer')
  t.same(panel.db.select().from(invitations).all(), [])
  t.same(panel.db.select().from(letters).all(), [])
})

t.test('the invitation form keeps silent about no project', async (t) => {
  const { signIn } = await startApp(t)
  const stella = await signIn('stella')
  const form = await stella.get('/projects')
  for (let n = 1; n <= 24; n++) await stella.press(form, 'Create project', { name: `Campaign ${n}` })
  const page = await stella.get('/customer/users')
  const offered = page.root.querySelectorAll('input[name="projects"]').length
  const details = page.root.querySelector('main details')?.textContent ?? ''
  t.ok(
    offered === 26 || /\bmore\b|others|first \d+|Account Settings/.test(details),
    `${offered} of 26, and no word of the others`,
  )
})

t.test('the role comes from the invitation, never from the form', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const website = String(projectId(panel, 'website'))
  const visitor = panel.visit()
  await accept(visitor, link, { role: 'admin', projects: website, email: 'mallory@evil.example' })
  await accept(visitor, link).catch(() => undefined)
  t.same(membersNamed(panel, 'acme', greta.email), [{ email: greta.email, role: 'member' }])
  t.equal(panel.db.select().from(users).where(eq(users.email, 'mallory@evil.example')).get(), undefined)
  const id = userId(panel, greta.email)
  t.same(panel.db.select().from(projectAccess).where(eq(projectAccess.userId, id)).all(), [])
})

t.test('a Customer User can neither invite nor change invitations', async (t) => {
  const panel = await startWithMail(t)
  await inviteByLetter(panel)
  const id = panel.db.select().from(invitations).get()?.id
  const tom = await panel.signIn('tom')
  t.notOk((await tom.get('/customer/users')).hasButton('Invite'))
  const ines = await panel.signIn('ines')
  const before = panel.rows()
  t.equal((await tom.post('/customer/users', { ...greta, email: 'x@acme.example', projectRole: 'user' })).status, 403)
  for (const act of ['resending', 'cancellation', 'link'])
    t.equal((await tom.post(`/customer/invitations/${id}/${act}`)).status, 403)

  for (const act of ['resending', 'cancellation', 'link'])
    t.equal((await ines.post(`/customer/invitations/${id}/${act}`)).status, 404, 'another account’s is not found')
  t.same(
    { ...panel.rows(), sessions: [], letters: [], users: [] },
    { ...before, sessions: [], letters: [], users: [] },
    'nothing has changed',
  )
})

t.test('a partner invites a customer’s first admin without joining', async (t) => {
  const panel = await startWithMail(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Globex', identifier: 'globex' })
  const page = await petra.submitAndFollow('/partner/customers/globex/users', 'Invite', {
    name: 'Hank',
    email: 'hank@globex.example',
  })
  t.match(page.row('hank@globex.example'), 'Customer Admin')
  const { mail } = await panel.mail.letterTo('hank@globex.example')
  t.match(mail.text, /Petra.*Globex.*Customer Admin/s)
  const hank = panel.visit()
  await accept(hank, linkIn(mail.text, publicUrl), { name: 'Hank' })
  t.same(membersOf(panel, 'globex'), [{ email: 'hank@globex.example', role: 'admin' }], 'Petra is not in it')
  t.ok((await hank.get('/customer/users')).hasButton('Invite'), 'Hank runs the account from then on')
})

t.test('addresses of every honest kind are invited and reached', async (t) => {
  const panel = await startWithMail(t)
  const stella = await panel.signIn('stella')
  const form = await stella.get('/customer/users')
  const long = `${'x'.repeat(64)}@${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(50)}.example`
  const plain = [
    "o'brien@acme.example",
    'greta+panel@acme.example',
    'a@b.museum',
    'g_r-e.t.a@sub.domain.acme.example',
    long,
  ]
  for (const email of [...plain, 'greta@müller.example', 'jürgen@bücher.example', 'ゆき@例え.example']) {
    const answer = await stella.press(form, 'Invite', { ...greta, email })
    t.equal(answer.status, 303, email)
    t.equal(pendingTo(panel, email), 1, 'as it was typed')
  }
  for (const email of plain) t.same((await panel.mail.letterTo(email)).recipients, [email])
  const eight = await until('eight letters', () => panel.mail.taken.length === 8 && panel.mail.taken)
  t.ok(eight.every(({ recipients }) => recipients.length === 1))
  t.match(eight.at(-3)?.recipients[0], /^greta@(müller|xn--mller-kva)\.example$/)
})

t.test('the two spellings of an international domain are one address', async (t) => {
  const panel = await startWithMail(t)
  await invite(panel, { ...greta, email: 'greta@müller.example' })
  t.equal((await invite(panel, { ...greta, email: 'greta@xn--mller-kva.example' })).status, 422)
  t.equal((await invite(panel, { ...greta, email: 'greta@mu\u0308ller.example' })).status, 422)
  t.equal(panel.db.select().from(invitations).all().length, 1)
})

t.test('what is not one address is refused, and what was typed is kept', async (t) => {
  const panel = await startWithMail(t)
  const stella = await panel.signIn('stella')
  const form = await stella.get('/customer/users')
  const wrong = [
    'a@x.example, b@y.example',
    'a@x.example,b@y.example',
    'a@x.example;b@y.example',
    'a@x.example b@y.example',
    'a@x.example\r\nBcc: b@y.example',
    'Greta <greta@acme.example>',
    '"greta, b@y.example"@acme.example',
    'group: a@x.example, b@y.example;',
    'greta',
    'greta@',
    '@acme.example',
    'greta@@acme.example',
    'greta@acme..example',
    'greta@acme.example/x',
    'greta@acme.example\u0000',
    'greta@acme\u200b.example',
    'gr\u202eeta@acme.example',
    '<script>@acme.example',
    `${'x'.repeat(300)}@acme.example`,
    '',
  ]
  for (const email of wrong) {
    const page = await stella.press(form, 'Invite', { ...greta, email })
    t.equal(page.status, 422, JSON.stringify(email))
    t.not(page.error('email'), '')
    t.equal(page.value('name'), 'Greta')
  }
  t.same(panel.db.select().from(invitations).all(), [])
  t.same(panel.db.select().from(letters).all(), [])
})

t.test('a new password must be long, uncommon, and not the user’s own name', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const wrong = [
    '',
    'elevenchars',
    'äöüäöüäöüäö',
    `${'äöüß'.repeat(32)}a`,
    `${'brtz glmp'.repeat(28)}hqwdx`,
    '123456789012',
    'password1234',
    '1q2w3e4r5t6y',
    'passwordpassword',
    'aaaaaaaaaaaaaaaa',
    'meshpanel2026',
    'Meshpanel 2026!',
    'greta@acme.example',
    'Greta Garbowskaja',
  ]
  for (const chosen of wrong) {
    const page = await accept(panel.visit(), link, { name: 'Greta Garbowskaja', password: chosen, repeated: chosen })
    t.equal(page.status, 422, chosen.slice(0, 20))
    t.not(page.error('password'), '', chosen.slice(0, 20))
    t.equal(page.value('password') ?? '', '', 'a password is never sent back')
    if (page.status !== 422) return
  }
  const unlike = await accept(panel.visit(), link, { repeated: `${password}!` })
  t.equal(unlike.status, 422)
  t.not(unlike.error('repeated'), '')
  t.same(membersNamed(panel, 'acme', greta.email), [])
})

t.test('a password is taken whole, of any characters, and composed alike however it is typed', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const longest = `  zwölf Bären – ${'ab c'.repeat(58)}`
  const whole = `${longest}${'y'.repeat(256 - Buffer.byteLength(longest))}`
  t.equal(Buffer.byteLength(whole), 256)
  t.equal((await accept(panel.visit(), link, { password: whole.normalize('NFD'), repeated: whole })).status, 303)
  t.equal((await panel.visit().logIn(greta.email, whole)).status, 303)
  t.equal((await panel.visit().logIn(greta.email, whole.normalize('NFD'))).status, 303)
  t.equal((await panel.visit().logIn(greta.email, whole.slice(0, -1))).status, 422, 'not a byte of it is cut')
  t.equal((await panel.visit().logIn(greta.email, whole.trim())).status, 422)
})

t.test('twelve plain letters are enough: nothing asks for digits or signs', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const chosen = 'brtzglmphqwd'
  t.equal((await accept(panel.visit(), link, { password: chosen, repeated: chosen })).status, 303)
})

t.test('a token is stored as its hash only', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 451, words: 'later' })
  await invite(panel)
  const { mail } = await until('the first try', () => panel.mail.refused[0])
  const stella = await panel.signIn('stella')
  const copied = await stella.submit('/customer/users', 'Copy link', {}, greta.email)
  const links = [
    linkIn(mail.text, publicUrl),
    linkIn(copied.root.querySelector('#link')?.getAttribute('value'), publicUrl),
  ]
  for (const link of links) {
    const token = link.slice('/invitations/'.length)
    const hex = Buffer.from(token, 'base64url').toString('hex')
    for (const [table, rows] of Object.entries(panel.rows())) {
      const stored = rows
        .map((row) =>
          Object.values(row as object)
            .map(String)
            .join('\n'),
        )
        .join('\n')
      t.notOk(stored.includes(token) || stored.includes(hex), `not in ${table}, while the letter still waits`)
    }
  }
})

t.test('names are text in letters, whatever they hold', async (t) => {
  const panel = await startWithMail(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/account', 'Save name', { name: 'Acme <i>& Sons</i>' })
  await stella.submit('/profile', 'Save name', { name: '<u>Stella</u>' })
  const name = '<img src=x onerror=alert(1)> "Gret,a" <b@y>'
  await stella.submit('/customer/users', 'Invite', { ...greta, name })

  const { mail, recipients } = await panel.mail.letterTo(greta.email)
  t.same(recipients, [greta.email])
  t.same(
    [mail.to ?? []]
      .flat()
      .flatMap(({ value }) => value)
      .map(({ address }) => address),
    [greta.email],
  )
  const html = mail.html || ''
  for (const tag of ['<img', '<i>', '<u>']) t.notMatch(html, tag)
  t.match(html, '&lt;img src=x')
  t.match(mail.text, name, 'in plain text as it was typed')
  t.match(mail.text, 'Acme <i>& Sons</i>')
  t.match(mail.subject, 'Acme <i>& Sons</i>')

  const page = await panel.visit().get(linkIn(mail.text, publicUrl))
  for (const tag of ['<img src=x', '<i>', '<u>']) t.notMatch(page.body, tag)
  t.notMatch((await stella.get('/customer/users')).body, '<img src=x')
})

t.test('a name cannot smuggle a header or a second line into a letter', async (t) => {
  const panel = await startWithMail(t)
  for (const name of ['Greta\r\nBcc: b@y.example', 'Greta\nSubject: x', 'Gre\u0000ta', 'Gre\u202eta', '\u200b']) {
    const page = await invite(panel, { ...greta, name })
    t.equal(page.status, 422, JSON.stringify(name))
    t.not(page.error('name'), '')
  }
  t.same(panel.db.select().from(letters).all(), [])
})

t.test('who invites, resends, copies, cancels and accepts is recorded', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Copy link', {}, greta.email)
  await accept(panel.visit(), link)
  await stella.submit('/customer/users', 'Invite', { ...greta, email: 'second@acme.example' })
  panel.pass(resendGap)
  await stella.submit('/customer/users', 'Resend', {}, 'second@acme.example')
  await stella.submit('/customer/users', 'Cancel', {}, 'second@acme.example')

  const rows = (await stella.get('/customer/history')).tableRows
  const has = (...words: string[]) => rows.some((row) => words.every((word) => row.includes(word)))
  t.ok(has('Stella', 'invited', greta.email, 'Customer User'))
  t.ok(has('Stella', 'copied', greta.email))
  t.ok(has('Greta', 'joined as Customer User'))
  t.ok(has('Greta', 'accepted'))
  t.ok(has('Stella', 'again', 'second@acme.example'))
  t.ok(has('Stella', 'cancelled', 'second@acme.example'))
})

t.test('an invitation acts on the account that was open, not on the one that another tab switched to', async (t) => {
  const panel = await startWithMail(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const form = await petra.open('/customer/users?account=acme')
  await petra.switchTo('cloudhaus')
  const stopped = await petra.press(form, 'Invite', greta)
  t.equal(stopped.status, 409)
  t.same(panel.db.select().from(invitations).all(), [])
  await petra.press(stopped, 'Switch to Acme and submit again')
  t.match((await panel.mail.letterTo(greta.email)).mail.text, 'Acme')
})

t.test('the invitation of somebody who is in the account already can do no harm', async (t) => {
  const panel = await startWithMail(t)
  const link = await inviteByLetter(panel, as(cast.petra, 'member'))
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const page = await petra.submit(link, 'Accept invitation').catch(() => undefined)
  t.ok((page?.status ?? 200) < 500)
  t.same(
    membersNamed(panel, 'acme', cast.petra.email),
    [{ email: cast.petra.email, role: 'admin' }],
    'she stays an admin',
  )
})

t.test('the list of pending invitations pages and counts', async (t) => {
  const { signIn } = await startApp(t)
  const stella = await signIn('stella')
  const form = await stella.get('/customer/users')
  for (let n = 1; n <= 30; n++) await stella.press(form, 'Invite', { ...greta, email: `guest-${n}@acme.example` })
  const page = await stella.get('/customer/users')
  t.match(page.text, '30 pending invitations')
  const next = page.link('Next')
  t.ok(next)
  const all = [...page.tableRows, ...(await stella.get(next ?? '')).tableRows].filter((row) => row.includes('guest-'))
  t.equal(new Set(all).size, 30)
})
