import { headersOf, headersOfProblems } from './headers.ts'
import { type ProblemName, problems } from './problems.ts'

// How the document tells of problems.

export const problemSchema = {
  type: 'object',
  description: 'What went wrong (RFC 9457).',
  required: ['type', 'title', 'status', 'detail', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri', description: 'The kind of problem, and a page about it.' },
    title: { type: 'string' },
    status: { type: 'integer', format: 'int32', minimum: 400, maximum: 599 },
    detail: { type: 'string', description: 'Words for people.' },
    request_id: { type: 'string', description: 'Support finds the request by it.' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'code', 'detail'],
        properties: { pointer: { type: 'string' }, code: { type: 'string' }, detail: { type: 'string' } },
        additionalProperties: false,
      },
    },
    proposal: { type: 'string', description: 'A value that is free.' },
  },
  additionalProperties: false,
}

/** The answers with a status, in the document. */
export function problemResponse(name: ProblemName): object {
  const all = Object.entries(problems).filter(([, { status }]) => status === problems[name].status)
  return {
    description: all.map(([one, { title }]) => `${title} (\`${one}\`).`).join(' '),
    headers: headersOf(...(headersOfProblems[name] ?? [])),
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}
