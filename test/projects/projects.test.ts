import { and, eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, projectAccess, projects, records } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { type Client, type Page, type Panel, startApp, there, userId } from '../harness.ts'

const minute = 60_000

function projectNamed({ db }: Panel, account: string, identifier: string) {
  return db
    .select({ project: projects })
    .from(projects)
    .innerJoin(accounts, eq(accounts.id, projects.accountId))
    .where(and(eq(accounts.identifier, account), eq(projects.identifier, identifier)))
    .get()?.project
}

/** The role that somebody has in a project of Acme, as it is stored. */
function roleIn(panel: Panel, project: string, who: CastName): string | undefined {
  const own = and(
    eq(projectAccess.projectId, there(projectNamed(panel, 'acme', project)).id),
    eq(projectAccess.userId, userId(panel, who)),
  )
  return panel.db.select().from(projectAccess).where(own).get()?.role
}

/** Somebody of the cast becomes a user of Acme, by invitation. */
async function joinAcme(panel: Panel, who: CastName): Promise<Client> {
  const stella = await panel.signIn('stella')
  const { name, email } = cast[who]
  await stella.submit('/customer/users', 'Invite', { name, email, role: 'member' })
  const client = await panel.signIn(who)
  const page = await client.submitAndFollow('/', 'Accept')
  if (page.activeAccount !== 'Acme') throw new Error(`${who} is not in Acme: ${page.text}`)
  return client
}

/** Gives access under Account Settings → Projects. */
async function giveAccess(
  panel: Panel,
  by: Client,
  { project, people, role }: { project: string; people: CastName[]; role: string },
): Promise<Page> {
  const page = (await by.get('/customer/projects')).link('Give access', project) ?? ''
  return by.submitAndFollow(page, 'Give access', { people: people.map((who) => String(userId(panel, who))), role })
}

t.test('an admin creates a project and is its Project Admin', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')

  const form = await stella.get('/projects')
  t.equal(form.status, 200)
  t.match(form.text, /2–32 characters/, 'the form says what an identifier is')
  t.match(form.text, /cannot be changed/, 'and that it stays')

  const page = await stella.submitAndFollow('/projects', 'Create project', { name: 'Blog', identifier: 'blog' })
  t.match(page.notice, 'Blog')
  const dashboard = await stella.get('/projects')
  t.match(dashboard.row('blog'), /Blog.*Project Admin/)
  t.equal(roleIn(panel, 'blog', 'stella'), 'admin')
  t.match((await stella.get('/')).text, 'Blog', 'it is on Home')

  const tom = await panel.signIn('tom')
  t.notMatch((await tom.get('/projects')).text, 'Blog', 'who has no access does not see it')
})

t.test('an identifier left empty is derived from the name', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')

  await stella.submit('/projects', 'Create project', { name: 'Big Shop 2', identifier: '' })
  t.equal(projectNamed(panel, 'acme', 'big-shop-2')?.name, 'Big Shop 2')

  await stella.submit('/projects', 'Create project', { name: '  Größe & Übermut – der Laden für alle und jeden!  ' })
  const derived = panel.db.select().from(projects).all().at(-1)
  t.equal(derived?.name, 'Größe & Übermut – der Laden für alle und jeden!')
  t.match(derived?.identifier, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/)
  t.ok((derived?.identifier.length ?? 99) <= 32)

  const refused = await stella.submit('/projects', 'Create project', { name: '日本', identifier: '' })
  t.equal(refused.status, 422, 'where a name offers none, one must be chosen')
  t.match(refused.error('identifier'), /identifier/)
  t.equal(refused.value('name'), '日本')
})

t.test('a taken identifier keeps what was typed and proposes a free one', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')

  const clash = await stella.submit('/projects', 'Create project', { name: 'New Website', identifier: 'website' })
  t.equal(clash.status, 422)
  t.equal(clash.value('name'), 'New Website')
  t.equal(clash.value('identifier'), 'website')
  const free = clash.error('identifier').match(/website-[a-z0-9]+/)?.[0] ?? ''
  t.not(free, '', 'a free one is named')

  t.equal((await stella.press(clash, 'Create project', { identifier: free })).status, 303)
  t.equal(projectNamed(panel, 'acme', free)?.name, 'New Website')

  const derived = await stella.submit('/projects', 'Create project', { name: 'Website', identifier: '' })
  t.equal(derived.status, 422, 'a derived one that is taken is not given out either')
  t.match(derived.error('identifier'), /website-[a-z0-9]+/)
})

