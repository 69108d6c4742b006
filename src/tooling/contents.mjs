// What an artifact contains: npm packages, SQLite and Node, each with its version, its licence and the hash it is
// locked to. Everything is read from what is installed, and compared with the lockfile it came from.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/**
 * What Node is started with. V8 lets what was made last grow to 128 MB before it looks which of it is still needed; with
 * 16 MB, a busy panel needs a third less memory.
 */
export const nodeFlags = ['--max-semi-space-size=8']

const read = (file) => readFileSync(file, 'utf8')

/** A folder with a package-lock.json and the node_modules that were installed from it. */
export function placeOf(folder) {
  return { folder, locked: JSON.parse(read(join(folder, 'package-lock.json'))).packages }
}

/**
 * The npm package at `location` of a place, such as node_modules/fastify.
 * Throws when the lockfile has no hash for it, when another version is installed, or when it has no licence text.
 */
export function packageAt({ folder, locked }, location) {
  const { name, version, license, dependencies, optionalDependencies } = JSON.parse(
    read(join(folder, location, 'package.json')),
  )
  const entry = locked[location]
  if (!entry?.integrity) throw new Error(`${location} is not in the lockfile with its integrity.`)
  if (entry.version !== version)
    throw new Error(`${location} is ${version}, but the lockfile says ${entry.version}. Run npm ci.`)
  return {
    name,
    version,
    license,
    location,
    integrity: entry.integrity,
    needs: Object.keys({ ...dependencies, ...optionalDependencies }).map((needed) =>
      resolveFrom(locked, location, needed),
    ),
    text: licenceText(join(folder, location), name),
  }
}

/** Where Node finds a package from inside another: in its own node_modules, or in one further up. */
function resolveFrom(locked, location, name) {
  for (let inside = location; ; inside = dirname(inside)) {
    const place = join(inside, 'node_modules', name)
    if (locked[place] || inside === '.') return place
  }
}

/**
 * The text that a package brings. src/tooling/release/licences has those of packages that bring none. A package that holds
 * one system's binary (@node-rs/argon2-linux-x64-gnu) is under the licence of the one that loads it.
 */
function licenceText(folder, name) {
  const loader = /^(.+\/[^-]+)-(?:android|darwin|freebsd|linux|win32)-/.exec(name)?.[1]
  const found = [
    ...licenceFiles(folder),
    join(root, 'src/tooling/release/licences', `${name}.txt`),
    ...(loader ? licenceFiles(join(folder, '..', basename(loader))) : []),
  ].find((file) => existsSync(file) && read(file).trim())
  if (!found) throw new Error(`${name} has no licence text. Put it into src/tooling/release/licences/${name}.txt.`)
  return read(found).trim()
}

function licenceFiles(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying)(-\w+)?(\.(md|txt))?$/i.test(file))
    .map((file) => join(folder, file))
    .filter((file) => statSync(file).isFile())
}

/** The SQLite inside better-sqlite3, whose package holds its source. */
export function sqliteIn(folder) {
  const header = read(join(folder, 'deps/sqlite3/sqlite3.h'))
  const version = /^#define SQLITE_VERSION +"([\d.]+)"$/m.exec(header)?.[1]
  const text = /^\*\* The author disclaims.*?never taking more than you give\.$/ms.exec(header)?.[0]
  if (!version || !text) throw new Error('SQLite has no version or no licence text in better-sqlite3’s sqlite3.h.')
  return { name: 'SQLite', version, license: 'blessing', text: text.replaceAll(/^\*\* ?/gm, '') }
}

/** The Node that runs this. Its distributions put the licence beside it in different places. */
export function thisNode() {
  const prefix = dirname(dirname(process.execPath))
  const places = ['LICENSE', 'share/doc/nodejs/LICENSE', 'share/doc/nodejs/copyright', 'share/doc/node/LICENSE']
  const found = places.map((file) => join(prefix, file)).find((file) => existsSync(file) && read(file).trim())
  if (!found) throw new Error(`Node has no licence text in ${prefix}.`)
  return { name: 'Node.js', version: process.versions.node, license: 'MIT', text: read(found).trim() }
}

/** Names, versions and licences with their texts: what LICENCES.txt says. */
export function licencesOf(contents) {
  return `${contents.map(({ name, version, license, text }) => `== ${name} ${version} · ${license}\n\n${text}`).join('\n\n')}\n`
}
