import { eq } from 'drizzle-orm'
import t from 'tap'
import { memberships, projects, quotaRequests, users } from '../../src/db/schema.ts'
import { accountId, type Panel, projectId, startApp, userId } from '../harness.ts'

// A form offers the first of many, and says so. What an address names or somebody has chosen is among its choices.

/** Projects of Acme that come before `zulu`, the last by name. */
function addProjects(panel: Panel, n: number): void {
  const add = (name: string, identifier: string) =>
    panel.db
      .insert(projects)
      .values({ accountId: accountId(panel, 'acme'), name, identifier, search: name.toLowerCase(), createdAt: 1 })
      .run()
  for (let one = 0; one < n; one++) add(`Alpha ${one}`, `alpha-${one}`)
  add('Zulu', 'zulu')
}

/** The project that the only request is for. */
const requestedFor = ({ db }: Panel) =>
  db
    .select({ identifier: projects.identifier })
    .from(quotaRequests)
    .innerJoin(projects, eq(projects.id, quotaRequests.projectId))
    .get()?.identifier

/** Many projects; the last by name has a limit, so that more can be asked for. */
async function withLimitedZulu(panel: Panel) {
  addProjects(panel, 120)
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/zulu', 'Save quotas', { cores: '2' })
  return stella
}

t.test('a request for more is made for the project that the address names, however many there are', async (t) => {
  const panel = await startApp(t)
  const stella = await withLimitedZulu(panel)
  const page = await stella.open('/customer/quotas?project=zulu')
  t.match(page.text, 'Ask for more for project Zulu')
  await stella.press(page, 'Send request', { cores: '5', reason: 'Growth' })
  t.equal(requestedFor(panel), 'zulu')
})

t.test('a form that is shown again stays with its project, and one of no project writes nothing', async (t) => {
  const panel = await startApp(t)
  const stella = await withLimitedZulu(panel)
  const page = await stella.open('/customer/quotas?project=zulu')
  const gone = await stella.press(page, 'Send request', { project: 'skunkworks', cores: '5', reason: 'Growth' })
  t.equal(gone.status, 404)
  t.equal(requestedFor(panel), undefined)
  const again = await stella.press(page, 'Send request', { cores: '5', reason: '' })
  t.equal(again.status, 422)
  t.match(again.text, 'Ask for more for project Zulu')
  await stella.press(again, 'Send request', { cores: '5', reason: 'Growth' })
  t.equal(requestedFor(panel), 'zulu')
})

t.test('every project with a limit can be asked for by a link of the page itself', async (t) => {
  const panel = await startApp(t)
  const stella = await withLimitedZulu(panel)
  const found = await stella.open('/customer/quotas?q=zulu')
  const link = found.root.querySelectorAll('main td a').find(({ text }) => text === 'Ask for more')
  t.match((await stella.open(link?.getAttribute('href') ?? '')).text, 'Ask for more for project Zulu')
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
  const shop = projectId(panel, 'shop')
  // Other rows have come before it in the list by now.
  addProjects(panel, 30)
  const again = await stella.press(page, 'Invite', { name: 'Greta', email: 'greta', projects: String(shop) })
  t.equal(again.status, 422)
  t.ok(again.root.querySelector(`input[name="projects"][value="${shop}"][checked]`), 'Shop is still chosen')
})

t.test('who was found and chosen to be given access stays chosen, and who else there is can be found', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const acme = accountId(panel, 'acme')
  for (let n = 0; n < 70; n++) {
    const [name, email] = [`Person ${String(n).padStart(2, '0')}`, `person${n}@acme.example`]
    const user = db
      .insert(users)
      .values({ name, email, emailKey: email, search: name.toLowerCase(), passwordHash: '', createdAt: 1 })
      .returning()
      .get()
    db.insert(memberships)
      .values({ accountId: acme, userId: user.id, role: 'member', createdAt: 1, lastUsedAt: 1 })
      .run()
  }
  const stella = await panel.signIn('stella')
  const last = userId(panel, 'person69@acme.example')
  const found = await stella.open('/projects/shop?find=person+69')
  const again = await stella.press(found, 'Give access', { people: String(last), role: 'nothing' })
  t.equal(again.status, 422)
  t.ok(again.root.querySelector(`input[name="people"][value="${last}"][checked]`))
  t.match(again.text, 'The first 50 are shown. Find the others by name or e-mail.')
})

t.test('a disabled user is not said to be one more to choose from', async (t) => {
  const panel = await startApp(t)
  panel.db.update(users).set({ disabledAt: 1 }).where(eq(users.email, 'tom@acme.example')).run()
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/shop', 'Remove', {}, 'stella@acme.example')
  t.notMatch((await stella.open('/customer/projects?q=shop')).text, /Find the others|more on the project/)
})
