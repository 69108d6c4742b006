import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { root } from '../../src/config.ts'
import { cast } from '../../src/demo.ts'
import { nodeFlags } from '../../src/tooling/contents.mjs'
import { version } from '../../src/version.ts'
import { newFolder } from '../harness.ts'
import { type PanelProcess, startProcess } from '../process.ts'
import { until } from '../smtp.ts'

// What is handed to operators, each started where nothing else of the panel is: no source, no node_modules, and
// nothing in the environment but a home and a port.

t.setTimeout(600_000)

const made = newFolder()
execFileSync(process.execPath, [join(root, 'src/tooling/package.mjs'), '--into', made], { stdio: 'ignore' })

const artifacts: [string, (folder: string) => string[]][] = [
  ['meshpanel', (folder) => [join(folder, 'meshpanel')]],
  ['meshpanel.cjs', (folder) => [process.execPath, join(folder, 'meshpanel.cjs')]],
]

/** A folder with one file in it, and a home elsewhere. */
function place(artifact: string) {
  const folder = newFolder()
  const home = newFolder()
  copyFileSync(join(made, artifact), join(folder, artifact))
  return { folder, home, cache: join(home, '.cache/meshpanel'), env: { PATH: '', HOME: home } }
}

for (const [artifact, programOf] of artifacts) {
  t.test(`${artifact} alone in a folder is the whole panel`, async (t) => {
    const { folder, env } = place(artifact)
    const program = programOf(folder)
    const [file = '', ...args] = program
    const said = spawnSync(file, [...args, '--version'], { cwd: folder, env, encoding: 'utf8' })
    t.match(said, { status: 0, stdout: `${version}\n`, stderr: /^$/ })
    t.same(readdirSync(folder), [artifact], 'it leaves nothing beside itself')

    const demo = await startProcess('', { command: 'demo', program, cwd: folder, settings: env })
    t.teardown(demo.kill)
    await walk(t, demo)
    t.equal(await demo.stop(), 0)

    const panel = await startProcess('', { program, cwd: folder, settings: env })
    t.teardown(panel.kill)
    await until('the link is printed', () => /\/setup\/[\w-]{43}\n/.test(panel.printed()))
    t.equal((await panel.visit().get(/\/setup\/[\w-]{43}/.exec(panel.printed())?.[0] ?? '')).status, 200)
    t.ok(existsSync(join(folder, 'data/panel.db')), 'DATA_DIR is where it was started')
    t.equal(await panel.stop(), 0)
  })
}

t.test(
  'the files are unpacked once, mended when some are missing, and never run from a place that others can write',
  async (t) => {
    const [artifact, programOf] = ['meshpanel.cjs', artifacts[1]?.[1]] as const
    const { folder, home, cache, env } = place(artifact)
    const [file = '', ...args] = programOf?.(folder) ?? []
    const run = (more: Record<string, string> = {}) =>
      spawnSync(file, [...args, '--version'], { cwd: folder, env: { ...env, ...more }, encoding: 'utf8' }).stdout.trim()

    t.equal(run(), version)
    const [unpacked = ''] = readdirSync(cache)
    const before = statSync(join(cache, unpacked))
    t.equal(before.mode & 0o777, 0o700)
    const compiled = join(cache, unpacked, 'dist/compiled')
    const kept = () => readdirSync(compiled, { recursive: true, encoding: 'utf8' }).map((name) => join(compiled, name))
    t.ok(kept().length > 1, 'what was compiled is kept')
    const times = kept().map((file) => statSync(file).mtimeMs)
    t.equal(run(), version)
    t.equal(statSync(join(cache, unpacked)).ino, before.ino, 'the second start uses what the first unpacked')
    t.same(
      kept().map((file) => statSync(file).mtimeMs),
      times,
      'and what it compiled',
    )

    truncateSync(join(cache, unpacked, 'dist/panel.mjs'), 100)
    t.equal(run(), version)
    t.same(readdirSync(cache), [unpacked])
    t.ok(statSync(join(cache, unpacked, 'dist/panel.mjs')).size > 100)

    const evil = join(cache, unpacked, 'dist/start.cjs')
    const bytes = statSync(evil).size
    writeFileSync(evil, 'console.log("evil");module.exports=Promise.resolve()'.slice(0, bytes).padEnd(bytes))
    chmodSync(join(cache, unpacked), 0o777)
    chmodSync(cache, 0o777)
    const temporary = newFolder()
    t.equal(run({ TMPDIR: temporary }), version, 'a folder that everybody can write is not run')
    t.same(readdirSync(temporary), [], 'what was unpacked for one run is gone after it')

    t.equal(run({ CACHE_DIRECTORY: join(home, 'service') }), version)
    t.same(readdirSync(join(home, 'service')), [unpacked], 'systemd says where')
  },
)

