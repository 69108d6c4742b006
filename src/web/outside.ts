import type { LookupAddress } from 'node:dns'
import { lookup as lookUpName } from 'node:dns/promises'
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'

// Requests to addresses that other people chose. They must not reach the network that the panel is in (server-side request
// forgery), so each one goes to a public address, or to one that the operator has opened (OUTSIDE_ALLOW).

export type OutsideRequest = {
  method: 'GET' | 'POST'
  url: string
  headers?: Record<string, string>
  body?: string
  /** In milliseconds, for all of it: looking up the name, connecting, and reading the answer. */
  within: number
  /** So many bytes of the answer’s body are read. With 0, the connection ends when its headers are there. */
  mostBytes: number
  /** Ends the request earlier. */
  signal?: AbortSignal
}

export type OutsideAnswer = {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  /** False if there was more than `mostBytes`. */
  whole: boolean
}

/** Why there is no answer, in words for the person who chose the address. They hold nothing that the other side said. */
export class OutsideError extends Error {}

export type Outside = {
  /** Sends a request, and follows no redirect. Throws an OutsideError. */
  send: (request: OutsideRequest) => Promise<OutsideAnswer>
  /** Why a request could never go to this address, without looking up its name. Undefined if it could. */
  whyNot: (url: string) => string | undefined
}

/** The addresses of a name. */
export type LookUp = (name: string) => Promise<LookupAddress[]>

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

type Network = [address: string, prefix: number]

// IANA’s registries of special-purpose addresses. ::ffff:0:0/96 must never be among them: a BlockList compares IPv4
// addresses in that form, and would then find all of them.
const closed = blockList(
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
)

// All that is public in IPv6. Loopback, private and link-local addresses, multicast, IPv4 in IPv6 and NAT64 are outside of it.
const global6 = blockList(['2000::', 3])

function blockList(...networks: Network[]): BlockList {
  const list = new BlockList()
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, familyOf(address))
  return list
}

/** `allow`: addresses and ranges such as 10.1.0.0/16, which may be reached too, also by http. */
export function newOutside(allow: string[], lookUp: LookUp = (name) => lookUpName(name, { all: true })): Outside {
  const opened = blockList(
    ...allow.map((range): Network => {
      const [address = '', prefix = isIP(address) === 6 ? '128' : '32'] = range.split('/')
      return [address, Number(prefix)]
    }),
  )
  const isOpened = (address: string) => opened.check(address, familyOf(address))
  const isPublic = (address: string) =>
    !closed.check(address, familyOf(address)) && (isIP(address) === 4 || global6.check(address, 'ipv6'))

  function whyNot(url: string): string | undefined {
    const target = readTarget(url)
    if (typeof target === 'string') return target
    // What is opened may be reached by http; whether a name is there shows when it is looked up.
    if (!target.secure && allow.length === 0) return mustBeSecure
    return isIP(target.host) === 0 ? undefined : whyNotTo(target, [target.host])
  }

  function whyNotTo({ host, secure }: Target, addresses: string[]): string | undefined {
    const inner = addresses.find((address) => !isPublic(address) && !isOpened(address))
    if (inner !== undefined)
      return inner === host ? `${host} is no public address.` : `${host} is at ${inner}, which is no public address.`
    if (!secure && !addresses.every(isOpened)) return mustBeSecure
    return addresses.length === 0 ? `The name ${host} has no address.` : undefined
  }

  async function addressesOf(target: Target): Promise<LookupAddress[]> {
    const version = isIP(target.host)
    const all = version === 0 ? await lookUp(target.host) : [{ address: target.host, family: version }]
    const why = whyNotTo(
      target,
      all.map(({ address }) => address.replace(/%.*$/, '')),
    )
    if (why !== undefined) throw new OutsideError(why)
    return all
  }

  async function send(request: OutsideRequest): Promise<OutsideAnswer> {
    const target = readTarget(request.url)
    if (typeof target === 'string') throw new OutsideError(target)
    const end = new AbortController()
    const timer = setTimeout(
      () => end.abort(new OutsideError(`No answer within ${request.within / 1_000} seconds.`)),
      request.within,
    )
    const signal = request.signal ? AbortSignal.any([end.signal, request.signal]) : end.signal
    try {
      const addresses = await orAborted(addressesOf(target), signal)
      return await exchange(target, addresses, { ...request, signal })
    } catch (error) {
      throw signal.aborted ? asOutsideError(signal.reason) : asOutsideError(error)
    } finally {
      clearTimeout(timer)
    }
  }

  return { send, whyNot }
}

const mustBeSecure = 'The address must begin with https://.'

type Target = { url: URL; host: string; secure: boolean }

/** Reads an address, or says in words what is wrong with it. */
function readTarget(text: string): Target | string {
  if (!URL.canParse(text)) return 'The address is not valid.'
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return mustBeSecure
  if (url.username !== '' || url.password !== '') return 'The address must not hold a user name or password.'
  return { url, host: url.hostname.replace(/^\[(.*)\]$/, '$1'), secure: url.protocol === 'https:' }
}

/** What comes of some work; or throws, as soon as the signal is given. */
function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Connects to these addresses of the name, whatever the name server would say now. */
function exchange(
  { url, host, secure }: Target,
  addresses: LookupAddress[],
  { method, headers, body, mostBytes, signal }: OutsideRequest,
): Promise<OutsideAnswer> {
  const lookup = ((_name, options, done) => {
    const [first] = addresses
    if (options.all || !first) done(null, addresses)
    else done(null, first.address, first.family)
  }) as LookupFunction
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const request: ClientRequest = (secure ? httpsRequest : httpRequest)(url, {
      method,
      headers: { ...headers, ...length },
      agent: false,
      lookup,
      signal,
      ...(isIP(host) === 0 ? { servername: host.replace(/\.$/, '') } : {}),
    })
    request.on('error', reject)
    request.on('response', (answer) => readAnswer(request, answer, mostBytes).then(resolve, reject))
    request.end(body)
  })
}

async function readAnswer(request: ClientRequest, answer: IncomingMessage, mostBytes: number): Promise<OutsideAnswer> {
  const pieces: Buffer[] = []
  let left = mostBytes
  let whole = true
  if (left === 0) whole = false
  else
    for await (const piece of answer as AsyncIterable<Buffer>) {
      pieces.push(piece.subarray(0, left))
      whole = piece.length <= left
      left -= piece.length
      if (!whole) break
    }
  request.destroy()
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces), whole }
}

const wordsOf: Record<string, string> = {
  ENOTFOUND: 'The name is not known',
  EAI_AGAIN: 'The name server did not answer',
  ECONNREFUSED: 'The connection was refused',
  ECONNRESET: 'The connection was closed without an answer',
  EPIPE: 'The connection was closed without an answer',
  ETIMEDOUT: 'No connection',
  EHOSTUNREACH: 'No connection',
  ENETUNREACH: 'No connection',
  CERT_HAS_EXPIRED: 'The certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'The certificate is not from a known authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'The certificate is not from a known authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'The certificate is not from a known authority',
}

function asOutsideError(error: unknown): OutsideError {
  if (error instanceof OutsideError) return error
  const { code = 'no code' } = error as NodeJS.ErrnoException
  return new OutsideError(`${wordsOf[code] ?? 'The request failed'} (${code}).`, { cause: error })
}
