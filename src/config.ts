import { statSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readSmtpUrl, type SmtpOptions } from './mail/smtp-url.ts'
import { type Place, type PlaceAccess, readPlace } from './operations/elsewhere/place.ts'
import {
  ConfigError,
  isAddressOrRange,
  isOneOff,
  readAddress,
  type Setting,
  secretValue,
  settingNames,
  settings,
} from './settings.ts'

export type Config = {
  /** Without a slash at its end. */
  publicUrl: string
  /** Its scheme, host and port. */
  origin: string
  /** Its path: '' or, where the panel shares its host, such as '/panel'. */
  base: string
  /** The panel is reached by https, through a reverse proxy. */
  https: boolean
  host: string
  port: number
  /** The path of the Unix socket to listen on, instead of host and port. */
  socket: string | undefined
  dataDir: string
  smtp: SmtpOptions | undefined
  mailFrom: { name: string; address: string }
  supportEmail: string | undefined
  panelName: string
  trustProxy: string[]
  /** Addresses and ranges that are not public, and to which the panel sends requests all the same. */
  outsideAllow: string[]
  twoFactor: 'support' | 'partners' | 'optional'
  /** Which customer accounts may ask to become a partner: all, those without one, or none. */
  partnerRequests: (typeof partnerRequests)[number]
  logLevel: string
  /** Requests with this token may read /metrics. */
  metricsToken: string | undefined
  /** 0 if the panel makes no backups automatically. */
  backupEveryHours: number
  /** How many of its automatic backups are kept. */
  backupKeep: number
  /** Where backups are copied to. */
  backupTo: Place | undefined
  /** Where Litestream keeps a replica of the database. */
  replicateTo: Place | undefined
  /** How far back the replica goes. */
  replicateKeepHours: number
  /** For development: views and public/ are read again for each page. */
  reload: boolean
  /** What places share, for one that a command names. */
  access: PlaceAccess
}

