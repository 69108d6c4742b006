import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

// A token: mpp_ for a person’s or mps_ for a service user’s, 32 characters of 0-9A-Za-z (190 random bits), and 6 of a CRC-32
// of what comes before.
// Programs that look for leaked secrets know it by its form; a mistyped one is refused without a look at the database.

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export function newApiToken(of: 'person' | 'service user'): string {
  const prefix = of === 'person' ? 'mpp_' : 'mps_'
  const random = Array.from({ length: 32 }, () => letters[randomInt(letters.length)]).join('')
  return `${prefix}${random}${checksum(prefix + random)}`
}

/** Whether a text has the form of a token, its checksum included. */
export function isApiToken(text: string): boolean {
  return /^mp[ps]_[0-9A-Za-z]{38}$/.test(text) && checksum(text.slice(0, -6)) === text.slice(-6)
}

/** Six digits of base 62. */
function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let place = 0; place < 6; place++) {
    digits = letters[rest % letters.length] + digits
    rest = Math.floor(rest / letters.length)
  }
  return digits
}
