import fc, { type Arbitrary } from 'fast-check'
import { generateSync, type JsonSchema } from 'json-schema-faker'
import { isAct, isListing, type Operation } from '../../src/api/contract/operation.ts'
import { document } from './answers.ts'

// Requests for an operation, made from what the document says of it: some that it describes (by json-schema-faker), some that are
// broken somewhere.

export type Asked = { path: string; body: unknown; headers: Record<string, string> }

type Schema = Exclude<JsonSchema, boolean>
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
  fc.nat(100),
  fc.constantFrom(-1, 0.5, 1e21, true, null, [], {}, [[]], { __proto__: null }),
)

/** What the document allows, with its examples or without. */
const allowed = (schema: Schema): Arbitrary<unknown> =>
  fc
    .nat()
    .map((seed) => generateSync({ ...schema, components }, { seed, maxItems: 5, useExamplesValue: seed % 2 === 0 }))

/** A field of an object, or of one inside it, is replaced or added. */
function changedSomewhere(body: object, n: number, { key, value }: { key: string; value: unknown }): object {
  const fields = Object.entries(body)
  const inside = fields.find(([, one]) => typeof one === 'object' && one !== null && !Array.isArray(one))
  if (inside && n % 3 === 0) return { ...body, [inside[0]]: changedSomewhere(inside[1], n / 3, { key, value }) }
  const [name = key] = fields[Math.floor(n / 2) % Math.max(fields.length, 1)] ?? []
  return { ...body, [n % 2 ? key : name]: value }
}

/** A body with something wrong in it, or text that is none. */
function brokenBody(valid: Arbitrary<unknown>): Arbitrary<unknown> {
  const changed = fc
    .tuple(valid, fc.nat(), keys, junk)
    .map(([body, n, key, value]) => changedSomewhere(body as object, n, { key, value }))
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
