import { z } from 'zod'
import { listRecentAccounts, type User } from '../accounts/data.ts'
import type { Db } from '../db/open.ts'
import { emailKey, personName } from '../web/fields.ts'
import type { ReadForm } from '../web/forms.ts'
import { type Owner, whyGuessable } from './guessable.ts'
import { hashPassword, newPassword } from './passwords.ts'

/** What a new person enters, beside an e-mail that is known or asked for too. */
export const newPersonFields = {
  name: personName(),
  password: newPassword(),
  repeated: z.string({ error: 'Repeat the password.' }),
}

/** A password is judged by so many of its owner’s accounts. */
const mostAccounts = 100

/** Whose new password a user’s is. */
export function ownerOf(db: Db, { id, name, email }: Pick<User, 'id' | 'name' | 'email'>): Owner {
  return { name, email, accounts: listRecentAccounts(db, id, mostAccounts).map((account) => account.name) }
}

/**
 * Hashes the password of a form, unless it is easy to guess or was not repeated alike: then the form
 * says so. `from` is the address of whoever follows a link, or the user in a session. Undefined where the
 * form has errors.
 */
export async function readNewPassword(
  form: ReadForm<{ password: string; repeated: string }>,
  owner: Owner,
  panelName: string,
  from: string | { userId: number },
): Promise<string | undefined> {
  if (!form.input) return undefined
  const { password, repeated } = form.input
  const guessable = whyGuessable(password, owner, panelName)
  if (guessable) form.errors.password = guessable
  if (repeated.normalize('NFC') !== password) form.errors.repeated = 'The two passwords differ.'
  if (guessable || form.errors.repeated) return undefined
  return hashPassword(password, {
    account: `new password ${emailKey(owner.email)}`,
    ...(typeof from === 'string' ? { address: from } : { address: undefined, owner: from.userId }),
  })
}

/** The typed passwords are never sent back into a page. */
export function withoutPasswords<Given extends { values: Record<string, unknown> }>(form: Given): Given {
  const { password, repeated, current, ...values } = form.values
  return { ...form, values }
}
