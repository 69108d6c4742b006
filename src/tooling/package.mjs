// npm run package: writes into dist/
//   meshpanel              the panel in one executable, which needs nothing: Node is inside
//   meshpanel.cjs          the panel in one file, for the Node that it was made with
//   meshpanel-VERSION.tgz  the npm package
//   meshpanel.cdx.json     what is inside, as a CycloneDX bill of materials
//   meshpanel.licences.txt the licences of all that is inside
//   SHA256SUMS             for `sha256sum --check`; and SHA256SUMS.sig, where SIGNING_KEY names an Ed25519 key (PEM)
//
// With `-- --release` they are made with the Node that src/tooling/release/package-lock.json pins, fetched from npm and run from
// there, instead of the one that runs this; `-- --into FOLDER` writes them elsewhere.
// Two builds of the same source give the same bytes: nothing here may depend on the time, the folder or the user.
// test/proofs/reproducible.mjs shows it.
import { execFileSync } from 'node:child_process'
import { createHash, createPrivateKey, sign } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { brotliCompressSync, constants } from 'node:zlib'
import { inject } from 'postject'
import { buildBundle, native } from './build.mjs'
import { licencesOf, nodeFlags, packageAt, placeOf, root, sqliteIn, thisNode } from './contents.mjs'
import { fetchNode, floor, nodePackage, npm } from './install.mjs'
import { inPublic } from './look.mjs'
import { billOf } from './sbom.mjs'

const { values: asked } = parseArgs({
  options: { release: { type: 'boolean' }, into: { type: 'string' }, with: { type: 'string' } },
})
const into = resolve(asked.into ?? join(root, 'dist'))

const key = signingKey()
process.umask(0o022)
mkdirSync(into, { recursive: true })
// A build that fails leaves no sums that speak of files from before.
const sums = join(into, 'SHA256SUMS')
for (const file of [sums, `${sums}.sig`]) rmSync(file, { force: true })
if (asked.release) packageWith(join(into, 'release'))
else await packageIt(asked.with)

/** The Node that goes into the executable also makes it, so that the bytes do not depend on which one is installed. */
function packageWith(folder) {
  fetchNode(folder)
  const self = fileURLToPath(import.meta.url)
  const args = [self, '--with', folder, '--into', into]
  execFileSync(join(folder, nodePackage, 'bin/node'), args, { stdio: 'inherit' })
}

async function packageIt(release) {
  const place = placeOf(root)
  const inBundle = await buildBundle()
  const beside = nativeLocations()
  const taken = [...beside, ...inPublic.map((name) => `node_modules/${name}`)]
  const packages = [...inBundle, ...taken.map((location) => packageAt(place, location))]
  const sqlite = sqliteIn(join(root, 'node_modules/better-sqlite3'))
  const node = thisNode()

  const licences = join(into, 'meshpanel.licences.txt')
  writeFileSync(licences, licencesOf([...packages, sqlite, node]))
  const source = readFileSync(join(root, 'src/tooling/boot.cjs'), 'utf8').replace(
    '= PACK',
    () => `= ${pack(beside, licences)}`,
  )
  const plain = join(into, 'meshpanel.cjs')
  writeFileSync(plain, `#!/usr/bin/env -S node ${nodeFlags.join(' ')}\n${source}`)
  chmodSync(plain, 0o755)
  const made = [await makeExecutable(source), plain, makePackage(), licences]

  const bill = join(into, 'meshpanel.cdx.json')
  const from = release ? { nodePackage: packageAt(placeOf(release), nodePackage) } : {}
  writeFileSync(bill, billOf({ packages, sqlite, node, ...from, sums: sumsOf(made) }))
  writeFileSync(sums, sumsOf([...made, bill]))
  for (const file of [...made, bill]) console.log(`${file}: ${megabytes(file)}`)
  if (key) signFile(sums, key)
}

/** The packages that stay beside the bundle: those with a native part, and the part itself where it is one of its own. */
function nativeLocations() {
  const argon2 = readdirSync(join(root, 'node_modules/@node-rs')).filter((name) => name.startsWith('argon2-'))
  return [...native, ...argon2.sort().map((name) => `@node-rs/${name}`)].map((name) => `node_modules/${name}`)
}

