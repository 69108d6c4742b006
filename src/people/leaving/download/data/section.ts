export type Held = Record<string, string | number | boolean | null>

/** A part of what is held about somebody: one row, or rows that are read as they are asked for. */
export type Section = { name: string; row: Held } | { name: string; rows: () => Iterable<Held> }
