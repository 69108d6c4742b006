import { eq } from 'drizzle-orm'
import t from 'tap'
import { invitations, letters, records } from '../../src/db/schema.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { accountId, type Client, type Page, type Panel, startApp, there, userId } from '../harness.ts'

const base = '/customer/ticked-invitations'

const invite = (who: Client, name: string) =>
  who.submit('/customer/users', 'Invite', { name, email: `${name}@acme.example` })

const idOf = ({ db }: Panel, name: string) =>
  there(
    db
      .select()
      .from(invitations)
      .where(eq(invitations.email, `${name}@acme.example`))
      .get(),
  ).id

const states = ({ db }: Panel) =>
  Object.fromEntries(
    db
      .select()
      .from(invitations)
      .all()
      .map(({ name, state }) => [name, state]),
  )

const recorded = ({ db }: Panel, kind: 'invitation.resent' | 'invitation.cancelled') =>
  db.select().from(records).where(eq(records.kind, kind)).all().length

const lettersTo = (panel: Panel, name: string) =>
  panel.db
    .select()
    .from(letters)
    .where(eq(letters.invitationId, idOf(panel, name)))
    .all().length

/** The address to which the bar below the list sends these rows. */
function ticked(page: Page, act: string, ids: number[]): string {
  const form = page.root.querySelector('form#t')
  const list = form?.querySelector('input[name="list"]')?.getAttribute('value') ?? ''
  const button = there(form?.querySelectorAll('.bulk button').find((one) => one.textContent === act))
  return `${button.getAttribute('formaction')}?${new URLSearchParams([['list', list], ...ids.map((id) => ['c', String(id)])])}`
}

t.test('ticked invitations are sent again after a preview, each at its pace', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (const name of ['ann', 'bob']) await invite(stella, name)
  panel.pass(resendGap)
  await invite(stella, 'eve')
  const ids = ['ann', 'bob', 'eve'].map((name) => idOf(panel, name))

  const page = await stella.get('/customer/users?sort=joined&invited-q=acme')
  t.equal(page.root.querySelectorAll('form#t input[name="c"]').length, 3)
  const before = panel.rows()
  const preview = await stella.get(ticked(page, 'Resend', ids))
  t.same(panel.rows(), before, 'a preview changes nothing')
  t.equal(preview.title, 'Resend 2 invitations?')
  t.match(preview.text, /eve@acme\.example The last e-mail was sent less than 5 minutes ago/)

  const answer = await stella.press(preview, 'Resend 2 invitations')
  t.equal(answer.location, '/customer/users?sort=joined&invited-q=acme', 'both lists are as they were')
  t.equal((await stella.open(answer.location ?? '')).notice, '2 invitations were sent again. Earlier links have ended.')
  t.same(
    ['ann', 'bob', 'eve'].map((name) => lettersTo(panel, name)),
    [2, 2, 1],
  )
  t.equal(recorded(panel, 'invitation.resent'), 2)

  // The same form once more, past the preview: each comes too soon.
  const again = await stella.post(`${base}/resending`, { invitations: ids.join() })
  t.equal(again.location, `${base}/result`)
  const result = await stella.open(again.location ?? '')
  t.equal(result.notice, 'Nothing was changed.')
  t.equal(result.title, 'Not done for 3 invitations')
  t.match(result.text, /bob@acme\.example The last e-mail was sent less than 5 minutes ago\. Try again in/)
  t.equal(recorded(panel, 'invitation.resent'), 2)
})

t.test('ticked invitations are cancelled, and the result says which had ended', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (const name of ['ann', 'bob', 'eve']) await invite(stella, name)
  const [ann, bob, eve] = ['ann', 'bob', 'eve'].map((name) => idOf(panel, name)) as [number, number, number]
  const preview = await stella.get(ticked(await stella.get('/customer/users'), 'Cancel', [ann, bob]))
  t.equal(preview.title, 'Cancel 2 invitations?')
  await stella.post(`/customer/invitations/${bob}/cancellation`)

  const answer = await stella.press(preview, 'Cancel 2 invitations')
  const result = await stella.open(answer.location ?? '')
  t.equal(result.notice, '1 invitation was cancelled.')
  t.match(result.text, '1 of 2 invitations was changed.')
  t.match(result.text, '1 invitation: no longer pending.')
  t.same(states(panel), { ann: 'cancelled', bob: 'cancelled', eve: 'pending' })
  t.equal(recorded(panel, 'invitation.cancelled'), 2)

  t.equal((await stella.get(`${base}/cancellation?c=${ann}`)).status, 404, 'none of them is pending')
  const none = await stella.get(`${base}/cancellation?list=sort%3Djoined`)
  t.equal(none.location, '/customer/users?sort=joined')
  t.equal((await stella.open(none.location ?? '')).notice, 'Tick at least one invitation first.')
  for (const wrong of ['x', `${eve},-1`, Array(201).fill(eve).join()])
    t.ok((await stella.post(`${base}/cancellation`, { invitations: wrong })).status >= 400, wrong.slice(0, 9))
  t.equal(states(panel).eve, 'pending')
})

t.test('those of another account stay, also beside ones that are the account’s', async (t) => {
  const panel = await startApp(t)
  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  await invite(stella, 'ann')
  await petra.submit('/customer/users', 'Invite', { name: 'pia', email: 'pia@acme.example' })
  const [ann, pia] = [idOf(panel, 'ann'), idOf(panel, 'pia')]
  t.notMatch((await stella.get(`${base}/cancellation?c=${ann}&c=${pia}`)).text, 'pia')
  t.equal((await stella.get(`${base}/cancellation?c=${pia}`)).status, 404)
  t.equal((await stella.post(`${base}/cancellation`, { invitations: String(pia) })).status, 404)
  const answer = await stella.post(`${base}/cancellation`, { invitations: `${ann},${pia}` })
  t.notMatch((await stella.open(answer.location ?? '')).text, 'pia')
  t.same(states(panel), { ann: 'cancelled', pia: 'pending' })
})

t.test('when the right ends on the way, the rest is left', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const names = ['ann', 'bob', 'eve']
  for (const name of names) await invite(stella, name)
  panel.db.$client.exec(
    `create temp trigger once after update of state on invitations when new.state = 'cancelled' begin
       update memberships set role = 'member' where user_id = ${userId(panel, 'stella')} and account_id = ${accountId(panel, 'acme')};
     end`,
  )
  const answer = await stella.post(`${base}/cancellation`, {
    invitations: names.map((name) => idOf(panel, name)).join(),
  })
  t.equal(answer.status, 403)
  t.match(answer.text, '1 invitation was cancelled. The rest was left as it was.')
  t.same(states(panel), { ann: 'cancelled', bob: 'pending', eve: 'pending' })
})

t.test('who may not invite can tick nothing', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await invite(stella, 'ann')
  const page = await (await panel.signIn('tom')).get('/customer/users')
  t.match(page.text, 'ann@acme.example')
  t.equal(page.root.querySelectorAll('input[name="c"]').length, 0)
  t.equal(page.root.querySelector('form#t'), null)
})
