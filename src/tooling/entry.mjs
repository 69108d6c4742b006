#!/usr/bin/env -S node --max-semi-space-size=8
// dist/meshpanel.mjs: says in one line that Node is too old, and else runs the bundle beside it, which such a Node would
// not even read.
import { readFileSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const [floor] = /\d+/.exec(engines.node)
if (Number.parseInt(process.versions.node, 10) < Number(floor)) {
  console.error(
    `Meshpanel needs Node ${floor} or newer; this is Node ${process.versions.node}. The executable brings its own.`,
  )
  process.exit(2)
}
// From the second start on V8 reads what it compiled at the first, where this folder may be written.
module.enableCompileCache(fileURLToPath(new URL('compiled', import.meta.url)))
await import('./panel.mjs')
