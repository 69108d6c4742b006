import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'

// An S3 service of its own for tests: it keeps objects in memory, and takes only what is signed as Amazon asks for
// (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html), with the sum of what arrives.

export const s3Access = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'a+secret/that=nobody+has',
  AWS_REGION: 'eu-test-1',
}

const modifiedAt = '2026-11-27T00:00:00.000Z'

export async function startS3(t: Test, bucket: string) {
  const objects = new Map<string, Buffer>()
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    const answer = (status: number, text = '') =>
      response.writeHead(status, { 'content-type': 'application/xml' }).end(text)
    const refuse = (status: number, code: string) => answer(status, `<Error><Code>${code}</Code></Error>`)
    const url = new URL(request.url ?? '', 'http://x')
    if (!isSigned(request, url)) return refuse(403, 'SignatureDoesNotMatch')
    if (sha256(body) !== request.headers['x-amz-content-sha256']) return refuse(400, 'XAmzContentSHA256Mismatch')
    const [, name, ...rest] = url.pathname.split('/').map(decodeURIComponent)
    if (name !== bucket) return refuse(404, 'NoSuchBucket')
    const key = rest.join('/')
    if (request.method === 'PUT') {
      objects.set(key, body)
      return answer(200)
    }
    if (request.method === 'DELETE') {
      objects.delete(key)
      return answer(204)
    }
    if (request.method === 'POST' && url.searchParams.has('delete')) {
      for (const [, name = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) objects.delete(name)
      return answer(200, '<DeleteResult/>')
    }
    if (key !== '') {
      const found = objects.get(key)
      return found ? response.writeHead(200, { 'content-length': found.length }).end(found) : refuse(404, 'NoSuchKey')
    }
    return answer(200, listing(objects, url.searchParams))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('it does not listen')
  return { objects, endpoint: `http://127.0.0.1:${address.port}` }
}

/** Two keys a page, so that a list has several: ListObjectsV2, and version 1 for Litestream. */
function listing(objects: Map<string, Buffer>, query: URLSearchParams): string {
  const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter')]
  const folderOf = (key: string) => {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1
    return end < 0 ? undefined : key.slice(0, end + 1)
  }
  const names = [...objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => folderOf(key) ?? key)
  const entries = [...new Set(names)].sort()
  const marker = query.get('continuation-token') ?? query.get('marker') ?? ''
  const left = entries.filter((entry) => entry > marker)
  const page = left.slice(0, 2)
  const rows = page.map((entry) => {
    const name = entry.replaceAll('&', '&amp;')
    return objects.has(entry)
      ? `<Contents><Key>${name}</Key><Size>${objects.get(entry)?.length}</Size><LastModified>${modifiedAt}</LastModified></Contents>`
      : `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`
  })
  const next = `<NextMarker>${page.at(-1)}</NextMarker><NextContinuationToken>${page.at(-1)}</NextContinuationToken>`
  const more = left.length > 2 ? `<IsTruncated>true</IsTruncated>${next}` : '<IsTruncated>false</IsTruncated>'
  return `<ListBucketResult>${rows.join('')}${more}</ListBucketResult>`
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')
const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest()

function isSigned({ method, headers }: IncomingMessage, url: URL): boolean {
  const [, key, scope = '', signed = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? []
  const [day = '', region = '', service = '', end = ''] = scope.split('/')
  if (key !== s3Access.AWS_ACCESS_KEY_ID || !signed.split(';').includes('x-amz-content-sha256')) return false
  const encode = (text: string) =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort()
  const canonical = [
    method,
    url.pathname
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/'),
    query.join('&'),
    ...signed.split(';').map((name) => `${name}:${headers[name]}`),
    '',
    signed,
    headers['x-amz-content-sha256'],
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n')
  const derived = [day, region, service, end].reduce<Buffer | string>(hmac, `AWS4${s3Access.AWS_SECRET_ACCESS_KEY}`)
  return timingSafeEqual(Buffer.from(signature, 'hex'), hmac(derived, text))
}
