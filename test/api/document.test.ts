import { createConfig, lintFromString } from '@redocly/openapi-core'
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { isAct } from '../../src/api/contract/operation.ts'
import { problems } from '../../src/api/contract/problems.ts'
import { apiDocument, operationId } from '../../src/api/document.ts'
import { exampleBody } from '../../src/api/example.ts'
import { operations } from '../../src/api/operations.ts'
import { startApp } from '../harness.ts'
import { program } from './program.ts'

t.test('the document is valid OpenAPI 3.1, and Redocly’s strict rules find nothing', async (t) => {
  const document = apiDocument('https://panel.meshpanel.test')
  t.same(await new Validator().validate(document), { valid: true })
  const found = await lintFromString({
    source: JSON.stringify(document),
    absoluteRef: '/openapi.json',
    config: await createConfig({ extends: ['recommended-strict'] }),
  })
  t.same(
    found.map(({ ruleId, message }) => `${ruleId}: ${message}`),
    [],
  )
  const { paths } = document as { paths: Record<string, { post?: { description: string } }> }
  const created = paths['/accounts/{account}/customers']?.post?.description
  t.match(created, 'For: Partner Admin. Scope: `customers:write`.')
  const ids = operations.map(operationId)
  t.equal(new Set(ids).size, ids.length)
})

t.test('everybody may read the document and the documentation, without a token', async (t) => {
  const panel = await startApp(t)
  const answer = await program(panel.app)('GET', '/openapi.json')
  t.same(answer.body, JSON.parse(JSON.stringify(apiDocument('http://localhost:3000'))))
  const page = await panel.visit().get('/api/docs')
  for (const { path, summary } of operations) {
    t.ok(page.text.includes(path), path)
    t.ok(page.text.includes(summary), summary)
  }
  for (const [name, { title }] of Object.entries(problems)) {
    const { text } = await panel.visit().get(`/api/problems/${name}`)
    t.match(text, title)
    t.notMatch(text, '[object Object]')
  }
  t.equal((await panel.visit().get('/api/problems/toString')).status, 404)
})

t.test('the bodies of the examples are what their operations take', async (t) => {
  for (const operation of operations) {
    if (!isAct(operation) || !operation.body) continue
    const parsed = operation.body.safeParse(exampleBody(operation))
    t.ok(parsed.success, `${operation.method} ${operation.path}: ${parsed.error?.message}`)
  }
})
