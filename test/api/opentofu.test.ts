import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { root } from '../../src/config.ts'
import { newFolder, startApp } from '../harness.ts'
import { runProgram } from '../process.ts'
import { program, tokenOf } from './program.ts'

// The example for OpenTofu. Terraform reads the same files.

const example = join(root, '.github/examples/opentofu/main.tf')
const tool = ['tofu', 'terraform'].find((name) => spawnSync(name, ['-version'], { env: quiet() }).status === 0)
const skip = !tool && 'neither tofu nor terraform is installed'
/** A folder in the form of `tofu providers mirror`, with Mastercard/restapi. */
const mirror = process.env.RESTAPI_MIRROR
const account = '/accounts/cloudhaus'
const wayne = `${account}/customers/wayne`

function quiet(more: Record<string, string> = {}) {
  return { PATH: process.env.PATH ?? '', CHECKPOINT_DISABLE: '1', ...more }
}

const run = (folder: string, args: string[], settings = {}) =>
  runProgram(
    [tool ?? '', `-chdir=${folder}`, ...args],
    '',
    '',
    quiet({ HOME: folder, TF_IN_AUTOMATION: '1', ...settings }),
  ).done

async function succeeds(t: Test, folder: string, args: string[], settings = {}): Promise<string> {
  const { code, out, err } = await run(folder, args, settings)
  t.equal(code, 0, `${args[0]} ${err}`)
  return out
}

/** What the provider for REST is told of an object. */
type Told = Partial<Record<string, string>> & { path: string; data: string }

/** The arguments of the example’s objects, worked out by the tool: a resource that is built in takes the place of the provider’s. */
async function objectsOf(t: Test): Promise<Record<string, Told>> {
  const folder = newFolder()
  const text = readFileSync(example, 'utf8')
    .replaceAll(/^(terraform|provider "restapi") \{\n.*?^\}\n/gms, '')
    .replaceAll(/^ {2}lifecycle \{\n.*?^ {2}\}\n/gms, '')
    .replaceAll(/restapi_object\.(\w+)\.id/g, 'jsondecode(terraform_data.$1.input.data).identifier')
    .replaceAll(
      /^resource "restapi_object" "(\w+)" \{\n(.*?)^\}\n/gms,
      'resource "terraform_data" "$1" {\ninput = {\n$2}\n}\n',
    )
  writeFileSync(join(folder, 'main.tf'), text)
  const settings = { TF_VAR_api: 'http://localhost', TF_VAR_token: 'x' }
  await succeeds(t, folder, ['init', '-input=false'])
  await succeeds(t, folder, ['apply', '-auto-approve', '-input=false'], settings)
  const { values } = JSON.parse(await succeeds(t, folder, ['show', '-json']))
  const resources = values.root_module.resources as { name: string; values: { output: Told } }[]
  return Object.fromEntries(resources.map(({ name, values }) => [name, values.output]))
}

t.test('the example is well-formed, and asks for what the API does', { skip }, async (t) => {
  await succeeds(t, join(root, '.github/examples/opentofu'), ['fmt', '-check', '-diff'])
  const { wayne: customer, limits_of_wayne: limits } = await objectsOf(t)
  if (!customer || !limits) return t.fail('an object is missing')

  // As the provider’s documentation tells it: POST to the path, then GET, PATCH and DELETE below it; other methods and paths where named.
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const created = await ask('POST', account + customer.path, customer.data)
  t.match(created, { status: 201, body: { identifier: 'wayne', name: 'Wayne Enterprises' } })
  t.equal((await ask('GET', `${account}${customer.path}/${created.body.identifier}`)).status, 200)
  const changed = await ask('PATCH', `${account}${customer.path}/${created.body.identifier}`, customer.update_data)
  t.match(changed, { status: 200, body: { reference: 'C-1001', tags: ['gold'] } })

  t.match(limits, { create_method: 'PUT', update_method: 'PUT', destroy_method: 'PUT', object_id: 'quotas' })
  t.equal((await ask('PUT', account + limits.path, limits.data)).status, 200)
  for (const path of [limits.read_path, limits.update_path, limits.destroy_path]) t.equal(path, limits.path)
  const limited = async () => {
    const { body } = await ask('GET', `${wayne}/quotas`)
    return body.quotas
      .filter((one: { limit: unknown }) => one.limit !== null)
      .map((one: { limit: unknown }) => one.limit)
  }
  t.same(await limited(), [4, 8])
  t.equal((await ask('PUT', account + limits.path, limits.destroy_data)).status, 200)
  t.same(await limited(), [])
  t.equal((await ask('DELETE', `${account}${customer.path}/wayne`)).status, 204)
})

const noProvider = !mirror && 'RESTAPI_MIRROR names no folder with the provider Mastercard/restapi'
t.test(
  'with the provider, it creates the customer once and keeps its limits',
  { skip: skip || noProvider },
  async (t) => {
    const panel = await startApp(t)
    const url = await panel.app.listen({ port: 0, host: '127.0.0.1' })
    const token = tokenOf(panel, 'petra', 'cloudhaus')
    const settings = { TF_VAR_api: `${url}/api/v1${account}`, TF_VAR_token: token }
    const folder = newFolder()
    copyFileSync(example, join(folder, 'main.tf'))
    await succeeds(t, folder, ['init', '-input=false', `-plugin-dir=${mirror}`])
    await succeeds(t, folder, ['apply', '-auto-approve', '-input=false'], settings)
    await succeeds(t, folder, ['plan', '-detailed-exitcode', '-input=false'], settings)
    t.equal((await program(panel.app, token)('GET', wayne)).status, 200)
    const refused = await run(folder, ['destroy', '-auto-approve', '-input=false'], settings)
    t.match(refused.err, 'prevent_destroy')
  },
)
