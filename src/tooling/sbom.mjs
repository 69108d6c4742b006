// The software bill of materials of a build, in CycloneDX: what is inside, and what needs what. cyclonedx.org
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Contrib, Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library'
import { root } from './contents.mjs'

const { Application, Library, Platform } = Enums.ComponentType
const spdx = new Contrib.License.Factories.LicenseFactory(() => {})

/**
 * The bill as JSON. `packages` are npm packages, `sqlite` and `node` as contents.mjs describes them; `nodePackage` is
 * the npm package that the Node came from, if it came from one; `sums` says which build this is about. No time and no
 * chance is in it, so that the same build has the same bill.
 */
export function billOf({ packages, sqlite, node, nodePackage, sums }) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const panel = componentOf(Application, manifest, { purl: npmUrl(manifest) })
  panel.description = manifest.description
  const bom = new Models.Bom({ serialNumber: serialNumberOf(sums) })
  bom.metadata.component = panel
  bom.metadata.lifecycles.add(Enums.LifecyclePhase.Build)

  const byUrl = new Map()
  const byLocation = new Map()
  for (const one of packages) {
    const purl = npmUrl(one)
    const component = byUrl.get(purl) ?? componentOf(Library, one, { purl, hashes: lockedHash(one) })
    byUrl.set(purl, component)
    byLocation.set(one.location, component)
    bom.components.add(component)
  }
  for (const { location, needs } of packages)
    for (const needed of needs.filter((at) => byLocation.has(at)))
      byLocation.get(location).dependencies.add(byLocation.get(needed).bomRef)
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const component = byLocation.get(`node_modules/${name}`)
    if (component) panel.dependencies.add(component.bomRef)
  }

  const sqliteComponent = componentOf(Library, sqlite, {
    purl: `pkg:generic/sqlite@${sqlite.version}`,
    cpe: `cpe:2.3:a:sqlite:sqlite:${sqlite.version}:*:*:*:*:*:*:*`,
  })
  bom.components.add(sqliteComponent)
  byLocation.get('node_modules/better-sqlite3').dependencies.add(sqliteComponent.bomRef)

  const nodeComponent = componentOf(Platform, node, {
    purl: nodePackage ? npmUrl(nodePackage) : `pkg:generic/node@${node.version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${node.version}:*:*:*:*:*:*:*`,
    hashes: nodePackage ? lockedHash(nodePackage) : new Models.HashDictionary([['SHA-256', sha256(process.execPath)]]),
  })
  bom.components.add(nodeComponent)
  panel.dependencies.add(nodeComponent.bomRef)

  const normalize = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6)
  return `${new Serialize.JsonSerializer(normalize).serialize(bom, { sortLists: true, space: 2 })}\n`
}

function componentOf(type, { name, version, license }, { purl, cpe, hashes }) {
  const component = new Models.Component(type, name, { version, purl, bomRef: purl, ...(cpe && { cpe }) })
  component.licenses.add(spdx.makeFromString(license))
  for (const [algorithm, content] of hashes ?? []) component.hashes.set(algorithm, content)
  return component
}

/** github.com/package-url/purl-spec */
function npmUrl({ name, version }) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

/** The hash of the package that the lockfile names. */
function lockedHash({ integrity }) {
  const [, base64] = /^sha512-(\S+)$/.exec(integrity) ?? []
  return new Models.HashDictionary([['SHA-512', Buffer.from(base64, 'base64').toString('hex')]])
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

/** RFC 9562, version 8: made from the sums of what the bill is about. */
function serialNumberOf(sums) {
  const hex = createHash('sha256').update(sums).digest('hex')
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
