import * as z from 'zod'
import { can, type Standing, scopeOf, type TokenScope } from '../policy.ts'
import { roleName } from '../roles.ts'
import { version } from '../version.ts'
import { headersOf, sharedHeaders } from './contract/headers.ts'
import { isAct, isListing, type Operation, type Parameter } from './contract/operation.ts'
import { problemResponse, problemSchema } from './contract/problem-schema.ts'
import { type ProblemName, problems } from './contract/problems.ts'
import { listParameters, pageOf } from './lists.ts'
import { operations } from './operations.ts'

// The OpenAPI 3.1 document, made of the operations: what they check and what it says cannot differ.

type Json = Record<string, unknown>

/** What the parameters in addresses are. */
const addressParameters: Record<string, string> = {
  account: 'The identifier of the account that the token acts in.',
  customer: 'The identifier of a customer.',
  project: 'The identifier of a project.',
  user: 'The number of a user.',
  identifier: 'The identifier of an account.',
  key: 'The key of a resource.',
  serviceUser: 'The number of a service user.',
  invitation: 'The number of an invitation.',
  request: 'The number of a request.',
  plan: 'The number of a plan.',
  from: 'The identifier of another customer.',
  webhook: 'The number of a webhook.',
  delivery: 'The number of a delivery.',
}

/** Problems that every operation may answer with. */
const always: ProblemName[] = [
  'unreadable',
  'unauthorized',
  'forbidden',
  'not-found',
  'too-many',
  'internal',
  'unavailable',
]
const ofActs: ProblemName[] = ['conflict', 'stale', 'too-large', 'not-json', 'invalid', 'disk-full']

const made = new Map<string, Json>()

/** The document for an installation at this address: made when it is first asked for, since that takes 20 ms, and kept. */
export function apiDocument(publicUrl: string): Json {
  const known = made.get(publicUrl) ?? makeDocument(publicUrl)
  made.set(publicUrl, known)
  return known
}

function makeDocument(publicUrl: string): Json {
  const schemas: Json = {}
  const paths: Record<string, Json> = {}
  for (const operation of operations) {
    paths[operation.path] ??= {}
    Object.assign(paths[operation.path] as Json, { [operation.method.toLowerCase()]: described(operation, schemas) })
  }
  const tags = [...new Set(operations.map(({ tag }) => tag))]
  return {
    openapi: '3.1.0',
    info: {
      title: 'Meshpanel API',
      version,
      description:
        'Everything that people do on pages, programs do over HTTP and JSON: with the same rights, and in the same history. Every address that belongs to an account names it; it must be the token’s own.',
      license: { name: 'MIT', identifier: 'MIT' },
      contact: { name: 'The operator of this panel', url: publicUrl },
    },
    servers: [{ url: `${publicUrl}/api/v1` }],
    tags: tags.map((name) => ({ name, description: `Operations on ${name.toLowerCase()}.` })),
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'An API token, from Profile → API tokens.' },
      },
      headers: sharedHeaders,
      schemas: { ...schemas, Problem: problemSchema },
      responses: Object.fromEntries([...always, ...ofActs].map((name) => [name, problemResponse(name)])),
    },
  }
}

/** Whose tokens may call an operation, in words. */
export function whoMay({ can: action }: Operation): string {
  const all = (['customer', 'partner'] as const).flatMap((kind) =>
    (['admin', 'member'] as const)
      .filter((role) => can([`${kind} ${role}` satisfies Standing], action))
      .map((role) => roleName(kind, role)),
  )
  return [...all, ...(can(['support'], action) ? ['Support'] : [])].join(', ')
}

export const scopeFor = ({ can: action }: Operation): TokenScope | null => scopeOf[action]

/** A name for programs that make a client: GET /accounts/{account}/projects/{project} is get_accounts_projects_project. */
export function operationId({ method, path }: Operation): string {
  const parts = path
    .split('/')
    .filter(Boolean)
    .map((part) => part.replaceAll(/[{}]/g, '').replaceAll('-', '_'))
  return [method.toLowerCase(), ...parts.slice(1)].join('_')
}

