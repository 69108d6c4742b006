import type { ProblemName } from './problems.ts'

// The headers of answers, as the document tells of them.

type Header = { description: string; schema: object }

const text = { type: 'string', maxLength: 1_000 }

export const sharedHeaders: Record<string, Header> = {
  ETag: { description: 'The version of the object.', schema: text },
  Link: { description: 'The next page, if there is one (RFC 8288).', schema: text },
  Location: { description: 'Its address.', schema: { ...text, format: 'uri' } },
  RateLimit: { description: 'How many requests the token has left at once: `"token";r=59;t=1`.', schema: text },
  'RateLimit-Policy': {
    description: 'How many requests a token has in 60 seconds: `"token";q=600;w=60`.',
    schema: text,
  },
  'Idempotent-Replayed': {
    description: '`true` if the same request was done before, and is only answered again.',
    schema: { type: 'string', enum: ['true'] },
  },
  'Retry-After': {
    description: 'Seconds to wait before trying again.',
    schema: { type: 'integer', format: 'int32', minimum: 1, maximum: 86_400 },
  },
  'WWW-Authenticate': { description: 'How to send a token.', schema: text },
}

/** References to these headers, and to those that every answer to a valid token has. */
export const headersOf = (...names: (keyof typeof sharedHeaders)[]) =>
  Object.fromEntries(
    [...names, 'RateLimit', 'RateLimit-Policy'].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  )

/** What a problem’s answer has beside the headers of all. */
export const headersOfProblems: Partial<Record<ProblemName, string[]>> = {
  unauthorized: ['WWW-Authenticate'],
  'too-many': ['Retry-After'],
  unavailable: ['Retry-After'],
}
