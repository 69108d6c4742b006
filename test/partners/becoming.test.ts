import t from 'tap'
import type { CastName } from '../../src/demo.ts'
import { startApp } from '../harness.ts'

// PARTNER_REQUESTS says whose accounts may ask to become a partner: the page, the form and the act itself follow it.

const page = '/customer/account'
const form = `${page}/partner-request`
const button = 'Ask to become a partner'
const asking: Record<string, CastName[]> = {
  '': ['dora'],
  direct: ['dora'],
  everyone: ['dora', 'stella', 'uma'],
  nobody: [],
}

for (const [setting, allowed] of Object.entries(asking))
  t.test(`PARTNER_REQUESTS=${setting}: ${allowed.join(', ') || 'nobody'} may ask`, async (t) => {
    const panel = await startApp(t, { settings: { PARTNER_REQUESTS: setting } })
    for (const who of ['dora', 'stella', 'uma'] as const) {
      const admin = await panel.signIn(who)
      const settings = await admin.open(page)
      t.equal(settings.hasButton(button), allowed.includes(who), who)
      t.equal(/become a partner/i.test(settings.text), allowed.includes(who), `${who} reads of it`)
      const before = panel.rows().partner_requests
      const answer = await admin.post(form)
      if (allowed.includes(who)) t.match((await admin.open(answer.location ?? '')).notice, 'Support has your request')
      else {
        t.equal(answer.status, 404)
        t.same(panel.rows().partner_requests, before)
      }
    }
    t.equal(panel.rows().partner_requests?.length, allowed.length)
  })

t.test('a request that was made is shown while it waits, whatever became of the setting', async (t) => {
  const panel = await startApp(t, { settings: { PARTNER_REQUESTS: 'everyone' } })
  const stella = await panel.signIn('stella')
  await stella.submit(page, button)
  await panel.close()
  const later = await startApp(t, { dataDir: panel.dataDir, settings: { PARTNER_REQUESTS: 'direct' } })
  const again = await later.signIn('stella')
  t.match((await again.open(page)).text, 'Waiting for Support.')
})
