type Json = { [name: string]: unknown }
type Schema = Json & { $ref?: string; properties?: Record<string, Schema>; required?: string[]; items?: Schema }

/** What programs may rely on in a document, a line each: operations, parameters, fields of answers, and what a body must have. */
export type Promised = { offered: Set<string>; demanded: Set<string> }

export function promisedBy(document: Json): Promised {
  const offered = new Set<string>()
  const demanded = new Set<string>()

  for (const [path, methods] of Object.entries(document.paths as Record<string, Json>))
    for (const [method, operation] of Object.entries(methods)) {
      if (!['get', 'post', 'put', 'patch', 'delete'].includes(method)) continue
      const name = `${method.toUpperCase()} ${path}`
      offered.add(name)
      const { parameters = [], requestBody, responses = {} } = resolved(operation as Json)
      for (const parameter of parameters as Json[]) {
        const { in: place, name: called, required } = resolved(parameter)
        ;(required && place !== 'path' ? demanded : offered).add(`${name} ${place} ${called}`)
      }
      const body = schemaIn(requestBody)
      for (const field of body?.required ?? []) demanded.add(`${name} body ${field}`)
      for (const field of Object.keys(body?.properties ?? {})) offered.add(`${name} body ${field}`)
      for (const [status, answer] of Object.entries(responses as Json)) {
        offered.add(`${name} ${status}`)
        fieldsOf(schemaIn(answer), `${name} ${status}`, 0)
      }
    }
  return { offered, demanded }

  function resolved<Of extends Json>(of: Of): Of {
    const { $ref } = of as { $ref?: string }
    if (!$ref) return of
    const parts = $ref.replace('#/', '').split('/')
    return parts.reduce<unknown>((inner, part) => (inner as Json)[part], document) as Of
  }

  function schemaIn(holder: unknown): Schema | undefined {
    if (!holder) return undefined
    const { content = {} } = resolved(holder as Json) as { content?: Record<string, { schema?: Schema }> }
    const [first] = Object.values(content)
    return first?.schema && resolved(first.schema)
  }

  function fieldsOf(schema: Schema | undefined, name: string, depth: number): void {
    if (!schema || depth > 6) return
    const { properties = {}, items, anyOf = [], oneOf = [], allOf = [] } = resolved(schema)
    for (const other of [...(anyOf as Schema[]), ...(oneOf as Schema[]), ...(allOf as Schema[])])
      fieldsOf(other, name, depth + 1)
    if (items) fieldsOf(items, `${name}[]`, depth + 1)
    for (const [field, inner] of Object.entries(properties)) {
      offered.add(`${name}.${field}`)
      fieldsOf(inner, `${name}.${field}`, depth + 1)
    }
  }
}

/** What a program of an earlier version would miss, or would have to send, in a later one. */
export function brokenPromises(earlier: Json, later: Json): string[] {
  const [before, now] = [promisedBy(earlier), promisedBy(later)]
  const gone = [...before.offered].filter((line) => !now.offered.has(line) && !now.demanded.has(line))
  const added = [...now.demanded].filter((line) => !before.demanded.has(line) && isOfOldOperation(line))
  return [...gone.map((line) => `gone: ${line}`), ...added.map((line) => `asked for now: ${line}`)]

  function isOfOldOperation(line: string): boolean {
    return before.offered.has(line.split(' ').slice(0, 2).join(' '))
  }
}