t.test('what cannot be an identifier, or a name, is refused', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const before = panel.rows()

  const wrong = ['a', 'Blog', '1blog', '-blog', 'blog-', 'bl--og', 'bl og', 'bl_og', 'blög', 'x'.repeat(33)]
  for (const identifier of wrong) {
    const page = await stella.submit('/projects', 'Create project', { name: 'Blog', identifier })
    t.equal(page.status, 422, identifier)
    t.not(page.error('identifier'), '')
    t.equal(page.value('identifier'), identifier, 'what was typed is kept')
  }
  for (const name of ['', '   ', 'x'.repeat(101), 'Bl\u0000og', 'Bl\u202eog', 'Bl\u200bog']) {
    const page = await stella.submit('/projects', 'Create project', { name, identifier: 'blog' })
    t.equal(page.status, 422, JSON.stringify(name.slice(0, 8)))
    t.not(page.error('name'), '')
  }
  t.same(panel.rows(), before)

  t.equal((await stella.submit('/projects', 'Create project', { name: 'x'.repeat(100), identifier: 'ab' })).status, 303)
  const longest = `a${'b'.repeat(31)}`
  t.equal((await stella.submit('/projects', 'Create project', { name: 'Long', identifier: longest })).status, 303)
})

t.test('a name is shown as text, whatever it holds', async (t) => {
  const { signIn } = await startApp(t)
  const stella = await signIn('stella')
  const name = '<img src=x onerror=alert(1)> & "Söhne"'
  const page = await stella.submitAndFollow('/projects', 'Create project', { name, identifier: 'odd' })
  t.notMatch(page.body, '<img src=x')
  t.match(page.title, name)
  t.notMatch((await stella.get('/customer/projects')).body, '<img src=x')
  t.notMatch((await stella.get('/projects/odd/removal')).body, '<img src=x')
})

t.test('the same form sent twice creates one project', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const form = await stella.get('/projects')
  const fields = { name: 'Blog', identifier: 'blog' }
  await Promise.all([
    stella.press(form, 'Create project', fields),
    stella.press(form, 'Create project', fields),
    stella.press(form, 'Create project', fields),
  ])
  t.equal(panel.db.select().from(projects).where(eq(projects.identifier, 'blog')).all().length, 1)
})

t.test('an identifier is unique in its account only', async (t) => {
  const panel = await startApp(t)
  const ines = await panel.signIn('ines')
  const page = await ines.submitAndFollow('/projects', 'Create project', { name: 'Website', identifier: 'website' })
  t.match(page.title, 'Website')
  t.ok(projectNamed(panel, 'initech', 'website'))
  t.notMatch(page.text, 'Tom', 'and it is another project than Acme’s')
})

t.test('a reached limit is said before the form, and holds', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  const early = await stella.get('/projects')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '2' })

  const full = await stella.get('/projects')
  t.match(full.text, /2 of 2/, 'it says how many of how many')
  t.match(full.text, /limit/)
  t.match(full.text, 'Cloudhaus', 'and who can raise it')
  t.notOk(full.hasButton('Create project'), 'no form that can only fail')

  const refused = await stella.press(early, 'Create project', { name: 'Blog', identifier: 'blog' })
  t.equal(refused.status, 422)
  t.match(refused.text, /limit/)
  t.equal(refused.value('name'), 'Blog', 'what was typed is kept')
  t.notOk(projectNamed(panel, 'acme', 'blog'))

  await stella.submit('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  t.equal((await stella.submit('/projects', 'Create project', { name: 'Blog', identifier: 'blog' })).status, 303)

  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '0' })
  t.notOk((await stella.get('/projects')).hasButton('Create project'), '0 is none')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '' })
  t.equal((await stella.submit('/projects', 'Create project', { name: 'Wiki' })).status, 303, 'no value is unlimited')
})

t.test('of many at once only as many projects come to be as the limit allows', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '3' })
  const form = await stella.get('/projects')
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => stella.press(form, 'Create project', { name: `Race ${n}` })),
  )
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
  t.equal(panel.db.select().from(projects).all().length, 3)
})

t.test('a Customer User creates no project', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  t.notOk((await tom.get('/projects')).hasButton('Create project'))
  const before = panel.rows()
  t.equal((await tom.post('/projects', { name: 'Blog', identifier: 'blog' })).status, 403)
  t.same(panel.rows(), before)
})

