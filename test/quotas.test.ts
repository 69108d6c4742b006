import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts } from '../src/db/schema.ts'
import { type Panel, startApp } from './harness.ts'

const page = '/partner/customers/acme/quotas'

function limitOf(panel: Panel): number | null | undefined {
  return panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()?.projectLimit
}

t.test('a partner sets how many projects a customer may have: a number, 0 for none, empty for unlimited', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  t.match((await petra.open(page)).text, /2 projects, unlimited.*Empty is unlimited, 0 is none/)
  for (const [typed, stored] of [
    ['5', 5],
    ['0', 0],
    ['', null],
    [' 7 ', 7],
    ['999999999', 999999999],
  ] as const) {
    const answer = await petra.submitAndFollow(page, 'Save quotas', { projects: typed })
    t.match(answer.notice, stored === null ? 'unlimited' : String(stored))
    t.equal(limitOf(panel), stored)
  }
  t.match((await petra.open('/partner/customers')).row('acme'), '2 / 999,999,999')
})

t.test('what is no whole number is refused, and nothing is stored', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit(page, 'Save quotas', { projects: '3' })
  for (const projects of [
    '-1',
    '1.5',
    '1,5',
    '1e3',
    '0x10',
    '٣',
    'NaN',
    'Infinity',
    '1000000000',
    '007',
    '1 0',
    'three',
    '+1',
    '１',
  ]) {
    const answer = await petra.submit(page, 'Save quotas', { projects })
    t.equal(answer.status, 422, projects)
    t.match(answer.error('projects'), 'Enter a whole number')
    t.equal(answer.value('projects'), projects, 'what was typed is kept')
  }
  t.equal((await petra.submit(page, 'Save quotas', { projects: ['1', '2'] })).status, 400)
  t.equal((await petra.submit(page, 'Save quotas', { projects: '1', cores: '2' })).status, 400)
  t.equal(limitOf(panel), 3)
})

t.test('an edit made on an older version answers 409 with both values', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const before = await petra.open(page)
  await petra.submit(page, 'Save quotas', { projects: '3' })
  const stale = await petra.press(before, 'Save quotas', { projects: '9' })
  t.equal(stale.status, 409)
  t.match(stale.error('projects'), /its quota is 3 now.*set it to 9/)
  t.equal(limitOf(panel), 3)
  await petra.press(stale, 'Save quotas')
  t.equal(limitOf(panel), 9)
})

t.test('a limit is said before the form, and never overshot', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  await petra.submit(page, 'Save quotas', { projects: '3' })
  const form = await stella.open('/projects')
  t.match(form.text, '2 of 3 projects used')
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      stella.press(form, 'Create project', { name: `P ${n}`, identifier: `p-${n}` }),
    ),
  )
  t.equal(answers.filter(({ status }) => status === 303).length, 1, 'one of a hundred gets the last place')
  const refused = answers.find(({ status }) => status === 422)
  t.match(refused?.text, 'Acme has reached its limit of 3 projects')
  t.match(refused?.value('name'), /^P \d+$/, 'what was typed is kept')
  t.match((await stella.open('/projects')).text, 'Cloudhaus, who looks after the account, can raise it')
  t.notOk((await stella.open('/projects')).hasButton('Create project'))

  await petra.submit(page, 'Save quotas', { projects: '1' })
  t.match((await petra.open('/partner/customers')).row('acme'), '3 / 1 over limit')
  t.match((await stella.open('/projects')).text, '3 projects', 'nothing is taken away')
})

t.test('a Partner User sees the quota and sets none; another partner finds no such customer', async (t) => {
  const panel = await startApp(t)
  const max = await panel.signIn('max')
  t.notOk((await max.open(page)).hasButton('Save quotas'))
  t.equal((await max.post(page, { projects: '1', version: '1' })).status, 403)
  const riva = await panel.signIn('riva')
  t.equal((await riva.post(page, { projects: '1', version: '1' })).status, 404)
  t.equal(limitOf(panel), null)
})
