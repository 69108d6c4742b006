import { createReadStream, statSync } from 'node:fs'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { AwsV4Signer } from 'aws4fetch'
import { sha256InTurns, sha256OfText } from '../../db/companion.ts'
import { Failure } from '../../db/failure.ts'
import { type Place, placeWords } from './place.ts'
import type { Store } from './store.ts'

type S3Place = Extract<Place, { kind: 's3' }>
type Body = { file: string } | { text: string }
type Answer = { status: number; text: string }

/** Milliseconds of silence after which a request is given up. */
const longestSilence = 60_000
/** What one upload may hold. */
const most = 5 * 1024 ** 3

/**
 * A bucket, or a part of one. Each request is signed together with the SHA-256 of what it carries, so that the
 * service refuses what arrives changed. https://docs.aws.amazon.com/AmazonS3/latest/API/
 */
export function s3Store(place: S3Place, signal?: AbortSignal): Store {
  const { bucket, prefix, endpoint, region } = place
  // Amazon's own buckets are hosts; other services take the bucket in the path.
  const base = endpoint ? `${endpoint}/${bucket}` : `https://${bucket}.s3.${region}.amazonaws.com`
  const within = prefix === '' ? '' : `${prefix}/`
  const at = (name: string) => `${base}/${(within + name).split('/').map(encodeURIComponent).join('/')}`

  async function ask(method: string, url: string, body: Body = { text: '' }): Promise<Answer> {
    const sum = 'file' in body ? await sha256InTurns(body.file, signal) : sha256OfText(body.text)
    const { accessKeyId, secretAccessKey } = place
    const headers = { 'x-amz-content-sha256': sum }
    const signed = await new AwsV4Signer({
      method,
      url,
      headers,
      accessKeyId,
      secretAccessKey,
      region,
      service: 's3',
    }).sign()
    try {
      return await send(method, signed.url, { headers: Object.fromEntries(signed.headers), body, signal })
    } catch (error) {
      signal?.throwIfAborted()
      throw new Failure(`${placeWords(place)}: ${(error as Error).message}.`)
    }
  }

  function refused({ status, text }: Answer): Failure {
    const [, code] = /<Code>(\w+)<\/Code>/.exec(text) ?? []
    const words =
      code === 'NoSuchBucket' ? 'there is no such bucket' : `it answered ${status}${code ? ` (${code})` : ''}`
    return new Failure(`${placeWords(place)}: ${words}.`)
  }

  async function put(name: string, body: Body): Promise<void> {
    if ('file' in body && statSync(body.file).size > most)
      throw new Failure(`${body.file} is larger than the 5 GiB that S3 takes at once. Use sftp:// or a folder.`)
    const answer = await ask('PUT', at(name), body)
    if (answer.status !== 200) throw refused(answer)
  }

  async function list(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    for (let token = ''; ; ) {
      const query = new URLSearchParams({ 'list-type': '2', delimiter: '/', prefix: within })
      if (token) query.set('continuation-token', token)
      const answer = await ask('GET', `${base}/?${query}`)
      if (answer.status !== 200) throw refused(answer)
      for (const [, entry = ''] of answer.text.matchAll(/<Contents>(.*?)<\/Contents>/gs))
        sizes.set(inTag(entry, 'Key').slice(within.length), Number(inTag(entry, 'Size')))
      token = inTag(answer.text, 'NextContinuationToken')
      if (!token) return sizes
    }
  }

  return {
    list,
    put: (name, file) => put(name, { file }),
    read: async (name) => {
      const answer = await ask('GET', at(name))
      if (answer.status === 404 && !/NoSuchBucket/.test(answer.text)) return undefined
      if (answer.status !== 200) throw refused(answer)
      return answer.text
    },
    write: (name, text) => put(name, { text }),
    remove: async (name) => {
      const answer = await ask('DELETE', at(name))
      if (answer.status !== 204 && answer.status !== 200 && answer.status !== 404) throw refused(answer)
    },
  }
}

function inTag(xml: string, tag: string): string {
  const [, inside = ''] = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml) ?? []
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return inside.replaceAll(/&(\w+);/g, (whole, name) => named[name] ?? whole)
}

async function send(
  method: string,
  url: URL,
  { headers, body, signal }: { headers: Record<string, string>; body: Body; signal: AbortSignal | undefined },
): Promise<Answer> {
  const length = 'file' in body ? statSync(body.file).size : Buffer.byteLength(body.text)
  const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method,
    headers: { ...headers, ...(method === 'PUT' ? { 'content-length': length } : {}) },
    timeout: longestSilence,
    ...(signal ? { signal } : {}),
  })
  sent.on('timeout', () => sent.destroy(new Error('it does not answer')))
  const answered = answerTo(sent)
  // What goes wrong with the file ends the request as well, and an answer may come before all was sent.
  if ('file' in body) pipeline(createReadStream(body.file), sent).catch(() => {})
  else sent.end(body.text)
  const answer = await answered
  return { status: answer.statusCode ?? 0, text: await text(answer) }
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('response', resolve)
    sent.once('error', reject)
  })
}
