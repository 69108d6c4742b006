import { channel } from 'node:diagnostics_channel'
import { hash, verify } from '@node-rs/argon2'
import { dictionary } from '@zxcvbn-ts/language-common'
import pLimit from 'p-limit'
import { z } from 'zod'
import { fold } from '../db/fold.ts'
import { Refusal } from '../web/errors.ts'

/** Algorithm 2 is argon2id. The cost is that of OWASP’s Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane. */
const cost = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Shorter ones are refused for their length. */
const commonest = new Set(dictionary.passwords.filter((password) => password.length >= 12))

/** Two at a time leave a core for everybody else; whoever finds a long queue is asked to come back. */
const hashing = pLimit(2)
const longestQueue = 32

/** Published when a hash begins: tests let things happen meanwhile. */
const hashes = channel('meshpanel:hash')

function queue<Result>(work: () => Promise<Result>): Promise<Result> {
  if (hashing.pendingCount >= longestQueue) {
    throw new Refusal(503, 'Too many log-ins at once', 'Wait some seconds, then try again.')
  }
  return hashing(() => {
    hashes.publish(undefined)
    return work()
  })
}

export function hashPassword(password: string): Promise<string> {
  return queue(() => hash(password.normalize('NFC'), cost))
}

let dummy: Promise<string> | undefined

/** Takes the same time for an unknown or deleted user (no hash) as for a wrong password. */
export async function verifyPassword(passwordHash: string | undefined, password: string): Promise<boolean> {
  dummy ??= hashPassword('nobody has this password')
  const against = passwordHash || (await dummy)
  const right = await queue(() => verify(against, password.normalize('NFC')))
  return right && Boolean(passwordHash)
}

/** A new password, by ASVS 5.0 §6.2: length counts, composition does not, and it is never cut. */
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
        .refine((password) => Buffer.byteLength(password) <= 256, 'Use at most 256 bytes.')
        .refine((password) => !isCommon(password), 'This is one of the commonest passwords. Choose another.'),
    )

function isCommon(password: string): boolean {
  const folded = fold(password)
  return commonest.has(folded) || new Set(folded).size < 4 || /^(.{1,11}?)\1+$/u.test(folded)
}

/** Why a password is too close to its owner or the product; undefined when it is not. */
export function tooClose(
  password: string,
  own: { name: string; email: string },
  panelName: string,
): string | undefined {
  const letters = (text: string) => fold(text).replaceAll(/[^\p{L}\p{N}]/gu, '')
  const bare = letters(password).replaceAll(/\p{N}+/gu, '')
  const words = [own.name, own.email, own.email.split('@')[0] ?? '', panelName, 'Meshpanel'].map(letters)
  const close = words.some(
    (word) => word.length > 2 && (bare === word.replaceAll(/\p{N}+/gu, '') || letters(password) === word),
  )
  return close ? 'This is your own name or e-mail, or the panel’s name. Choose another.' : undefined
}
