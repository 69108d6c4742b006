// Runs the tests on newer versions of Node:
//
//   node test/proofs/node-versions.mjs [26 …] [-- test/operations/start.test.ts …]
//
// For each it copies what git knows of the panel into a scratch folder, installs it and that Node from npm there, and
// runs `npm test`, or the test files that are named. The last line says what passed where.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const nodes = { 26: '26.12.1' }

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
  const panel = join(scratch, 'panel')
  copyTo(panel)
  const node = `node-${process.platform}-${process.arch}`
  const quietly = ['--no-save', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  spawnSync('npm', ['install', '--prefix', scratch, `${node}@${version}`, ...quietly], { stdio: 'inherit' })
  const bin = join(scratch, 'node_modules', node, 'bin')
  const used = spawnSync(join(bin, 'node'), ['--version'], { encoding: 'utf8' }).stdout?.trim()
  if (used !== `v${version}`) throw new Error(`Node ${version} could not be installed: ${used}`)
  const status =
    tests.length === 0
      ? run(panel, bin, ['npm', 'test'])
      : run(panel, bin, ['node', 'src/tooling/launch.mjs', '--prepare']) ||
        run(panel, bin, ['npx', 'tap', 'run', ...tests])
  return { line: `Node ${version}: ${status === 0 ? 'passed' : 'FAILED'}`, status }
})

for (const { line } of verdicts) console.log(line)
process.exitCode = verdicts.every(({ status }) => status === 0) ? 0 : 1

function copyTo(folder) {
  const files = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).stdout.split('\0').filter(Boolean)
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
}

function run(cwd, bin, [program, ...args]) {
  console.log(`\n${program} ${args.join(' ')} (in ${cwd})`)
  const PATH = `${bin}${delimiter}${process.env.PATH}`
  return spawnSync(program, args, { cwd, stdio: 'inherit', env: { ...process.env, PATH } }).status
}
