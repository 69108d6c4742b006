import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { root } from '../../src/config.ts'
import { newFolder } from '../harness.ts'
import { until } from '../smtp.ts'

// What launch.mjs installs, and where it does not. npm is a script here that writes down how it was called, and leaves
// what npm would; the panel and the Node that is brought are scripts that say how they were started.

const files = [
  'src/tooling/launch.mjs',
  'src/tooling/install.mjs',
  'src/tooling/build.mjs',
  'src/tooling/contents.mjs',
  'src/tooling/entry.mjs',
]
const manifests = [
  'package.json',
  'package-lock.json',
  'src/tooling/release/package.json',
  'src/tooling/release/package-lock.json',
]
const later = new Date(Date.now() + 3_600_000)

/** Stands in for npm. A file named "fails" beside it makes it fail; "real node" makes it bring the one that runs this. */
const npm = `#!/bin/sh
echo "npm $*" >>"$0.log"
echo "$PATH" >"$0.path"
[ -e "$(dirname "$0")/fails" ] && exit 7
while [ "$1" != --prefix ]; do shift; done
rm -rf "$2/node_modules"
mkdir -p "$2/node_modules/.bin"
case "$2" in */.node)
  bin="$2/node_modules/node-${process.platform}-${process.arch}/bin"
  mkdir -p "$bin"
  if [ -e "$(dirname "$0")/real node" ]; then ln "${process.execPath}" "$bin/node" || cp "${process.execPath}" "$bin/node"
  else
    printf '#!/bin/sh\\n[ "$1" = --version ] && exit\\n%s\\n' "$(cat "$(dirname "$0")/brought")" >"$bin/node"
    chmod +x "$bin/node"
  fi;;
esac
`

/** A checkout in which nothing is installed, and a panel that is built. */
function checkout(folder = newFolder()) {
  const bin = newFolder()
  for (const file of [...files, ...manifests]) {
    mkdirSync(join(folder, dirname(file)), { recursive: true })
    copyFileSync(join(root, file), join(folder, file))
  }
  mkdirSync(join(folder, 'public'))
  writeFileSync(join(folder, 'public/identifier.js'), '')
  mkdirSync(join(folder, 'dist'))
  for (const name of ['panel.mjs', 'meshpanel.mjs']) {
    writeFileSync(join(folder, 'dist', name), 'console.log("the panel runs:", ...process.argv.slice(2))')
    utimesSync(join(folder, 'dist', name), later, later)
  }
  writeFileSync(join(bin, 'npm'), npm)
  writeFileSync(join(bin, 'brought'), 'echo "the Node that was brought runs:" "$@"')
  chmodSync(join(bin, 'npm'), 0o755)
  for (const path of [folder, bin]) chmodSync(path, 0o777)

  const env = { PATH: `${join(folder, 'node_modules/.bin')}:${bin}:/usr/bin:/bin` }
  const edit = (file: string, change: (text: string) => string) =>
    writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')))
  return {
    folder,
    bin,
    modules: join(folder, 'node_modules'),
    env,
    edit,
    /** Makes the Node that runs this too old for the panel. */
    age: () => edit('package.json', (text) => text.replace('"node": ">=24"', '"node": ">=99"')),
    run: (args = ['start'], [node = '', ...more]: string[] = [process.execPath]) => {
      const program = [...more, join(folder, 'src/tooling/launch.mjs'), ...args]
      const { status, stdout, stderr } = spawnSync(node, program, { cwd: newFolder(), env, encoding: 'utf8' })
      return { status, stdout, stderr }
    },
    calls: () =>
      existsSync(join(bin, 'npm.log')) ? readFileSync(join(bin, 'npm.log'), 'utf8').trim().split('\n') : [],
  }
}

t.test('a fresh checkout is installed once, by its lockfile, and runs then', async (t) => {
  const { run, calls, folder, modules, bin } = checkout()
  t.match(run(['start', '--x']), {
    status: 0,
    stdout: 'the panel runs: start --x\n',
    stderr: 'Installing what the panel needs, once …\n',
  })
  t.equal(calls().length, 1)
  const [call = ''] = calls()
  t.match(call, `npm ci --prefix ${folder} `)
  for (const option of ['--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=error'])
    t.match(call, option)
  t.notOk(
    readFileSync(join(bin, 'npm.path'), 'utf8').split(':').includes(join(modules, '.bin')),
    'npm runs on nothing that it removes',
  )

  t.match(run(), { status: 0, stdout: 'the panel runs: start\n', stderr: '' })
  for (const file of manifests) utimesSync(join(folder, file), later, later)
  t.match(run(['--prepare']), { status: 0, stdout: '', stderr: '' })
  t.equal(calls().length, 1, 'times say nothing')
})

t.test('another lockfile is installed, whatever the times of the files', async (t) => {
  const { run, calls, folder, edit } = checkout()
  run()
  edit('package-lock.json', (text) => text.replace('"version": "13.2.0"', '"version": "13.2.1"'))
  utimesSync(join(folder, 'package-lock.json'), new Date(0), new Date(0))
  t.match(run(), { status: 0, stdout: 'the panel runs: start\n' })
  t.equal(calls().length, 2)
  t.match(run(), { status: 0, stderr: '' })
  t.equal(calls().length, 2)
})

