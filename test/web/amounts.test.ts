import t from 'tap'
import { readAmount } from '../../src/web/amounts.ts'

t.test('amounts are read as people write them', async (t) => {
  for (const [text, unit, amount] of [
    ['0', '', 0],
    ['12', '', 12],
    ['1,000', '', 1_000],
    ['1 000', '', 1_000],
    ['1\u202f000\u202f000', '', 1_000_000],
    ['1’000', '', 1_000],
    ['32 GB', 'MiB', 32 * 1_024],
    ['32GiB', 'MiB', 32 * 1_024],
    ['32 gb', 'GB', 32],
    ['1.5 GB', 'MiB', 1_536],
    ['1,5 GB', 'MiB', 1_536],
    ['2 TB', 'GB', 2_000],
    ['512', 'MiB', 512],
    ['1,024 MiB', 'MiB', 1_024],
    ['0.25 TB', 'GB', 250],
    ['3 seats', 'seats', 3],
  ] as const)
    t.equal(readAmount(text, unit), amount, `${text} in ${unit}`)
})

t.test('what can be meant in two ways, or is no whole number of the unit, is not read', async (t) => {
  for (const [text, unit] of [
    ['1.000', ''],
    ['1.5', ''],
    ['1,5', 'MiB'],
    ['10,00', ''],
    ['1,000 000', ''],
    ['1,0000', ''],
    ['0,100', ''],
    ['1 GB', ''],
    ['1 apple', 'seats'],
    ['1 B', 'MiB'],
    ['1 GiB', 'GB'],
    ['1 TiB', 'GB'],
    ['1 PB', 'B'],
    ['999999999 GB', 'MiB'],
    ['1000000000', ''],
    ['007', ''],
    ['-1', ''],
    ['+1', ''],
    ['1e3', ''],
    ['0x10', ''],
    ['٣', ''],
    ['１', ''],
    ['GB', 'GB'],
    ['', ''],
  ] as const)
    t.equal(readAmount(text, unit), undefined, `${text} in ${unit}`)
})
