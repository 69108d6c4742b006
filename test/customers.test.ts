import t from 'tap'
import { startApp } from './harness.ts'

t.test('a partner creates a customer, adds herself and changes into it', async (t) => {
  const { signIn } = await startApp(t)
  const petra = await signIn('petra')

  const list = await petra.submitAndFollow('/partner/customers', 'Create customer', {
    name: 'Globex',
    identifier: 'globex',
  })
  t.match(list.notice, 'Globex was created')
  t.match(list.row('globex'), 'active')
  t.notMatch(list.switcher, ['Globex'], 'creating adds no member, not even the creator')

  const users = await petra.submitAndFollow('/partner/customers/globex/users', 'Add Myself')
  t.match(users.row('petra@cloudhaus.example'), 'Customer Admin')
  t.ok(users.switcher.includes('Globex'), 'the customer is in the switcher on the very next page')

  const dashboard = await petra.open((await petra.switchTo('globex')).location ?? '')
  t.equal(dashboard.activeAccount, 'Globex')
})
