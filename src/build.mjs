// Bundles src/ into dist/meshpanel.mjs when something is newer, with the licences of all that it holds beside it.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
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

async function buildBundle() {
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

  const packages = Object.keys(metafile.inputs).map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0])
  const folders = [...new Set([...packages, ...native.map((name) => `node_modules/${name}`)])].filter(Boolean).sort()
  mkdirSync(dist, { recursive: true })
  put(licences, folders.map((folder) => licenceOf(join(root, folder))).join('\n\n'))
  // The map comes first: the bundle's time says that all is there.
  for (const { path, contents } of outputFiles.toSorted((one, other) => other.path.length - one.path.length))
    put(path, contents)
}

/** A file that was written in part would pass for a new one. */
function put(file, contents) {
  writeFileSync(`${file}.${process.pid}`, contents)
  renameSync(`${file}.${process.pid}`, file)
}

/** A package's name, version and licence, with the text where the package has one. */
function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const text = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file) && existsSync(join(folder, file)))
  return `== ${name} ${version} · ${license}\n\n${text ? readFileSync(join(folder, text), 'utf8').trim() : ''}`
}