t.test('however the panel is started, Node keeps little of what was made last', (t) => {
  const [flag = ''] = nodeFlags
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const name of ['start', 'demo']) t.equal(scripts[name], `node ${flag} src/tooling/launch.mjs ${name}`)
  for (const path of [join(made, 'meshpanel.cjs'), join(root, 'src/tooling/entry.mjs')])
    t.ok(readFileSync(path, 'utf8').startsWith(`#!/usr/bin/env -S node ${flag}\n`), path)
  t.ok(readFileSync(join(made, 'meshpanel')).includes(flag), 'the executable')
  t.ok(readFileSync(join(root, '.deploy/Containerfile'), 'utf8').includes(`NODE_OPTIONS=${flag} `))
  t.end()
})

t.test('the plain file says in one line that it is for a newer Node or another system', async (t) => {
  const file = join(newFolder(), 'meshpanel.cjs')
  const text = readFileSync(join(made, 'meshpanel.cjs'), 'utf8')
  const here = `${process.platform}-${process.arch}`
  const said = (made: string) => {
    writeFileSync(file, text.replace(`"made":{"floor":24,"system":"${here}"}`, `"made":${made}`))
    return spawnSync(process.execPath, [file, 'start'], { env: {}, encoding: 'utf8' })
  }
  t.match(said(`{"floor":99,"system":"${here}"}`), {
    status: 2,
    stdout: '',
    stderr: `This file runs with Node 99 or newer on ${here}; this is Node ${process.versions.node} on ${here}. The executable brings its own Node.\n`,
  })
  t.match(said('{"floor":24,"system":"plan9-mips"}'), { status: 2, stderr: 'Node 24 or newer on plan9-mips; this is' })
})

