import { z } from 'zod'
import { personName } from '../web/fields.ts'
import type { ReadForm } from '../web/forms.ts'
import { hashPassword, newPassword, tooClose } from './passwords.ts'

/** What a new person enters, beside an e-mail that is known or asked for too. */
export const newPersonFields = {
  name: personName(),
  password: newPassword(),
  repeated: z.string({ error: 'Repeat the password.' }),
}

/**
 * Hashes the password of a form, unless it is too close to its owner or was not repeated alike: then
 * the form says so. Undefined where the form has errors.
 */
export async function readNewPassword(
  form: ReadForm<{ password: string; repeated: string }>,
  owner: { name: string; email: string },
  panelName: string,
): Promise<string | undefined> {
  if (!form.input) return undefined
  const { password, repeated } = form.input
  const close = tooClose(password, owner, panelName)
  if (close) form.errors.password = close
  if (repeated.normalize('NFC') !== password) form.errors.repeated = 'The two passwords differ.'
  return close || form.errors.repeated ? undefined : hashPassword(password)
}

/** The typed passwords are never sent back into a page. */
export function withoutPasswords<Given extends { values: Record<string, unknown> }>(form: Given): Given {
  const { password, repeated, current, ...values } = form.values
  return { ...form, values }
}
