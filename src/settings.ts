import { Resolver } from 'node:dns'
import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import * as z from 'zod'
import { readSmtpUrl } from './mail/smtp-url.ts'

export class ConfigError extends Error {}

/** In bytes: what the operating system takes (unix(7)). */
const longestSocket = 107

// A rule goes on from the name of its setting.
const text = (holds: (text: string) => boolean, rule: string) => z.string().refine(holds, { error: rule, abort: true })
const oneOf = <const T extends string>(values: readonly T[], usual: NoInfer<T>) =>
  z.enum(values, `must be one of ${values.join(', ')}.`).default(usual)
const whole = (usual: number, least: number, most: number, rule = `must be a whole number from ${least} to ${most}.`) =>
  text((text) => /^\d{1,6}$/.test(text) && Number(text) >= least && Number(text) <= most, rule)
    .transform(Number)
    .default(usual)
const file = text(
  (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  'must name a file that is there.',
)
const addresses = z
  .string()
  .transform((list) => list.split(/[\s,]+/).filter(Boolean))
  .refine((list) => list.every(isAddressOrRange), 'must list IP addresses, such as 127.0.0.1 or 10.0.0.0/8.')
  .default([])
const printable = /^[\x21-\x7e]+$/
const ascii = text((text) => printable.test(text), 'must be of ASCII and without spaces.')

/** Every setting: its rule, and what it is where it is not given. */
const settings = z.object({
  PUBLIC_URL: text(URL.canParse, 'must be an address such as https://panel.example.com.')
    .refine(mayBePanel, 'must be https://HOST or http://HOST, and may have a path such as /panel.')
    .optional(),
  HOST: z
    .string()
    .refine(mayBeHost, `must be an address, a name, or unix:/PATH of at most ${longestSocket} bytes.`)
    // Node listens on an IPv6 address without its brackets.
    .transform((host) => host.replace(/^\[(.*)\]$/, '$1'))
    .default('127.0.0.1'),
  PORT: whole(3000, 0, 65_535, 'must be a number from 0 to 65535.'),
  DATA_DIR: z.string().default('data'),
  SMTP_URL: z
    .string()
    .transform((url, context) => {
      try {
        return readSmtpUrl(url)
      } catch (error) {
        context.addIssue((error as Error).message)
        return z.NEVER
      }
    })
    .optional(),
  MAIL_FROM: z
    .string()
    .transform(readAddress)
    .refine((from) => from !== undefined, 'must be an address such as “Panel <panel@example.com>”.')
    .optional(),
  SUPPORT_EMAIL: text((text) => /^[^\s@,<>]+@[^\s@,<>]+$/.test(text), 'must be one e-mail address.').optional(),
  PANEL_NAME: text(isShortLine, 'must have at most 40 characters, on one line.').default('Meshpanel'),
  TRUST_PROXY: addresses,
  TWO_FACTOR: oneOf(['support', 'partners', 'optional'], 'support'),
  PARTNER_REQUESTS: oneOf(['direct', 'everyone', 'nobody'], 'direct'),
  OUTSIDE_ALLOW: addresses,
  OIDC_ISSUER: text(
    mayBeIssuer,
    'must be an https address without a query, such as https://login.example.com.',
  ).optional(),
  OIDC_CLIENT_ID: ascii.optional(),
  OIDC_CLIENT_SECRET: ascii.optional(),
  OIDC_NAME: text(isShortLine, 'must have at most 40 characters, on one line.').optional(),
  OIDC_EMAIL_TRUSTED: oneOf(['no', 'yes'], 'no'),
  OIDC_SECOND_FACTOR: text((value) => printable.test(value), 'must be no, yes, or an amr or acr value.').default('no'),
  OIDC_ONLY: oneOf(['no', 'yes'], 'no'),
  DNS_SERVERS: z
    .string()
    .transform((list) => list.split(/[\s,]+/).filter(Boolean))
    .refine(mayBeNameServers, 'must list addresses of name servers, such as 10.0.0.53 or 10.0.0.53:5353.')
    .default([]),
  LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
  METRICS_TOKEN: text(
    (token) => token.length >= 16 && printable.test(token),
    'must have at least 16 characters, of ASCII and without spaces.',
  ).optional(),
  BACKUP_EVERY_HOURS: whole(24, 0, 8_760),
  BACKUP_KEEP: whole(30, 1, 10_000),
  BACKUP_TO: z.string().optional(),
  REPLICATE_TO: z.string().optional(),
  REPLICATE_KEEP_HOURS: whole(24, 1, 8_760),
  SFTP_KEY_FILE: file.optional(),
  SFTP_KNOWN_HOSTS_FILE: file.optional(),
  S3_ENDPOINT: text(
    (url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
    'must be an http or https address, such as https://s3.example.com.',
  ).optional(),
  AWS_REGION: text(
    (region) => /^[a-z0-9-]+$/.test(region),
    'must be the name of a region, such as eu-central-1.',
  ).optional(),
  AWS_ACCESS_KEY_ID: ascii.optional(),
  AWS_SECRET_ACCESS_KEY: ascii.optional(),
})

export type Setting = keyof typeof settings.shape
const names = Object.keys(settings.shape) as Setting[]

/** A secret may be in a file instead, which NAME_FILE names. */
const secrets: readonly Setting[] = ['SMTP_URL', 'METRICS_TOKEN', 'OIDC_CLIENT_SECRET', 'AWS_SECRET_ACCESS_KEY']
/** What may hold a password or a key is not repeated in an error. */
const unrepeated: readonly Setting[] = [...secrets, 'BACKUP_TO', 'REPLICATE_TO', 'AWS_REGION', 'AWS_ACCESS_KEY_ID']

/** The environment variables that the panel reads, those that name files among them. */
export const settingNames: string[] = names.flatMap((name) =>
  secrets.includes(name) ? [name, `${name}_FILE`] : [name],
)

/** What the environment sets, read by its rules. Throws a ConfigError with a line for each setting that is wrong. */
export function readSettings(environment: NodeJS.ProcessEnv): z.infer<typeof settings> {
  const typed = (name: string) => environment[name]?.trim() || undefined
  const values = Object.fromEntries(
    names.map((name) => [name, secrets.includes(name) ? secretValue(name, typed) : typed(name)]),
  )
  const { data, error } = settings.safeParse(values)
  if (data) return data
  const lines = error.issues.map(({ path, message }) => {
    const name = String(path[0]) as Setting
    return `${name} ${message}${unrepeated.includes(name) ? '' : ` It is “${values[name]}”.`}`
  })
  throw new ConfigError(lines.join('\n'))
}

/** It may have a path, and nothing after that. */
function mayBePanel(url: string): boolean {
  const { protocol, pathname, search, hash, username, password } = new URL(url)
  return /^https?:$/.test(protocol) && /^(\/[\w.~-]+)*\/*$/.test(pathname) && !search && !hash && !username && !password
}

function isShortLine(text: string): boolean {
  return text.length <= 40 && !/\p{Cc}/u.test(text)
}

export const isLoopback = (hostname: string) => /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)

/** OpenID Connect Discovery 1.0, 3: https, and no query. Plain http only on the same machine. */
function mayBeIssuer(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, search, hash, username, password } = new URL(url)
  const secure = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
  return secure && !search && !hash && !username && !password
}

function mayBeNameServers(servers: string[]): boolean {
  try {
    new Resolver().setServers(servers)
    return true
  } catch {
    return false
  }
}

function mayBeHost(host: string): boolean {
  const socket = socketOf(host)
  return socket === undefined || (isAbsolute(socket) && Buffer.byteLength(socket) <= longestSocket)
}

/** The path of the socket that HOST names. */
export function socketOf(host: string): string | undefined {
  return /^unix:(.*)$/.exec(host)?.[1]
}

/** `NAME <ADDRESS>` or `ADDRESS`; the name may hold brackets of its own. */
function readAddress(text: string): { name: string; address: string } | undefined {
  const [, name = '', address] = /^(?:(.*?)\s*<)?([^\s@,<>]+@[^\s@,<>]+)>?$/.exec(text) ?? []
  return address === undefined ? undefined : { name: name.replace(/^"(.*)"$/, '$1'), address }
}

/** In bytes; far more than any secret has. */
const largestSecret = 64 * 1024

/** A secret is in the variable, or in the file that NAME_FILE names. */
function secretValue(name: Setting, typed: (name: string) => string | undefined): string | undefined {
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

function isAddressOrRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (!version || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
