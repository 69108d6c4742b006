import { hash } from '@node-rs/argon2'
import * as z from 'zod'
import { cost, queueHash, queueVerify } from './hashing.ts'
import type { Attempt } from './throttle/data.ts'

/** Hashes a password; for those who ask over the network it waits for its turn. Throws a 503 when too many wait. */
export function hashPassword(password: string, asker?: Attempt): Promise<string> {
  const whole = password.normalize('NFC')
  return asker ? queueHash(whole, asker) : hash(whole, cost)
}

let dummy: Promise<string> | undefined

/** Takes the same time for an unknown or deleted user (no hash) as for a wrong password. Throws a 503 when too many wait. */
export async function verifyPassword(
  passwordHash: string | undefined,
  password: string,
  asker: Attempt,
): Promise<boolean> {
  dummy ??= hashPassword('nobody has this password')
  const against = passwordHash || (await dummy)
  const right = await queueVerify(against, password.normalize('NFC'), asker)
  return right && Boolean(passwordHash)
}

/** A new password, by ASVS 5.0 §6.2: length counts, composition does not, and it is never cut. `whyGuessable` judges it. */
export const newPassword = () =>
  z
    .string({ error: 'Choose a password.' })
    .min(1, 'Choose a password.')
    .transform((password) => password.normalize('NFC'))
    .pipe(
      z
        .string()
        .refine(
          (password) => [...password].length >= 12,
          'Use at least 12 characters. A few words in a row are easy to remember.',
        )
        .refine((password) => Buffer.byteLength(password) <= 256, 'Use at most 256 bytes.'),
    )
