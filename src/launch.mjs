// What npm start, npm run demo and npm test begin with: installs and builds what is missing or
// older than its sources, then runs the command in this same process. Only Node itself is needed.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundle, changed, installed, prepareBundle } from './build.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

if (changed(installed) < Math.max(changed(join(root, 'package-lock.json')), 1)) {
  console.error('Installing what the panel needs. This takes a minute or two, once …')
  // npm's own settings for the script that runs this one are none of the installation's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')))
  // What the bundle is made of is there for development alone; NODE_ENV=production would leave it out.
  const { status } = spawnSync('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) process.exit(status ?? 1)
}

await prepareBundle()
if (process.argv[2] !== '--prepare') await import(pathToFileURL(bundle))
