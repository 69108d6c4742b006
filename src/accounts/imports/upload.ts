import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { can } from '../../policy.ts'
import { badRequest, fileTooLarge, Refusal } from '../../web/answer/errors.ts'
import { httpLimits } from '../../web/answer/http.ts'

export const mostBytes = 10 * 1024 * 1024
/** For a field: a page shows pasted lines again, and they identify a form that is sent twice. */
const mostText = 1024 * 1024
/** Of a form with a file, in bytes: for the `upload` of a route. */
export const mostOfForm = mostBytes + httpLimits.bodyLimit

/** A file is kept in memory while it is read: so many at once, of one user and of all. Two, for a form that is sent twice. */
const atOnce = { ofOne: 2, ofAll: 6 }

/** A file in a form. As JSON it is its digest, which identifies a form that is sent twice. */
export class Upload {
  readonly name: string
  readonly bytes: Buffer
  readonly sha256: string
  constructor(name: string, bytes: Buffer, sha256: string) {
    this.name = name
    this.bytes = bytes
    this.sha256 = sha256
  }
  toJSON() {
    return { name: this.name, sha256: this.sha256 }
  }
}

/** Lets the forms of those of these routes that have an `upload` carry a file. Throws a 413 for more than 10 MiB. */
export function acceptUploads(app: FastifyInstance): void {
  const reading = new Map<FastifyRequest, number>()

  app.addHook('preParsing', async (request, reply) => {
    const { can: action, upload } = request.routeOptions.config
    if (upload === undefined) return
    // A sender who is refused after a small form was read takes no place from others: guard.ts reads no large form first.
    if (action && !can(request.viewer.standings, action)) return
    const userId = request.signedIn.id
    const readingOfUser = [...reading.values()].filter((reader) => reader === userId).length
    if (readingOfUser >= atOnce.ofOne || reading.size >= atOnce.ofAll) {
      reply.header('retry-after', '10')
      throw new Refusal(
        429,
        'Other files are being read',
        'Nothing was changed. Wait until the other files are read, then send this one again.',
      )
    }
    reading.set(request, userId)
    request.allowUpload()
  })
  // Not when the connection ends: what was read is kept until the handler is done with it.
  app.addHook('onSend', async (request) => void reading.delete(request))

  app.addContentTypeParser('multipart/form-data', (request: FastifyRequest, payload: IncomingMessage) => {
    if (request.routeOptions.config.upload === undefined)
      throw new Refusal(415, 'This form cannot be read', 'It carries a file, and its page asks for none.')
    return readParts(payload, request.headers['content-type'] ?? '')
  })
}

function readParts(payload: IncomingMessage, contentType: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const fields: Record<string, unknown> = Object.create(null)
    const set = (name: string, value: unknown) => {
      fields[name] = name in fields ? [fields[name], value].flat() : value
    }
    let parts: Buffer[] = []
    let reason: Error | undefined
    // A browser shows the answer when it has sent all: what still comes is read, and nothing of it kept.
    const refuse = (error: Error) => {
      reason ??= error
      parts = []
      payload.unpipe()
      if (payload.readableEnded || payload.destroyed) reject(reason)
      else payload.resume()
    }
    const unreadable = () => refuse(badRequest('Its file did not arrive completely. Send it again.'))
    let length = 0
    payload.on('data', (part: Buffer) => {
      length += part.length
      if (length <= mostOfForm) return
      refuse(fileTooLarge())
      reject(reason)
    })
    payload.on('end', () => reason && reject(reason))
    payload.on('error', (error) => {
      refuse(error)
      reject(reason)
    })
    payload.on('close', () => payload.readableEnded || unreadable())

    let parser: BusboyInstance
    try {
      parser = new Busboy({
        headers: { 'content-type': contentType },
        limits: {
          fileSize: mostBytes,
          files: 1,
          fields: 10,
          parts: 12,
          fieldSize: mostText,
          fieldNameSize: 100,
          headerPairs: 20,
          headerSize: 8 * 1024,
        },
      })
    } catch {
      return unreadable()
    }
    parser.on('file', (name, stream, fileName) => {
      // As it comes: at once it would take long.
      const hash = createHash('sha256')
      stream.on('data', (part: Buffer) => {
        if (reason) return
        parts.push(part)
        hash.update(part)
      })
      stream.on('limit', () => refuse(fileTooLarge()))
      stream.on('error', unreadable)
      // Without a name no file was chosen.
      stream.on('end', () => {
        if (!reason) set(name, fileName ? new Upload(fileName, Buffer.concat(parts), hash.digest('hex')) : '')
        parts = []
      })
    })
    parser.on('field', (name, value, _nameCut, valueCut) => (valueCut ? refuse(textTooLong()) : set(name, value)))
    parser.on('filesLimit', unreadable)
    parser.on('fieldsLimit', unreadable)
    parser.on('partsLimit', unreadable)
    parser.on('error', unreadable)
    parser.on('finish', () => reason || resolve({ ...fields }))
    payload.pipe(parser)
  })
}

function textTooLong(): Refusal {
  return new Refusal(413, 'Too much at once', 'Pasted lines can hold up to 1 MiB. Choose a file instead.')
}