/** Some variables of the environment, for a program that is started: never all of them, since some are secrets. */
export function environmentOf(...names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

/** The folder of package.json: this file is one folder below it, and so is the bundle. */
export const root = fileURLToPath(new URL('..', import.meta.url))

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
const twoFactors = ['support', 'partners', 'optional'] as const
const partnerRequests = ['direct', 'everyone', 'nobody'] as const

/**
 * Reads the settings from environment variables; the README lists them.
 * `defaults` replace settings that are not given.
 * Throws a ConfigError that names the variable.
 */
export function readConfig(defaults: NodeJS.ProcessEnv = {}, given: NodeJS.ProcessEnv = process.env): Config {
  const environment = { ...defaults, ...given }
  const typed = (name: string) => environment[name]?.trim() || undefined
  const value = (name: Setting) => (settings[name] === 'secret' ? secretValue(name, typed) : typed(name))
  const wrong = (name: Setting, rule: string) => new ConfigError(`${name} ${rule} It is “${value(name)}”.`)

  const addresses = readAddresses(value, wrong)
  const smtp = readSmtp(value('SMTP_URL'))
  const supportEmail = value('SUPPORT_EMAIL')
  if (supportEmail && !/^[^\s@,<>]+@[^\s@,<>]+$/.test(supportEmail))
    throw wrong('SUPPORT_EMAIL', 'must be one e-mail address.')

  const panelName = value('PANEL_NAME') ?? 'Meshpanel'
  if (panelName.length > 40 || /\p{Cc}/u.test(panelName))
    throw wrong('PANEL_NAME', 'must have at most 40 characters, on one line.')

  const mailFrom = readAddress(value('MAIL_FROM') ?? `${panelName} <no-reply@${new URL(addresses.origin).hostname}>`)
  if (!mailFrom) throw wrong('MAIL_FROM', 'must be an address such as “Panel <panel@example.com>”.')

  const ranges = (name: Setting) => {
    const all = (value(name) ?? '').split(/[\s,]+/).filter(Boolean)
    if (!all.every(isAddressOrRange)) throw wrong(name, 'must list IP addresses, such as 127.0.0.1 or 10.0.0.0/8.')
    return all
  }

  const logLevel = value('LOG_LEVEL') ?? 'info'
  if (!logLevels.includes(logLevel)) throw wrong('LOG_LEVEL', `must be one of ${logLevels.join(', ')}.`)

  const twoFactor = twoFactors.find((known) => known === (value('TWO_FACTOR') ?? 'support'))
  if (!twoFactor) throw wrong('TWO_FACTOR', `must be one of ${twoFactors.join(', ')}.`)

  const mayAsk = partnerRequests.find((known) => known === (value('PARTNER_REQUESTS') ?? 'direct'))
  if (!mayAsk) throw wrong('PARTNER_REQUESTS', `must be one of ${partnerRequests.join(', ')}.`)

  const access = readAccess(value, wrong)
  const place = (name: Setting) => {
    const given = value(name)
    return given === undefined ? undefined : readPlaceSetting(name, given, access)
  }
  const replicateTo = place('REPLICATE_TO')
  if (replicateTo?.kind === 'sftp' && !access.sftpKeyFile)
    throw new ConfigError('REPLICATE_TO is sftp://: set SFTP_KEY_FILE, too, since Litestream needs the key itself.')

  const metricsToken = value('METRICS_TOKEN')
  if (metricsToken && !/^[\x21-\x7e]{16,}$/.test(metricsToken))
    throw new ConfigError('METRICS_TOKEN must have at least 16 characters, of ASCII and without spaces.')
  const whole = (name: Setting, usual: number, least: number, most: number) => {
    const text = value(name) ?? String(usual)
    if (!/^\d{1,6}$/.test(text) || Number(text) < least || Number(text) > most)
      throw wrong(name, `must be a whole number from ${least} to ${most}.`)
    return Number(text)
  }

  return {
    ...addresses,
    dataDir: value('DATA_DIR') ?? 'data',
    smtp,
    mailFrom,
    supportEmail,
    panelName,
    trustProxy: ranges('TRUST_PROXY'),
    outsideAllow: ranges('OUTSIDE_ALLOW'),
    twoFactor,
    partnerRequests: mayAsk,
    logLevel,
    metricsToken,
    backupEveryHours: whole('BACKUP_EVERY_HOURS', 24, 0, 8_760),
    backupKeep: whole('BACKUP_KEEP', 30, 1, 10_000),
    backupTo: place('BACKUP_TO'),
    replicateTo,
    replicateKeepHours: whole('REPLICATE_KEEP_HOURS', 24, 1, 8_760),
    reload: false,
    access,
  }
}

type Value = (name: Setting) => string | undefined
type Wrong = (name: Setting, rule: string) => ConfigError

/** Where the panel is reached, and where it listens. */
function readAddresses(
  value: Value,
  wrong: Wrong,
): Pick<Config, 'publicUrl' | 'origin' | 'base' | 'https' | 'host' | 'port' | 'socket'> {
  const port = Number(value('PORT') ?? '3000')
  if (!/^\d{1,5}$/.test(value('PORT') ?? '3000') || port > 65535)
    throw wrong('PORT', 'must be a number from 0 to 65535.')

  const publicUrl = value('PUBLIC_URL') ?? `http://localhost:${port}`
  if (!URL.canParse(publicUrl)) throw wrong('PUBLIC_URL', 'must be an address such as https://panel.example.com.')
  const { protocol, origin, pathname, search, hash, username, password } = new URL(publicUrl)
  const base = pathname.replace(/\/+$/, '')
  const plain = /^(\/[\w.~-]+)*$/.test(base) && !search && !hash && !username && !password
  if (!['http:', 'https:'].includes(protocol) || !plain)
    throw wrong('PUBLIC_URL', 'must be https://HOST or http://HOST, and may have a path such as /panel.')

  // Node listens on an IPv6 address without its brackets.
  const host = (value('HOST') ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1')
  const [, socket] = /^unix:(.*)$/.exec(host) ?? []
  if (socket !== undefined && (!isAbsolute(socket) || Buffer.byteLength(socket) > longestSocket))
    throw wrong('HOST', `must be an address, a name, or unix:/PATH of at most ${longestSocket} bytes.`)

  return { publicUrl: origin + base, origin, base, https: protocol === 'https:', host, port, socket }
}

function readSmtp(url: string | undefined): SmtpOptions | undefined {
  try {
    return url === undefined ? undefined : readSmtpUrl(url)
  } catch (error) {
    // The value may hold a password, so it is not repeated.
    throw new ConfigError(`SMTP_URL ${(error as Error).message}`)
  }
}

/** What opens places elsewhere. */
function readAccess(value: Value, wrong: Wrong): PlaceAccess {
  const file = (name: Setting) => {
    const path = value(name)
    if (path !== undefined && !statSync(path, { throwIfNoEntry: false })?.isFile())
      throw wrong(name, 'must name a file that is there.')
    return path
  }
  const text = (name: Setting, form: RegExp, rule: string) => {
    const given = value(name)
    // It may be a secret, so it is not repeated.
    if (given !== undefined && !form.test(given)) throw new ConfigError(`${name} ${rule}`)
    return given
  }
  const printable = /^[\x21-\x7e]+$/
  const endpoint = value('S3_ENDPOINT')
  if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)))
    throw wrong('S3_ENDPOINT', 'must be an http or https address, such as https://s3.example.com.')
  return {
    sftpKeyFile: file('SFTP_KEY_FILE'),
    sftpKnownHostsFile: file('SFTP_KNOWN_HOSTS_FILE'),
    s3Endpoint: endpoint,
    awsRegion: text('AWS_REGION', /^[a-z0-9-]+$/, 'must be the name of a region, such as eu-central-1.'),
    awsAccessKeyId: text('AWS_ACCESS_KEY_ID', printable, 'must be of ASCII and without spaces.'),
    awsSecretAccessKey: text('AWS_SECRET_ACCESS_KEY', printable, 'must be of ASCII and without spaces.'),
  }
}

/** Reads a place that a setting or an option names. Throws a ConfigError that names it. */
export function readPlaceSetting(name: string, given: string, access: PlaceAccess): Place {
  try {
    return readPlace(given, access)
  } catch (error) {
    throw new ConfigError(`${name} ${(error as Error).message}`)
  }
}

/** In bytes: what the operating system takes (unix(7)). */
const longestSocket = 107

/**
 * The descriptor of the socket that a service manager hands over (sd_listen_fds(3)); undefined where it hands over
 * none. The variables that say so are for this process alone, and go.
 */
export function takeHandedOver(environment: NodeJS.ProcessEnv = process.env): number | undefined {
  const { LISTEN_PID, LISTEN_FDS } = environment
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name]
  if (LISTEN_FDS === undefined || Number(LISTEN_PID) !== process.pid) return undefined
  if (LISTEN_FDS !== '1') throw new ConfigError(`LISTEN_FDS is ${LISTEN_FDS}: the panel takes one socket.`)
  return 3
}

/** Variables that are set and one letter away from a setting: `[variable, setting it may mean]`. */
export function misspeltSettings(environment: NodeJS.ProcessEnv = process.env): [string, string][] {
  return Object.keys(environment).flatMap((name) => {
    if (settingNames.includes(name)) return []
    const meant = settingNames.find((setting) => isOneOff(name, setting))
    return meant ? [[name, meant] as [string, string]] : []
  })
}