// The package is unpacked as npm does it, beside the native packages that are installed here: npm would
// compile or fetch those, which is theirs to test. Nothing else of node_modules can be reached from there.
t.test('the npm package holds what it needs, names what it does not, and starts by its name', async (t) => {
  const folder = newFolder()
  const packing = ['pack', '--json', '--pack-destination', folder]
  const [{ filename, files }] = JSON.parse(
    execFileSync('npm', packing, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).replace(
      /^[^[]*/,
      '',
    ),
  )
  const names: string[] = files.map(({ path }: { path: string }) => path)
  t.equal(filename, `meshpanel-${version}.tgz`)
  for (const needed of [
    'dist/meshpanel.mjs',
    'dist/panel.mjs',
    'dist/LICENCES.txt',
    'LICENSE',
    'migrations/meta/_journal.json',
    'public/app.css',
    'views/layout.eta',
  ])
    t.ok(names.includes(needed), needed)
  t.same(
    names.filter((name) => /^(src|test|node_modules|data|\.)|\.(map|db|log)$/.test(name)),
    [],
  )

  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  execFileSync('tar', ['-xzf', filename], { cwd: folder })
  renameSync(join(folder, 'package'), join(modules, 'meshpanel'))
  const manifest = JSON.parse(readFileSync(join(modules, 'meshpanel/package.json'), 'utf8'))
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(join(modules, name, '..'), { recursive: true })
    symlinkSync(realpathSync(join(root, 'node_modules', name)), join(modules, name))
  }
  const bin = join(modules, '.bin/meshpanel')
  symlinkSync(join('..', 'meshpanel', manifest.bin.meshpanel), bin)
  chmodSync(bin, 0o755)

  const demo = await startProcess('', { command: 'demo', program: [bin], cwd: folder })
  t.teardown(demo.kill)
  await walk(t, demo)
  t.equal(await demo.stop(), 0)

  // A Node that is too old could not even read what newer syntax is in the bundle.
  writeFileSync(join(modules, 'meshpanel/dist/panel.mjs'), 'this is no JavaScript')
  manifest.engines.node = '>=99'
  writeFileSync(join(modules, 'meshpanel/package.json'), JSON.stringify(manifest))
  t.match(spawnSync(bin, ['start'], { encoding: 'utf8' }), {
    status: 2,
    stdout: '',
    stderr: `Meshpanel needs Node 99 or newer; this is Node ${process.versions.node}. The executable brings its own.\n`,
  })
})

t.test('nobody who installs the npm package needs a compiler', async (t) => {
  const locked = lockedIn(join(root, 'package-lock.json')).filter(([, { dev }]) => !dev)
  t.ok(locked.some(([location]) => location === 'node_modules/better-sqlite3'))
  for (const [location, { hasInstallScript }] of locked) t.notOk(hasInstallScript, `${location} runs no script`)
  const binary = `node_modules/better-sqlite3/prebuilds/${process.platform}-${process.arch}.node`
  t.ok(existsSync(join(root, binary)), 'the binary of SQLite comes in its package')
})

/** The entries of a lockfile, without the package that it belongs to. */
function lockedIn(file: string): [location: string, entry: Locked][] {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Locked> }
  return Object.entries(packages).filter(([location]) => location)
}

type Locked = {
  version: string
  integrity?: string
  resolved?: string
  os?: string
  cpu?: string
  dev?: boolean
  hasInstallScript?: boolean
}

const lockfiles = ['', '.ci/tools', 'src']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder === 'src', encoding: 'utf8' }).map((file) =>
      join(folder, file),
    ),
  )
  .filter((file) => file.endsWith('package-lock.json'))

t.test('every package of every lockfile has its hash', async (t) => {
  t.same(lockfiles, ['package-lock.json', '.ci/tools/package-lock.json', 'src/tooling/release/package-lock.json'])
  for (const lockfile of lockfiles) {
    const locked = lockedIn(join(root, lockfile))
    t.ok(locked.length > 1, lockfile)
    for (const [location, { integrity = '', resolved }] of locked) {
      t.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/, `${lockfile}: ${location}`)
      t.equal(resolved, undefined, `${location} comes from the registry that npm is set to`)
    }
  }
})

t.test('the release’s lockfile has one Node for each kind of Linux, which the panel runs on', async (t) => {
  const folder = join(root, 'src/tooling/release')
  const { optionalDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const locked = Object.fromEntries(lockedIn(join(folder, 'package-lock.json')))
  const nodes = ['x64', 'arm64'].map((cpu) => locked[`node_modules/node-linux-${cpu}`])
  t.match(nodes, [
    { os: 'linux', cpu: 'x64' },
    { os: 'linux', cpu: 'arm64' },
  ])
  t.equal(nodes[0]?.version, nodes[1]?.version)
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  t.equal(`>=${nodes[0]?.version.split('.')[0]}`, engines.node)
  for (const [name, version] of Object.entries(optionalDependencies))
    t.equal(locked[`node_modules/${name}`]?.version, version, `${name} is asked for by its exact version`)
})

t.test('packages come with checksums, and a changed byte is detected', async (t) => {
  const check = (folder: string) =>
    spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })
  t.equal(check(made).status, 0)
  const summed = readFileSync(join(made, 'SHA256SUMS'), 'utf8').trim().split('\n')
  t.same(
    summed.map((line) => line.slice(66)).sort(),
    readdirSync(made).filter((file) => file !== 'SHA256SUMS'),
    'nothing is there without a sum',
  )
  const folder = newFolder()
  cpSync(made, folder, { recursive: true })
  truncateSync(join(folder, 'meshpanel.cjs'), 1000)
  t.match(check(folder), { status: 1, stdout: 'meshpanel.cjs: FAILED' })
})

