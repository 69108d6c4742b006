import { isIP } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { SmtpOptions } from './mail/smtp-url.ts'
import { type Place, type PlaceAccess, readPlace } from './operations/elsewhere/place.ts'
import { ConfigError, isLoopback, isOneOff, readSettings, settingNames, socketOf } from './settings.ts'

export type Config = {
  /** Without a slash at its end. */
  publicUrl: string
  /** Its scheme, host and port. */
  origin: string
  /** Its path: '' or, where the panel shares its host, such as '/panel'. */
  base: string
  /** The panel is reached by https, through a reverse proxy. */
  https: boolean
  /** The host that passkeys belong to (the RP ID); empty where browsers offer none: at a number, and over plain http. */
  passkeyHost: string
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
  partnerRequests: 'direct' | 'everyone' | 'nobody'
  sso: Sso | undefined
  /** Name servers that know the domains of accounts; those of the machine if there are none. */
  dnsServers: string[]
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

/** The provider of single sign-on (OpenID Connect). */
export type Sso = {
  issuer: string
  /** Its issuer is on this machine, and may be plain http. */
  loopback: boolean
  clientId: string
  clientSecret: string
  /** On the button. */
  name: string
  /** An address that it calls verified is its user’s: a user who has it here is connected at once. */
  emailTrusted: boolean
  /** Whether it has asked for two factors: `no`, `yes`, or the amr or acr that says so. */
  secondFactor: string
  /** Nobody but Support logs in in another way. */
  only: boolean
}

/** Some variables of the environment, for a program that is started: never all of them, since some are secrets. */
export function environmentOf(...names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

/** The folder of package.json: this file is one folder below it, and so is the bundle. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Reads the settings from environment variables; the README lists them.
 * `defaults` replace settings that are not given.
 * Throws a ConfigError that names what is wrong: each variable, or the first where one names a file or a place elsewhere.
 */
export function readConfig(defaults: NodeJS.ProcessEnv = {}, given: NodeJS.ProcessEnv = process.env): Config {
  const set = readSettings({ ...defaults, ...given })
  const { protocol, origin, hostname, pathname } = new URL(set.PUBLIC_URL ?? `http://localhost:${set.PORT}`)
  const base = pathname.replace(/\/+$/, '')
  const access = {
    sftpKeyFile: set.SFTP_KEY_FILE,
    sftpKnownHostsFile: set.SFTP_KNOWN_HOSTS_FILE,
    s3Endpoint: set.S3_ENDPOINT,
    awsRegion: set.AWS_REGION,
    awsAccessKeyId: set.AWS_ACCESS_KEY_ID,
    awsSecretAccessKey: set.AWS_SECRET_ACCESS_KEY,
  }
  const place = (name: 'BACKUP_TO' | 'REPLICATE_TO') => {
    const given = set[name]
    return given === undefined ? undefined : readPlaceSetting(name, given, access)
  }
  const replicateTo = place('REPLICATE_TO')
  if (replicateTo?.kind === 'sftp' && !access.sftpKeyFile)
    throw new ConfigError('REPLICATE_TO is sftp://: set SFTP_KEY_FILE, too, since Litestream needs the key itself.')

  return {
    publicUrl: origin + base,
    origin,
    base,
    https: protocol === 'https:',
    passkeyHost: passkeyHostOf(hostname, protocol === 'https:'),
    host: set.HOST,
    port: set.PORT,
    socket: socketOf(set.HOST),
    dataDir: set.DATA_DIR,
    smtp: set.SMTP_URL,
    mailFrom: set.MAIL_FROM ?? { name: set.PANEL_NAME, address: `no-reply@${hostname}` },
    supportEmail: set.SUPPORT_EMAIL,
    panelName: set.PANEL_NAME,
    trustProxy: set.TRUST_PROXY,
    outsideAllow: set.OUTSIDE_ALLOW,
    twoFactor: set.TWO_FACTOR,
    partnerRequests: set.PARTNER_REQUESTS,
    sso: readSso(set),
    dnsServers: set.DNS_SERVERS,
    logLevel: set.LOG_LEVEL,
    metricsToken: set.METRICS_TOKEN,
    backupEveryHours: set.BACKUP_EVERY_HOURS,
    backupKeep: set.BACKUP_KEEP,
    backupTo: place('BACKUP_TO'),
    replicateTo,
    replicateKeepHours: set.REPLICATE_KEEP_HOURS,
    reload: false,
    access,
  }
}

function readSso(set: ReturnType<typeof readSettings>): Sso | undefined {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = set
  const given = [issuer, clientId, clientSecret].filter((value) => value !== undefined).length
  if (given === 0 && set.OIDC_ONLY === 'no') return undefined
  if (!issuer || !clientId || !clientSecret)
    throw new ConfigError('Single sign-on needs OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET. Set all of them.')
  const { href, host, hostname } = new URL(issuer)
  return {
    issuer: href,
    loopback: isLoopback(hostname),
    clientId,
    clientSecret,
    name: set.OIDC_NAME ?? host,
    emailTrusted: set.OIDC_EMAIL_TRUSTED === 'yes',
    secondFactor: set.OIDC_SECOND_FACTOR,
    only: set.OIDC_ONLY === 'yes',
  }
}

function passkeyHostOf(hostname: string, https: boolean): string {
  if (isIP(hostname) > 0 || hostname.startsWith('[')) return ''
  return https || hostname === 'localhost' || hostname.endsWith('.localhost') ? hostname : ''
}

/** Reads a place that a setting or an option names. Throws a ConfigError that names it. */
export function readPlaceSetting(name: string, given: string, access: PlaceAccess): Place {
  try {
    return readPlace(given, access)
  } catch (error) {
    throw new ConfigError(`${name} ${(error as Error).message}`)
  }
}

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
