// node test/proofs/timing.ts [TRIES=200]
// Log-in and password reset take as long for an unknown address as for a known one: medians within 5 %.
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { cast } from '../../src/demo.ts'
import { castDatabase, newFolder } from '../harness.ts'
import { startProcess } from '../process.ts'
import { pause } from '../smtp.ts'
import { randomFrom } from './random.ts'

const tries = Number(process.argv[2] ?? 200)
const dataDir = newFolder()
copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
const panel = await startProcess(dataDir, { settings: { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent' } })
const sqlite = new Database(join(dataDir, 'panel.db'), { timeout: 5_000 })
const forgetTries = sqlite.prepare('DELETE FROM throttles')
let worst = 1
const random = randomFrom(Date.now())

for (const [what, path, button, fields] of [
  ['log-in', '/login', 'Log in', { password: 'not the password' }],
  ['password reset', '/password-reset', 'Send link', {}],
] as const) {
  const client = panel.visit()
  const page = await client.open(path)
  const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] }
  // The first ones warm up.
  for (let n = -40; n < tries * 2; n++) {
    // In random order: what a try leaves behind (a warm cache) must not fall to the other kind alone.
    const kind = random() < 0.5 ? 'known' : 'unknown'
    const email = kind === 'known' ? cast.tom.email : `tom${n + 40}@acme.example`
    forgetTries.run()
    // What the panel put off until after its answer is done before the next try begins.
    await pause(60)
    const began = performance.now()
    const answer = await client.press(page, button, { ...fields, email })
    if (n >= 0) times[kind].push(performance.now() - began)
    if (answer.status === 429) throw new Error('a try was throttled')
  }
  const [known, unknown] = [median(times.known), median(times.unknown)]
  const ratio = Math.max(known, unknown) / Math.min(known, unknown)
  worst = Math.max(worst, ratio)
  console.log(`${what}: known ${known.toFixed(2)} ms, unknown ${unknown.toFixed(2)} ms, ratio ${ratio.toFixed(3)}`)
}

sqlite.close()
await panel.stop()
rmSync(dataDir, { recursive: true, force: true })
process.exit(worst <= 1.05 ? 0 : 1)

function median(times: number[]): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}