function described(operation: Operation, schemas: Json): Json {
  const { summary, description = '', tag } = operation
  const scope = scopeFor(operation)
  return {
    operationId: operationId(operation),
    summary,
    description: [description, `For: ${whoMay(operation)}. Scope: \`${scope}\`.`].filter(Boolean).join('\n\n'),
    tags: [tag],
    parameters: parametersOf(operation, schemas),
    ...(isAct(operation) && operation.body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(operation.body, schemas, 'input') } },
          },
        }
      : {}),
    responses: responsesOf(operation, schemas),
  }
}

export function queryParameters(operation: Operation): Record<string, Parameter> {
  if (isListing(operation)) return listParameters(operation.spec)
  return 'parameters' in operation ? (operation.parameters ?? {}) : {}
}

function parametersOf(operation: Operation, schemas: Json): Json[] {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const inPath = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    description: addressParameters[name],
    schema: { type: 'string', maxLength: 100 },
  }))
  const inQuery = Object.entries(queryParameters(operation)).map(([name, { schema, words }]) => ({
    name,
    in: 'query',
    description: words,
    schema: schemaOf(schema, schemas, 'input'),
  }))
  const header = (name: string, words: string) => ({
    name,
    in: 'header',
    description: words,
    schema: { type: 'string', maxLength: 255 },
  })
  const headers = isAct(operation)
    ? [
        ...(operation.method === 'POST'
          ? [header('Idempotency-Key', 'The same key and body within 24 hours: done once, and answered alike.')]
          : []),
        ...(operation.current
          ? [header('If-Match', 'The ETag of the version that you read: a newer one is kept.')]
          : []),
      ]
    : isListing(operation)
      ? []
      : [header('If-None-Match', 'The ETag that you have: 304 if nothing changed.')]
  return [...inPath, ...inQuery, ...headers]
}

function responsesOf(operation: Operation, schemas: Json): Json {
  const json = (schema: z.ZodType) => ({ 'application/json': { schema: schemaOf(schema, schemas, 'output') } })
  const success: Json = isAct(operation)
    ? {
        [operation.status]: operation.answer
          ? {
              description: operation.status === 201 ? 'Created.' : 'Done.',
              headers: headersOf(
                'ETag',
                ...(operation.status === 201 ? ['Location'] : []),
                ...(operation.method === 'POST' ? ['Idempotent-Replayed'] : []),
              ),
              content: json(operation.answer),
            }
          : { description: 'Done.', headers: headersOf() },
      }
    : isListing(operation)
      ? {
          200: {
            description: 'A page of the list.',
            headers: headersOf('Link'),
            content: json(pageOf(operation.row)),
          },
        }
      : {
          200: {
            description: 'The object.',
            headers: headersOf('ETag'),
            content: {
              ...json(operation.answer),
              ...(operation.lines ? { 'application/jsonl': { schema: { type: 'string' } } } : {}),
            },
          },
          304: { description: 'Nothing changed.', headers: headersOf('ETag') },
        }
  const names = [...always, ...(isAct(operation) ? ofActs : [])]
  const statuses = [...new Set(names.map((name) => problems[name].status))]
  const refusals = statuses.map((status) => [
    status,
    { $ref: `#/components/responses/${names.find((name) => problems[name].status === status)}` },
  ])
  return { ...success, ...Object.fromEntries(refusals) }
}

/** The JSON Schema of a zod schema; those that have an id become components. */
function schemaOf(schema: z.ZodType, schemas: Json, io: 'input' | 'output'): Json {
  const {
    $schema,
    $defs = {},
    ...fields
  } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.type === 'integer') jsonSchema.format = 'int64'
      // OpenAPI 3.1 has the keyword of JSON Schema; `example` is the older one.
      const { example } = jsonSchema
      if (example !== undefined) jsonSchema.examples = [example] as never
      delete jsonSchema.example
    },
  }) as Json
  for (const [name, definition] of Object.entries($defs as Json)) schemas[name] = moved(withoutId(definition as Json))
  const { id } = fields
  if (typeof id !== 'string') return moved(fields)
  schemas[id] = moved(withoutId(fields))
  return { $ref: `#/components/schemas/${id}` }
}

const withoutId = ({ id, ...rest }: Json): Json => rest

/** References into $defs become references to components. */
const moved = (schema: Json): Json =>
  JSON.parse(JSON.stringify(schema).replaceAll('#/$defs/', '#/components/schemas/')) as Json
