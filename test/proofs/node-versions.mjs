// Runs the tests on newer versions of Node, with the SQLite that comes ready for them:
//
//   node test/proofs/node-versions.mjs [22|24 …] [-- test/start.test.ts …]
//
// For each it copies what git knows of the panel into a scratch folder, installs better-sqlite3 13 and that Node
// from npm there, and runs `npm test`, or the test files that are named. The last line says what passed where.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const nodes = { 22: '22.23.3', 24: '24.21.0' }
const sqlite = '13.2.0'

const root = fileURLToPath(new URL('../..', import.meta.url))
const given = process.argv.slice(2)
const cut = given.includes('--') ? given.indexOf('--') : given.length
const asked = cut > 0 ? given.slice(0, cut) : Object.keys(nodes)
const tests = given.slice(cut + 1)

const verdicts = asked.map((major) => {
  const version = nodes[major]
  if (!version) throw new Error(`Which Node? ${Object.keys(nodes).join(' or ')}, not ${major}.`)
  const scratch = mkdtempSync(join(tmpdir(), `meshpanel-node-${major}-`))
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))
  // Some tests run the panel as another user.
  chmodSync(scratch, 0o755)
  copyTo(scratch)
  adapt(join(scratch, 'package.json'), version)
  const installed = run(scratch, ['npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'])
  const used = spawnSync(join(scratch, 'node_modules/.bin/node'), ['--version'], { encoding: 'utf8' }).stdout.trim()
  if (installed !== 0 || used !== `v${version}`) throw new Error(`Node ${version} could not be installed: ${used}`)
  // npm puts node_modules/.bin first, so `node` is the one that was installed there.
  const status = run(scratch, tests.length > 0 ? ['npx', 'tap', 'run', ...tests] : ['npm', 'test'])
  return { line: `Node ${version} with better-sqlite3 ${sqlite}: ${status === 0 ? 'passed' : 'FAILED'}`, status }
})

for (const { line } of verdicts) console.log(line)
process.exitCode = verdicts.every(({ status }) => status === 0) ? 0 : 1

function copyTo(scratch) {
  const files = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).stdout.split('\0').filter(Boolean)
  for (const file of files) {
    mkdirSync(dirname(join(scratch, file)), { recursive: true })
    cpSync(join(root, file), join(scratch, file))
  }
}

function adapt(file, node) {
  const { overrides, dependencies, devDependencies, allowScripts, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
  // These two hold packages back that want a newer Node than 20.
  const { cookie, 'content-disposition': disposition, ...others } = overrides
  const adapted = {
    ...rest,
    overrides: others,
    dependencies: { ...dependencies, 'better-sqlite3': sqlite },
    devDependencies: { ...devDependencies, node },
    allowScripts: { ...allowScripts, 'better-sqlite3': false, node: true },
  }
  writeFileSync(file, `${JSON.stringify(adapted, null, 2)}\n`)
}

function run(cwd, [program, ...args]) {
  console.log(`\n${program} ${args.join(' ')} (in ${cwd})`)
  return spawnSync(program, args, { cwd, stdio: 'inherit', env: { ...process.env, npm_config_yes: 'true' } }).status
}
