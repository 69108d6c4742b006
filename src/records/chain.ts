import { createHash } from 'node:crypto'

// Each record's hash covers what the record says and the hash of the record before it: whoever changes, removes,
// inserts or moves one has to write all later ones anew, and then no backup that was made before agrees.

/** What a record says. Names and what people typed are kept beside it, since they are erased with people. */
export type ChainedRecord = {
  id: number
  at: number
  kind: string
  accountId: number | null
  actorId: number | null
  actorAccountId: number | null
  bySupport: boolean
  userId: number | null
  invitationId: number | null
  projectId: number | null
  letterId: number | null
  change: string
  ip: string | null
  requestId: string | null
  tokenId: number | null
}

/** Never changed or reordered. A column that comes later stands at the end, and is left out where it is null. */
const fields = [
  'id',
  'at',
  'kind',
  'accountId',
  'actorId',
  'actorAccountId',
  'bySupport',
  'userId',
  'invitationId',
  'projectId',
  'letterId',
  'change',
  'ip',
  'requestId',
  'tokenId',
] as const satisfies (keyof ChainedRecord)[]

/** The hash of a record, in base64url, given that of the record before it: '' for the first. */
export function chainHash(row: ChainedRecord, before: string): string {
  return createHash('sha256')
    .update(JSON.stringify([before, ...fields.map((field) => row[field])]))
    .digest('base64url')
}

/** The newest record and its hash: what a backup remembers of a history. Id 0 where nothing is recorded. */
export type ChainHead = { record: number; hash: string }
