import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { badRequest, Refusal } from '../web/errors.ts'

export const mostBytes = 10 * 1024 * 1024

/** A file that a form carries. As JSON it is its digest, by which a form sent twice is told. */
export class Upload {
  readonly name: string
  readonly bytes: Buffer
  constructor(name: string, bytes: Buffer) {
    this.name = name
    this.bytes = bytes
  }
  toJSON() {
    return { name: this.name, sha256: createHash('sha256').update(this.bytes).digest('hex') }
  }
}

/** Lets the forms of these routes carry a file. Throws a 413 for more than 10 MiB. */
export function acceptUploads(app: FastifyInstance): void {
  const limits = { bodyLimit: mostBytes + 64 * 1024 }
  app.addContentTypeParser('multipart/form-data', limits, (request: FastifyRequest, payload: IncomingMessage) =>
    readParts(payload, request.headers['content-type'] ?? ''),
  )
}

function tooLarge(): Refusal {
  return new Refusal(
    413,
    'Too much at once',
    'A file may hold at most 10 MiB. Split it, and import its parts one by one.',
  )
}

function readParts(payload: IncomingMessage, contentType: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const fields: Record<string, unknown> = Object.create(null)
    const set = (name: string, value: unknown) => {
      fields[name] = name in fields ? [fields[name], value].flat() : value
    }
    const refuse = (error: Error) => {
      payload.unpipe()
      payload.resume()
      reject(error)
    }
    const unreadable = () => refuse(badRequest('Its file did not come whole. Send it once more.'))
    let parser: BusboyInstance
    try {
      parser = new Busboy({
        headers: { 'content-type': contentType },
        limits: { fileSize: mostBytes, files: 1, fields: 10, parts: 12, fieldSize: mostBytes, fieldNameSize: 100 },
      })
    } catch {
      return unreadable()
    }
    parser.on('file', (name, stream, fileName) => {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('limit', () => refuse(tooLarge()))
      stream.on('error', unreadable)
      // Without a name no file was chosen.
      stream.on('end', () => set(name, fileName ? new Upload(fileName, Buffer.concat(parts)) : ''))
    })
    parser.on('field', (name, value, _nameCut, valueCut) => (valueCut ? refuse(tooLarge()) : set(name, value)))
    parser.on('filesLimit', unreadable)
    parser.on('fieldsLimit', unreadable)
    parser.on('partsLimit', unreadable)
    parser.on('error', unreadable)
    parser.on('finish', () => resolve({ ...fields }))
    payload.on('aborted', unreadable)
    payload.pipe(parser)
  })
}
