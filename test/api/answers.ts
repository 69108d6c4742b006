import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { sharedHeaders } from '../../src/api/contract/headers.ts'
import { apiDocument } from '../../src/api/document.ts'
import { publicUrl } from '../harness.ts'

// Holds every answer of the API against the document: a status, a body or a header of the API’s own that it does not tell of
// is an error.

type Content = Record<string, { schema: object }>
type Response = { $ref?: string; content?: Content; headers?: Record<string, object> }
type Document = {
  paths: Record<string, Record<string, { responses: Record<string, Response> }>>
  components: { responses: Record<string, Response> }
}

export const document = apiDocument(publicUrl) as unknown as Document

// biome-ignore lint/suspicious/noExplicitAny: the package is CommonJS, and its types are of another form
const withFormats = ((addFormats as any).default ?? addFormats) as (ajv: Ajv2020) => void
const ajv = new Ajv2020({ strict: false, allErrors: true })
withFormats(ajv)
ajv.addSchema({ ...document, $id: 'api' })

const validators = new Map<string, ValidateFunction>()

/** Why an answer is not one that the document tells of; undefined if it is. Addresses that it does not know are not looked at. */
export function whyUndocumented(
  method: string,
  path: string,
  { status, body, headers }: { status: number; body: unknown; headers: Record<string, unknown> },
): string | undefined {
  const known = Object.keys(document.paths).find((one) =>
    new RegExp(`^${one.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path.split('?', 1)[0] ?? ''),
  )
  const operation = known && document.paths[known]?.[method.toLowerCase()]
  if (!known || !operation) return undefined
  const answer = operation.responses[status]
  if (!answer) return `${method} ${known} answers ${status}, which is not documented`
  const place = answer.$ref
    ? answer.$ref.slice(2).split('/')
    : ['paths', known, method.toLowerCase(), 'responses', String(status)]
  const { content, headers: told = {} } = answer.$ref
    ? (document.components.responses[place.at(-1) ?? ''] ?? {})
    : answer
  const unknown = Object.keys(sharedHeaders).find((name) => headers[name.toLowerCase()] !== undefined && !told[name])
  if (unknown) return `${method} ${known} ${status} has the header ${unknown}`
  if (!content) return body === undefined ? undefined : `${method} ${known} ${status} has a body`
  const mime = String(headers['content-type'] ?? '').split(';', 1)[0] ?? ''
  if (!content[mime]) return `${method} ${known} ${status} is ${mime}`
  const pointer = [...place, 'content', mime, 'schema'].map(inPointer).join('/')
  let validate = validators.get(pointer)
  if (!validate) {
    validate = ajv.compile({ $ref: `api#/${pointer}` })
    validators.set(pointer, validate)
  }
  return validate(body) ? undefined : `${method} ${known} ${status}: ${ajv.errorsText(validate.errors)}`
}

const inPointer = (part: string) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