t.test('nothing runs on packages that npm installed only in part', async (t) => {
  const { run, calls, bin, modules, folder, edit } = checkout()
  run()
  const before = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  edit('package-lock.json', (text) => `${text}\n`)
  writeFileSync(join(bin, 'fails'), '')
  const failed = { status: 1, stdout: '', stderr: `npm could not install what ${folder} needs.\n` }
  t.match(run(), failed)
  t.notOk(existsSync(join(modules, '.meshpanel-lock')))
  edit('package-lock.json', () => before)
  t.match(run(), failed, 'the packages of the lockfile before are not whole any more either')
  rmSync(join(bin, 'fails'))
  t.match(run(), { status: 0, stdout: 'the panel runs: start\n' })
  t.equal(calls().length, 4)
})

t.test('what npm was told by hand to install is used, and a lockfile alone is not taken for it', async (t) => {
  const { run, calls, folder, modules } = checkout()
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; optional?: boolean }>
  }
  const { '': _panel, ...installed } = packages
  mkdirSync(modules)
  writeFileSync(join(modules, '.package-lock.json'), JSON.stringify({ packages: installed }))
  run()
  t.equal(calls().length, 1, 'npm writes this with --package-lock-only, too')

  mkdirSync(modules, { recursive: true })
  rmSync(join(modules, '.meshpanel-lock'))
  const here = Object.entries(installed).filter(([, { optional }]) => !optional)
  for (const [at, { version }] of here) {
    mkdirSync(join(folder, at), { recursive: true })
    writeFileSync(join(folder, at, 'package.json'), JSON.stringify({ version }))
  }
  writeFileSync(join(modules, '.package-lock.json'), JSON.stringify({ packages: Object.fromEntries(here) }))
  t.match(run(), { status: 0, stdout: 'the panel runs: start\n', stderr: '' })
  t.equal(calls().length, 1, 'packages for other systems may be missing')

  rmSync(join(modules, 'fastify/package.json'))
  run()
  t.equal(calls().length, 2)
})

for (const link of ['node_modules', 'node_modules/.bin'])
  t.test(`nothing is installed through a symbolic link: ${link}`, async (t) => {
    const { run, calls, folder } = checkout()
    const other = newFolder()
    writeFileSync(join(other, 'precious'), 'of another project')
    mkdirSync(dirname(join(folder, link)), { recursive: true })
    symlinkSync(other, join(folder, link))
    for (const args of [['start'], ['--prepare'], ['--install']])
      t.match(run(args), {
        status: 2,
        stdout: '',
        stderr: `${join(folder, link)} is a symbolic link to ${other}. Nothing is installed through a link: remove it first.\n`,
      })
    t.same(calls(), [])
    t.same(readdirSync(other), ['precious'])
    t.ok(lstatSync(join(folder, link)).isSymbolicLink())
  })

t.test('nothing is installed unasked among the packages of another project', async (t) => {
  const { run, calls, folder } = checkout(join(newFolder(), 'node_modules/meshpanel'))
  t.match(run(), {
    status: 2,
    stdout: '',
    stderr: `${folder} lies among the packages of another project. Nothing is installed there unasked; node src/tooling/launch.mjs --install asks for it.\n`,
  })
  t.same(calls(), [])
  t.match(run(['--install']), { status: 0, stdout: '' })
  t.equal(calls().length, 1)
  t.match(run(), { status: 0, stdout: 'the panel runs: start\n', stderr: '' }, 'what is installed runs')
})

t.test('nothing is installed unasked in a folder of another user', async (t) => {
  if (process.getuid?.() !== 0) return t.comment('this user is not root, and cannot give a folder away')
  const { run, calls, folder, modules } = checkout()
  const refused = (path: string) => ({ status: 2, stdout: '', stderr: `${path} belongs to another user. Nothing is` })
  // Without the environment of the tests, whose reports only root can write.
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', '-i', process.execPath]
  t.match(run(['start'], asNobody), refused(folder), 'everybody may write there, and yet')
  chownSync(folder, 65_534, 65_534)
  t.match(run(), refused(folder), 'root is another user')
  chownSync(folder, 0, 0)
  mkdirSync(modules)
  chownSync(modules, 65_534, 65_534)
  t.match(run(), refused(modules))
  t.same(calls(), [])
  t.match(run(['--install']), { status: 0 })
  t.equal(calls().length, 1)
})

t.test('nothing is installed by a lockfile that is not the panel’s, or that cannot be read', async (t) => {
  const { run, calls, folder, edit } = checkout()
  edit('package-lock.json', (text) => text.replace('"meshpanel"', '"another"'))
  for (const args of [['start'], ['--install']])
    t.match(run(args), { status: 2, stderr: `${folder} has no lockfile of Meshpanel. Nothing is installed there.\n` })
  edit('package-lock.json', (text) => `<<<<<<< HEAD\n${text}`)
  t.match(run(), { status: 2, stderr: /^\S+package-lock\.json cannot be read: .*\n$/ })
  rmSync(join(folder, 'package-lock.json'))
  t.match(run(), { status: 2, stderr: /has no lockfile of Meshpanel/ })
  t.same(calls(), [])
})

