import { eq } from 'drizzle-orm'
import { Secret, TOTP } from 'otpauth'
import t from 'tap'
import { accounts, imports, invitations, projects, sessions } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { type Client, encodeParts, formFields, multipart, type Page, type Panel, startApp } from '../harness.ts'

// What somebody typed into a page whose session has ended is not lost: they log in, and send it.

t.setTimeout(600_000)

const project = { name: 'Intranet – naïve <b>', identifier: 'intranet' }
const hour = 3_600_000

/** Ends all sessions in the database, as time and an admin do. */
const endSessions = ({ db }: Panel) => db.delete(sessions).run()
const intranet = ({ db }: Panel) => db.select().from(projects).where(eq(projects.identifier, 'intranet')).get()

/** Logs in from the page that an answer leads to, and opens what comes next. */
async function logInFrom(client: Client, answer: Page, who: keyof typeof cast): Promise<Page> {
  const page = await client.get(answer.location ?? '')
  const next = await client.press(page, 'Log in', { email: cast[who].email, password: 'demo-demo-demo' })
  return client.open(next.location ?? '')
}

t.test('what was typed when the session had ended is there after the log-in, and is sent from there', async (t) => {
  for (const [how, end] of [
    ['it ended in the database', (panel: Panel) => endSessions(panel)],
    ['its cookie is gone', (_: Panel, client: Client) => client.cookies.delete('meshpanel')],
    ['all cookies are gone', (_: Panel, client: Client) => client.cookies.clear()],
  ] as const) {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    const form = await stella.open('/projects?q=shop')
    end(panel, stella)
    const answer = await stella.press(form, 'Create project', project)
    t.equal(answer.status, 303, how)
    t.equal(answer.location, `/login?next=${encodeURIComponent('/unsent-forms')}`)
    t.notOk(intranet(panel), 'nothing is done without a session')
    t.match((await stella.get(answer.location ?? '')).text, 'what you typed is kept: log in to send it')

    const page = await logInFrom(stella, answer, 'stella')
    t.equal(page.path, '/unsent-forms')
    t.match(page.text, 'Nothing was changed')
    t.match(page.text, project.name)
    t.equal(page.link('/projects?q=shop'), '/projects?q=shop', 'the page it was typed into')
    t.notOk(intranet(panel), 'and nothing is sent automatically')

    const sent = await stella.press(page, 'Send it again')
    t.equal(sent.status, 303)
    t.equal(intranet(panel)?.name, project.name)
    t.equal((await stella.get('/unsent-forms')).location, '/', 'what was sent is kept no longer')
  }
})

t.test('it waits behind the second step of the log-in, and behind a wrong password', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const setUp = await stella.open('/profile/two-factor')
  const totp = new TOTP({
    secret: Secret.fromBase32(setUp.root.querySelector('main code')?.text.replaceAll(/\s/g, '') ?? ''),
  })
  const code = () => totp.generate({ timestamp: panel.app.now() })
  await stella.press(setUp, 'Switch on', { code: code() })
  panel.pass(60_000)
  const form = await stella.open('/projects')
  endSessions(panel)
  const answer = await stella.press(form, 'Create project', project)
  const wrong = await stella.press(await stella.get(answer.location ?? ''), 'Log in', {
    email: cast.stella.email,
    password: 'not my password at all',
  })
  const second = await stella.press(wrong, 'Log in', { email: cast.stella.email, password: 'demo-demo-demo' })
  t.match(second.location, '/login/second-factor')
  t.equal(
    (await stella.get('/unsent-forms')).location,
    '/login/second-factor?next=%2Funsent-forms',
    'half is not enough',
  )
  const done = await stella.press(await stella.get(second.location ?? ''), 'Log in', { code: code() })
  t.equal(done.location, '/unsent-forms')
  t.match((await stella.get('/unsent-forms')).text, project.name)
})

t.test('somebody else who logs in there reads nothing of it', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const form = await stella.open('/projects')
  endSessions(panel)
  const answer = await stella.press(form, 'Create project', project)
  const tom = await logInFrom(stella, answer, 'tom')
  t.equal(tom.path, '/')
  t.notMatch(tom.body, 'Intranet')
  t.equal((await stella.get('/unsent-forms')).location, '/')

  const again = await stella.press(form, 'Create project', project)
  t.equal(again.status, 403, 'also where they had logged in before it was sent')
  t.notMatch(again.body, 'Intranet')
  t.match(again.text, 'kept for its author')
  t.notOk(intranet(panel))

  const own = await panel.signIn('stella')
  const page = await own.get('/unsent-forms')
  t.match(page.text, project.name, 'its author finds it in any browser')
  t.equal(page.root.querySelectorAll('main form').length, 1, 'once')
})

t.test('another account that is active then is offered to be left first', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  const form = await petra.open('/projects')
  await petra.switchTo('cloudhaus')
  endSessions(panel)
  const page = await logInFrom(petra, await petra.press(form, 'Create project', project), 'petra')
  const refused = await petra.press(page, 'Send it again')
  t.equal(refused.status, 409)
  t.notOk(intranet(panel))
  await petra.press(refused, 'Switch to Acme and submit again')
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()
  t.equal(intranet(panel)?.accountId, acme?.id)
})

