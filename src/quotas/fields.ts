import { readAmount } from '../web/amounts.ts'
import { amount } from '../web/fields.ts'
import { withUnit } from '../web/format.ts'
import { type Form, newForm } from '../web/request/forms.ts'
import type { Quotas } from './arithmetic.ts'
import type { QuotaRequest } from './requests/data/reading.ts'
import type { Resource } from './resources/data.ts'

// Amounts in forms: what the fields hold, and how they are read.

/** A field for each resource, named by its key. */
export function amountFields(resources: Resource[], empty: string) {
  return Object.fromEntries(resources.map(({ key, unit }) => [key, amount(empty, unit).optional()]))
}

/** The amounts that such fields hold, by resource: what the form did not send is left out. */
export function readAmounts(input: Record<string, unknown>, resources: Resource[]): Map<number, number | null> {
  return new Map(
    resources.flatMap(({ id, key }) => {
      const value = input[key] as number | null | undefined
      return value === undefined ? [] : [[id, value] as const]
    }),
  )
}

/** What a field holds for an amount: with its unit where that is read as the same amount. No limit leaves it empty. */
export function amountText(value: number | null, { unit }: Pick<Resource, 'unit'>): string {
  if (value === null) return ''
  const text = withUnit(value, { unit })
  return value > 0 && readAmount(text, unit) === value ? text : String(value)
}

/** A form with the limits as they are. */
export function limitForm({ quotas, version }: Quotas): Form {
  const values = quotas.map(({ resource, own }) => [resource.key, amountText(own.limit, resource)])
  return newForm({ ...Object.fromEntries(values), version: String(version), remark: '' })
}

/** The form to approve a request: the amounts asked for, to be changed. */
export function approvalForm(request: QuotaRequest | undefined): Form {
  const values = request?.amounts.map(({ resource, asked }) => [resource.key, amountText(asked, resource)]) ?? []
  return newForm({ ...Object.fromEntries(values), comment: '' })
}
