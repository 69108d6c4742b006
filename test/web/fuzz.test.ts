import t from 'tap'
import { fuzz } from '../proofs/fuzz.ts'

t.setTimeout(600_000)

t.test('nonsense to every route: no 5xx, whole HTML, and GET changes nothing', async (t) => {
  const report = await fuzz(t, 40, 1)
  t.comment(`seed ${report.seed}, the slowest took ${report.slowest.toFixed(0)} ms`)
  t.same(report.broken, [])
  t.ok(report.handled.n > report.handled.of / 2, `${report.handled.n} of ${report.handled.of} forms were handled`)
  t.ok(report.requests > 2_500, `${report.requests} requests`)
})
