// Bundles src/ into dist/meshpanel.mjs when something is newer, with the licences of all that it holds beside it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { licencesOf, packageAt, placeOf, root } from './contents.mjs'

const dist = join(root, 'dist')
export const bundle = join(dist, 'meshpanel.mjs')
export const installed = join(root, 'node_modules/.package-lock.json')
const licences = join(dist, 'LICENCES.txt')

/** Native parts stay where they are installed. */
export const native = ['better-sqlite3', '@node-rs/argon2']

export const changed = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)
const newest = (folder) =>
  Math.max(...readdirSync(folder, { recursive: true }).map((file) => changed(join(folder, file))))

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
    target: 'node20',
    sourcemap: 'linked',
    logLevel: 'error',
    external: native,
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
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

/** Runs npm in a folder, and returns its exit code. What npm prints goes to standard error. */
export function npm(args, cwd, more = {}) {
  // npm's own settings for the script that runs this one are none of this one's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')))
  return spawnSync('npm', args, { cwd, env: { ...env, ...more }, stdio: ['ignore', 2, 2] }).status ?? 1
}
