import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { changeRole, findMember } from '../../src/accounts/members/data.ts'
import { addDomain, noteCheck } from '../../src/accounts/sso/data/domains.ts'
import { addGroup } from '../../src/accounts/sso/data/groups.ts'
import { saveAccountProvider, setNewPeople } from '../../src/accounts/sso/data/provider.ts'
import { identities, memberships, projectAccess, users } from '../../src/db/schema.ts'
import { byItself } from '../../src/records/record.ts'
import { seal } from '../../src/secrets.ts'
import { accountId, type Client, projectId, startApp, userId } from '../harness.ts'
import { startOidc } from '../oidc.ts'

/** Acme with a real provider, whose groups decide. `inIdToken`: it names them there, not only when asked. */
async function world(t: Test, newPeople: 'off' | 'user' | 'groups' = 'groups', inIdToken = true) {
  const oidc = await startOidc(t, { inIdToken })
  const panel = await startApp(t, { settings: { OUTSIDE_ALLOW: '127.0.0.0/8' } })
  const { app, db } = panel
  const [by, id] = [byItself(app.now()), accountId(panel, 'acme')]
  const clientSecret = seal(app.secrets, 'a-secret-of-the-panel-alone')
  const wanted = { issuer: new URL(oidc.issuer).href, clientId: 'panel', clientSecret, emailTrusted: true, version: 0 }
  saveAccountProvider(db, by, id, wanted)
  const domain = addDomain(db, by, id, 'acme.example')
  if (typeof domain === 'string') throw new Error(domain)
  noteCheck(db, by, domain, true)
  setNewPeople(db, by, id, { newPeople, groupClaim: 'groups', version: 1 })
  addGroup(db, by, id, { value: 'staff', role: 'member', projectId: null, projectRole: null })
  const website = projectId(panel, 'website')
  addGroup(db, by, id, { value: 'leads', role: 'admin', projectId: website, projectRole: 'admin' })
  const arrive = async (
    sub: string,
    groups: unknown,
    email = `${sub}@acme.example`,
    client: Client = panel.visit(),
  ) => {
    oidc.jar.clear()
    oidc.account = { sub, email, verified: true, name: 'Nina New' }
    oidc.claims = groups === undefined ? {} : { groups }
    const started = await client.get('/login/sso/account?domain=acme.example&next=/projects')
    const back = await client.get(await oidc.visit(started.location))
    return { client, back, isIn: (await client.get('/profile')).status === 200 }
  }
  const find = (email: string) => db.select().from(users).where(eq(users.email, email)).get()
  const roleOf = (email: string) => findMember(db, id, find(email)?.id ?? userId(panel, 'petra'))?.role
  return { panel, db, id, by, arrive, find, roleOf, oidc }
}

for (const inIdToken of [true, false])
  t.test(
    `groups at the provider ${inIdToken ? 'in the ID token' : 'told when asked'} decide at each login`,
    async (t) => {
      const { db, arrive, find, roleOf } = await world(t, 'groups', inIdToken)
      const none = await arrive('nina', ['other'])
      t.notOk(none.isIn)
      t.match((await none.client.open(none.back.location ?? '')).notice, 'Nobody has invited nina@acme.example here')
      t.equal(find('nina@acme.example'), undefined)

      const { client, isIn } = await arrive('nina', ['staff', 'leads'])
      t.ok(isIn)
      t.match((await client.get('/customer/users')).text, 'Nina New')
      t.equal(roleOf('nina@acme.example'), 'admin')
      t.match(find('nina@acme.example'), { name: 'Nina New', passwordHash: '' })
      const theirs = eq(projectAccess.userId, find('nina@acme.example')?.id as never)
      t.match(db.select().from(projectAccess).where(theirs).all(), [{ role: 'admin', mapped: true }])

      await arrive('nina', 'staff')
      t.equal(roleOf('nina@acme.example'), 'member', 'one text')
      t.same(db.select().from(projectAccess).where(theirs).all(), [])
      t.equal((await client.get('/customer/security')).status, 403, 'in the session that is open, too')
      const gone = await arrive('nina', undefined)
      t.ok(gone.isIn, 'they still have a user')
      t.equal(roleOf('nina@acme.example'), undefined, 'no claim is no group')
      t.not((await client.get('/customer/users')).status, 200)
      t.equal(db.select().from(identities).all().length, 1)
    },
  )

t.test('a user of the panel is mapped too, an invited one keeps the role, and so does the last admin', async (t) => {
  const { panel, db, id, by, arrive, roleOf } = await world(t)
  await arrive('tom', ['leads'])
  t.equal(roleOf('tom@acme.example'), 'member')
  await arrive('nina', ['leads'])
  const stella = userId(panel, 'stella')
  changeRole(
    db,
    by,
    { accountId: id, userId: stella },
    { role: 'member', version: findMember(db, id, stella)?.version ?? 0 },
  )
  for (const groups of [['staff'], [], 7, { leads: true }]) {
    t.ok((await arrive('nina', groups)).isIn)
    t.equal(roleOf('nina@acme.example'), 'admin')
  }
})

t.test('a mapping lets in nobody of another domain, and gives nothing elsewhere', async (t) => {
  const { panel, db, id, arrive, find } = await world(t)
  const before = panel.rows()
  for (const email of ['eve@other.example', 'petra@cloudhaus.example', 'eve@acme.example.other.example']) {
    const { isIn } = await arrive('eve', ['leads'], email)
    t.notOk(isIn, email)
  }
  t.same(panel.rows().memberships, before.memberships)
  t.same(panel.rows().users, before.users)
  await arrive('nina', ['leads'])
  const nina = find('nina@acme.example')?.id
  const seats = db.select().from(memberships).all()
  t.match(
    seats.filter((seat) => seat.userId === nina),
    [{ accountId: id }],
  )
})

t.test('where new people become users, who was removed by hand does not come back by their next login', async (t) => {
  const { panel, arrive, roleOf } = await world(t, 'user')
  t.ok((await arrive('nina', undefined)).isIn)
  t.equal(roleOf('nina@acme.example'), 'member')
  const stella = await panel.signIn('stella')
  const path = (await stella.open('/customer/users')).root
    .querySelectorAll('a')
    .map((link) => link.getAttribute('href') ?? '')
    .find((href) => href.endsWith(`${userId(panel, 'nina@acme.example')}/removal`))
  await stella.submit(path?.replace('..', '/customer') ?? '', 'Remove Nina New')
  t.equal(roleOf('nina@acme.example'), undefined)
  await arrive('nina', ['leads'])
  t.equal(roleOf('nina@acme.example'), undefined)

  const { arrive: arriveToo, find } = await world(t, 'off')
  t.notOk((await arriveToo('nina', ['leads'])).isIn)
  t.equal(find('nina@acme.example'), undefined)
})
