import type { FastifyRequest } from 'fastify'
import type * as z from 'zod'
import type { List, ListQuery, ListSpec } from '../../db/list.ts'
import type { Db } from '../../db/open.ts'
import type { Action } from '../../policy.ts'
import type { Person } from '../../records/record.ts'
import type { ActiveAccount } from '../../web/request/viewer.ts'
import type { Problem } from './problems.ts'

// An operation of the API: its route, the check of what it is sent, its part of the OpenAPI document, its documentation and its tests
// all come from this one definition.

/** What an operation is called with. */
export type Call<Body = undefined> = {
  request: FastifyRequest
  /** For an act, its transaction: what it answers is written in the same one. */
  db: Db
  by: Person
  /** None for operations of Support. */
  account: ActiveAccount
  body: Body
  /** The parameters of a reading’s address. */
  query: Record<string, string | undefined>
}

/** What an act answers. A problem, returned or thrown, takes back what was written, unless it says `recorded`. */
export type Answer = { status: 200 | 201 | 204; body?: object; location?: string; etag?: string }

type Common = {
  /** Below /api/v1, with parameters in braces. */
  path: string
  can: Action
  /** A heading: what it does, in the imperative. */
  summary: string
  description?: string
  /** Where the documentation lists it. */
  tag: Tag
}

export type Tag =
  | 'Account'
  | 'Users'
  | 'Service users'
  | 'Invitations'
  | 'Projects'
  | 'Project access'
  | 'Quotas'
  | 'Plans'
  | 'Customers'
  | 'History'
  | 'Webhooks'
  | 'Support: accounts'
  | 'Support: quotas'
  | 'Support: users'

/** A parameter in the query of an address. */
export type Parameter = { schema: z.ZodType; words: string }

/** Reads one object. */
export type Reading = Common & {
  method: 'GET'
  parameters?: Record<string, Parameter>
  /** Its `data` may be asked for as JSON Lines. */
  lines?: true
  answer: z.ZodType
  read: (call: Call) => object
}

/** Reads a page of a list. */
export type Listing<Row = never, Filters extends string = string> = Common & {
  method: 'GET'
  spec: ListSpec<Row, Filters>
  row: z.ZodType
  list: (call: Call, query: ListQuery<Filters>) => List<Row>
  show: (row: Row, call: Call) => object
}

/** Changes something. */
export type Act<Body extends z.ZodType = z.ZodType> = Common & {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  body?: Body
  /** What it answers with; nothing for 204. */
  answer?: z.ZodType
  status: 200 | 201 | 204
  /** The object as it is now, if it is there: If-Match is held against it. An act without one takes no If-Match. */
  current?: (call: Call) => object | undefined
  do: (call: Call<z.output<Body>>) => Answer | Problem
}

// biome-ignore lint/suspicious/noExplicitAny: a table of operations holds bodies and rows of many kinds
export type Operation = Reading | Listing<any, any> | Act<any>

export const reading = (operation: Reading): Operation => operation
export const listing = <Row, Filters extends string>(operation: Listing<Row, Filters>): Operation => operation
export const act = <Body extends z.ZodType>(operation: Act<Body>): Operation => operation

// biome-ignore lint/suspicious/noExplicitAny: see Operation
export const isListing = (operation: Operation): operation is Listing<any, any> => 'list' in operation
// biome-ignore lint/suspicious/noExplicitAny: see Operation
export const isAct = (operation: Operation): operation is Act<any> => 'do' in operation
