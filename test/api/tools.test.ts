import { spawn, spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isAct } from '../../src/api/contract/operation.ts'
import { operations } from '../../src/api/operations.ts'
import { root } from '../../src/config.ts'
import { can } from '../../src/policy.ts'
import { newFolder, startApp } from '../harness.ts'
import { prepare } from '../matrix/objects.ts'
import { freePort, runProgram } from '../process.ts'
import { until } from '../smtp.ts'
import { program as asking, tokenOf } from './program.ts'
import { prepareForSupport } from './support-world.ts'

// Programs that others wrote read the document that a panel serves. They are packages of their own (.ci/tools/package.json).

const tools = join(root, '.ci/tools')
const isThere = existsSync(join(tools, 'node_modules/.package-lock.json'))
const skip = !isThere && 'the tools are not installed: npm ci --prefix .ci/tools'
const program = (name: string) => [process.execPath, join(tools, 'node_modules/.bin', name)]
const curl = spawnSync('curl', ['--version']).status === 0

// biome-ignore lint/suspicious/noExplicitAny: the document is changed somewhere inside
type Changing = any

/** Writes a document to a file. */
function fileOf(document: object): string {
  const file = join(newFolder(), 'openapi.json')
  writeFileSync(file, JSON.stringify(document))
  return file
}

t.test('Spectral finds nothing, by the rules for OpenAPI and those of OWASP', { skip }, async (t) => {
  const panel = await startApp(t, { settings: { PUBLIC_URL: 'https://panel.meshpanel.test' } })
  const served = `${await panel.app.listen({ port: 0, host: '127.0.0.1' })}/api/v1/openapi.json`
  const document: Changing = await (await fetch(served)).json()
  delete document.info.contact
  delete document.components.schemas.NewCustomer.properties.name.maxLength
  const broken = fileOf(document)
  const rules = ['--ruleset', join(tools, 'spectral.yaml'), '--fail-severity', 'hint', '--format', 'json', '--quiet']
  const { out, err } = await runProgram([...program('spectral'), 'lint', ...rules, served, broken], '').done
  const results = JSON.parse(out) as { code: string; path: string[]; source: string }[]
  const of = (source: string) => results.filter((one) => one.source === source).map(({ code, path }) => [code, ...path])
  t.same(of(served), [], err)
  t.match(of(broken), [['info-contact'], ['owasp:api4:2023-string-limit']], 'it notices what is missing')
})

t.test('Prism between program and panel finds every answer as the document has it', { skip }, async (t) => {
  const { panel, acme } = await prepare(t)
  const url = await panel.app.listen({ port: 0, host: '127.0.0.1' })
  const document: Changing = await (await fetch(`${url}/api/v1/openapi.json`)).json()
  // One answer is promised otherwise, to see that Prism looks.
  const { schema } = document.paths['/accounts/{account}'].get.responses[200].content['application/json']
  document.paths['/accounts/{account}'].get.responses[200].content['application/json'].schema = {
    allOf: [schema, { required: ['colour'] }],
  }
  const through = await proxy(t, fileOf(document), `${url}/api/v1`)
  const tokens = {
    acme: tokenOf(panel, 'stella', 'acme'),
    cloudhaus: tokenOf(panel, 'petra', 'cloudhaus'),
    support: tokenOf(panel, 'olga', null),
  }
  const objectsOfSupport = await prepareForSupport({ panel, acme })
  // What was deleted has addresses of its own.
  const [ofAcme, ofCloudhaus] = [asking(panel.app, tokens.acme), asking(panel.app, tokens.cloudhaus)]
  await ofAcme('DELETE', '/accounts/acme/projects/shop')
  await ofCloudhaus('POST', '/accounts/cloudhaus/customers', { name: 'Stark' })
  await ofCloudhaus('DELETE', '/accounts/cloudhaus/customers/stark')

  if (curl) {
    const settings = { API: `${through}/accounts/cloudhaus`, TOKEN: tokens.cloudhaus }
    const order = ['4711', 'wayne', 'Wayne', 'Karla Fischer', 'karla@wayne.example']
    const walk = ['sh', join(root, '.github/examples/customer.sh'), ...order]
    const { code, out, err } = await runProgram(walk, '', '', settings).done
    t.equal(code, 0, err + out)
  }
  for (const operation of operations.filter((one) => !isAct(one))) {
    const isOfSupport = operation.path.startsWith('/support/')
    const account = can(['customer admin'], operation.can) ? 'acme' : 'cloudhaus'
    const objects: Record<string, string> = isOfSupport
      ? objectsOfSupport(operation)
      : { ...acme, account, invitation: acme.id, from: 'initech' }
    if (operation.path.includes('/deleted-') && !isOfSupport)
      Object.assign(objects, { project: 'shop', customer: 'stark' })
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => objects[name] ?? name)
    const token = tokens[isOfSupport ? 'support' : account]
    const answer = await fetch(through + path, { headers: { authorization: `Bearer ${token}` } })
    const told = { status: answer.status, violations: answer.headers.get('sl-violations'), body: await answer.text() }
    if (operation.path === '/accounts/{account}') t.match(told, { status: 500, body: 'colour' }, 'it looks at answers')
    else t.match(told, { status: 200, violations: null }, operation.path)
  }
})

/** Prism, which answers a request or an answer that breaks the document with an error. Returns its address. */
async function proxy(t: Test, document: string, panel: string): Promise<string> {
  const port = String(await freePort())
  const args = ['proxy', document, panel, '--errors', '--host', '127.0.0.1', '--port', port]
  const [node = '', ...prism] = program('prism')
  const child = spawn(node, [...prism, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill())
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  await until('Prism listens', () => out.includes('is listening'))
  return `http://127.0.0.1:${port}`
}
