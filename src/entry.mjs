#!/usr/bin/env node
// dist/meshpanel.mjs: says in one line that Node is too old, and else runs the bundle beside it, which such a Node would
// not even read.
import { readFileSync } from 'node:fs'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const [floor] = /\d+/.exec(engines.node)
if (Number.parseInt(process.versions.node, 10) < Number(floor)) {
  console.error(
    `Meshpanel needs Node ${floor} or newer; this is Node ${process.versions.node}. The executable brings its own.`,
  )
  process.exit(2)
}
await import('./panel.mjs')
