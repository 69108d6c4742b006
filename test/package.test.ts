import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { root } from '../src/config.ts'
import { cast } from '../src/demo.ts'
import { version } from '../src/version.ts'
import { newFolder } from './harness.ts'
import { type PanelProcess, startProcess } from './process.ts'
import { until } from './smtp.ts'

// What is handed to operators, each started where nothing else of the panel is: no source, no node_modules, and
// nothing in the environment but a home and a port.

t.setTimeout(300_000)

const made = newFolder()
execFileSync(process.execPath, [join(root, 'src/package.mjs'), '--into', made], { stdio: 'ignore' })

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
    t.equal(run(), version)
    t.equal(statSync(join(cache, unpacked)).ino, before.ino, 'the second start uses what the first unpacked')

    truncateSync(join(cache, unpacked, 'dist/meshpanel.mjs'), 100)
    t.equal(run(), version)
    t.same(readdirSync(cache), [unpacked])
    t.ok(statSync(join(cache, unpacked, 'dist/meshpanel.mjs')).size > 100)

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

t.test('the plain file says in one line that it is for another Node', async (t) => {
  const folder = newFolder()
  const [major = ''] = process.versions.node.split('.')
  const other = readFileSync(join(made, 'meshpanel.cjs'), 'utf8').replace(`"node":"${major}"`, '"node":"19"')
  writeFileSync(join(folder, 'meshpanel.cjs'), other)
  t.match(spawnSync(process.execPath, [join(folder, 'meshpanel.cjs'), 'start'], { env: {}, encoding: 'utf8' }), {
    status: 2,
    stderr: new RegExp(
      `^This file runs with Node 19 on ${process.platform}-${process.arch}; this is Node ${major}\\..*\\n$`,
    ),
  })
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
  await until('the log-ins are printed', () => panel.printed().includes('they lie in'))
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