/** The panel’s files as the source of an object: their names and sizes, and their bytes, compressed. */
function pack(beside, licences) {
  const paths = [
    ...['package.json', 'LICENSE', 'dist/panel.mjs'].map((file) => [file, join(root, file)]),
    ['dist/LICENCES.txt', licences],
    ...['views', 'migrations', 'public'].flatMap((folder) => filesOf(join(root, folder), folder)),
    ...beside.flatMap((location) => filesOf(join(root, location), location).filter(([file]) => isNeeded(file))),
  ]
  const source =
    "require('node:module').enableCompileCache(__dirname + '/compiled')\nmodule.exports = import('./panel.mjs')\n"
  const start = ['dist/start.cjs', Buffer.from(source)]
  const contents = [start, ...paths.map(([file, path]) => [file, readFileSync(path)])]
  const files = contents.map(([file, bytes]) => [file, bytes.length])
  const bytes = Buffer.concat(contents.map(([, bytes]) => bytes))
  const made = { floor: floor(), system: `${process.platform}-${process.arch}` }
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

/** Of the native packages: code and this system’s binary, no sources. */
function isNeeded(file) {
  if (file.includes('/prebuilds/')) return file.endsWith(`/prebuilds/${process.platform}-${process.arch}.node`)
  return !/^node_modules\/better-sqlite3\/(deps|src)\//.test(file) && /\.(js|json|node)$|\/LICENSE/.test(file)
}

/** nodejs.org/api/single-executable-applications.html */
async function makeExecutable(source) {
  const work = join(into, 'executable')
  mkdirSync(work, { recursive: true })
  // Node writes the path of main into the blob as it is given here.
  const [main, output] = ['main.cjs', 'main.blob']
  writeFileSync(join(work, main), source)
  writeFileSync(
    join(work, 'sea.json'),
    JSON.stringify({ main, output, execArgv: nodeFlags, disableExperimentalSEAWarning: true }),
  )
  execFileSync(process.execPath, ['--experimental-sea-config', 'sea.json'], {
    cwd: work,
    stdio: ['ignore', 'ignore', 2],
  })

  const executable = join(into, process.platform === 'win32' ? 'meshpanel.exe' : 'meshpanel')
  // A running one keeps its file.
  rmSync(executable, { force: true })
  copyFileSync(process.execPath, executable)
  chmodSync(executable, 0o755)
  const said = console.log
  console.log = () => {}
  await inject(executable, 'NODE_SEA_BLOB', readFileSync(join(work, output)), {
    sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
  })
  console.log = said
  rmSync(work, { recursive: true })
  return executable
}

/** What `npm pack` makes, of a copy: the archive holds the files’ permissions, which depend on the person who checked them out. */
function makePackage() {
  const work = join(into, 'package')
  rmSync(work, { recursive: true, force: true })
  const { name, version, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const listed = [...files, 'package.json', 'README.md', 'LICENSE'].map((file) => [file, join(root, file)])
  const paths = listed.flatMap(([file, path]) => (statSync(path).isDirectory() ? filesOf(path, file) : [[file, path]]))
  for (const [file, path] of paths) {
    mkdirSync(dirname(join(work, file)), { recursive: true })
    writeFileSync(join(work, file), readFileSync(path))
  }
  // By this Node, whose zlib compresses the archive.
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`
  const packing = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', into]
  if (npm(packing, work, { PATH: path }) !== 0) throw new Error('npm pack failed.')
  rmSync(work, { recursive: true })
  return join(into, `${name}-${version}.tgz`)
}

/** What `sha256sum` prints for these files. */
function sumsOf(files) {
  const sum = (file) => createHash('sha256').update(readFileSync(file)).digest('hex')
  return files.map((file) => `${sum(file)}  ${basename(file)}\n`).join('')
}

/** The key to sign with, or undefined without SIGNING_KEY. Read first, so that a wrong one is said before the work. */
function signingKey() {
  const { SIGNING_KEY } = process.env
  if (!SIGNING_KEY) return undefined
  const key = createPrivateKey(readFileSync(SIGNING_KEY))
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('SIGNING_KEY must name the PEM file of an Ed25519 key.')
  return key
}

/** Writes the signature of a file beside it. */
function signFile(file, key) {
  const signature = `${file}.sig`
  writeFileSync(signature, sign(null, readFileSync(file), key))
  console.log(`${signature}: signed`)
}

function megabytes(file) {
  return `${(readFileSync(file).length / 1e6).toFixed(1)} MB`
}
