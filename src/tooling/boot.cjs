// What dist/meshpanel.cjs and the executable begin with. The panel’s files are packed into the same file (package.mjs
// puts them in the place of PACK); they are unpacked once, into a folder named by their hash, and run there.
'use strict'
const { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { homedir, tmpdir } = require('node:os')
const { dirname, join } = require('node:path')
const { brotliDecompressSync } = require('node:zlib')

const { hash, made, files, packed } = PACK

const here = { node: process.versions.node, system: `${process.platform}-${process.arch}` }
if (Number.parseInt(here.node, 10) < made.floor || here.system !== made.system) {
  console.error(
    `This file runs with Node ${made.floor} or newer on ${made.system}; this is Node ${here.node} on ${here.system}. The executable brings its own Node.`,
  )
  process.exit(2)
}

const folder = unpack()
process.argv[1] = join(folder, 'dist/panel.mjs')
// Inside of an executable require() and import() know Node’s own modules alone; those of start.cjs know files too.
createRequire(join(folder, 'package.json'))('./dist/start.cjs').catch((error) => {
  console.error(error)
  process.exit(1)
})

/** Returns the folder that holds the panel’s files, whole. */
function unpack() {
  for (const cache of caches()) {
    const folder = join(cache, hash)
    try {
      mkdirSync(cache, { recursive: true, mode: 0o700 })
      if (!isOurs(cache)) continue
      if (isWhole(folder)) return folder
      const fresh = mkdtempSync(`${folder}-`)
      write(fresh)
      rmSync(folder, { recursive: true, force: true })
      renameSync(fresh, folder)
      return folder
    } catch {
      // Another process was first, or nothing can be written there.
      if (isOurs(cache) && isWhole(folder)) return folder
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'meshpanel-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  write(folder)
  return folder
}

/** systemd names a folder by CACHE_DIRECTORY; else it is the user’s own. Never one that all users share. */
function caches() {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env
  const found = []
  if (CACHE_DIRECTORY) found.push(CACHE_DIRECTORY.split(':', 1)[0])
  if (XDG_CACHE_HOME) found.push(join(XDG_CACHE_HOME, 'meshpanel'))
  try {
    found.push(join(homedir(), '.cache/meshpanel'))
  } catch {
    // A user without a home.
  }
  return found
}

/** What lies there is run, so nobody else but root may have written it. */
function isOurs(folder) {
  if (!existsSync(folder)) return false
  const { uid, mode } = statSync(folder)
  return process.platform === 'win32' || ([process.getuid(), 0].includes(uid) && (mode & 0o022) === 0)
}

/** A file may be missing after a power cut, or where a cleaner went through. */
function isWhole(folder) {
  if (!existsSync(folder) || !isOurs(folder)) return false
  return files.every(([file, size]) => statSync(join(folder, file), { throwIfNoEntry: false })?.size === size)
}

function write(folder) {
  const bytes = brotliDecompressSync(Buffer.from(packed, 'base64'))
  let at = 0
  for (const [file, size] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true, mode: 0o755 })
    writeFileSync(join(folder, file), bytes.subarray(at, at + size))
    at += size
  }
}
