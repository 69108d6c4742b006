// Bundles src/ into dist/panel.mjs when something is newer. Beside it lie what starts it, dist/meshpanel.mjs, and the
// licences of all that it holds.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { licencesOf, packageAt, placeOf, root } from './contents.mjs'

const dist = join(root, 'dist')
const bundle = join(dist, 'panel.mjs')
/** What runs the panel. */
export const program = join(dist, 'meshpanel.mjs')
const installed = join(root, 'node_modules/.package-lock.json')
const licences = join(dist, 'LICENCES.txt')

/** Native parts stay where they are installed. */
export const native = ['better-sqlite3', '@node-rs/argon2']

const changed = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)
const newest = (folder) =>
  Math.max(...readdirSync(folder, { recursive: true }).map((file) => changed(join(folder, file))))

/** What would take a sixth of a start, and is not needed for it. */
const lighter = {
  name: 'lighter',
  setup({ onResolve, onLoad }) {
    // To import a part of Node reads all that it exports, such as the WebSocket of node:http; to require it does not.
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'required' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({ contents: `module.exports = require('${path}')` }))
    // @fastify/static looks for files with it where it has a route for each; ours has one for all (web/answer/assets.ts).
    onResolve({ filter: /^glob$/ }, ({ path }) => ({ path, namespace: 'left out' }))
    onLoad({ filter: /.*/, namespace: 'left out' }, () => ({ contents: 'module.exports = {}' }))
  },
}

export async function prepareBundle() {
  const sources = [join(root, 'public/identifier.js'), join(root, 'package.json'), installed].map(changed)
  if (changed(bundle) < Math.max(newest(join(root, 'src')), ...sources)) await buildBundle()
}

/** Returns the npm packages that are in the bundle (contents.mjs). */
export async function buildBundle() {
  const { build } = await import('esbuild')
  const { metafile, outputFiles } = await build({
    entryPoints: [join(root, 'src/main.ts')],
    outfile: bundle,
    write: false,
    absWorkingDir: root,
    bundle: true,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // The bundle is made of the sources and this file alone.
    tsconfigRaw: {},
    sourcemap: 'linked',
    logLevel: 'error',
    external: native,
    plugins: [lighter],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  })

  const locations = Object.keys(metafile.inputs).map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0])
  const place = placeOf(root)
  const packages = [...new Set(locations)]
    .filter(Boolean)
    .sort()
    .map((location) => packageAt(place, location))
  mkdirSync(dist, { recursive: true })
  put(licences, licencesOf(packages))
  put(program, readFileSync(join(root, 'src/tooling/entry.mjs')))
  // The map comes first: the bundle's time says that all is there.
  for (const { path, contents } of outputFiles.toSorted((one, other) => other.path.length - one.path.length))
    put(path, contents)
  return packages
}

/** A file that was written in part would pass for a new one. */
function put(file, contents) {
  writeFileSync(`${file}.${process.pid}`, contents)
  renameSync(`${file}.${process.pid}`, file)
}
