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
    if (key !== '') {
      const found = objects.get(key)
      return found ? response.writeHead(200).end(found) : refuse(404, 'NoSuchKey')
    }
    return answer(200, listing(objects, url.searchParams))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('it does not listen')
  return { objects, endpoint: `http://127.0.0.1:${address.port}` }
}

/** Two keys a page, so that a list has several. */
function listing(objects: Map<string, Buffer>, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? ''
  const keys = [...objects.keys()]
    .sort()
    .filter((key) => key.startsWith(prefix) && !key.slice(prefix.length).includes('/'))
  const from = Number(query.get('continuation-token') ?? 0)
  const rows = keys
    .slice(from, from + 2)
    .map(
      (key) =>
        `<Contents><Key>${key.replaceAll('&', '&amp;')}</Key><Size>${objects.get(key)?.length}</Size></Contents>`,
    )
  const more = from + 2 < keys.length ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : ''
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
