import t from 'tap'
import { load } from '../proofs/load.ts'

t.setTimeout(600_000)

t.test('reads, writes and log-ins that come at a fixed rate are all answered', async (t) => {
  const { times, failed } = await load({ seconds: 5, perSecond: 60, partners: 5, customersEach: 80, usersEach: 3 })
  t.equal(failed, 0)
  t.equal([...times.values()].flat().length, 300)
})
