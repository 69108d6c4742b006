// npm run package: writes into dist/
//   meshpanel.cjs  the panel in one file, for the Node that it was made with
//   meshpanel      the same with that Node inside: an executable that needs nothing
// With `-- --release` they are made with the Node and SQLite below, fetched from npm, instead of those installed here;
// `-- --into FOLDER` writes them elsewhere.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { brotliCompressSync, constants } from 'node:zlib'
import { inject } from 'postject'
import { native, prepareBundle } from './build.mjs'

const versions = { node: '24.21.0', 'better-sqlite3': '13.2.0' }

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: asked } = parseArgs({ options: { release: { type: 'boolean' }, into: { type: 'string' } } })
const dist = asked.into ?? join(root, 'dist')

await prepareBundle()
await packageIt(asked.release ? fetchRelease() : installed())

async function packageIt({ node, modules }) {
  const plain = join(dist, 'meshpanel.cjs')
  const source = readFileSync(join(root, 'src/boot.cjs'), 'utf8').replace('= PACK', () => `= ${pack(node, modules)}`)
  writeFileSync(plain, `#!/usr/bin/env node\n${source}`, { mode: 0o755 })
  chmodSync(plain, 0o755)
  console.log(`${plain}: ${megabytes(plain)}`)
  const executable = await makeExecutable(node, source)
  console.log(`${executable}: ${megabytes(executable)}`)
}

function installed() {
  return { node: process.execPath, modules: [join(root, 'node_modules')] }
}

function fetchRelease() {
  const folder = join(dist, 'release')
  mkdirSync(folder, { recursive: true })
  const allowScripts = { node: true, 'better-sqlite3': false }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: versions, allowScripts }))
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  })
  const modules = join(folder, 'node_modules')
  return { node: join(modules, 'node/bin/node'), modules: [modules, join(root, 'node_modules')] }
}

/** The panel’s files as the source of an object: their names and sizes, and their bytes, compressed. */
function pack(node, modules) {
  const paths = [
    ...['package.json', 'LICENSE', 'dist/meshpanel.mjs', 'dist/LICENCES.txt'].map((file) => [file, join(root, file)]),
    ...['views', 'migrations', 'public'].flatMap((folder) => filesOf(join(root, folder), folder)),
    ...[...native, 'bindings', 'file-uri-to-path', ...platformPackages(modules)].flatMap((name) => {
      const folder = modules.map((place) => join(place, name)).find(existsSync)
      return folder ? filesOf(folder, `node_modules/${name}`).filter(([file]) => isNeeded(file)) : []
    }),
  ]
  const start = ['dist/start.cjs', Buffer.from("module.exports = import('./meshpanel.mjs')\n")]
  const contents = [start, ...paths.map(([file, path]) => [file, readFileSync(path)])]
  const files = contents.map(([file, bytes]) => [file, bytes.length])
  const bytes = Buffer.concat(contents.map(([, bytes]) => bytes))
  const [version] = execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).split('.')
  const made = { node: version, system: `${process.platform}-${process.arch}` }
  const hash = createHash('sha256')
    .update(JSON.stringify([made, files]))
    .update(bytes)
    .digest('hex')
    .slice(0, 32)
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 } }
  return JSON.stringify({ hash, made, files, packed: brotliCompressSync(bytes, quality).toString('base64') })
}

function filesOf(folder, name) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => [`${name}${path.slice(folder.length).replaceAll('\\', '/')}`, path])
}

/** The packages in which argon2’s native part for this system lies. */
function platformPackages(modules) {
  const scope = modules.map((place) => join(place, '@node-rs')).find(existsSync)
  return readdirSync(scope)
    .filter((name) => name.startsWith('argon2-'))
    .map((name) => `@node-rs/${name}`)
}

/** Of the native packages: code and this system’s binary, neither sources nor what the compiler left. */
function isNeeded(file) {
  if (file.includes('/build/')) return file.endsWith('/build/Release/better_sqlite3.node')
  if (file.includes('/prebuilds/')) return file.endsWith(`/prebuilds/${process.platform}-${process.arch}.node`)
  return !/^node_modules\/better-sqlite3\/(deps|src)\//.test(file) && /\.(js|json|node)$|\/LICENSE/.test(file)
}

/** nodejs.org/api/single-executable-applications.html */
async function makeExecutable(node, source) {
  const work = join(dist, 'executable')
  mkdirSync(work, { recursive: true })
  const [main, output, settings] = ['main.cjs', 'main.blob', 'sea.json'].map((file) => join(work, file))
  writeFileSync(main, source)
  writeFileSync(settings, JSON.stringify({ main, output, disableExperimentalSEAWarning: true }))
  execFileSync(node, ['--experimental-sea-config', settings], { stdio: ['ignore', 'ignore', 2] })

  const executable = join(dist, process.platform === 'win32' ? 'meshpanel.exe' : 'meshpanel')
  // A running one keeps its file.
  rmSync(executable, { force: true })
  copyFileSync(node, executable)
  chmodSync(executable, 0o755)
  const said = console.log
  console.log = () => {}
  await inject(executable, 'NODE_SEA_BLOB', readFileSync(output), {
    sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
  })
  console.log = said
  rmSync(work, { recursive: true })
  return executable
}

function megabytes(file) {
  return `${(readFileSync(file).length / 1e6).toFixed(1)} MB`
}