type Component = {
  name: string
  version: string
  purl: string
  hashes?: { alg: string; content: string }[]
  'bom-ref': string
}
type Bill = {
  metadata: { component: Component }
  components: Component[]
  dependencies: { ref: string; dependsOn?: string[] }[]
}

const bill: Bill = JSON.parse(readFileSync(join(made, 'meshpanel.cdx.json'), 'utf8'))

t.test('the bill of materials is valid CycloneDX', async (t) => {
  const schemas = join(root, 'node_modules/@cyclonedx/cyclonedx-library/res/schema')
  const schema = (name: string) => JSON.parse(readFileSync(join(schemas, `${name}.SNAPSHOT.schema.json`), 'utf8'))
  const ajv = new Ajv({
    strict: false,
    formats: { 'date-time': true, 'idn-email': true, 'iri-reference': true, uri: true },
  })
  for (const name of ['spdx', 'jsf-0.82'])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`)
  const valid = ajv.compile(schema('bom-1.6'))
  t.ok(valid(bill), JSON.stringify(valid.errors))
  t.notOk(valid({ ...bill, components: [{ name: 'nameless' }] }), 'the schema refuses what is none')
})

t.test('the bill of materials and the licences name every part, with version and hash', async (t) => {
  // esbuild writes above each module which file it was.
  const modules = readFileSync(join(root, 'dist/panel.mjs'), 'utf8').matchAll(
    /^ *\/\/ (node_modules\/(?:.*\/node_modules\/)?(?:@[^/\n]+\/)?[^/\n]+)\//gm,
  )
  const locked = Object.fromEntries(lockedIn(join(root, 'package-lock.json')))
  const inBundle = [...new Set([...modules].map(([, location = '']) => location))]
  t.ok(inBundle.includes('node_modules/fastify') && inBundle.length > 80, `${inBundle.length} packages`)

  const licences = readFileSync(join(made, 'meshpanel.licences.txt'), 'utf8')
  const ofPackage = readFileSync(join(root, 'dist/LICENCES.txt'), 'utf8')
  const platform = readdirSync(join(root, 'node_modules/@node-rs')).filter((name) => name.startsWith('argon2-'))
  const beside = ['better-sqlite3', '@node-rs/argon2', ...platform.map((name) => `@node-rs/${name}`)]
  for (const location of [...inBundle, ...beside.map((name) => `node_modules/${name}`)]) {
    const name = location.slice(location.lastIndexOf('node_modules/') + 13)
    const { version = '', integrity = '' } = locked[location] ?? {}
    const content = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')
    const component = bill.components.find(({ purl }) => purl === `pkg:npm/${name.replace('@', '%40')}@${version}`)
    t.match(component, { name, version, hashes: [{ alg: 'SHA-512', content }] }, location)
    t.match(licences, `== ${name} ${version} · `, location)
    if (inBundle.includes(location)) t.match(ofPackage, `== ${name} ${version} · `, location)
  }

  const sqlite = new Database(':memory:').prepare('SELECT sqlite_version()').pluck().get()
  for (const [name, version] of [
    ['SQLite', sqlite],
    ['Node.js', process.versions.node],
  ]) {
    t.ok(
      bill.components.some((one) => one.name === name && one.version === version),
      `${name} ${version}`,
    )
    t.match(licences, `\n== ${name} ${version} · `)
  }
  t.match(licences, 'May you do good and not evil.')
  t.match(licences, 'Copyright Node.js contributors.')
  for (const [heading = '', text = ''] of [...licences.matchAll(/^== .* · .*$([\s\S]*?)(?=^== .* · |$(?![\s\S]))/gm)])
    t.ok(text.trim().length > 200, heading.slice(0, 60))

  const known = new Set([bill.metadata.component, ...bill.components].map((one) => one['bom-ref']))
  const needed = new Set(bill.dependencies.flatMap(({ dependsOn = [] }) => dependsOn))
  t.same(
    [...needed].filter((ref) => !known.has(ref)),
    [],
  )
  t.same(
    bill.components.filter((one) => !needed.has(one['bom-ref'])).map(({ name }) => name),
    [],
    'everything is there because something needs it',
  )
})

t.test('the build', async (t) => {
  // Elsewhere, with other times, permissions and settings of the user.
  const copy = join(newFolder(), 'a', 'longer path')
  mkdirSync(copy, { recursive: true })
  for (const name of ['src', 'views', 'migrations', 'public', 'package.json', 'package-lock.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true })
  for (const name of ['README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE']) {
    copyFileSync(join(root, name), join(copy, name))
    chmodSync(join(copy, name), 0o600)
  }
  const modules = [join(root, 'node_modules'), join(copy, 'node_modules')]
  // Hard links, where both lie on one disk.
  if (spawnSync('cp', ['-al', ...modules]).status !== 0) execFileSync('cp', ['-a', ...modules])
  const keys = newFolder()
  const newKey = (algorithm: string) => {
    execFileSync('openssl', ['genpkey', '-algorithm', algorithm, '-out', join(keys, algorithm)], { stdio: 'ignore' })
    return join(keys, algorithm)
  }
  const build = (settings: Record<string, string> = {}) =>
    spawnSync('/bin/sh', ['-c', 'umask 077; exec "$0" src/tooling/package.mjs --into ../made', process.execPath], {
      cwd: copy,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8', ...settings },
      encoding: 'utf8',
    })
  const fails = (t: Test, words: string | RegExp, settings = {}) => {
    const { status, stderr } = build(settings)
    t.equal(status, 1)
    t.match(stderr, words)
    t.notOk(existsSync(join(copy, '../made/SHA256SUMS')))
  }

  await t.test('ends when a licence text is missing', async (t) => {
    const licence = join(copy, 'node_modules/fastify/LICENSE')
    renameSync(licence, `${licence}.away`)
    fails(t, 'fastify has no licence text')
    renameSync(`${licence}.away`, licence)
    const brought = join(copy, 'src/tooling/release/licences/abstract-logging.txt')
    rmSync(brought)
    fails(t, 'abstract-logging has no licence text')
    copyFileSync(join(root, 'src/tooling/release/licences/abstract-logging.txt'), brought)
  })

  await t.test('ends when a package is not the one that is locked, or not locked by a hash', async (t) => {
    const lockfile = join(copy, 'package-lock.json')
    const text = readFileSync(lockfile, 'utf8')
    const change = (what: (entry: Locked) => void) => {
      const lock = JSON.parse(text)
      what(lock.packages['node_modules/better-sqlite3'])
      writeFileSync(lockfile, JSON.stringify(lock))
    }
    change((entry) => {
      entry.version = '12.0.0'
    })
    fails(t, /better-sqlite3 is \S+, but the lockfile says 12\.0\.0/)
    change((entry) => {
      delete entry.integrity
    })
    fails(t, 'better-sqlite3 is not in the lockfile with its integrity')
    writeFileSync(lockfile, text)
  })

  await t.test('ends when it cannot sign', async (t) => {
    fails(t, 'Ed25519', { SIGNING_KEY: newKey('RSA') })
    fails(t, 'ENOENT', { SIGNING_KEY: join(keys, 'nothing') })
  })

  await t.test(
    'makes the same bytes in another folder at another time, and signs them where a key is given',
    async (t) => {
      const key = newKey('ED25519')
      t.match(build({ SIGNING_KEY: key }), { status: 0 })
      const again = join(copy, '../made')
      for (const file of ['meshpanel.mjs', 'panel.mjs', 'LICENCES.txt'])
        t.ok(readFileSync(join(copy, 'dist', file)).equals(readFileSync(join(root, 'dist', file))), file)
      for (const file of readdirSync(made))
        t.ok(readFileSync(join(again, file)).equals(readFileSync(join(made, file))), file)

      const publicKey = join(keys, 'public')
      execFileSync('openssl', ['pkey', '-in', key, '-pubout', '-out', publicKey])
      const verify = () =>
        spawnSync(
          'openssl',
          [
            'pkeyutl',
            '-verify',
            '-pubin',
            '-inkey',
            publicKey,
            '-rawin',
            '-in',
            'SHA256SUMS',
            '-sigfile',
            'SHA256SUMS.sig',
          ],
          { cwd: again },
        ).status
      t.equal(verify(), 0)
      writeFileSync(join(again, 'SHA256SUMS'), '\n', { flag: 'a' })
      t.not(verify(), 0, 'other sums are not what was signed')
    },
  )
})

t.test(
  'the systemd unit is well-formed and tight',
  existsSync('/usr/bin/systemd-analyze') ? {} : { skip: 'systemd is not installed' },
  async (t) => {
    const folder = newFolder()
    const unit = join(folder, 'meshpanel.service')
    const text = readFileSync(join(root, '.deploy/meshpanel.service'), 'utf8')
    // What it starts and reads is not installed here.
    writeFileSync(
      unit,
      text
        .replace('ExecStart=/usr/local/bin/meshpanel', `ExecStart=${process.execPath}`)
        .replace('EnvironmentFile=', 'EnvironmentFile=-'),
    )
    t.match(spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' }), { status: 0, stderr: /^$/ })
    const rating = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit], {
      encoding: 'utf8',
    })
    t.equal(rating.status, 0, rating.stdout.split('\n').findLast(Boolean) ?? '')
  },
)

t.test('the Containerfile copies what is made, and asks for an address that answers', async (t) => {
  const text = readFileSync(join(root, '.deploy/Containerfile'), 'utf8')
  t.match(text, 'RUN npm run package -- --release')
  t.match(text, /\nUSER 1000:1000\nVOLUME \/data\n/)
  const [, check = ''] = /HEALTHCHECK[^[]*(\[.*\])/.exec(text) ?? []
  const [program, ...args] = JSON.parse(check)
  t.equal(program, 'node')

  const panel = await startProcess(newFolder(), { settings: { HOST: '127.0.0.1' } })
  t.teardown(panel.kill)
  const PORT = new URL(panel.url).port
  const ask = () => spawnSync(process.execPath, args, { env: { PORT } }).status
  t.equal(ask(), 0)
  await panel.stop()
  t.equal(ask(), 1)
})

/** Logs in and creates a customer: views, assets, database and password hashing all take part. */
async function walk(t: Test, panel: PanelProcess): Promise<void> {
  await until('the logins are printed', () => panel.printed().includes('they are kept in'))
  const petra = panel.visit()
  t.equal((await petra.logIn(cast.petra.email)).status, 303)
  const created = await petra.submitAndFollow('/partner/customers', 'Create customer', {
    name: 'Globex',
    identifier: '',
  })
  t.match(created.row('globex'), /Globex.*active/)
  const style = created.root.querySelector('link[rel="stylesheet"]')?.getAttribute('href') ?? ''
  t.match((await petra.get(style)).body, '--accent')
}
