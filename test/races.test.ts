import { and, eq, isNull } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { accounts, invitations, memberships, projects, users } from '../src/db/schema.ts'
import { cast } from '../src/demo.ts'
import { Client, type Page, type Panel, startApp } from './harness.ts'
import { freePort, overHttp } from './process.ts'
import { linkIn, startMailServer } from './smtp.ts'

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
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()?.id ?? 0
  const alive = and(eq(projects.accountId, acme), isNull(projects.deletedAt))
  t.equal(panel.db.select().from(projects).where(alive).all().length, 3)
})

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
  const nilsId = panel.db.select().from(users).where(eq(users.email, cast.nils.email)).get()?.id ?? 0
  t.equal(panel.db.select().from(memberships).where(eq(memberships.userId, nilsId)).all().length, 1)
  t.match(panel.db.select().from(invitations).all(), [{ state: 'accepted', acceptedBy: nilsId }])
})

t.test('two last admins who demote and remove each other a hundred times leave one', async (t) => {
  const { panel, logIn } = await startListening(t)
  const stella = await logIn('stella')
  await stella.submit('/customer/users', 'Change', { role: 'admin' }, cast.tom.email)
  const tom = await logIn('tom')
  const [ofStella, ofTom] = [await stella.open('/customer/users'), await tom.open('/customer/users')]
  const answers = await Promise.all(
    hundred.map((n) =>
      n % 2
        ? stella.press(ofStella, 'Change', { role: 'member', _once: String(n) }, cast.tom.email)
        : tom.press(ofTom, 'Change', { role: 'member', _once: String(n) }, cast.stella.email),
    ),
  )
  t.ok(answers.every(({ status }) => status < 500))
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()?.id ?? 0
  const admins = and(eq(memberships.accountId, acme), eq(memberships.role, 'admin'))
  t.equal(panel.db.select().from(memberships).where(admins).all().length, 1)
  t.ok(withStatus(answers, 403).length > 0, 'who was demoted first may do nothing more')
})
