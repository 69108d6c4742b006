// What npm start, npm run demo and npm test begin with: installs and builds what is missing or
// older than its sources, then runs the command in this same process. Only Node itself is needed.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundle, changed, installed, npm, prepareBundle } from './build.mjs'
import { root } from './contents.mjs'

if (changed(installed) < Math.max(changed(join(root, 'package-lock.json')), 1)) {
  console.error('Installing what the panel needs. This takes a minute or two, once …')
  // What the bundle is made of is there for development alone; NODE_ENV=production would leave it out.
  const status = npm(['ci', '--include=dev', '--no-audit', '--no-fund'], root)
  if (status !== 0) process.exit(status)
}

await prepareBundle()
if (process.argv[2] !== '--prepare') await import(pathToFileURL(bundle))
