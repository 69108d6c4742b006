import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Access, type Place, readPlace } from './elsewhere/place.ts'
import { readSmtpUrl, type SmtpOptions } from './mail/smtp-url.ts'

export type Config = {
  publicUrl: string
  /** The panel is reached by https, through a reverse proxy. */
  https: boolean
  host: string
  port: number
  dataDir: string
  smtp: SmtpOptions | undefined
  mailFrom: { name: string; address: string }
  supportEmail: string | undefined
  panelName: string
  trustProxy: string[]
  twoFactor: 'support' | 'partners' | 'optional'
  logLevel: string
  /** Whoever shows it may read /metrics. */
  metricsToken: string | undefined
  /** 0 when the panel makes no backups by itself. */
  backupEveryHours: number
  /** So many of the backups that it makes by itself are kept. */
  backupKeep: number
  /** Where backups are copied to. */
  backupTo: Place | undefined
  /** Where Litestream keeps a replica of the database. */
  replicateTo: Place | undefined
  /** How far back the replica goes. */
  replicateKeepHours: number
  /** What places share, for one that a command names. */
  access: Access
}

/** Some variables of the environment, for a program that is started: never all of them, since some are secrets. */
export function environmentOf(...names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

/** The folder of package.json: this file lies one folder below it, and so does the bundle. */
export const root = fileURLToPath(new URL('..', import.meta.url))

export class ConfigError extends Error {}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
const twoFactors = ['support', 'partners', 'optional'] as const

/**
 * Reads the settings from environment variables; the README lists them.
 * `defaults` stand in for what is not given.
 * Throws a ConfigError that names the variable.
 */
export function readConfig(defaults: NodeJS.ProcessEnv = {}, given: NodeJS.ProcessEnv = process.env): Config {
  const environment = { ...defaults, ...given }
  const value = (name: string) => environment[name]?.trim() || undefined
  /** A secret stands in the variable, or in the file that NAME_FILE names. */
  const secret = (name: string) => {
    const file = value(`${name}_FILE`)
    if (file === undefined) return value(name)
    if (value(name) !== undefined) throw new ConfigError(`${name} and ${name}_FILE are both set. Keep one of them.`)
    try {
      return readFileSync(file, 'utf8').trim() || undefined
    } catch (error) {
      throw new ConfigError(
        `${name}_FILE names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code}).`,
      )
    }
  }
  const wrong = (name: string, rule: string) => new ConfigError(`${name} ${rule} It is “${value(name)}”.`)

  const port = Number(value('PORT') ?? '3000')
  if (!/^\d{1,5}$/.test(value('PORT') ?? '3000') || port > 65535)
    throw wrong('PORT', 'must be a number from 0 to 65535.')

  const publicUrl = value('PUBLIC_URL') ?? `http://localhost:${port}`
  if (!URL.canParse(publicUrl)) throw wrong('PUBLIC_URL', 'must be an address such as https://panel.example.com.')
  const { protocol, origin, pathname, search, hash } = new URL(publicUrl)
  if (!['http:', 'https:'].includes(protocol) || pathname !== '/' || search || hash) {
    throw wrong('PUBLIC_URL', 'must be https://HOST or http://HOST, without a path.')
  }

  let smtp: SmtpOptions | undefined
  try {
    const smtpUrl = secret('SMTP_URL')
    smtp = smtpUrl === undefined ? undefined : readSmtpUrl(smtpUrl)
  } catch (error) {
    // The value may hold a password, so it is not repeated.
    throw new ConfigError(`SMTP_URL ${(error as Error).message}`)
  }

  const supportEmail = value('SUPPORT_EMAIL')
  if (supportEmail && !/^[^\s@,<>]+@[^\s@,<>]+$/.test(supportEmail))
    throw wrong('SUPPORT_EMAIL', 'must be one e-mail address.')

  const panelName = value('PANEL_NAME') ?? 'Meshpanel'
  if (panelName.length > 40) throw wrong('PANEL_NAME', 'must have at most 40 characters.')

  const mailFrom = readAddress(value('MAIL_FROM') ?? `${panelName} <no-reply@${new URL(publicUrl).hostname}>`)
  if (!mailFrom) throw wrong('MAIL_FROM', 'must be an address such as “Panel <panel@example.com>”.')

  const trustProxy = (value('TRUST_PROXY') ?? '').split(/[\s,]+/).filter(Boolean)
  if (!trustProxy.every(isAddressOrRange))
    throw wrong('TRUST_PROXY', 'must list IP addresses, such as 127.0.0.1 or 10.0.0.0/8.')

  const logLevel = value('LOG_LEVEL') ?? 'info'
  if (!logLevels.includes(logLevel)) throw wrong('LOG_LEVEL', `must be one of ${logLevels.join(', ')}.`)

  const twoFactor = twoFactors.find((known) => known === (value('TWO_FACTOR') ?? 'support'))
  if (!twoFactor) throw wrong('TWO_FACTOR', `must be one of ${twoFactors.join(', ')}.`)

  const access: Access = {
    sftpKeyFile: value('SFTP_KEY_FILE'),
    sftpKnownHostsFile: value('SFTP_KNOWN_HOSTS_FILE'),
    s3Endpoint: value('S3_ENDPOINT'),
    awsRegion: value('AWS_REGION'),
    awsAccessKeyId: value('AWS_ACCESS_KEY_ID'),
    awsSecretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
  }
  const place = (name: string) => {
    const given = value(name)
    return given === undefined ? undefined : readPlaceSetting(name, given, access)
  }
  const replicateTo = place('REPLICATE_TO')
  if (replicateTo?.kind === 'sftp' && !access.sftpKeyFile)
    throw new ConfigError('REPLICATE_TO is sftp://: set SFTP_KEY_FILE, too, since Litestream needs the key itself.')

  const metricsToken = secret('METRICS_TOKEN')
  if (metricsToken && !/^[\x21-\x7e]{16,}$/.test(metricsToken))
    throw new ConfigError('METRICS_TOKEN must have at least 16 characters, of ASCII and without spaces.')
  const whole = (name: string, usual: number, least: number, most: number) => {
    const text = value(name) ?? String(usual)
    if (!/^\d{1,6}$/.test(text) || Number(text) < least || Number(text) > most)
      throw wrong(name, `must be a whole number from ${least} to ${most}.`)
    return Number(text)
  }

  return {
    publicUrl: origin,
    https: protocol === 'https:',
    // Node listens on an IPv6 address without its brackets.
    host: (value('HOST') ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'),
    port,
    dataDir: value('DATA_DIR') ?? 'data',
    smtp,
    mailFrom,
    supportEmail,
    panelName,
    trustProxy,
    twoFactor,
    logLevel,
    metricsToken,
    backupEveryHours: whole('BACKUP_EVERY_HOURS', 24, 0, 8_760),
    backupKeep: whole('BACKUP_KEEP', 30, 1, 10_000),
    backupTo: place('BACKUP_TO'),
    replicateTo,
    replicateKeepHours: whole('REPLICATE_KEEP_HOURS', 24, 1, 8_760),
    access,
  }
}

/** Reads a place that a setting or an option names. Throws a ConfigError that names it. */
export function readPlaceSetting(name: string, given: string, access: Access): Place {
  try {
    return readPlace(given, access)
  } catch (error) {
    throw new ConfigError(`${name} ${(error as Error).message}`)
  }
}

/** `NAME <ADDRESS>` or `ADDRESS`; the name may hold brackets of its own. */
function readAddress(text: string): { name: string; address: string } | undefined {
  const [, name = '', address] = /^(?:(.*?)\s*<)?([^\s@,<>]+@[^\s@,<>]+)>?$/.exec(text) ?? []
  return address === undefined ? undefined : { name: name.replace(/^"(.*)"$/, '$1'), address }
}

const known = [
  ...[
    'PUBLIC_URL',
    'HOST',
    'PORT',
    'DATA_DIR',
    'SMTP_URL',
    'SMTP_URL_FILE',
    'MAIL_FROM',
    'SUPPORT_EMAIL',
    'PANEL_NAME',
  ],
  ...[
    'TRUST_PROXY',
    'TWO_FACTOR',
    'LOG_LEVEL',
    'METRICS_TOKEN',
    'METRICS_TOKEN_FILE',
    'BACKUP_EVERY_HOURS',
    'BACKUP_KEEP',
  ],
  ...[
    'BACKUP_TO',
    'REPLICATE_TO',
    'REPLICATE_KEEP_HOURS',
    'SFTP_KEY_FILE',
    'SFTP_KNOWN_HOSTS_FILE',
    'S3_ENDPOINT',
    'AWS_REGION',
  ],
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SECRET_ACCESS_KEY_FILE'],
]

/** Variables that are set and one letter off a setting: `[what is set, what may be meant]`. */
export function misspeltSettings(environment: NodeJS.ProcessEnv = process.env): [string, string][] {
  return Object.keys(environment).flatMap((name) => {
    if (known.includes(name)) return []
    const meant = known.find((setting) => setting.length > 4 && isOneOff(name, setting))
    return meant ? [[name, meant] as [string, string]] : []
  })
}

/** One letter more, less or another, or two that changed places. */
function isOneOff(one: string, other: string): boolean {
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