t.test('where Node is too old, npm’s is brought into node_modules, and the panel runs on that', async (t) => {
  const { run, calls, age, env, folder, modules } = checkout()
  age()
  const pinned = JSON.parse(readFileSync(join(root, 'src/tooling/release/package.json'), 'utf8')).optionalDependencies
  const version = pinned[`node-${process.platform}-${process.arch}`]
  t.match(run(['start', '--x']), {
    status: 0,
    stdout: `the Node that was brought runs: ${folder}/src/tooling/launch.mjs start --x\n`,
    stderr: `This is Node ${process.versions.node}, and the panel needs 99 or newer. npm’s Node ${version} is brought into node_modules, and the panel runs on that.\nInstalling what the panel needs, once …\n`,
  })
  t.match(calls(), [`npm ci --prefix ${folder}`, `npm ci --prefix ${modules}/.node`])
  for (const call of calls()) t.match(call, /--ignore-scripts.*--loglevel=error/)
  t.match(
    execFileSync('/bin/sh', ['-c', 'node found'], { env, encoding: 'utf8' }),
    'the Node that was brought runs: found',
    'scripts of npm find it first',
  )
  t.match(run(), { status: 0, stdout: /^the Node that was brought runs: /, stderr: '' })
  t.equal(calls().length, 2, 'once')
})

t.test('the Node that was brought is replaced when another is pinned, and outlives an installation', async (t) => {
  const { run, calls, age, bin, edit, modules } = checkout()
  age()
  run()
  edit('src/tooling/release/package-lock.json', (text) => text.replaceAll('24.21.0', '24.21.1'))
  writeFileSync(join(bin, 'real node'), '')
  // The one that was brought is not too old.
  edit('package.json', (text) => text.replace('>=99', '>=24'))
  const node = join(modules, '.bin/node')
  rmSync(node)
  t.match(run(), { stdout: 'the panel runs: start\n' }, 'a Node that is new enough needs no other')
  t.equal(calls().length, 2)

  const binary = join(modules, `.node/node_modules/node-${process.platform}-${process.arch}/bin/node`)
  rmSync(binary)
  try {
    linkSync(process.execPath, binary)
  } catch {
    copyFileSync(process.execPath, binary)
  }
  t.match(run(['start'], [binary]), { status: 0, stdout: 'the panel runs: start\n' })
  t.match(calls().slice(2), [`npm ci --prefix ${modules}/.node`])
  edit('package-lock.json', (text) => `${text}\n`)
  t.match(run(['start'], [node]), { status: 0, stdout: 'the panel runs: start\n' })
  t.equal(calls().length, 5, 'npm ci removes it with everything else, so it is downloaded again')
  t.match(spawnSync(node, ['--version'], { encoding: 'utf8' }), { stdout: `v${process.versions.node}\n` })
})

t.test('a Node that was not brought whole is brought again', async (t) => {
  const { run, calls, age, bin, modules } = checkout()
  age()
  writeFileSync(join(bin, 'brought'), 'exit 1')
  writeFileSync(join(bin, 'npm'), npm.replace('exit\\n', 'exit 127\\n'))
  t.match(run(), { status: 1, stdout: '', stderr: /npm’s Node does not run on this system\. Install Node 99 or newer/ })
  t.notOk(existsSync(join(modules, '.bin/node')))
  writeFileSync(join(bin, 'npm'), npm)
  writeFileSync(join(bin, 'brought'), 'exit 5')
  t.match(run(), { status: 5 }, 'and its exit code is the command’s')
  t.equal(calls().length, 3, 'the packages stay')
})

t.test('a system that npm has no Node for is told so before anything is installed', async (t) => {
  const { run, calls, age, edit } = checkout()
  age()
  edit('src/tooling/release/package.json', () => '{ "optionalDependencies": {} }')
  t.match(run(), { status: 2, stderr: /^This is Node \S+, and the panel needs 99 or newer\. Install it: none .*\n$/ })
  t.same(calls(), [])
})

t.test('on a Node that was brought, the panel is stopped and interrupted as without', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    const { age, bin, folder, env } = checkout()
    age()
    const caught = signal.slice(3)
    writeFileSync(
      join(bin, 'brought'),
      `trap 'echo stopped by ${caught}; exit 3' ${caught}; echo ready; while :; do sleep 0.05; done`,
    )
    const child = spawn(process.execPath, [join(folder, 'src/tooling/launch.mjs'), 'start'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    const ended = Promise.all([once(child, 'exit'), text(child.stdout)])
    await until('it runs', () => out === 'ready\n')
    child.kill(signal)
    const [[code]] = await ended
    t.equal(code, 3)
    t.equal(out, `ready\nstopped by ${caught}\n`)
  }
})
