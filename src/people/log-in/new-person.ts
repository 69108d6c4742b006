import * as z from 'zod'
import { listRecentAccounts } from '../../accounts/data/switcher.ts'
import type { UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { emailKey, personName } from '../../web/fields.ts'
import type { ReadForm } from '../../web/request/forms.ts'
import type { User } from '../data/users.ts'
import { type Owner, whyGuessable } from './guessable.ts'
import { hashPassword, newPassword, verifyPassword } from './passwords.ts'

/** What a new person enters, besides an e-mail that is known or also asked for. */
export const newPersonFields = {
  name: personName(),
  password: newPassword(),
  repeated: z.string({ error: 'Repeat the password.' }),
}

/** A new password and its repetition, without a name: for a user who is there already. */
export const passwordChoice = z.strictObject({
  password: newPersonFields.password,
  repeated: newPersonFields.repeated,
})

/** A password is judged by so many of its owner’s accounts. */
const mostAccounts = 100

/** Whose new password a user’s is. */
export function ownerOf(db: Db, { id, name, email }: Pick<User, 'id' | 'name' | 'email'>): Owner {
  return { name, email, accounts: listRecentAccounts(db, id, mostAccounts).map((account) => account.name) }
}

/**
 * Hashes the password of a form, unless it is easy to guess, was repeated differently or matches the hash `earlier`:
 * then the form says so. `from` is the address of the person who follows a link, or the user in a session. Undefined if
 * the form has errors.
 */
export async function readNewPassword(
  form: ReadForm<{ password: string; repeated: string }>,
  {
    owner,
    panelName,
    from,
    earlier,
  }: { owner: Owner; panelName: string; from: string | { userId: UserId }; earlier?: string | undefined },
): Promise<string | undefined> {
  if (!form.input) return undefined
  const { password, repeated } = form.input
  const guessable = await whyGuessable(password, owner, panelName)
  if (guessable) form.errors.password = guessable
  if (repeated.normalize('NFC') !== password) form.errors.repeated = 'The two passwords differ.'
  if (guessable || form.errors.repeated) return undefined
  const asker = {
    account: `new password ${emailKey(owner.email)}`,
    ...(typeof from === 'string' ? { address: from } : { address: undefined, owner: from.userId }),
  }
  if (earlier !== undefined && (await verifyPassword(earlier, password, asker))) {
    form.errors.password = 'This was the password before. Choose a new one.'
    return undefined
  }
  return hashPassword(password, asker)
}

/** The typed passwords are never sent back into a page. */
export function withoutPasswords<Given extends { values: Record<string, unknown> }>(form: Given): Given {
  const { password, repeated, current, ...values } = form.values
  return { ...form, values }
}
