// Builds the release twice and compares every byte:
//
//   node test/proofs/reproducible.mjs
//
// What git knows of the panel is copied into two folders whose paths differ in length and depth; each gets its own
// `npm ci`, and `npm run package -- --release` at its own time, with another time zone, language and umask, and with other
// times and permissions of its files. The last line says what was the same; exit code 1 when anything was not.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'meshpanel-reproducible-'))
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))

const builds = [
  { folder: 'a', mask: 0o022, mode: 0o644, time: new Date('2001-02-03'), TZ: 'UTC', LANG: 'C' },
  { folder: 'b/another folder', mask: 0o077, mode: 0o600, time: new Date(), TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8' },
]

const made = builds.map(build)
const [one, other] = made
for (const [file, sum] of Object.entries(one)) console.log(`${sum === other[file] ? 'same     ' : 'DIFFERENT'} ${file}`)
const same = Object.entries(one).filter(([file, sum]) => sum === other[file]).length
console.log(`${same} of ${Object.keys({ ...one, ...other }).length} files are the same byte for byte.`)
process.exitCode = same === Object.keys({ ...one, ...other }).length ? 0 : 1

/** Returns the sums of what a build made, by name. */
function build({ folder, mask, mode, time, TZ, LANG }) {
  const place = join(scratch, folder, 'panel')
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).stdout.split('\0')
  for (const file of listed.filter(Boolean)) {
    mkdirSync(dirname(join(place, file)), { recursive: true })
    cpSync(join(root, file), join(place, file))
    chmodSync(join(place, file), mode)
    utimesSync(join(place, file), time, time)
  }
  process.umask(mask)
  const env = { ...process.env, TZ, LANG }
  // No script is run: what the release is made of needs none, and the SQLite for this Node would take minutes to compile.
  run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], place, env)
  run(['npm', 'run', 'package', '--', '--release'], place, env)
  const made = readFileSync(join(place, 'dist/SHA256SUMS'), 'utf8')
  const names = made
    .trim()
    .split('\n')
    .map((line) => line.slice(66))
  return Object.fromEntries(
    ['meshpanel.mjs', 'LICENCES.txt', 'SHA256SUMS', ...names].map((name) => [name, sumOf(join(place, 'dist', name))]),
  )
}

function run([command, ...args], cwd, env) {
  const { status } = spawnSync(command, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}.`)
}

function sumOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
