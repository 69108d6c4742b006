// Builds the release twice and compares every byte:
//
//   node test/proofs/reproducible.mjs
//
// What git knows of the panel is copied into two folders whose paths differ in length and depth; each runs
// `npm run package -- --release`, which installs what is missing, at its own time, with another time zone, language and
// umask, and with other times and permissions of its files. Then a release whose lockfile has a wrong hash must be
// refused. The last line says how many files are the same; exit code 1 when one is not, or a wrong hash was taken.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
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

for (const one of builds) copySource(one)
const made = builds.map(build)
const [one, other] = made
for (const [file, sum] of Object.entries(one)) console.log(`${sum === other[file] ? 'same     ' : 'DIFFERENT'} ${file}`)
const same = Object.entries(one).filter(([file, sum]) => sum === other[file]).length

// A lockfile that names another hash than npm serves: npm must refuse what it gets.
const release = join(placeOf('a'), 'src/tooling/release/package-lock.json')
const lock = readFileSync(release, 'utf8')
writeFileSync(
  release,
  lock.replace(/(sha512-)(.)/, (_, kind, first) => `${kind}${first === 'A' ? 'B' : 'A'}`),
)
const refused = spawnSync('npm', ['run', 'package', '--', '--release'], { cwd: placeOf('a'), encoding: 'utf8' })
const isRefused = refused.status !== 0 && refused.stderr.includes('EINTEGRITY')
console.log(isRefused ? 'A release with another hash in its lockfile is refused.' : 'A WRONG HASH WAS TAKEN')
console.log(`${same} of ${Object.keys({ ...one, ...other }).length} files are the same byte for byte.`)
process.exitCode = same === Object.keys({ ...one, ...other }).length && isRefused ? 0 : 1

function copySource({ folder, mode, time }) {
  const place = placeOf(folder)
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).stdout.split('\0')
  for (const file of listed.filter(Boolean)) {
    mkdirSync(dirname(join(place, file)), { recursive: true })
    cpSync(join(root, file), join(place, file))
    chmodSync(join(place, file), mode)
    utimesSync(join(place, file), time, time)
  }
}

/** Returns the sums of what a build made, by name. */
function build({ folder, mask, TZ, LANG }) {
  const place = placeOf(folder)
  process.umask(mask)
  const env = { ...process.env, TZ, LANG }
  run(['npm', 'run', 'package', '--', '--release'], place, env)
  const made = readFileSync(join(place, 'dist/SHA256SUMS'), 'utf8')
  const names = made
    .trim()
    .split('\n')
    .map((line) => line.slice(66))
  return Object.fromEntries(
    ['meshpanel.mjs', 'panel.mjs', 'LICENCES.txt', 'SHA256SUMS', ...names].map((name) => [
      name,
      sumOf(join(place, 'dist', name)),
    ]),
  )
}

function placeOf(folder) {
  return join(scratch, folder, 'panel')
}

function run([command, ...args], cwd, env) {
  const { status } = spawnSync(command, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}.`)
}

function sumOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
