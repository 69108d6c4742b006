import { sql } from 'drizzle-orm'

// Lists of accounts and projects leave out deleted ones, and so do their indexes.

export const living = sql`deleted_at is null`

/** Deleted, and not yet purged. */
export const restorable = sql`deleted_at is not null and purged_at is null`
