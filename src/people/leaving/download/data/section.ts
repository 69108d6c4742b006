export type Held = Record<string, string | number | boolean | null>

/** A part of the data about a person: one row, or rows that are read on demand. */
export type Section = { name: string; row: Held } | { name: string; rows: () => Iterable<Held> }
