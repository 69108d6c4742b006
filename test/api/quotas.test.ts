import t from 'tap'
import { startApp } from '../harness.ts'
import { program, tokenOf } from './program.ts'

t.test('a partner’s program sets limits, and the customer’s asks for more and gets it', async (t) => {
  const panel = await startApp(t)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const limits = '/accounts/cloudhaus/customers/acme/quotas'
  const set = await petra('PUT', limits, { limits: { projects: 3, cores: 8 }, remark: 'Contract 12' })
  t.equal(set.status, 200, set.text)
  const of = (quotas: { resource: string; limit: number | null }[], key: string) =>
    quotas.find(({ resource }) => resource === key)
  t.match(of(set.body.quotas, 'projects'), {
    limit: 3,
    allocated: 2,
    available: 1,
    limited_by: { level: 'account', name: 'Acme' },
  })
  t.same(of((await stella('GET', '/accounts/acme/quotas')).body.quotas, 'projects'), of(set.body.quotas, 'projects'))

  const wrong = await petra('PUT', limits, { limits: { wishes: 3, projects: -1 } })
  t.match(wrong.body, { status: 422, errors: [{ pointer: '#/limits/projects' }] })
  t.match((await petra('PUT', limits, { limits: { wishes: 3 } })).body, {
    status: 422,
    errors: [{ pointer: '#/limits/wishes' }],
  })

  const asked = await stella('POST', '/accounts/acme/quota-requests', { amounts: { projects: 5 }, reason: 'Growth' })
  t.equal(asked.status, 201, asked.text)
  t.match(asked.body, { state: 'open', account: 'acme', amounts: [{ resource: 'projects', asked: 5, granted: null }] })
  t.equal(
    (await stella('POST', '/accounts/acme/quota-requests', { amounts: { projects: 6 }, reason: 'More' })).status,
    409,
  )
  t.equal((await petra('GET', '/accounts/cloudhaus/quota-requests-of-customers')).body.data[0].id, asked.body.id)
  const there = `/accounts/cloudhaus/quota-requests-of-customers/${asked.body.id}`
  t.match((await petra('POST', `${there}/approve`, { comment: 'As agreed' })).body, {
    state: 'approved',
    comment: 'As agreed',
  })
  t.equal((await petra('POST', `${there}/decline`, { comment: 'No' })).status, 409)
  t.equal(of((await stella('GET', '/accounts/acme/quotas')).body.quotas, 'projects')?.limit, 5)

  const website = '/accounts/acme/projects/website/quotas'
  t.equal((await stella('PUT', website, { limits: { cores: 4 } })).status, 200)
  const over = await stella('PUT', website, { limits: { cores: 9 } })
  t.match(over.body, { status: 409, errors: [{ pointer: '#/limits/cores', code: 'not-enough' }] })

  const again = await stella('POST', '/accounts/acme/quota-requests', {
    project: 'website',
    amounts: { cores: 6 },
    reason: 'Load',
  })
  t.equal(again.status, 201, again.text)
  t.match((await stella('POST', `/accounts/acme/quota-requests/${again.body.id}/cancel`)).body, { state: 'cancelled' })
})

t.test('a program invites, resends and cancels; nobody is invited into a project that is not there', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const url = '/accounts/acme/invitations'
  const person = { name: 'Nora New', email: 'nora@acme.example', role: 'admin' }
  const wrong = await ask('POST', url, { ...person, projects: [{ identifier: 'skunkworks', role: 'user' }] })
  t.match(wrong.body, { status: 422, errors: [{ pointer: '#/projects/0/identifier' }] })
  const twice = [
    { identifier: 'shop', role: 'user' },
    { identifier: 'shop', role: 'admin' },
  ]
  t.match((await ask('POST', url, { ...person, projects: twice })).body, {
    status: 422,
    errors: [{ pointer: '#/projects/1/identifier' }],
  })
  const made = await ask('POST', url, { ...person, projects: [{ identifier: 'shop', role: 'user' }] })
  t.equal(made.status, 201, made.text)
  t.equal((await ask('POST', url, person)).status, 409)
  t.equal((await ask('POST', url, { ...person, email: 'tom@acme.example' })).status, 409, 'a user already')
  const there = `${url}/${made.body.id}`
  t.equal((await ask('POST', `${there}/resend`)).status, 429)
  panel.pass(6 * 60_000)
  t.equal((await ask('POST', `${there}/resend`)).status, 200)
  t.equal((await ask('GET', url)).body.total, 1)
  t.equal((await ask('DELETE', there)).status, 204)
  t.equal((await ask('GET', there)).status, 404)
})

