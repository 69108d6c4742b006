import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, memberships, projects, quotaRequests, users } from '../src/db/schema.ts'
import { type Page, type Panel, startApp } from './harness.ts'

// A form offers the first of many, and says so. What an address names or somebody has chosen is among its choices.

const acmeOf = ({ db }: Panel) => db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()?.id ?? 0

/** Projects of Acme that come before `zulu`, the last by name. */
function addProjects(panel: Panel, n: number): void {
  const add = (name: string, identifier: string) =>
    panel.db
      .insert(projects)
      .values({ accountId: acmeOf(panel), name, identifier, search: name.toLowerCase(), createdAt: 1 })
      .run()
  for (let one = 0; one < n; one++) add(`Alpha ${one}`, `alpha-${one}`)
  add('Zulu', 'zulu')
}

const chosen = (page: Page, name: string) =>
  page.root.querySelector(`main select[name="${name}"] option[selected]`)?.getAttribute('value')
const options = (page: Page, name: string) =>
  page.root.querySelectorAll(`main select[name="${name}"] option`).map((option) => option.getAttribute('value'))

t.test('a request for more is made for the project that the address names, however many there are', async (t) => {
  const panel = await startApp(t)
  addProjects(panel, 120)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/customer/quotas?project=zulu')
  t.equal(chosen(page, 'project'), 'zulu')
  t.match(page.text, 'Only 101 projects are listed here')
  await stella.press(page, 'Send request', { cores: '5', reason: 'Growth' })
  const request = panel.db.select().from(quotaRequests).get()
  t.equal(
    panel.db
      .select()
      .from(projects)
      .where(eq(projects.id, request?.projectId ?? 0))
      .get()?.identifier,
    'zulu',
  )
})

t.test('what was chosen stays chosen in a form that is shown again', async (t) => {
  const panel = await startApp(t)
  addProjects(panel, 120)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/customer/quotas?project=zulu')
  const again = await stella.press(page, 'Send request', { cores: '5', reason: '' })
  t.equal(again.status, 422)
  t.equal(chosen(again, 'project'), 'zulu')
  const gone = await stella.press(page, 'Send request', { project: 'skunkworks', cores: '5', reason: 'Growth' })
  t.equal(gone.status, 422)
  t.match(gone.error('project'), 'Choose from the list')
  t.equal(chosen(gone, 'project'), undefined, 'and no other project is put in its place')
})

t.test('every project can be asked for by a link of the page itself', async (t) => {
  const panel = await startApp(t)
  addProjects(panel, 120)
  const stella = await panel.signIn('stella')
  t.notOk(options(await stella.open('/customer/quotas'), 'project').includes('zulu'))
  const found = await stella.open('/customer/quotas?q=zulu')
  const link = found.root.querySelector('a[aria-label="Ask for more for Zulu"]')?.getAttribute('href')
  t.equal(chosen(await stella.open(link ?? ''), 'project'), 'zulu')
})

t.test('an address that names no project of the account leads nowhere, and preselects no other', async (t) => {
  const panel = await startApp(t)
  const [stella, uma] = [await panel.signIn('stella'), await panel.signIn('uma')]
  await uma.submit('/projects', 'Create project', { name: 'Skunkworks', identifier: 'skunkworks' })
  await stella.submitAndFollow('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  const answers = ['skunkworks', 'nothing', 'shop'].map((project) => stella.get(`/customer/quotas?project=${project}`))
  for (const page of await Promise.all(answers)) {
    t.equal(page.status, 404)
    t.notMatch(page.body, /Skunkworks|Shop/)
  }
  t.equal((await stella.get('/customer/quotas')).status, 200)
  t.equal((await stella.get('/customer/quotas?project=')).status, 200)
})

t.test('an invitation that is corrected keeps the projects that were chosen', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/customer/users')
  const shop = panel.db.select().from(projects).where(eq(projects.identifier, 'shop')).get()?.id ?? 0
  // Meanwhile others come before it in the list.
  addProjects(panel, 30)
  const again = await stella.press(page, 'Invite', { name: 'Greta', email: 'greta', projects: String(shop) })
  t.equal(again.status, 422)
  t.ok(again.root.querySelector(`input[name="projects"][value="${shop}"][checked]`), 'Shop is still chosen')
})

t.test('who was found and chosen to be given access stays chosen, and who else there is can be found', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const accountId = acmeOf(panel)
  for (let n = 0; n < 70; n++) {
    const [name, email] = [`Person ${String(n).padStart(2, '0')}`, `person${n}@acme.example`]
    const user = db
      .insert(users)
      .values({ name, email, emailKey: email, search: name.toLowerCase(), passwordHash: '', createdAt: 1 })
      .returning()
      .get()
    db.insert(memberships).values({ accountId, userId: user.id, role: 'member', createdAt: 1, lastUsedAt: 1 }).run()
  }
  const stella = await panel.signIn('stella')
  const last = db.select().from(users).where(eq(users.email, 'person69@acme.example')).get()?.id ?? 0
  const found = await stella.open('/projects/shop?find=person+69')
  const again = await stella.press(found, 'Give access', { people: String(last), role: 'nothing' })
  t.equal(again.status, 422)
  t.ok(again.root.querySelector(`input[name="people"][value="${last}"][checked]`))
  t.match(again.text, 'The first 50 are shown. Find the others by name or e-mail.')

  const settings = await stella.open('/customer/projects?q=shop')
  t.match(settings.text, 'The first 10 users by name. Find the others on the project’s page')
})

t.test('a disabled user is not said to be one more to choose from', async (t) => {
  const panel = await startApp(t)
  panel.db.update(users).set({ disabledAt: 1 }).where(eq(users.email, 'tom@acme.example')).run()
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/shop', 'Remove', {}, 'stella@acme.example')
  t.notMatch((await stella.open('/customer/projects?q=shop')).text, /Find the others|more on the project/)
})
