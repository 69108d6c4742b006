import t from 'tap'
import { startApp } from '../harness.ts'

const day = 24 * 3_600_000
const isoDay = (at: number) => new Date(at).toISOString().slice(0, 10)

t.test('a history is narrowed down to a person, by any part of the name', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'tom@acme.example')
  const toms = await stella.get('/customer/history?person=OM')
  t.ok(toms.tableRows.length > 0)
  t.match(toms.row('changed the role'), /Stella changed the role of Tom to Customer Admin \(was Customer User\)/)
  t.notMatch(toms.text, 'created the project', 'what has nothing to do with Tom is left out')
  t.equal(toms.value('person'), 'OM', 'the filter stays filled in')
  t.match((await stella.get('/customer/history?person=nobody-at-all')).text, 'Nothing matches')
})

t.test('a history is narrowed down to a kind', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const projects = await stella.get('/customer/history?family=project')
  t.equal(projects.tableRows.length, 2)
  t.ok(projects.tableRows.every((row) => row.includes('created the project')))
  t.match(projects.text, '2 records found')
  const both = await stella.get('/customer/history?family=project&person=tom')
  t.match(both.text, 'Nothing matches', 'filters hold together')
  const wrong = await stella.get('/customer/history?family=__proto__')
  t.equal(wrong.status, 400)
  t.match(wrong.text, 'This list knows no family')
})

t.test('a history is narrowed down to days, the last one included', async (t) => {
  const panel = await startApp(t)
  panel.pass(3 * day)
  const stella = await panel.signIn('stella')
  await stella.submit('/projects', 'Create project', { name: 'Late', identifier: 'late' })
  const today = isoDay(panel.app.now())
  const late = await stella.get(`/customer/history?from=${today}&until=${today}`)
  t.equal(late.tableRows.length, 1)
  t.match(late.row('Late'), 'created the project')
  const early = await stella.get(`/customer/history?until=${isoDay(panel.app.now() - day)}`)
  t.ok(early.tableRows.length > 0)
  t.notMatch(early.tableRows.join(), 'Late')

  const wrong = await stella.get('/customer/history?from=yesterday')
  t.equal(wrong.status, 422)
  t.match(wrong.error('from'), 'Enter a day such as')
  t.equal(wrong.value('from'), 'yesterday')
  t.ok((await stella.get('/customer/history?from=2026-02-31')).status < 500)
  t.equal((await stella.get('/customer/history?q=%00')).status, 200, 'a search for nothing that can be read')
})

t.test('a filter goes along from page to page', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (let n = 0; n < 30; n++)
    await stella.submit('/projects', 'Create project', { name: `Project ${n}`, identifier: `project-${n}` })
  const first = await stella.get('/customer/history?family=project&person=stella')
  t.match(first.text, '32 records found')
  t.equal(first.tableRows.length, 25)
  const second = await stella.get(first.link('Next') ?? '')
  t.equal(second.tableRows.length, 7)
  t.equal(second.value('person'), 'stella')
  t.ok(second.tableRows.every((row) => row.includes('created the project')))
})

t.test('a filter shows nothing of other accounts', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (const person of ['uma', 'umbrella', 'petra', 'olga'])
    t.notMatch((await stella.get(`/customer/history?person=${person}`)).text, /Umbrella|Uma /)
  const petra = await panel.signIn('petra')
  t.match((await petra.get('/partner/history?person=petra')).text, 'Acme')
  t.notMatch((await petra.get('/partner/history?person=riva')).text, /Umbrella/)
})
