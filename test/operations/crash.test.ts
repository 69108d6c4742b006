import t from 'tap'
import { crash } from '../proofs/crash.ts'

t.setTimeout(600_000)

t.test('a panel that is killed under 16 writers loses no write that it answered, 8 times', async (t) => {
  const report = await crash(8)
  t.comment(`seed ${report.seed}`)
  t.same(report.broken, [])
  t.equal(report.restarts.length, 8)
  // A busy machine answers few before it is killed.
  t.ok(report.acknowledged > 0, `${report.acknowledged} writes were acknowledged`)
})
