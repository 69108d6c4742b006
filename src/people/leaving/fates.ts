import type * as schema from '../../db/schema.ts'

// What can become of a text of the database when a user is deleted.

/** Where *Download my data* shows it, as `section.field`; or why it does not. */
type Download = string | { not: string }

export type Fate =
  /** It says who somebody is: it goes with the person. */
  | { is: 'identifies'; erased: string; download: Download }
  /** Written by anybody about anything: it stays, but names and e-mails of the deleted person in it are replaced. */
  | { is: 'free text'; kept: string; download: Download }
  /** It may identify somebody and stays all the same. */
  | { is: 'kept'; why: string }
  | { is: 'never personal'; what: string }

type Row<Table> = Table extends { $inferSelect: infer Columns } ? Columns : never

/** The columns of a table that hold text or bytes, by their names in the schema. */
type TextColumn<Table> = keyof {
  [Column in keyof Row<Table> as Row<Table>[Column] extends string | Buffer | null ? Column : never]: Column
}

type TableName = keyof {
  [Name in keyof typeof schema as (typeof schema)[Name] extends { $inferSelect: object } ? Name : never]: Name
}

/** Tables without any text are left out. */
export type Erasure = {
  [Name in TableName as TextColumn<(typeof schema)[Name]> extends never ? never : Name]: {
    [Column in TextColumn<(typeof schema)[Name]>]: Fate
  }
}

export const identifies = (erased: string, download: Download): Fate => ({ is: 'identifies', erased, download })
export const freeText = (why: string, download: Download): Fate => ({ is: 'free text', kept: why, download })
export const stays = (why: string): Fate => ({ is: 'kept', why })
export const never = (what: string): Fate => ({ is: 'never personal', what })
