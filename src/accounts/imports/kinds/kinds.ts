import type { ImportKind } from '../data.ts'
import { customers } from './customer-rows.ts'
import type { Kind } from './kind.ts'
import { users } from './user-rows.ts'

/** What can be brought in. */
export const kinds: Record<ImportKind, Kind> = { customers, users }
