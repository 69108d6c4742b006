import { and, eq, isNull } from 'drizzle-orm'
import t, { type Test } from 'tap'
import {
  accounts,
  invitations,
  limits,
  memberships,
  projects,
  quotaRequestAmounts,
  quotaRequests,
} from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { accountId, Client, type Page, type Panel, startApp, userId } from '../harness.ts'
import { freePort, overHttp } from '../process.ts'
import { linkIn, startMailServer } from '../smtp.ts'

// A hundred at once, over real connections: one wins, the others get the right answer.

const hundred = Array.from({ length: 100 }, (_, n) => n)

type Reached = { panel: Panel; url: string; logIn: (who: keyof typeof cast) => Promise<Client>; visit: () => Client }

async function startListening(t: Test, settings: Record<string, string> = {}): Promise<Reached> {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const panel = await startApp(t, { settings: { ...settings, PUBLIC_URL: url } })
  await panel.app.listen({ host: 'localhost', port })
  const visit = () => new Client(overHttp(url), url)
  const logIn = async (who: keyof typeof cast) => {
    const client = visit()
    await client.logIn(cast[who].email)
    return client
  }
  return { panel, url, visit, logIn }
}

/** The token of a client’s forms. */
async function csrfOf(client: Client): Promise<string> {
  return (await client.open('/')).root.querySelector('input[name="_csrf"]')?.getAttribute('value') ?? ''
}

function withStatus(answers: Page[], status: number): Page[] {
  return answers.filter((answer) => answer.status === status)
}

t.test('a hundred want the last free project: one gets it', async (t) => {
  const { panel, logIn } = await startListening(t)
  const petra = await logIn('petra')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '3' })
  const stella = await logIn('stella')
  const form = await stella.open('/projects')
  const answers = await Promise.all(
    hundred.map((n) =>
      stella.press(form, 'Create project', { name: `P ${n}`, identifier: `p-${n}`, _once: String(n) }),
    ),
  )
  t.equal(withStatus(answers, 303).length, 1)
  const refused = withStatus(answers, 422)
  t.equal(refused.length, 99)
  t.ok(
    refused.every((page) => /limit|quota/i.test(page.text)),
    'the others read of the limit',
  )
  const acme = accountId(panel, 'acme')
  const alive = and(eq(projects.accountId, acme), isNull(projects.deletedAt))
  t.equal(panel.db.select().from(projects).where(alive).all().length, 3)
})

/** Gives Acme a hundred projects, and Cloudhaus a hundred customers with one each. */
function grow({ db }: Panel): { projects: string[]; customers: string[] } {
  const [cloudhaus, acme] = [accountId({ db }, 'cloudhaus'), accountId({ db }, 'acme')]
  const names = (what: string) => hundred.map((n) => `${what}-${n}`)
  for (const identifier of names('project'))
    db.insert(projects)
      .values({ accountId: acme, name: identifier, identifier, search: identifier, createdAt: 1 })
      .run()
  for (const identifier of names('customer'))
    db.insert(accounts)
      .values({
        kind: 'customer',
        partnerId: cloudhaus ?? 0,
        name: identifier,
        identifier,
        search: identifier,
        createdAt: 1,
      })
      .run()
  return { projects: names('project'), customers: names('customer') }
}

t.test('a hundred want the last unit of a partner’s pool, or of an account: one gets it', async (t) => {
  const { panel, logIn } = await startListening(t)
  const { projects: inAcme, customers } = grow(panel)
  const [olga, petra, stella] = [await logIn('olga'), await logIn('petra'), await logIn('stella')]
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '6', ram: '1' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '5', volumes: '1' })
  const form = { cores: '1', version: '1' }
  const send = (who: Client, path: string, fields: Record<string, string>) =>
    who.postRaw(path, new URLSearchParams(fields).toString())
  const ofPetra = { _csrf: await csrfOf(petra), _account: 'cloudhaus' }
  const ofStella = { _csrf: await csrfOf(stella), _account: 'acme' }

  const fromPool = await Promise.all(
    customers.map((name) => send(petra, `/partner/customers/${name}/quotas`, { ...ofPetra, ...form })),
  )
  t.equal(withStatus(fromPool, 303).length, 1, 'the last of the pool')
  t.equal(withStatus(fromPool, 422).filter((page) => /has 0 available/.test(page.error('cores'))).length, 99)

  const fromAccount = await Promise.all(
    inAcme.map((name) => send(stella, `/projects/${name}/quotas`, { ...ofStella, volumes: '1', version: '1' })),
  )
  t.equal(withStatus(fromAccount, 303).length, 1, 'the last of the account')
  t.equal(withStatus(fromAccount, 422).filter((page) => /Acme has 0 available/.test(page.error('volumes'))).length, 99)

  const shared = await Promise.all(
    inAcme.map((name) => send(stella, `/projects/${name}/quotas`, { ...ofStella, ram: '1', version: '1' })),
  )
  t.equal(withStatus(shared, 303).length, 1, 'the last of what is shared')
  t.equal(withStatus(shared, 409).length, 1, 'a project’s form was older')
  t.equal(withStatus(shared, 422).filter((page) => /Cloudhaus has 0 MiB available/.test(page.error('ram'))).length, 98)
  const total = (level: 'account' | 'project') =>
    panel.db
      .select()
      .from(limits)
      .all()
      .filter((row) => row.level === level && row.amount === 1).length
  t.equal(total('account'), 2)
  t.equal(total('project'), 2)
})