t.test('the history is read from where a program left off, also as lines', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const first = (await ask('GET', '/accounts/acme/events')).body
  t.ok(first.data.length > 0)
  t.same((await ask('GET', `/accounts/acme/events?after=${first.next}`)).body, { data: [], next: null })
  await ask('PATCH', '/accounts/acme/projects/website', { name: 'Site' })
  const { data } = (await ask('GET', `/accounts/acme/events?after=${first.next}`)).body
  t.match(data, [
    { type: 'project.renamed', project: 'website', change: { name: ['Website', 'Site'] }, actor: { support: false } },
  ])
  const accept = 'application/jsonl'
  const lines = await ask('GET', `/accounts/acme/events?after=${first.next}`, undefined, { accept })
  t.same(JSON.parse(lines.text.trim()), data[0])
  const none = await ask('GET', `/accounts/acme/events?after=${data[0].id}`, undefined, { accept })
  t.same([none.status, none.text], [200, ''], 'no event is no line')
  t.equal((await ask('GET', '/accounts/acme/events?after=x')).status, 400)
})

t.test('an approval that the pool cannot pay changes nothing at all', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  await petra('PUT', '/accounts/cloudhaus/customers/acme/quotas', { limits: { cores: 8, ram: null } })
  await stella('PUT', '/accounts/acme/projects/website/quotas', { limits: { cores: 4, ram: 1_024 } })
  const asked = await stella('POST', '/accounts/acme/quota-requests', {
    project: 'website',
    amounts: { cores: 20, ram: 9_999 },
    reason: 'Load',
  })
  t.equal(asked.status, 201, asked.text)
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '64', ram: '2048' })
  const before = panel.rows()
  const refused = await petra('POST', `/accounts/cloudhaus/quota-requests-of-customers/${asked.body.id}/approve`, {})
  t.equal(refused.status, 409, refused.text)
  for (const table of ['limits', 'quota_requests', 'quota_request_amounts', 'records', 'letters'])
    t.same(panel.rows()[table], before[table], table)
})

t.test('an approval with other amounts gives the rest as asked, and nothing that was not asked for', async (t) => {
  const panel = await startApp(t)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  await petra('PUT', '/accounts/cloudhaus/customers/acme/quotas', { limits: { projects: 3, cores: 8, ram: 1_024 } })
  const amounts = { projects: 6, cores: 16 }
  const asked = await stella('POST', '/accounts/acme/quota-requests', { amounts, reason: 'Growth' })
  const approve = `/accounts/cloudhaus/quota-requests-of-customers/${asked.body.id}/approve`
  t.match((await petra('POST', approve, { amounts: { ram: 2_048 } })).body, {
    status: 422,
    errors: [{ pointer: '#/amounts/ram' }],
  })
  const approved = await petra('POST', approve, { amounts: { cores: 12 } })
  t.same(
    approved.body.amounts.map(({ resource, granted }: { resource: string; granted: number }) => [resource, granted]),
    [
      ['projects', 6],
      ['cores', 12],
    ],
  )
})

t.test('a partner does not read what was decided before a customer came to it', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  await petra('PUT', '/accounts/cloudhaus/customers/acme/quotas', { limits: { projects: 3 } })
  const ask = async (projects: number) =>
    (await stella('POST', '/accounts/acme/quota-requests', { amounts: { projects }, reason: 'Growth' })).body.id
  const at = (id: number) => `/accounts/cloudhaus/quota-requests-of-customers/${id}`
  const before = await ask(5)
  t.equal((await petra('POST', `${at(before)}/decline`, { comment: 'Pay first' })).status, 200)
  t.equal((await petra('GET', at(before))).status, 200)

  panel.pass(60_000)
  t.equal((await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'rival' })).status, 303)
  panel.pass(60_000)
  const riva = program(panel.app, tokenOf(panel, 'riva', 'rival'))
  const inRival = (id: number) => `/accounts/rival/quota-requests-of-customers/${id}`
  t.equal((await riva('GET', inRival(before))).status, 404, 'it was another tie')
  await riva('PUT', '/accounts/rival/customers/acme/quotas', { limits: { projects: 3 } })
  const after = await ask(7)
  t.equal((await riva('POST', `${inRival(after)}/decline`, { comment: 'Not yet' })).status, 200)
  t.equal((await riva('GET', inRival(after))).status, 200)
  t.equal((await petra('GET', at(after))).status, 404)
})
