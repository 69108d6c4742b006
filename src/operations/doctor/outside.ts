import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { Config } from '../../config.ts'
import { date, duration } from '../../web/format.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const longestWait = 10_000
const day = 24 * 3_600_000

type Seen = {
  status: number
  headers: IncomingHttpHeaders
  /** Undefined without https. */
  certificate: { expires: number; distrusted: string | undefined } | undefined
}

/** The panel as its users see it, through PUBLIC_URL: certificate, headers, and the clock of the server that answers. */
export async function examineOutside(
  { publicUrl, https }: Config,
  running: boolean,
  now: () => number,
): Promise<Finding[]> {
  let sight: Seen
  try {
    sight = await look(`${publicUrl}/login`, https)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const what = `outside: ${publicUrl} cannot be reached from here (${code ?? message})`
    return [
      running
        ? problem(what, 'look at the reverse proxy, the name’s address and the firewall')
        : warning(what, 'start the panel and run doctor again'),
    ]
  }
  return [...examineCertificate(sight, now()), ...examineHeaders(sight, publicUrl, https), ...examineDate(sight, now())]
}

function look(url: string, https: boolean): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(longestWait)
    // A certificate that is not trusted is a finding, and no reason not to look further.
    const options = { signal, headers: { 'user-agent': 'meshpanel-doctor' }, rejectUnauthorized: false, agent: false }
    const asked = (https ? httpsRequest : httpRequest)(url, options as object, (answer) => {
      const socket = answer.socket as TLSSocket
      answer.resume()
      resolve({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        certificate: https
          ? {
              expires: Date.parse(socket.getPeerCertificate().valid_to),
              distrusted: socket.authorized ? undefined : String(socket.authorizationError),
            }
          : undefined,
      })
    })
    asked.on('error', (error) => reject(signal.aborted ? new Error('no answer within 10 seconds') : error))
    asked.end()
  })
}

function examineCertificate({ certificate }: Seen, at: number): Finding[] {
  if (!certificate) return []
  const { expires, distrusted } = certificate
  const left = expires - at
  if (left <= 0) return [problem(`certificate: it expired on ${date(expires)}`, 'renew it')]
  if (distrusted)
    return [
      problem(
        `certificate: browsers do not trust it (${distrusted})`,
        'get one from an authority, with the whole chain',
      ),
    ]
  const what = `certificate: good until ${date(expires)}, another ${duration(left)}`
  return [left < 14 * day ? warning(what, 'see why it is not renewed automatically') : ok(what)]
}

/** What the panel sends and a proxy must leave as it is. */
const sent: [name: string, pattern: RegExp][] = [
  ['content-security-policy', /default-src 'none'/],
  ['x-content-type-options', /^nosniff$/],
  ['referrer-policy', /./],
  ['cache-control', /no-store/],
]

function examineHeaders({ status, headers }: Seen, publicUrl: string, https: boolean): Finding[] {
  const expected = https ? [...sent, ['strict-transport-security', /max-age=[1-9]/] as const] : sent
  const missing = expected.filter(([name, pattern]) => !pattern.test(String(headers[name] ?? ''))).map(([name]) => name)
  if (status !== 200 || missing.length === expected.length)
    return [
      problem(
        `outside: what answers at ${publicUrl} is not the panel (${status})`,
        'look at PUBLIC_URL and the reverse proxy',
      ),
    ]
  if (missing.length > 0)
    return [
      problem(`headers: ${missing.join(', ')} did not arrive as sent`, 'have the reverse proxy pass them on unchanged'),
    ]
  return [ok(`outside: the panel answers at ${publicUrl}, with all its headers`)]
}

function examineDate({ headers }: Seen, at: number): Finding[] {
  const theirs = Date.parse(headers.date ?? '')
  const off = Math.abs(theirs - at)
  if (Number.isNaN(off) || off <= 30_000) return []
  return [
    problem(
      `clock: it is ${Math.round(off / 1_000)} seconds off that of ${headers.server ?? 'the server that answers'}`,
      'keep both with NTP: codes of two-factor login last 30 seconds',
    ),
  ]
}
