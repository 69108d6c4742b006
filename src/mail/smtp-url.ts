import { BlockList, isIPv6 } from 'node:net'
import { type ConnectionOptions, createSecureContext } from 'node:tls'

// SMTP_URL: smtp://USER:PASSWORD@HOST:PORT?OPTION=VALUE, or smtps:// for TLS from the first byte.

/** The settings of the mail server for nodemailer. */
export type SmtpOptions = {
  host: string
  port: number
  secure: boolean
  auth?: { user: string; pass: string }
  /** At most so many connections at once. */
  maxConnections: number
} & Partial<Record<Flag, boolean> & Record<Count, number> & Record<Text, string>> & {
    tls?: Pick<ConnectionOptions, TlsFlag | TlsText>
  }

const flags = ['requireTLS', 'ignoreTLS', 'opportunisticTLS'] as const
const counts = [
  'maxConnections',
  'maxMessages',
  'rateLimit',
  'rateDelta',
  'connectionTimeout',
  'greetingTimeout',
  'socketTimeout',
] as const
const texts = ['name', 'authMethod'] as const
const tlsFlags = ['rejectUnauthorized'] as const
const tlsTexts = ['servername', 'minVersion', 'ciphers'] as const
type Flag = (typeof flags)[number]
type Count = (typeof counts)[number]
type Text = (typeof texts)[number]
type TlsFlag = (typeof tlsFlags)[number]
type TlsText = (typeof tlsTexts)[number]

/** Few servers let one client have more; Exchange Online allows three. */
const usualConnections = 10

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * Reads SMTP_URL. With a password, and a host that is not this machine, STARTTLS is required unless the address
 * says `requireTLS=false`. Throws an Error whose message goes on from “SMTP_URL”, and repeats no password.
 */
export function readSmtpUrl(text: string): SmtpOptions {
  if (!URL.canParse(text)) throw new Error('must be smtp://USER:PASSWORD@HOST:PORT.')
  const { protocol, hostname, port, username, password, searchParams, pathname } = new URL(text)
  if (!/^smtps?:$/.test(protocol) || !hostname || !/^\/?$/.test(pathname))
    throw new Error('must be smtp://USER:PASSWORD@HOST:PORT.')
  const host = hostname.replace(/^\[|\]$/g, '')
  const secure = protocol === 'smtps:'
  const options: SmtpOptions = {
    host,
    port: Number(port) || (secure ? 465 : 587),
    secure,
    maxConnections: usualConnections,
    ...(username ? { auth: { user: decoded(username), pass: decoded(password) } } : {}),
    ...(username && !secure && !isThisMachine(host) ? { requireTLS: true } : {}),
  }
  for (const [key, value] of searchParams) setOption(options, key, value)
  refuseUnusable(options)
  return options
}

const authMethods = ['PLAIN', 'LOGIN', 'CRAM-MD5', 'XOAUTH2']

/** What nodemailer would find out only when it sends. */
function refuseUnusable({ tls, authMethod, name }: SmtpOptions): void {
  if (authMethod !== undefined && !authMethods.includes(authMethod.toUpperCase()))
    throw new Error(`has authMethod=${authMethod}; it must be one of ${authMethods.join(', ')}.`)
  if (name !== undefined && !/^[\w.:[\]-]+$/.test(name)) throw new Error(`has name=${name}; it must be a host name.`)
  // Reading Node's certificates takes 15 ms of a start.
  if (tls?.minVersion === undefined && tls?.ciphers === undefined) return
  try {
    createSecureContext({ minVersion: tls.minVersion, ciphers: tls.ciphers })
  } catch (error) {
    throw new Error(`has options for TLS that cannot be used: ${(error as Error).message}.`)
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error('has a “%” in its user or password that stands for nothing: write it as %25.')
  }
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
}

const isOneOf = <Name extends string>(names: readonly Name[], name: string): name is Name =>
  (names as readonly string[]).includes(name)

function setOption(options: SmtpOptions, key: string, value: string): void {
  const tlsKey = key.startsWith('tls.') ? key.slice(4) : undefined
  const flag = () => {
    if (value !== 'true' && value !== 'false') throw new Error(`has ${key}=${value}; it must be true or false.`)
    return value === 'true'
  }
  if (isOneOf(flags, key)) options[key] = flag()
  else if (isOneOf(counts, key)) {
    if (!/^[1-9]\d{0,6}$/.test(value)) throw new Error(`has ${key}=${value}; it must be a whole number.`)
    options[key] = Number(value)
  } else if (isOneOf(texts, key)) options[key] = value
  else if (tlsKey && isOneOf(tlsFlags, tlsKey)) options.tls = { ...options.tls, [tlsKey]: flag() }
  else if (tlsKey && isOneOf(tlsTexts, tlsKey)) options.tls = { ...options.tls, [tlsKey]: value }
  else {
    const known = [...flags, ...counts, ...texts, ...[...tlsFlags, ...tlsTexts].map((name) => `tls.${name}`)]
    throw new Error(`has the unknown option ${key}. Known are ${known.join(', ')}.`)
  }
}
