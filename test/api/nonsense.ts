import fc, { type Arbitrary } from 'fast-check'
import { isAct, isListing, type Operation } from '../../src/api/contract/operation.ts'
import { document } from './answers.ts'

// Requests for an operation, made from what the document says of it: some that it describes, some that are broken somewhere.

export type Asked = { path: string; body: unknown; headers: Record<string, string> }

type Schema = {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  example?: unknown
  anyOf?: Schema[]
  format?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  maxItems?: number
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: Schema | boolean
}
type Parameter = { name: string; in: string; schema: Schema }
type Described = { parameters: Parameter[]; requestBody?: { content: { 'application/json': { schema: Schema } } } }
type Documented = {
  paths: Record<string, Record<string, Described>>
  components: { schemas: Record<string, Schema> }
}

const { paths, components } = document as unknown as Documented

/** Keys that are there, and names that mean something to JavaScript. */
const keys = fc.oneof(
  fc.constantFrom('cores', 'projects', 'volumes', 'nothing', '__proto__', 'constructor', 'toString', ''),
  fc.string(),
)

const nastyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.constantFrom(
    '\u0000',
    '\ud800',
    '%00',
    '../../x',
    "' or 1=1 --",
    '\u202e',
    '１２',
    '-0',
    'null',
    'a'.repeat(5_000),
  ),
)

const junk: Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  nastyText,
  fc.constantFrom(-1, 0.5, 1e21, true, null, [], {}, [[]], { __proto__: null }),
)

function textOf({ format, minLength = 0, maxLength = 60 }: Schema): Arbitrary<string> {
  if (format === 'email') return fc.oneof(fc.emailAddress(), fc.constantFrom('tom@acme.example', 'new@acme.example'))
  if (format === 'date')
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
      .map((at) => at.toISOString().slice(0, 10))
  return fc.oneof(
    fc.string({ minLength, maxLength }),
    fc.string({ unit: 'grapheme', minLength, maxLength: Math.max(minLength, Math.floor(maxLength / 2)) }),
  )
}

/** What the document allows. */
function allowed(schema: Schema): Arbitrary<unknown> {
  if (schema.$ref) return allowed(components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(allowed))
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map((type) => allowed({ ...schema, type })))
  const plain = allowedPlain(schema)
  return schema.example === undefined ? plain : fc.oneof(fc.constant(schema.example), plain)
}

function allowedPlain(schema: Schema): Arbitrary<unknown> {
  const { type, properties = {}, required = [], additionalProperties: more } = schema
  if (type === 'null') return fc.constant(null)
  if (type === 'boolean') return fc.boolean()
  if (type === 'integer') return fc.integer({ min: schema.minimum ?? -(2 ** 31), max: schema.maximum ?? 2 ** 31 })
  if (type === 'array') return fc.array(allowed(schema.items ?? {}), { maxLength: Math.min(schema.maxItems ?? 5, 5) })
  if (type !== 'object') return textOf(schema)
  if (typeof more === 'object') return fc.dictionary(keys, allowed(more), { maxKeys: 4, noNullPrototype: true })
  const fields = Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, allowed(one)]))
  return fc.record(fields, { requiredKeys: required.filter((name) => name in fields), noNullPrototype: true })
}

/** A body with something wrong in it, or text that is none. */
function brokenBody(valid: Arbitrary<unknown>): Arbitrary<unknown> {
  const changed = fc.tuple(valid, fc.nat(), keys, junk).map(([body, n, key, value]) => {
    const names = Object.keys(body as object)
    return { ...(body as object), [n % 2 ? key : (names[n % Math.max(names.length, 1)] ?? key)]: value }
  })
  const texts = [
    '',
    '{',
    '{"name":',
    '{"a":1e999}',
    '[',
    'true',
    '"x"',
    '\ufeff{}',
    '['.repeat(20_000),
    `{"a":"${'a'.repeat(70_000)}"}`,
  ]
  return fc.oneof(changed, junk, fc.constantFrom(...texts), fc.constant(undefined))
}

/** Parameters of an address: none, those of the document, and others. */
function queryOf(operation: Operation, parameters: Parameter[]): Arbitrary<string> {
  const inQuery = parameters.filter((one) => one.in === 'query')
  const valid = fc.record(Object.fromEntries(inQuery.map(({ name, schema }) => [name, allowed(schema)])), {
    requiredKeys: [],
    noNullPrototype: true,
  })
  const names = fc.oneof(fc.constantFrom('q', 'cursor', 'limit', ...inQuery.map(({ name }) => name)), keys)
  const text = (query: unknown) => `?${new URLSearchParams(query as Record<string, string>)}`
  return fc.oneof(
    { arbitrary: fc.constant(''), weight: isListing(operation) ? 1 : 6 },
    { arbitrary: valid.map(text), weight: 3 },
    fc.array(fc.tuple(names, nastyText), { maxLength: 4 }).map((pairs) => text(pairs)),
    fc.constantFrom('?%', '?%ZZ', '?a[b]=c', '?q=%ff', '?q&q', '?&&='),
  )
}

const headersOf = (operation: Operation): Arbitrary<Record<string, string>> => {
  const visible = fc.stringMatching(/^[\x21-\x7e]{1,300}$/)
  const some = (name: string, more: string[]) =>
    fc.oneof(fc.constantFrom(...more), visible).map((value) => ({ [name]: value }))
  const none = { arbitrary: fc.constant({}), weight: 6 }
  if (!isAct(operation))
    return fc.oneof(none, some('if-none-match', ['*', '"x"']), some('accept', ['application/jsonl', 'text/html']))
  return fc.oneof(
    none,
    some('if-match', ['*', '"x"', 'W/"x"', ',']),
    some('idempotency-key', ['order-1', '"']),
    some('content-type', ['text/plain', 'application/json; charset=latin1', 'application/x-www-form-urlencoded', ';']),
  )
}

/** Requests for an operation on objects that are there, mostly. */
export function requestsFor(operation: Operation, objects: Record<string, string>): Arbitrary<Asked> {
  const described = paths[operation.path]?.[operation.method.toLowerCase()]
  if (!described) throw new Error(`The document lacks ${operation.path}.`)
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const parts = names.map((name) =>
    fc.oneof(
      { arbitrary: fc.constant(objects[name] ?? 'nothing'), weight: 20 },
      nastyText.filter((text) => !/^\.*$/.test(text) && !/\p{Surrogate}/u.test(text)).map(encodeURIComponent),
      fc.constantFrom('nobody', '0', '-1', '1e3', '99999999999999999999', '%', '%ff', '__proto__'),
    ),
  )
  const schema = described.requestBody?.content['application/json'].schema
  const valid = schema && allowed(schema)
  const body = valid
    ? fc.oneof({ arbitrary: valid, weight: 2 }, brokenBody(valid))
    : isAct(operation)
      ? fc.oneof({ arbitrary: fc.constant(undefined), weight: 4 }, junk)
      : fc.constant(undefined)
  return fc
    .record({
      parts: fc.tuple(...parts),
      query: queryOf(operation, described.parameters),
      body,
      headers: headersOf(operation),
    })
    .map(({ parts: values, query, ...rest }) => {
      let n = 0
      return { path: operation.path.replaceAll(/\{\w+\}/g, () => String(values[n++])) + query, ...rest }
    })
}
