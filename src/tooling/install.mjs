// What npm installs into a checkout: the packages of package-lock.json and, where the Node that runs is older than the
// panel needs, the one of src/tooling/release/package-lock.json. An older Node reads this file too: it uses nothing newer than 18.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join, relative, sep } from 'node:path'
import { root } from './contents.mjs'

const modules = join(root, 'node_modules')
const commands = join(modules, '.bin')
const lockfile = join(root, 'package-lock.json')
/** Holds the hash of the lockfile that the packages were installed from. */
const record = join(modules, '.meshpanel-lock')
const release = join(root, 'src/tooling/release')
/** npm leaves a folder with a dot alone, and its scripts find a `node` in .bin before any other. */
const broughtInto = join(modules, '.node')
const brought = join(commands, 'node')

/** The package that holds this system’s Node, as a path in the folder that it is installed into. */
export const nodePackage = `node_modules/node-${process.platform}-${process.arch}`

/** Why something is not installed, in a line. The exit code is 1 after a failure, and 2 when nothing was tried. */
export class InstallError extends Error {
  constructor(message, exitCode) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * Installs what is missing, and nothing when all is there. `asked`: somebody wants it in this folder, even if
 * another user owns the folder. Throws an InstallError.
 */
export function installMissing({ asked }) {
  const isOnBrought = process.execPath.startsWith(broughtInto)
  const lacksNode = () => (isOld() || isOnBrought) && !isBrought()
  const lacksPackages = !isInstalled()
  if (!lacksPackages && !lacksNode()) return
  refuse(asked)
  if (isOld() && !isBrought()) announceNode()
  if (lacksPackages) installPackages()
  // npm ci removes the Node that was brought before, too.
  if (lacksNode()) bringNode()
}

/** Whether this Node is older than the panel needs. */
export function isOld() {
  return majorOf(process.versions.node) < floor()
}

/** Runs this same command on the Node that was brought. Resolves with its exit code. */
export function runOnBroughtNode() {
  // Before there is a child: a signal that comes as soon as it runs would end this process alone.
  let child
  // A terminal already interrupts both processes, and a second interrupt would cut the stop short.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child = spawn(brought, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}

/** Installs the Node that src/tooling/release pins into a folder; nothing of it is run. Throws an InstallError. */
export function fetchNode(folder) {
  mkdirSync(folder, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(release, file), join(folder, file))
  ci(folder)
  if (!existsSync(join(folder, nodePackage))) throw new InstallError(`${nodePackage} was not installed.`, 1)
}

/** Runs npm in a folder, and returns its exit code. What npm prints goes to standard error. */
export function npm(args, cwd, more = {}) {
  // npm's own settings for the script that runs this one are none of this one's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')))
  // npm runs on the machine's Node: npm may remove the downloaded one while it works.
  const PATH = env.PATH?.split(delimiter).filter((folder) => folder !== commands)
  const settings = { ...env, ...(PATH && { PATH: PATH.join(delimiter) }), ...more }
  const { status, error } = spawnSync('npm', args, { cwd, env: settings, stdio: ['ignore', 2, 2] })
  if (error) console.error(`npm could not be run: ${error.message}`)
  return status ?? 1
}

/** No package’s scripts are run: none is needed. npm’s warnings are about the Node that npm itself runs on. */
function ci(folder, ...more) {
  const quietly = ['--ignore-scripts', '--no-engine-strict', '--no-audit', '--no-fund', '--loglevel=error']
  // A folder that is named is installed into, even where one further up counts it among its own.
  const args = ['ci', '--prefix', folder, '--include=optional', '--prefer-offline', ...quietly, ...more]
  if (npm(args, folder) !== 0) throw new InstallError(`npm could not install what ${folder} needs.`, 1)
}

function installPackages() {
  console.error('Installing what the panel needs, once …')
  // Packages that are only partly there must not count as installed.
  rmSync(record, { force: true })
  // What the bundle is made of is there for development alone; NODE_ENV=production would leave it out.
  ci(root, '--include=dev')
  writeFileSync(record, hashOf(lockfile))
}

/** Puts the Node into node_modules, and at last to where npm’s scripts find it first. */
function bringNode() {
  rmSync(brought, { force: true })
  rmSync(broughtInto, { recursive: true, force: true })
  fetchNode(broughtInto)
  const binary = join(broughtInto, nodePackage, 'bin/node')
  if (spawnSync(binary, ['--version'], { stdio: 'ignore' }).status !== 0)
    throw new InstallError(`npm’s Node does not run on this system. Install Node ${floor()} or newer.`, 1)
  symlinkSync(relative(commands, binary), brought)
}

function isBrought() {
  return (
    existsSync(brought) && textOf(join(broughtInto, 'package-lock.json')) === textOf(join(release, 'package-lock.json'))
  )
}

/** Whether the packages are those of the lockfile: installed from it here, or by npm to the same effect. */
function isInstalled() {
  return existsSync(lockfile) && (textOf(record) === hashOf(lockfile) || holdsAll())
}

/** npm writes down what it has installed when it is done; for a lockfile alone, too, so the packages are looked at. */
function holdsAll() {
  const done = join(modules, '.package-lock.json')
  if (!existsSync(done)) return false
  const [locked, found] = [jsonOf(lockfile).packages, jsonOf(done).packages]
  const isThere = ([at, { integrity, optional, devOptional }]) =>
    found[at] ? found[at].integrity === integrity && isOnDisk(at, found[at]) : optional || devOptional
  const { '': _panel, ...packages } = locked
  return Object.entries(packages).every(isThere) && Object.keys(found).every((at) => packages[at])
}

function isOnDisk(at, { version }) {
  const manifest = join(root, at, 'package.json')
  return existsSync(manifest) && jsonOf(manifest).version === version
}

/** Throws an InstallError where nothing may be installed. */
function refuse(asked) {
  const link = [modules, commands].find((path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
  if (link)
    throw new InstallError(
      `${link} is a symbolic link to ${readlinkSync(link)}. Nothing is installed through a link: remove it first.`,
      2,
    )
  if (!existsSync(lockfile) || jsonOf(lockfile).name !== 'meshpanel')
    throw new InstallError(`${root} has no lockfile of Meshpanel. Nothing is installed there.`, 2)
  const why = asked ? undefined : whyNotOwn()
  if (why)
    throw new InstallError(
      `${why}. Nothing is installed there unasked; node src/tooling/launch.mjs --install asks for it.`,
      2,
    )
}

/** Why the folder is somebody else’s, or undefined. */
function whyNotOwn() {
  if (root.split(sep).includes('node_modules')) return `${root} lies among the packages of another project`
  const other = [root, modules].find((path) => existsSync(path) && statSync(path).uid !== process.getuid?.())
  return other && process.getuid ? `${other} belongs to another user` : undefined
}

/** Says which Node is brought. Throws an InstallError where npm has none for this system. */
function announceNode() {
  const { optionalDependencies } = jsonOf(join(release, 'package.json'))
  const version = optionalDependencies[nodePackage.slice('node_modules/'.length)]
  const what = `This is Node ${process.versions.node}, and the panel needs ${floor()} or newer`
  if (!version)
    throw new InstallError(`${what}. Install it: none is brought to ${process.platform}-${process.arch}.`, 2)
  console.error(`${what}. npm’s Node ${version} is brought into node_modules, and the panel runs on that.`)
}

/** The oldest major version of Node that the panel runs on. */
export function floor() {
  return majorOf(jsonOf(join(root, 'package.json')).engines.node)
}

function majorOf(version) {
  return Number(/\d+/.exec(version)[0])
}

function textOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

function jsonOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new InstallError(`${file} cannot be read: ${error.message}`, 2)
  }
}

function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
