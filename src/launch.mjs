// What npm start, npm run demo and npm test begin with: installs and builds what is missing or
// older than its sources, then runs the command in this same process. Only Node itself is needed.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = join(root, 'node_modules/.package-lock.json')
const bundle = join(root, 'dist/meshpanel.mjs')

const changed = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)
const newest = (folder) =>
  Math.max(
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => changed(join(entry.parentPath, entry.name))),
  )

if (changed(installed) < Math.max(changed(join(root, 'package-lock.json')), 1)) {
  console.error('Installing what the panel needs. This takes a minute or two, once …')
  // npm's own settings for the script that runs this one are none of the installation's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')))
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, env, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
}

if (
  changed(bundle) < Math.max(newest(join(root, 'src')), changed(join(root, 'public/identifier.js')), changed(installed))
) {
  const { build } = await import('esbuild')
  await build({
    entryPoints: [join(root, 'src/main.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    logLevel: 'error',
    // Native parts stay where they are installed.
    external: ['better-sqlite3', '@node-rs/argon2'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  })
}

if (process.argv[2] !== '--prepare') await import(pathToFileURL(bundle))
