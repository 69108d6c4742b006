/** So many rows are read at once. */
export const pageSize = 500

type WithId<Row> = { id: number; row: Row }

/** Rows read page by page, each page beginning after the last id of the one before it. */
export function* withIds<Row>(read: (after: number) => WithId<Row>[]): Generator<WithId<Row>> {
  for (let after = 0; ; ) {
    const page = read(after)
    yield* page
    const last = page.at(-1)
    if (!last || page.length < pageSize) return
    after = last.id
  }
}

export function* pages<Row>(read: (after: number) => WithId<Row>[]): Generator<Row> {
  for (const { row } of withIds(read)) yield row
}

/** Merges two sequences that are in the order of their ids. */
export function* inOrder<Row>(one: Iterator<WithId<Row>>, other: Iterator<WithId<Row>>): Generator<Row> {
  let [first, second] = [one.next(), other.next()]
  while (!first.done || !second.done) {
    if (!first.done && (second.done || first.value.id < second.value.id)) {
      yield first.value.row
      first = one.next()
    } else if (!second.done) {
      yield second.value.row
      second = other.next()
    }
  }
}

export function* inPieces<Row>(ids: number[], read: (piece: number[]) => Row[]): Generator<Row> {
  for (let n = 0; n < ids.length; n += pageSize) yield* read(ids.slice(n, n + pageSize))
}
