import { eq } from 'drizzle-orm'
import t from 'tap'
import { accountProviders, projects, providerGroups } from '../../src/db/schema.ts'
import { accountId, startApp } from '../harness.ts'
import { groupRuleOf } from '../matrix/objects.ts'

const page = '/customer/log-in/people'

t.test('admins say who is let in, and what groups become', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const stella = await panel.signIn('stella')
  t.match((await stella.get(page)).text, 'There is no provider yet')
  groupRuleOf(panel, 'acme')
  const provider = () => db.select().from(accountProviders).get()
  const refused = await stella.submit(page, 'Save', { newPeople: 'groups', groupClaim: '' })
  t.equal(refused.status, 422)
  t.match(refused.text, 'Enter the claim in which the provider names groups')
  t.match((await stella.submit(page, 'Save', { newPeople: 'groups', groupClaim: 'my groups' })).status, 422)
  t.match(provider(), { newPeople: 'off', groupClaim: null })
  await stella.submit(page, 'Save', { newPeople: 'groups', groupClaim: 'https://acme.example/groups' })
  t.match(provider(), { newPeople: 'groups', groupClaim: 'https://acme.example/groups', version: 2 })

  const open = await stella.open(page)
  await stella.submit(page, 'Save', { newPeople: 'user' })
  const stale = await stella.press(open, 'Save', { newPeople: 'off' })
  t.match(stale.text, 'Somebody has changed this')
  t.match(provider(), { newPeople: 'user' })

  await stella.submit(page, 'Add rule', { group: 'leads', role: 'admin', project: 'website', projectRole: 'admin' })
  const rules = () => db.select().from(providerGroups).all()
  const website = db.select().from(projects).where(eq(projects.identifier, 'website')).get()
  t.match(rules()[1], { value: 'leads', role: 'admin', projectId: website?.id, projectRole: 'admin' })
  t.match((await stella.get(page)).root.querySelector('#list')?.text, 'Website')
  for (const project of ['skunkworks', 'nothing', 'Website', '../x']) {
    const wrong = await stella.submit(page, 'Add rule', { group: 'x', role: 'member', project })
    t.match(wrong.text, 'There is no project with this identifier', project)
  }
  t.match((await stella.submit(page, 'Add rule', { group: ' ', role: 'member' })).text, 'Enter a group')
  t.equal(rules().length, 2)
  db.update(projects).set({ deletedAt: 1 }).run()
  t.match((await stella.submit(page, 'Add rule', { group: 'x', role: 'member', project: 'website' })).status, 422)

  t.match((await stella.submitAndFollow(page, 'Remove', {}, 'staff')).notice, 'The rule for staff was removed')
  t.match(rules(), [{ value: 'leads', accountId: accountId(panel, 'acme') }])
})
