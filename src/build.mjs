// Bundles src/ into dist/meshpanel.mjs when something is newer, with the licences of all that it holds beside it.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
export const bundle = join(root, 'dist/meshpanel.mjs')
export const installed = join(root, 'node_modules/.package-lock.json')
const licences = join(root, 'dist/LICENCES.txt')

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
  const { metafile } = await build({
    entryPoints: [join(root, 'src/main.ts')],
    outfile: bundle,
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
  writeFileSync(licences, folders.map((folder) => licenceOf(join(root, folder))).join('\n\n'))
}

/** A package's name, version and licence, with the text where the package has one. */
function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const text = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file) && existsSync(join(folder, file)))
  return `== ${name} ${version} · ${license}\n\n${text ? readFileSync(join(folder, text), 'utf8').trim() : ''}`
}
