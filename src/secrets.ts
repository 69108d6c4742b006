import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { StartError } from './db/start-error.ts'

/** The installation's keys, all derived from one random value. */
export type Secrets = {
  cookies: string
  forms: string
  /** Seals what a browser keeps to show who has logged in with it. */
  browsers: Buffer
  seal: Buffer
  /** Earlier keys, for what the new key has not yet sealed: only while secrets are being rotated. */
  olderSeals: Buffer[]
}

/** The file of an installation's master key. A backup has its key next to it, under the same name. */
export const secretsFile = (dataDir: string) => join(dataDir, 'secrets')

/** A file of secrets that holds something else. */
export class DamagedSecrets extends StartError {}

/**
 * The master keys in a file: the one in use, and then, while secrets are being rotated, earlier ones. Throws a
 * StartError that names the file.
 */
export function readMasters(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new StartError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}). ${bringBack(file)}`)
  }
  const masters = text.trim().split('\n')
  if (!masters.every((master) => /^[\w-]{43}$/.test(master)))
    throw new DamagedSecrets(`${file} is damaged: it must hold 32 bytes as base64url. ${bringBack(file)}`)
  return masters
}

const bringBack = (file: string) =>
  basename(file) === 'secrets' ? 'Bring it back from a backup (its FILE.secrets).' : 'Take another copy of it.'

export function newMaster(): string {
  return randomBytes(32).toString('base64url')
}

export function deriveSecrets([master = '', ...older]: string[]): Secrets {
  const derive = (purpose: string, from = master) =>
    Buffer.from(hkdfSync('sha256', Buffer.from(from, 'base64url'), '', `meshpanel ${purpose}`, 32))
  return {
    cookies: derive('cookies').toString('base64'),
    forms: derive('forms').toString('base64'),
    browsers: derive('browsers'),
    seal: derive('seal'),
    olderSeals: older.map((one) => derive('seal', one)),
  }
}

/** Encrypts text with AES-256-GCM, for what must not be readable in a copy of the database. */
export function seal(secrets: Secrets, text: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', secrets.seal, nonce)
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return sealed.toString('base64url')
}

/** Opens what `seal` made. Throws when it was made with another key or was changed. */
export function unseal(secrets: Secrets, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64url')
  let wrong: unknown
  for (const key of [secrets.seal, ...secrets.olderSeals]) {
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
    } catch (error) {
      wrong = error
    }
  }
  throw wrong
}

/** The same, but undefined for what `unseal` throws on. */
export function unsealed(secrets: Secrets, sealed: string): string | undefined {
  try {
    return unseal(secrets, sealed)
  } catch {
    return undefined
  }
}

/** 256 random bits as base64url: a link's token. Only its hash is stored. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** SHA-256 as base64url: how tokens and session ids are stored. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
