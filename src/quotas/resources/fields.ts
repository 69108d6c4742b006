import * as z from 'zod'
import { line, optionalLine } from '../../web/fields.ts'

/** Names of other fields in the forms that hold a field for each resource. */
const reserved = ['version', 'remark', 'reason', 'project', 'comment', 'constructor']

export const resourceWords = {
  name: line('Enter the resource’s name.', 40).meta({ example: 'Snapshots' }),
  unit: optionalLine(12).meta({ example: 'GiB' }),
}

export const resourceKey = () =>
  z
    .string({ error: 'Enter a key.' })
    .trim()
    .refine(
      (key) => /^[a-z][a-z0-9_]{1,31}$/.test(key) && !reserved.includes(key),
      'A key takes 2–32 characters: a–z, 0–9 and _, beginning with a letter. It cannot be changed later.',
    )
    .meta({ minLength: 2, maxLength: 32, pattern: '^[a-z][a-z0-9_]{1,31}$', example: 'gateways' })