t.test('the dashboard shows users their own projects, and admins all of them', async (t) => {
  const { signIn } = await startApp(t)
  const tom = await signIn('tom')
  const own = await tom.get('/projects')
  t.match(own.row('website'), 'Project User')
  t.notMatch(own.text, 'Shop')
  t.match(own.text, '1 project')

  const petra = await signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const all = await petra.open('/projects?account=acme')
  t.match(all.row('website'), /not in it/, 'projects an admin is not in are listed as such')
  t.match(all.row('shop'), /not in it/)
})

t.test('the dashboard pages, counts and searches any part of a word in any case and script', async (t) => {
  const { signIn } = await startApp(t)
  const stella = await signIn('stella')
  const form = await stella.get('/projects')
  for (let n = 1; n <= 30; n++) await stella.press(form, 'Create project', { name: `Campaign ${n}` })
  await stella.press(form, 'Create project', { name: 'Προϊόντα ΑΘΗΝΑ', identifier: 'athens' })
  await stella.press(form, 'Create project', { name: 'ÜBERSICHT', identifier: 'overview' })

  const first = await stella.get('/projects')
  t.match(first.text, '34 projects')
  const seen = new Set(first.tableRows)
  let page = first
  for (let next = first.link('Next'); next; next = page.link('Next')) {
    page = await stella.get(next)
    for (const row of page.tableRows) seen.add(row)
  }
  t.equal(seen.size, 34, 'every project is on one of the pages')

  t.equal((await stella.get('/projects?q=MPAIGN+30')).tableRows.length, 1)
  t.match((await stella.get(`/projects?q=${encodeURIComponent('αθηνα')}`)).text, 'ΑΘΗΝΑ')
  t.match((await stella.get(`/projects?q=${encodeURIComponent('bersicht')}`)).text, 'ÜBERSICHT')
  t.match((await stella.get(`/projects?q=${encodeURIComponent('übers')}`)).text, 'ÜBERSICHT')
  t.equal((await stella.get('/projects?q=%25')).tableRows.length, 0, 'a percent sign is a percent sign')
})

t.test('a project’s page shows its quota and its people', async (t) => {
  const { signIn } = await startApp(t)
  const tom = await signIn('tom')
  const seen = await tom.get('/projects/website')
  t.match(seen.title, 'Website')
  t.match(seen.text, /Quota/)
  t.match(seen.row('tom@acme.example'), 'Project User')
  t.match(seen.row('stella@acme.example'), 'Project Admin')
  t.match(seen.text, /2 people/)
  t.notOk(seen.link('Project User'))
  for (const button of ['Remove', 'Give access', 'Rename', 'Delete project'])
    t.notOk(seen.hasButton(button), `a Project User finds no “${button}”`)

  const stella = await signIn('stella')
  const admin = await stella.get('/projects/website')
  for (const button of ['Remove', 'Rename']) t.ok(admin.hasButton(button), `an admin finds “${button}”`)
  t.ok(admin.link('Project User', 'tom@acme.example'), 'and the way to change a role')
})

t.test('a project is renamed, its identifier never', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')

  const page = await stella.submitAndFollow('/projects/website', 'Rename', { name: '  Web Site  ' })
  t.match(page.title, 'Web Site')
  t.match(page.root.querySelector('.facts-line code')?.text, 'website')
  t.match((await tom.get('/projects')).row('website'), 'Web Site', 'everybody sees it on the next page')
  t.equal(projectNamed(panel, 'acme', 'website')?.name, 'Web Site')
  t.throws(
    () => panel.db.update(projects).set({ identifier: 'other' }).where(eq(projects.identifier, 'website')).run(),
    /identifier never changes/,
  )

  const empty = await stella.submit('/projects/website', 'Rename', { name: ' ' })
  t.equal(empty.status, 422)
  t.equal(projectNamed(panel, 'acme', 'website')?.name, 'Web Site')
})

t.test('a rename on an old version answers 409 with both names, and can be sent again', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const old = await stella.get('/projects/website')
  await stella.submit('/projects/website', 'Rename', { name: 'First' })

  const stale = await stella.press(old, 'Rename', { name: 'Second' })
  t.equal(stale.status, 409)
  t.match(stale.text, 'First')
  t.match(stale.text, 'Second')
  t.equal(stale.value('name'), 'Second', 'what was typed is kept')
  t.equal(projectNamed(panel, 'acme', 'website')?.name, 'First', 'nothing was changed')

  t.equal((await stella.press(stale, 'Rename')).status, 303)
  t.equal(projectNamed(panel, 'acme', 'website')?.name, 'Second')
})

