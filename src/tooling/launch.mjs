// What npm start, npm run demo and npm test begin with: installs what is missing, builds what is older than its sources,
// then runs the command in this same process; on a Node that is too old, in one on the Node that was brought.
//   --prepare  runs nothing afterwards
//   --test     runs the tests (test.mjs)
//   --install  the same, and installs also into a folder that is somebody else’s
import { pathToFileURL } from 'node:url'
import { prepareBundle, program } from './build.mjs'
import { InstallError, installMissing, isOld, runOnBroughtNode } from './install.mjs'

const [, , command] = process.argv

try {
  installMissing({ asked: command === '--install' })
} catch (error) {
  if (!(error instanceof InstallError)) throw error
  console.error(error.message)
  process.exit(error.exitCode)
}

if (isOld()) process.exit(await runOnBroughtNode())
await prepareBundle()
if (command === '--test') await import('./test.mjs')
else if (command !== '--prepare' && command !== '--install') await import(pathToFileURL(program))
