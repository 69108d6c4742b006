import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'

export class ConfigError extends Error {}

/** Every setting. A secret may be in a file instead, which NAME_FILE names. */
export const settings = {
  PUBLIC_URL: 'plain',
  HOST: 'plain',
  PORT: 'plain',
  DATA_DIR: 'plain',
  SMTP_URL: 'secret',
  MAIL_FROM: 'plain',
  SUPPORT_EMAIL: 'plain',
  PANEL_NAME: 'plain',
  TRUST_PROXY: 'plain',
  TWO_FACTOR: 'plain',
  PARTNER_REQUESTS: 'plain',
  OUTSIDE_ALLOW: 'plain',
  LOG_LEVEL: 'plain',
  METRICS_TOKEN: 'secret',
  BACKUP_EVERY_HOURS: 'plain',
  BACKUP_KEEP: 'plain',
  BACKUP_TO: 'plain',
  REPLICATE_TO: 'plain',
  REPLICATE_KEEP_HOURS: 'plain',
  SFTP_KEY_FILE: 'plain',
  SFTP_KNOWN_HOSTS_FILE: 'plain',
  S3_ENDPOINT: 'plain',
  AWS_REGION: 'plain',
  AWS_ACCESS_KEY_ID: 'plain',
  AWS_SECRET_ACCESS_KEY: 'secret',
} as const satisfies Record<string, 'plain' | 'secret'>

export type Setting = keyof typeof settings

/** The environment variables that the panel reads, those that name files among them. */
export const settingNames: string[] = Object.entries(settings).flatMap(([name, kind]) =>
  kind === 'secret' ? [name, `${name}_FILE`] : [name],
)

/** `NAME <ADDRESS>` or `ADDRESS`; the name may hold brackets of its own. */
export function readAddress(text: string): { name: string; address: string } | undefined {
  const [, name = '', address] = /^(?:(.*?)\s*<)?([^\s@,<>]+@[^\s@,<>]+)>?$/.exec(text) ?? []
  return address === undefined ? undefined : { name: name.replace(/^"(.*)"$/, '$1'), address }
}

/** In bytes; far more than any secret has. */
const largestSecret = 64 * 1024

/** A secret is in the variable, or in the file that NAME_FILE names. */
export function secretValue(name: Setting, typed: (name: string) => string | undefined): string | undefined {
  const variable = `${name}_FILE`
  const file = typed(variable)
  if (file === undefined) return typed(name)
  if (typed(name) !== undefined) throw new ConfigError(`${name} and ${variable} are both set. Keep one of them.`)
  const wrong = (why: string) => new ConfigError(`${variable} names ${file}, ${why}.`)
  let text: string
  try {
    const { size } = statSync(file)
    if (size > largestSecret) throw wrong('which is larger than 64 KiB')
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw wrong(`which cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if (text === '') throw wrong('which is empty')
  return text
}

/** One letter more, less or another, or two that changed places. */
export function isOneOff(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 1) return false
  let same = 0
  while (same < one.length && one[same] === other[same]) same++
  const [restOfOne, restOfOther] = [one.slice(same), other.slice(same)]
  return (
    restOfOne.slice(1) === restOfOther.slice(1) ||
    restOfOne.slice(1) === restOfOther ||
    restOfOne === restOfOther.slice(1) ||
    (restOfOne[0] === restOfOther[1] && restOfOne[1] === restOfOther[0] && restOfOne.slice(2) === restOfOther.slice(2))
  )
}

export function isAddressOrRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (!version || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
