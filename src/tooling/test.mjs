// What npm test runs: types, lint and format, then every test file. With files or folders named, it runs those tests
// alone. It prints a line for each file, each failure in full, and last how many assertions passed and failed.
//   --grep=/PATTERN/  only the tests whose names match
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Parser } from 'tap-parser'
import { root } from './contents.mjs'

const { values, positionals: named } = parseArgs({
  args: process.argv.slice(3),
  options: { grep: { type: 'string' } },
  allowPositionals: true,
})
const env = {
  ...process.env,
  TAP: '1',
  // In seconds. Files that take longer say so themselves.
  TAP_TIMEOUT: '600',
  ...(values.grep && { TAP_GREP: values.grep, TAP_FILTER_QUIETLY: '1' }),
  NODE_COMPILE_CACHE: join(root, 'dist/compiled'),
}
/** No test may hold up the others for ever, not even one that blocks its own process. */
const longest = 30 * 60_000

/** Tests wait for mail, processes and disks, too: one more than there are cores keeps those busy. */
const jobs = availableParallelism() + 1
const imports = new URL('imports.mjs', import.meta.url).href

const patterns = named.map((path) => (path.endsWith('.ts') ? path : `${path}/**/*.test.ts`))
/** Where the tests are that take longest: they come first, so that no core waits for one of them at the end. */
const longFirst = ['browser', 'tooling', 'matrix', 'operations', 'mail'].map((folder) => `test/${folder}/`)
const rank = (file) => longFirst.findIndex((folder) => file.startsWith(folder)) >>> 0
const files = globSync(named.length > 0 ? patterns : 'test/**/*.test.ts', { cwd: root })
  .sort()
  .sort((one, other) => rank(one) - rank(other))
let passed = 0
let failed = 0

if (files.length === 0) {
  console.error(`There is no test in ${named.join(', ')}.`)
  process.exit(2)
}
if (named.length === 0) {
  const checks = [run('typescript/bin/tsc'), run('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.')]
  if ((await Promise.all(checks)).some((code) => code !== 0)) process.exit(1)
}
const waiting = files.values()
await Promise.all(
  Array.from({ length: jobs }, async () => {
    for (const file of waiting) await test(file)
  }),
)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

/** Runs a program of a package, and resolves with its exit code. */
async function run(program, ...args) {
  const path = fileURLToPath(import.meta.resolve(program))
  const [code] = await once(spawn(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit' }), 'exit')
  return code
}

async function test(file) {
  const begun = performance.now()
  let failures = 0
  const fail = (path, { name, diag }) => {
    failures++
    console.log(`\nFAILED: ${[...path, name].join(' › ')}\n${diag ? `${JSON.stringify(diag, null, 2)}\n` : ''}`)
  }
  const parser = new Parser()
  watch(parser, [file], fail)
  parser.on('extra', (text) => process.stdout.write(text))
  const options = { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], timeout: longest, killSignal: 'SIGKILL' }
  const child = spawn(process.execPath, ['--import', imports, file], options)
  child.stdout.pipe(parser)
  const [[code, signal], [{ ok, plan }]] = await Promise.all([once(child, 'exit'), once(parser, 'complete')])
  if (plan.skipReason) console.log(`  skipped: ${file}: ${plan.skipReason}`)
  // A file that crashed has no failed line of its own.
  if ((code !== 0 || !ok) && failures === 0) fail([file], { name: `ended with ${signal ?? code}` })
  failed += failures
  console.log(`${failures === 0 ? 'ok  ' : 'FAIL'} ${file} (${Math.round(performance.now() - begun)} ms)`)
}

/** Counts the leaves of a file: the line that closes a subtest repeats what its own lines say. */
function watch(parser, path, fail) {
  let children = 0
  parser.on('child', (child) => {
    children++
    watch(child, [...path, child.name], fail)
  })
  parser.on('assert', (result) => {
    if (children > 0) {
      children--
      return
    }
    if (result.ok || result.todo) passed++
    else fail(path, result)
    if (result.skip) console.log(`  skipped: ${[...path, result.name].join(' › ')}: ${result.skip}`)
  })
  parser.on('bailout', (reason) => fail(path, { name: `bailed out: ${reason}` }))
}