t.test(
  'two customers want the last project of a shared pool, a hundred ask for its last core: one gets it',
  async (t) => {
    const { panel, logIn } = await startListening(t)
    const { customers } = grow(panel)
    const [olga, petra, stella, ines] = [
      await logIn('olga'),
      await logIn('petra'),
      await logIn('stella'),
      await logIn('ines'),
    ]
    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '1', projects: '103' })
    const [ofStella, ofInes] = [await stella.open('/projects'), await ines.open('/projects')]
    const made = await Promise.all(
      hundred.map((n) => {
        const project = { name: `P ${n}`, identifier: `p-${n}`, _once: `${n}` }
        return n % 2 ? stella.press(ofStella, 'Create project', project) : ines.press(ofInes, 'Create project', project)
      }),
    )
    t.equal(withStatus(made, 303).length, 1, 'Acme has 102 projects, so one is left')
    t.equal(withStatus(made, 422).filter((page) => /no project is available/.test(page.text)).length, 99)

    const db = panel.db
    const petraId = userId({ db }, 'petra')
    const requests = customers.map((identifier) => {
      const own = { accountId: accountId({ db }, identifier) }
      db.insert(limits)
        .values({ ...own, level: 'account', resourceId: 3, amount: 0, remark: '', setAt: 1 })
        .run()
      const [request] = db
        .insert(quotaRequests)
        .values({ ...own, requestedBy: petraId, reason: 'X', createdAt: 1 })
        .returning()
        .all()
      db.insert(quotaRequestAmounts)
        .values({ requestId: request?.id ?? 0, resourceId: 3, asked: 1 })
        .run()
      return { identifier, id: request?.id ?? 0 }
    })
    const csrf = await csrfOf(petra)
    const approved = await Promise.all(
      requests.map(({ identifier, id }) =>
        petra.postRaw(
          `/partner/customers/${identifier}/quotas/requests/${id}/approval`,
          new URLSearchParams({ _csrf: csrf, _account: 'cloudhaus', cores: '1' }).toString(),
        ),
      ),
    )
    t.equal(withStatus(approved, 303).length, 1)
    t.equal(withStatus(approved, 422).filter((page) => /has 0 available/.test(page.error('cores'))).length, 99)
    t.equal(db.select().from(quotaRequests).where(eq(quotaRequests.state, 'approved')).all().length, 1)
    const raised = and(eq(limits.level, 'account'), eq(limits.amount, 1))
    t.equal(db.select().from(limits).where(raised).all().length, 1)
  },
)

t.test('a hundred want one identifier: one customer, and one project, gets it', async (t) => {
  const { panel, logIn } = await startListening(t)
  const [petra, stella] = [await logIn('petra'), await logIn('stella')]
  const customers = await petra.open('/partner/customers')
  const made = await Promise.all(
    hundred.map((n) => petra.press(customers, 'Create customer', { name: `N ${n}`, identifier: 'one', _once: `${n}` })),
  )
  t.equal(withStatus(made, 303).length, 1)
  t.equal(withStatus(made, 422).filter((page) => /“one” is taken.*is free/.test(page.error('identifier'))).length, 99)
  t.equal(panel.db.select().from(accounts).where(eq(accounts.identifier, 'one')).all().length, 1)

  const dashboard = await stella.open('/projects')
  const projectsMade = await Promise.all(
    hundred.map((n) => stella.press(dashboard, 'Create project', { name: `N ${n}`, identifier: 'one', _once: `${n}` })),
  )
  t.equal(withStatus(projectsMade, 303).length, 1)
  t.equal(withStatus(projectsMade, 422).length, 99)
  t.equal(panel.db.select().from(projects).where(eq(projects.identifier, 'one')).all().length, 1)
})

t.test('an invitation that is accepted a hundred times at once makes one membership', async (t) => {
  const mail = await startMailServer(t)
  const { panel, logIn, url } = await startListening(t, { SMTP_URL: mail.url })
  const stella = await logIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  const link = linkIn((await mail.letterTo(cast.nils.email)).mail.text, url)
  const nils = await logIn('nils')
  const page = await nils.open(link)
  const answers = await Promise.all(hundred.map((n) => nils.press(page, 'Accept invitation', { _once: String(n) })))
  t.equal(withStatus(answers, 303).length, 1)
  t.equal(withStatus(answers, 409).filter((late) => /used|accepted/.test(late.text)).length, 99)
  const nilsId = userId(panel, 'nils')
  t.equal(panel.db.select().from(memberships).where(eq(memberships.userId, nilsId)).all().length, 1)
  t.match(panel.db.select().from(invitations).all(), [{ state: 'accepted', acceptedBy: nilsId }])
})

t.test('two last admins who demote and remove each other a hundred times leave one', async (t) => {
  const { panel, logIn } = await startListening(t)
  const stella = await logIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  const tom = await logIn('tom')
  const roleOf = (who: CastName) => `/customer/users/${userId(panel, who)}/role`
  const [ofTom, ofStella] = [await stella.open(roleOf('tom')), await tom.open(roleOf('stella'))]
  const answers = await Promise.all(
    hundred.map((n) =>
      n % 2
        ? stella.press(ofTom, 'Save', { role: 'member', _once: String(n) })
        : tom.press(ofStella, 'Save', { role: 'member', _once: String(n) }),
    ),
  )
  t.ok(answers.every(({ status }) => status < 500))
  const acme = accountId(panel, 'acme')
  const admins = and(eq(memberships.accountId, acme), eq(memberships.role, 'admin'))
  t.equal(panel.db.select().from(memberships).where(admins).all().length, 1)
  t.ok(withStatus(answers, 403).length > 0, 'who was demoted first may do nothing more')
})