t.test('deleting a project asks on a page of its own and wants the identifier typed', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')
  t.ok((await stella.get('/projects/website')).link('Delete project'))
  const before = panel.rows()

  for (const identifier of ['', 'shop', 'Website', 'websit']) {
    const refused = await stella.submit('/projects/website/removal', 'Delete project', { identifier })
    t.equal(refused.status, 422)
    t.match(refused.error('identifier'), 'website')
  }
  t.same(panel.rows(), before, 'nothing else deletes it')

  const gone = await stella.submitAndFollow('/projects/website/removal', 'Delete project', { identifier: 'website' })
  t.match(gone.notice, /Website/)
  t.equal(gone.row('website'), '')
  t.equal((await tom.get('/projects/website')).status, 404, 'it is gone for all')
  t.notMatch((await tom.get('/')).text, 'Website')
  t.notMatch((await stella.get('/customer/projects')).text, 'website')
  t.equal((await stella.get('/projects/website/removal')).status, 404)

  const again = await stella.submit('/projects', 'Create project', { name: 'Website', identifier: 'website' })
  t.equal(again.status, 422, 'its identifier is never given out again')
  t.match(again.error('identifier'), /website-/)
  const { body } = await petraSees(panel)
  t.notMatch(body, 'Website')
})

async function petraSees(panel: Panel): Promise<Page> {
  return (await panel.signIn('petra')).get('/partner/customers/acme/projects')
}

t.test('under Account Settings → Projects an admin gives many people access at once', async (t) => {
  const panel = await startApp(t)
  const nils = await joinAcme(panel, 'nils')
  const tom = await panel.signIn('tom')
  t.notMatch((await nils.get('/projects')).text, 'Shop', 'a new user sees no project')
  const stella = await panel.signIn('stella')

  const settings = await stella.get('/customer/projects')
  t.match(settings.text, 'Website')
  t.match(settings.text, 'Shop')
  t.ok(settings.areaMenu.includes('Projects'))

  const page = await giveAccess(panel, stella, { project: 'Shop', people: ['tom', 'nils'], role: 'reader' })
  t.match(page.notice, /2 people/)
  t.match(page.title, 'Projects', 'back on the page')
  t.equal(roleIn(panel, 'shop', 'tom'), 'reader')
  t.equal(roleIn(panel, 'shop', 'nils'), 'reader')
  t.match((await nils.get('/projects')).row('shop'), 'Project Reader', 'the user sees it on the very next page')
  t.match((await tom.get('/')).text, 'Shop')
  t.equal((await tom.get('/projects/shop')).status, 200)
})

t.test('giving access wants people and a role from the list', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const before = panel.rows()

  t.equal((await stella.post('/projects/shop/access', { role: 'reader', from: 'settings' })).status, 422)
  const odd = await stella.post('/projects/shop/access', {
    people: String(userId(panel, 'tom')),
    role: 'owner',
    from: 'project',
  })
  t.equal(odd.status, 422)
  t.same(panel.rows(), before)
})

t.test('giving access to who has it already changes no role', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.post('/projects/website/access', {
    people: String(userId(panel, 'tom')),
    role: 'admin',
    from: 'project',
  })
  t.equal(roleIn(panel, 'website', 'tom'), 'user')
})

/** Where Account Settings → Projects leads from Tom’s name. */
const tomsPage = async (client: Client) => (await client.get('/customer/projects')).link('Tom', 'Website') ?? ''

t.test('an admin changes a project role and removes access, with effect on the very next page', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')

  const changed = await stella.submitAndFollow(await tomsPage(stella), 'Save', { role: 'reader' })
  t.match(changed.notice, /Tom.*Project Reader/)
  t.equal(roleIn(panel, 'website', 'tom'), 'reader')
  t.match((await tom.get('/projects/website')).text, /You are Project Reader/)

  const removed = await stella.submitAndFollow(await tomsPage(stella), 'Remove')
  t.equal(removed.path, '/customer/projects', 'one is back where one was')
  t.match(removed.notice, /Tom/)
  t.equal(roleIn(panel, 'website', 'tom'), undefined)
  t.equal((await tom.get('/projects/website')).status, 404)
  t.notMatch((await tom.get('/projects')).text, 'Website')
})

