import * as z from 'zod'
import { isAct, type Operation } from './contract/operation.ts'

/** What the examples put for the parameters in addresses. */
const sample: Record<string, string> = {
  account: 'your-account',
  customer: 'wayne',
  project: 'intranet',
  user: '5',
  invitation: '1',
  request: '1',
  plan: '1',
  identifier: 'wayne',
  key: 'snapshots',
  from: 'initech',
  serviceUser: '7',
  webhook: '1',
  delivery: '1',
}

/** The body of an example, from the examples of its fields. Undefined for an operation without a body. */
export function exampleBody(operation: Operation): unknown {
  if (!isAct(operation) || !operation.body) return undefined
  const { $defs = {}, ...schema } = z.toJSONSchema(operation.body, { io: 'input', unrepresentable: 'any' }) as Schema
  return sampleOf(schema, $defs)
}

type Schema = {
  $ref?: string
  $defs?: Record<string, Schema>
  type?: string
  enum?: unknown[]
  example?: unknown
  properties?: Record<string, Schema>
  items?: Schema
}

function sampleOf(schema: Schema, definitions: Record<string, Schema>): unknown {
  if (schema.$ref) return sampleOf(definitions[schema.$ref.replace('#/$defs/', '')] ?? {}, definitions)
  if (schema.example !== undefined) return schema.example
  if (schema.enum) return schema.enum[0]
  if (schema.properties)
    return Object.fromEntries(
      Object.entries(schema.properties).map(([name, one]) => [name, sampleOf(one, definitions)]),
    )
  if (schema.type === 'array') return [sampleOf(schema.items ?? {}, definitions)]
  return schema.type === 'integer' ? 1 : ''
}

/** A call with curl. */
export function exampleOf(operation: Operation, api: string): string {
  const { method, path } = operation
  const address = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => sample[name] ?? name)
  const body = exampleBody(operation)
  return [
    `curl -sS -H "Authorization: Bearer $TOKEN"${method === 'GET' ? '' : ` -X ${method}`}`,
    ...(body === undefined ? [] : [`  -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`]),
    `  ${api}${address}`,
  ].join(' \\\n')
}