t.test('pasted lines of an import are kept as well, and a file is not', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const form = await petra.open('/partner/imports')
  // Encoded like other forms, these lines would not fit into one.
  const rows = Array.from({ length: 900 }, (_, n) => `"Größe, ${n}";kunde-${n};;`)
  const text = ['name;identifier;admin_email;projects', ...rows].join('\n')
  endSessions(panel)
  const answer = await petra.press(form, 'Check the file', { text })
  t.equal(answer.location, `/login?next=${encodeURIComponent('/unsent-forms')}`)
  t.equal(panel.db.select().from(imports).all().length, 0)

  const page = await logInFrom(petra, answer, 'petra')
  t.match(page.text, 'Größe, 899')
  t.notMatch(page.text, 'files are not kept', 'no file was chosen')
  const sent = await petra.press(page, 'Send it again')
  t.match(sent.location, /^\/partner\/imports\/\d+$/)
  t.match((await petra.get(sent.location ?? '')).text, '900 rows')

  const again = await petra.open('/partner/imports')
  const { form: element } = again.form('Check the file')
  endSessions(panel)
  const file = { name: 'customers.csv', bytes: Buffer.from(text), field: 'file' }
  const body = encodeParts({ ...formFields(element), text: 'typed as well' }, file)
  const lost = await petra.postRaw('/partner/imports', body, { 'content-type': multipart })
  const kept = await logInFrom(petra, lost, 'petra')
  t.match(kept.text, 'typed as well')
  t.match(kept.text, 'files are not kept')
  t.notMatch(kept.text, 'Größe')
})

t.test('passwords, pressed buttons and forms with a false name are not kept', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const profile = await stella.open('/profile')
  const form = await stella.open('/projects')
  endSessions(panel)
  const answer = await stella.press(profile, 'Change password', {
    current: 'demo-demo-demo',
    password: 'correct horse battery',
    repeated: 'correct horse battery',
  })
  t.equal(answer.location, '/login?next=%2Fprofile')
  const email = await stella.press(profile, 'Change e-mail', { email: 'new@acme.example', current: 'demo-demo-demo' })
  const page = await logInFrom(stella, email, 'stella')
  t.match(page.text, 'new@acme.example')
  t.match(page.text, 'Passwords, codes and files are not kept')
  t.notMatch(page.body, /demo-demo-demo|horse/)

  endSessions(panel)
  const { form: element } = form.form('Create project')
  const own = element.querySelector('input[name="_user"]')?.getAttribute('value') ?? ''
  const [id = '', seal = ''] = own.split('.')
  t.match(seal, /^[\w-]{43}$/)
  for (const _user of ['', id, `${Number(id) + 1}.${seal}`, `${own}x`, `${id}.${'x'.repeat(43)}`])
    t.equal(
      (await stella.press(form, 'Create project', { ...project, _user })).location,
      '/login?next=%2Fprojects',
      `“${_user}” is nobody`,
    )
  const forged = { ...project, _user: own, _once: 'x' }
  const foreign = await stella.postRaw('/projects', new URLSearchParams(forged).toString(), {
    origin: 'https://evil.example',
    'sec-fetch-site': 'cross-site',
  })
  t.equal(foreign.location, '/login?next=%2F', 'another site keeps nothing here')
})

t.test('it is kept for an hour, and the last five of a user', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const form = await stella.open('/projects')
  endSessions(panel)
  for (let n = 0; n < 8; n++) await stella.press(form, 'Create project', { ...project, name: `No ${n}`, _once: `${n}` })
  const names = async () =>
    (await (await panel.signIn('stella')).get('/unsent-forms')).root
      .querySelectorAll('main input[name="name"]')
      .map((input) => input.getAttribute('value'))
  t.same(await names(), ['No 7', 'No 6', 'No 5', 'No 4', 'No 3'])
  panel.pass(hour - 60_000)
  t.equal((await names()).length, 5)
  panel.pass(60_000)
  t.same(await names(), [])
})

t.test('the search and filters of a page are in the address that the log-in returns to', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const path = '/partner/customers?q=M%C3%BCller+%26+S%C3%B6hne&status=active&sort=name'
  endSessions(panel)
  const answer = await petra.get(path)
  t.equal(answer.location, `/login?next=${encodeURIComponent(path)}`)
  t.equal((await logInFrom(petra, answer, 'petra')).value('q'), 'Müller & Söhne')

  // What is typed into the search of a page that was open, and a button of a list.
  const list = await petra.open('/partner/customers?q=acm&status=active')
  endSessions(panel)
  const searched = await petra.press(list, 'Search', { q: 'ini' })
  const found = await logInFrom(petra, searched, 'petra')
  t.equal(found.value('q'), 'ini')
  t.match(found.url, 'status=active')
  await petra.submit('/partner/customers/initech/suspension', 'Suspend', { reason: 'A test' })
  const suspended = await petra.open('/partner/customers?q=ini&status=suspended')
  endSessions(panel)
  const pressed = await petra.press(suspended, 'Resume')
  t.equal(pressed.location, `/login?next=${encodeURIComponent('/partner/customers?q=ini&status=suspended')}`)
  await logInFrom(petra, pressed, 'petra')

  // Also where an account has to be chosen first.
  const dora = await panel.signIn('dora')
  panel.db.update(sessions).set({ activeAccountId: null }).run()
  const other = await dora.get('/projects?q=acm')
  t.equal(other.status, 403)
  t.equal((await dora.press(other, 'Direct direct')).location, '/projects?q=acm')
})

t.test('no visitor can have anything kept', async (t) => {
  const panel = await startApp(t)
  const visitor = panel.visit()
  const answer = await visitor.postRaw('/customer/users', 'name=A&email=a%40b.example&_once=1&_user=1.x')
  t.equal(answer.location, '/login?next=%2F')
  const olga = await panel.signIn('olga')
  t.equal((await olga.get('/unsent-forms')).location, '/', 'user 1, whom the form claims as its author, has none')
  t.same(
    panel.db
      .select()
      .from(invitations)
      .all()
      .filter(({ email }) => email === 'a@b.example'),
    [],
  )
})