t.test('a role that somebody else has just changed is not overwritten', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const old = await stella.get(`/projects/website/access/${userId(panel, 'tom')}`)
  await stella.submit('/projects/website', 'Save', { role: 'reader' }, 'tom@acme.example')
  const stale = await stella.press(old, 'Save', { role: 'admin' })
  t.equal(stale.status, 409)
  t.equal(roleIn(panel, 'website', 'tom'), 'reader')
  t.match(stale.row('tom@acme.example'), 'Project Reader')
})

t.test('a Project Admin who is a Customer User manages that project, and no other', async (t) => {
  const panel = await startApp(t)
  const nils = await joinAcme(panel, 'nils')
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/website', 'Save', { role: 'admin' }, 'tom@acme.example')
  const tom = await panel.signIn('tom')

  await giveAccess(panel, tom, { project: 'Website', people: ['nils'], role: 'user' })
  t.equal(roleIn(panel, 'website', 'nils'), 'user')
  t.match((await nils.get('/projects')).row('website'), 'Project User')
  await tom.submit('/projects/website', 'Save', { role: 'reader' }, 'nils@nowhere.example')
  t.equal(roleIn(panel, 'website', 'nils'), 'reader')
  await tom.submit('/projects/website', 'Remove', {}, 'nils@nowhere.example')
  t.equal(roleIn(panel, 'website', 'nils'), undefined)
  t.match((await tom.submitAndFollow('/projects/website', 'Rename', { name: 'Tom’s Site' })).title, 'Tom’s Site')

  t.notMatch((await tom.get('/customer/projects')).text, 'Shop')
  const before = panel.rows()
  const ids = { nils: String(userId(panel, 'nils')), stella: String(userId(panel, 'stella')) }
  t.equal((await tom.post('/projects/shop/access', { people: ids.nils, role: 'admin' })).status, 404)
  t.equal((await tom.post('/projects/shop/name', { name: 'Mine', version: '1' })).status, 404)
  t.equal((await tom.post(`/projects/shop/access/${ids.stella}/removal`)).status, 404)
  t.equal((await tom.post('/projects', { name: 'Mine', identifier: 'mine' })).status, 403, 'no rights in the account')
  t.equal((await tom.post('/customer/users', { name: 'X', email: 'x@acme.example', role: 'member' })).status, 403)
  t.same(panel.rows(), before)
})

for (const role of ['user', 'reader']) {
  t.test(
    `a Project ${role === 'user' ? 'User' : 'Reader'} changes neither name nor people of the project`,
    async (t) => {
      const panel = await startApp(t)
      await joinAcme(panel, 'nils')
      const stella = await panel.signIn('stella')
      await stella.submit('/projects/website', 'Save', { role }, 'tom@acme.example')
      const tom = await panel.signIn('tom')
      t.equal((await tom.get('/projects/website')).status, 200)
      const before = panel.rows()

      const nils = userId(panel, 'nils')
      const own = userId(panel, 'tom')
      const version = String(projectNamed(panel, 'acme', 'website')?.version)
      t.equal((await tom.post('/projects/website/name', { name: 'Mine', version })).status, 403)
      t.equal((await tom.post('/projects/website/access', { people: String(nils), role: 'reader' })).status, 403)
      t.equal((await tom.post(`/projects/website/access/${own}`, { role: 'admin', version: '1' })).status, 403)
      const stellas = `/projects/website/access/${userId(panel, 'stella')}/removal`
      t.equal((await tom.post(stellas)).status, 403)
      t.equal((await tom.get('/projects/website/removal')).status, 403)
      t.equal((await tom.post('/projects/website/removal', { identifier: 'website' })).status, 403)
      t.same(panel.rows(), before, 'nothing has changed')
    },
  )
}

t.test('a project one has no access to answers as one that does not exist', async (t) => {
  const panel = await startApp(t)
  const uma = await panel.signIn('uma')
  await uma.submit('/projects', 'Create project', { name: 'Skunkworks', identifier: 'skunkworks' })
  const tom = await panel.signIn('tom')
  const nothing = await tom.get('/projects/nothing')
  t.equal(nothing.status, 404)

  for (const hidden of ['shop', 'skunkworks']) {
    const page = await tom.get(`/projects/${hidden}`)
    t.equal(page.status, 404)
    t.equal(page.withoutTokens, nothing.withoutTokens, `${hidden}, byte for byte`)
  }

  const stella = await panel.signIn('stella')
  const before = panel.rows()
  const none = await stella.post('/projects/nothing/name', { name: 'Mine', version: '1' })
  const foreign = await stella.post('/projects/skunkworks/name', { name: 'Mine', version: '1' })
  t.equal(foreign.status, 404, 'another account’s is not even an admin’s')
  t.equal(foreign.withoutTokens, none.withoutTokens)
  const removal = await stella.post('/projects/skunkworks/removal', { identifier: 'skunkworks' })
  t.equal(removal.status, 404)
  const give = await stella.post('/projects/skunkworks/access', {
    people: String(userId(panel, 'stella')),
    role: 'admin',
  })
  t.equal(give.status, 404)
  t.same(panel.rows(), before)
})

