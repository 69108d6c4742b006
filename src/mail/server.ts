import { isIP } from 'node:net'
import nodemailer from 'nodemailer'
import type { Config } from '../config.ts'
import type { SmtpOptions } from './smtp-url.ts'

/** The mail server, over connections that are kept for the next e-mails; nothing is sent to it yet. */
export function mailServer(smtp: SmtpOptions, { publicUrl }: Pick<Config, 'publicUrl'>) {
  return nodemailer.createTransport({
    pool: true,
    name: heloName(new URL(publicUrl).hostname),
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    ...smtp,
    // A connection that ends in the middle is for the worker to judge.
    maxRequeues: 0,
  })
}

/** Addresses are in brackets (RFC 5321, 4.1.3). */
function heloName(hostname: string): string {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) === 0) return hostname
  return isIP(address) === 6 ? `[IPv6:${address}]` : `[${address}]`
}

/** An error of nodemailer’s. */
export type MailError = Error & { code?: string; command?: string; responseCode?: number; syscall?: string }

/**
 * Whose trouble an error is. `server`: it is not there, is silent, or rejects the sender (greeting, TLS, AUTH, MAIL
 * FROM), so that every e-mail would fail the same way. `later` and `never`: it took the sender and rejects this one
 * e-mail for the moment (4xx at RCPT or DATA) or for good (5xx, or an e-mail that cannot be built).
 */
export function troubleOf(error: unknown): 'server' | 'later' | 'never' {
  const { code, command, responseCode } = error as MailError
  if (code === undefined) return 'never'
  if (code === 'EMESSAGE' || (code === 'EENVELOPE' && command !== 'MAIL FROM'))
    return responseCode === undefined || responseCode >= 500 ? 'never' : 'later'
  return ['ESTREAM', 'ECONTENT'].includes(code) ? 'never' : 'server'
}

/**
 * Whether the e-mail itself may be to blame, though the server is: the connection was there and broke off, which an
 * e-mail that a server chokes on causes again and again.
 */
export function mayBreakConnections(error: unknown): boolean {
  const { code, responseCode, syscall } = error as MailError
  return responseCode === undefined && syscall !== 'connect' && !['EDNS', 'EAUTH', 'ETLS'].includes(code ?? '')
}
