import { randomBytes } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import { renderSVG } from 'uqr'

// RFC 6238 as every authenticator app knows it: SHA-1, six digits, 30 seconds.

const period = 30
const digits = 6

/** A new secret as base32. */
export function newSecret(): string {
  return new Secret({ size: 20 }).base32
}

/** What an app reads: the otpauth address, and its QR code as an image’s address. */
export function qrCode(secret: string, email: string, issuer: string): string {
  const uri = totp(secret, email, issuer).toString()
  return `data:image/svg+xml,${encodeURIComponent(renderSVG(uri, { border: 2 }))}`
}

/** The time step that a code belongs to: the current one or a neighbour, since clocks differ. Undefined when it is wrong. */
export function stepOf(secret: string, code: string, at: number): number | undefined {
  if (!/^[0-9]{6}$/.test(code)) return undefined
  const delta = totp(secret).validate({ token: code, window: 1, timestamp: at })
  return delta === null ? undefined : Math.floor(at / 1_000 / period) + delta
}

/** The last step that a code may belong to at this time. */
export const lastStep = (at: number) => Math.floor(at / 1_000 / period) + 1

function totp(secret: string, label = '', issuer = ''): TOTP {
  return new TOTP({ secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits, period, label, issuer })
}

/** Ten one-time codes of 60 random bits each, without letters that look alike. */
export function newRecoveryCodes(): string[] {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz023456789'
  return Array.from({ length: 10 }, () => [...randomBytes(12)].map((byte) => alphabet[byte % 32]).join(''))
}

/** In groups, as they are shown: abcd-efgh-jkmn */
export function grouped(code: string): string {
  return code.replaceAll(/(.{4})(?=.)/g, '$1-')
}