t.test('users of another account cannot be given access', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  t.notMatch((await stella.get('/projects/shop')).text, 'ines@initech.example')

  const people = [userId(panel, 'ines'), userId(panel, 'tom')].map(String)
  const mixed = await stella.post('/projects/shop/access', { people, role: 'user', from: 'project' })
  t.equal(roleIn(panel, 'shop', 'ines'), undefined)
  const missing = await stella.post('/projects/shop/access', { people: ['99999'], role: 'user', from: 'project' })
  const foreign = await stella.post('/projects/shop/access', {
    people: String(userId(panel, 'uma')),
    role: 'user',
    from: 'project',
  })
  t.equal(roleIn(panel, 'shop', 'uma'), undefined)
  t.equal(foreign.status, missing.status, 'a foreign user is answered as a missing one')
  for (const page of [mixed, foreign]) t.notMatch(page.body, /Ines|Uma/)
})

t.test('who loses the membership loses all project access with it', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')
  const asked = await stella.get(`/customer/users/${userId(panel, 'tom')}/removal`)
  t.match(asked.text, 'Website', 'the page says which access ends')
  await stella.press(asked, 'Remove Tom')

  t.equal(roleIn(panel, 'website', 'tom'), undefined)
  t.notMatch((await tom.get('/')).text, 'Website')
  await joinAcme(panel, 'tom')
  t.equal(roleIn(panel, 'website', 'tom'), undefined, 'and does not get it back with a new membership')
})

t.test('every change of a project is recorded with what it was before', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const old = panel.db.select().from(records).all().length
  await stella.submit('/projects', 'Create project', { name: 'Blog', identifier: 'blog' })
  await stella.submit('/projects/blog', 'Rename', { name: 'Journal' })
  await giveAccess(panel, stella, { project: 'Journal', people: ['tom'], role: 'user' })
  await stella.submit('/projects/blog', 'Save', { role: 'admin' }, 'tom@acme.example')
  await stella.submit('/projects/blog', 'Remove', {}, 'tom@acme.example')
  await stella.submit('/projects/blog/removal', 'Delete project', { identifier: 'blog' })

  const written = panel.db.select().from(records).all().slice(old)
  t.equal(written.length, 6)
  const history = await stella.get('/customer/history')
  const [deleted, removed, changed, given, renamed, created] = history.tableRows
  t.match(created, /Stella.*created the project/)
  t.match(renamed, /renamed the project Blog to Journal/)
  t.match(given, /Tom/)
  t.match(changed, /to Project Admin \(was Project User\)/)
  t.match(removed, /Tom/)
  t.match(deleted, /deleted the project/)
})

t.test('a form of another account is not carried out, and can be sent again after switching back', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const form = await petra.open('/projects?account=acme')
  await petra.switchTo('cloudhaus')

  const stopped = await petra.press(form, 'Create project', { name: 'Blog', identifier: 'blog' })
  t.equal(stopped.status, 409)
  t.notOk(panel.db.select().from(projects).where(eq(projects.identifier, 'blog')).get())
  t.match(stopped.text, 'Blog', 'what was typed is not lost')

  const done = await petra.press(stopped, 'Switch to Acme and submit again')
  t.equal(done.status, 303)
  t.ok(projectNamed(panel, 'acme', 'blog'))
  t.equal((await petra.open(done.location ?? '')).activeAccount, 'Acme')
})

t.test('access taken away while the page is open stops the open page', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/website', 'Save', { role: 'admin' }, 'tom@acme.example')
  const tom = await panel.signIn('tom')
  const open = await tom.get('/projects/website')
  await stella.submit('/projects/website', 'Save', { role: 'reader' }, 'tom@acme.example')
  panel.pass(minute / 2)
  t.equal((await tom.press(open, 'Rename', { name: 'Mine' })).status, 403)
  await stella.submit('/projects/website', 'Remove', {}, 'tom@acme.example')
  t.equal((await tom.press(open, 'Rename', { name: 'Mine' })).status, 404)
  t.equal(projectNamed(panel, 'acme', 'website')?.name, 'Website')
})
