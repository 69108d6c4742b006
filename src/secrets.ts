import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The installation's keys, all derived from one random value. */
export type Secrets = { cookies: string; forms: string; seal: Buffer }

/** Reads DATA_DIR/secrets, a file that only its owner can read; makes it at the first start. */
export function openSecrets(dataDir: string): Secrets {
  const file = join(dataDir, 'secrets')
  try {
    writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const master = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url')
  if (master.length !== 32) throw new Error(`${file} is damaged: it must hold 32 bytes as base64url.`)

  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', master, '', `meshpanel ${purpose}`, 32))
  return {
    cookies: derive('cookies').toString('base64'),
    forms: derive('forms').toString('base64'),
    seal: derive('seal'),
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
  const decipher = createDecipheriv('aes-256-gcm', secrets.seal, bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(-16))
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
}

/** 256 random bits as base64url: a link's token. Only its hash is stored. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** SHA-256 as base64url: how tokens and session ids are stored. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
