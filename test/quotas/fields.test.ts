import t from 'tap'
import { amountText } from '../../src/quotas/fields.ts'
import { readAmount } from '../../src/web/amounts.ts'
import { forReader } from '../../src/web/reader.ts'

t.test('what a field shows is read as the same amount, in every unit and way to write numbers', async (t) => {
  for (const numbers of ['', 'point', 'space'] as const)
    for (const unit of ['', 'KiB', 'MiB', 'GiB', 'TiB', 'MB', 'GB', 'seats', 'm²', 'GPU hours', '%'])
      for (const value of [0, 1, 512, 999, 1_000, 1_024, 1_536, 32_768, 1_048_576, 999_999_999])
        forReader({ timeZone: '', numbers }, () => {
          const text = amountText(value, { unit })
          if (readAmount(text, unit) !== value) t.fail(`${text} is not ${value} ${unit} (${numbers})`)
        })
  t.equal(amountText(32_768, { unit: 'MiB' }), '32 GB')
  t.equal(amountText(1_536, { unit: 'MiB' }), '1,536 MiB')
  t.equal(amountText(0, { unit: 'MiB' }), '0')
  t.equal(amountText(null, { unit: 'MiB' }), '')
  t.equal(amountText(12, { unit: 'm²' }), '12 m²')
})
