import type { StorageProblem } from '../../db/storage-problem.ts'
import { freeWords } from '../../web/taken.ts'

// Errors of the API, as RFC 9457 describes them. Each kind has an address below /api/problems/, where people read what it means.

export const problems = {
  unreadable: {
    status: 400,
    title: 'The request cannot be read',
    help: 'The body must be one JSON object, in UTF-8. The query may hold only what the operation lists.',
  },
  unauthorized: {
    status: 401,
    title: 'No valid token',
    help: 'Send a token that works as Authorization: Bearer TOKEN. It may have expired or been ended: look at Profile, API tokens.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    help: 'The role of the token’s user in this account does not allow this.',
  },
  'scope-missing': {
    status: 403,
    title: 'The token lacks a scope',
    help: 'The user may do this, but the token was not given the scope. Create a token that has it.',
  },
  'address-not-allowed': {
    status: 403,
    title: 'Not from this address',
    help: 'The token works only from the addresses that it was created for.',
  },
  'two-factor-missing': {
    status: 403,
    title: 'Two-factor login is required',
    help: 'This installation requires it of the token’s user, who has to set it up first.',
  },
  suspended: {
    status: 403,
    title: 'The account is suspended',
    help: 'Nothing can be done in the account until it is resumed.',
  },
  'not-found': { status: 404, title: 'Not found', help: 'There is nothing here, or nothing that this token may see.' },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    help: 'The header Allow names the methods that this address knows.',
  },
  conflict: {
    status: 409,
    title: 'Not possible as things are',
    help: 'Something else stands in the way, such as an identifier that is taken or a limit that is reached. The detail says what.',
  },
  stale: {
    status: 412,
    title: 'Changed since you read it',
    help: 'The header If-Match names an older version. Read the object again, and then change it.',
  },
  'too-large': { status: 413, title: 'Too large', help: 'A body may have up to 64 KiB.' },
  'not-json': { status: 415, title: 'Not JSON', help: 'Send the body as Content-Type: application/json.' },
  invalid: {
    status: 422,
    title: 'Some values are not valid',
    help: 'The member errors names each value and says what is wrong with it.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The key belongs to another request',
    help: 'An Idempotency-Key was sent before with another address or body. Use a new key for each act.',
  },
  'too-many': {
    status: 429,
    title: 'Too many requests',
    help: 'Wait for as many seconds as the header Retry-After says.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong',
    help: 'It is our fault and nothing was changed. Try again; if it stays so, tell Support the request_id.',
  },
  unavailable: {
    status: 503,
    title: 'Nothing can be saved now',
    help: 'Nothing was changed. Try again after as many seconds as the header Retry-After says.',
  },
  'disk-full': {
    status: 507,
    title: 'Nothing can be saved',
    help: 'The disk of the installation is full or fails. Nothing was changed.',
  },
} as const satisfies Record<string, { status: number; title: string; help: string }>

export type ProblemName = keyof typeof problems

/** What is wrong with one value: a JSON pointer into the body (RFC 6901), a code for programs, and words for people. */
export type ValueError = { pointer: string; code: string; detail: string }

export type ProblemMore = {
  errors?: ValueError[]
  /** Another identifier, that is free. */
  proposal?: string
  headers?: Record<string, string>
  /** What was written stays, such as the record of an identifier that was tried. */
  recorded?: true
}

/** Ends a request: nothing is changed. */
export class Problem extends Error {
  readonly problem: ProblemName
  readonly more: ProblemMore

  constructor(problem: ProblemName, detail: string = problems[problem].help, more: ProblemMore = {}) {
    super(detail)
    this.problem = problem
    this.more = more
  }
}

/** A problem as it is sent. */
export function problemBody({ problem, message, more }: Problem, publicUrl: string, requestId: string) {
  const { status, title } = problems[problem]
  const { headers, recorded, ...members } = more
  return {
    type: `${publicUrl}/api/problems/${problem}`,
    title,
    status,
    detail: message,
    request_id: requestId,
    ...members,
  }
}

/** A JSON pointer into a body, as the fragment of an address (RFC 6901). */
export function pointerTo(path: readonly PropertyKey[]): string {
  return `#${path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`
}

/** The problem of one value in a body, at this path. */
export const invalidAt = (path: readonly PropertyKey[], code: string, detail: string) =>
  new Problem('invalid', undefined, { errors: [{ pointer: pointerTo(path), code, detail }] })

/** The problem of an identifier that was given out before, with one that is free. */
export const takenIdentifier = (words: string, proposal: string, more: ProblemMore = {}) =>
  new Problem('conflict', `The identifier ${words}`, {
    errors: [{ pointer: '#/identifier', code: 'taken', detail: freeWords(proposal) }],
    proposal,
    ...more,
  })

/** Suspended for another reason: that one is what its users read. */
export const suspendedAlready = (who: string, reason: string | null) =>
  `${who} suspended it already, for “${reason ?? ''}”. Resume it first, to give another reason.`

export const ofStorage: Record<StorageProblem, ProblemName> = {
  full: 'disk-full',
  failing: 'disk-full',
  'read-only': 'unavailable',
  moved: 'unavailable',
  damaged: 'unavailable',
  locked: 'unavailable',
}
