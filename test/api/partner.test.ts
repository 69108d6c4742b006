import { eq } from 'drizzle-orm'
import t from 'tap'
import { letters } from '../../src/db/schema.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import { byItself } from '../../src/records/record.ts'
import { accountId, startApp, there, userId } from '../harness.ts'
import { serviceUserOf } from '../matrix/objects.ts'
import { program, tokenOf } from './program.ts'

// What a partner’s program does with its customers’ invitations, and what it reads of their history.

t.test('a partner corrects, resends and cancels the invitation that it sent, and no other', async (t) => {
  const panel = await startApp(t)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  await petra('POST', '/accounts/cloudhaus/customers', { name: 'Wayne' })
  const path = '/accounts/cloudhaus/customers/wayne/invitations'
  await petra('POST', path, { name: 'Karla', email: 'karla@wayne.example' })
  const [{ id }] = (await petra('GET', path)).body.data
  const one = `${path}/${id}`
  const corrected = await petra('PATCH', one, { email: 'carla@wayne.example' })
  t.match(corrected.body, { name: 'Karla', email: 'carla@wayne.example' }, corrected.text)
  t.equal(panel.db.select().from(letters).where(eq(letters.email, 'carla@wayne.example')).all().length, 1)
  t.equal((await petra('POST', `${one}/resend`)).status, 429)
  panel.pass(6 * 60_000)
  t.equal((await petra('POST', `${one}/resend`)).status, 200)
  t.equal((await petra('DELETE', one)).status, 204)
  t.equal((await petra('GET', path)).body.total, 0)

  const own = await stella('POST', '/accounts/acme/invitations', { name: 'Nora', email: 'nora@acme.example' })
  const theirs = `/accounts/cloudhaus/customers/acme/invitations/${own.body.id}`
  t.match((await petra('GET', theirs)).body, { name: 'Nora' }, 'it is listed for the partner')
  for (const answer of [
    await petra('DELETE', theirs),
    await petra('PATCH', theirs, { name: 'Norman' }),
    await petra('POST', `${theirs}/resend`),
  ])
    t.equal(answer.status, 404)
  t.match((await stella('GET', `/accounts/acme/invitations/${own.body.id}`)).body, { name: 'Nora' })
})

t.test('an invitation is corrected to no address that is a user’s or invited already', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const path = '/accounts/acme/invitations'
  const { id } = (await ask('POST', path, { name: 'Nora', email: 'nora@acme.example' })).body
  await ask('POST', path, { name: 'Nils', email: 'nils2@acme.example' })
  for (const email of ['tom@acme.example', 'nils2@acme.example'])
    t.equal((await ask('PATCH', `${path}/${id}`, { email })).status, 409, email)
  t.equal((await ask('PATCH', `${path}/${id}`, { email: 'nora' })).status, 422)
  t.match((await ask('GET', `${path}/${id}`)).body, { email: 'nora@acme.example' })
})

t.test('a partner reads what it did in customers, and what happened in one since the tie', async (t) => {
  const panel = await startApp(t)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const events = '/accounts/cloudhaus/events-of-partner'
  const last = async (url: string) => {
    let after = 0
    for (;;) {
      const { data, next } = (await petra('GET', `${url}?after=${after}`)).body
      if (data.length === 0 && (next === null || next === after)) return after
      after = next
    }
  }
  const [from, of] = [await last(events), await last('/accounts/cloudhaus/customers/acme/events')]
  await petra('POST', '/accounts/cloudhaus/customers/acme/suspend', { reason: 'Not paid' })
  await petra('POST', '/accounts/cloudhaus/customers/acme/resume')
  await petra('PATCH', '/accounts/cloudhaus', { name: 'Cloudhouse' })
  await stella('PATCH', '/accounts/acme/projects/website', { name: 'Site' })
  const { data } = (await petra('GET', `${events}?after=${from}`)).body
  t.match(data, [
    { type: 'account.suspended', account: 'acme', actor: { user: userId(panel, 'petra') } },
    { type: 'account.resumed', account: 'acme' },
  ])
  t.equal(data.length, 2, 'neither its own account’s events, nor the customer’s own')
  const inAcme = (await petra('GET', `/accounts/cloudhaus/customers/acme/events?after=${of}`)).body.data
  t.same(
    inAcme.map(({ type }: { type: string }) => type),
    ['account.suspended', 'account.resumed', 'project.renamed'],
  )
})

t.test('what was before the tie is not told, and what a service user did is marked', async (t) => {
  const panel = await startApp(t)
  const id = accountId(panel, 'acme')
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const { userId: service } = serviceUserOf(panel, 'acme', 'Shop')
  const by = { ...byItself(panel.app.now()), userId: userId(panel, 'stella') }
  const choice = { name: 'Shop', scopes: ['account:write'] as const, networks: [], days: 30, serviceUser: service }
  const made = createApiToken(panel.db, by, id, choice)
  const shop = program(panel.app, typeof made === 'string' ? made : made.token)
  t.equal((await shop('PATCH', '/accounts/acme', { name: 'Acme Ltd' })).status, 200)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts/acme/partner', 'Move', { to: 'partner', partner: 'rival' })
  await stella('PATCH', '/accounts/acme/projects/website', { name: 'Site' })
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const riva = program(panel.app, tokenOf(panel, 'riva', 'rival'))
  t.equal((await petra('GET', '/accounts/cloudhaus/customers/acme/events')).status, 404)
  const types = (await riva('GET', '/accounts/rival/customers/acme/events?after=0')).body.data.map(
    ({ type }: { type: string }) => type,
  )
  t.notOk(types.includes('account.created'))
  t.equal(types.at(-1), 'project.renamed')
  const own = (await stella('GET', '/accounts/acme/events')).body.data
  t.match(there(own.find(({ type }: { type: string }) => type === 'account.renamed')), {
    actor: { user: service, service: true, support: false },
  })
  t.match(there(own.find(({ type }: { type: string }) => type === 'account.moved')), {
    actor: { service: false, support: true },
  })
})
