// Rows and cells of CSV (RFC 4180), as leniently as spreadsheets read them, with the lines of the file.

/** Characters of a row, so that a quotation mark which is never closed does not take in the whole file. */
const mostOfRow = 64 * 1024

/** A row begins in a line and may hold several. What is wrong with it is in `problem`. */
export type FileRow = { line: number; cells: string[]; problem?: 'unclosed' | 'too-long' }

/**
 * The rows of a text that comes in parts and begins at a line. Yields undefined between parts, so that the caller can
 * pause. A row whose quotation mark is never closed is the last one: the rows after it cannot be told apart.
 */
export function* readRows(parts: Iterable<string>, delimiter: string, from = 1): Generator<FileRow | undefined> {
  let line = from - 1
  let row: (FileRow & { open: string | undefined; length: number }) | undefined
  for (const text of linesOf(parts)) {
    if (text === undefined) {
      yield undefined
      continue
    }
    line++
    if (text === '' && !row) continue
    row ??= { line, cells: [], open: undefined, length: 0 }
    row.length += text.length + 1
    if (row.length > mostOfRow && row.open !== undefined) break
    if (row.length > mostOfRow) yield { line, cells: [text.slice(0, 200)], problem: 'too-long' }
    else {
      row.open = readLine(text, delimiter, row.cells, row.open)
      if (row.open !== undefined) continue
      if (row.cells.some((cell) => cell.trim())) yield { line: row.line, cells: row.cells }
    }
    row = undefined
  }
  if (row?.open !== undefined)
    yield { line: row.line, cells: [...row.cells, row.open.slice(0, 200)], problem: 'unclosed' }
}

/** Lines without what ends them: CR LF, LF or CR. */
function* linesOf(parts: Iterable<string>): Generator<string | undefined> {
  let rest = ''
  for (const part of parts) {
    let at = 0
    if (rest.endsWith('\r') && part) {
      yield rest.slice(0, -1)
      rest = ''
      if (part.startsWith('\n')) at = 1
    }
    for (let end = endOfLine(part, at); end; end = endOfLine(part, at)) {
      yield rest + part.slice(at, end.at)
      rest = ''
      at = end.next
    }
    // Of a line that is too long anyway no more is kept than tells so.
    rest = (rest + part.slice(at)).slice(0, 2 * mostOfRow)
    yield undefined
  }
  if (rest) yield rest.endsWith('\r') ? rest.slice(0, -1) : rest
}

/** Undefined if the line continues in the next part; a CR at the end may be half of its line break. */
function endOfLine(part: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < part.length; at++) {
    const code = part.charCodeAt(at)
    if (code === 10) return { at, next: at + 1 }
    if (code === 13 && at + 1 < part.length) return { at, next: part.charCodeAt(at + 1) === 10 ? at + 2 : at + 1 }
  }
  return undefined
}

/**
 * Adds the cells of a line; `open` is what a quoted cell holds so far that lines before have begun. Returned is what the
 * last cell holds where its quotation mark is still open. A mark in the middle of a cell is text.
 */
export function readLine(text: string, delimiter: string, cells: string[], open?: string): string | undefined {
  let at = 0
  let quoted = open === undefined ? undefined : `${open}\n`
  for (;;) {
    if (quoted === undefined) {
      const begin = startOfQuoted(text, at)
      if (begin === undefined) {
        const end = text.indexOf(delimiter, at)
        cells.push(end < 0 ? text.slice(at) : text.slice(at, end))
        if (end < 0) return undefined
        at = end + 1
        continue
      }
      quoted = ''
      at = begin
    }
    const close = findClosing(text, delimiter, at)
    quoted += text.slice(at, close ?? text.length).replaceAll('""', '"')
    if (close === undefined) return quoted
    const end = text.indexOf(delimiter, close)
    const after = text.slice(close + 1, end < 0 ? text.length : end)
    cells.push(after.trim() ? quoted + after : quoted)
    if (end < 0) return undefined
    quoted = undefined
    at = end + 1
  }
}

/** Behind the quotation mark that a cell begins with, spaces aside. */
function startOfQuoted(text: string, at: number): number | undefined {
  while (text[at] === ' ') at++
  return text[at] === '"' ? at + 1 : undefined
}

/** Where a quoted cell closes; undefined if it continues in the next line. */
function findClosing(text: string, delimiter: string, from: number): number | undefined {
  let later = from
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    if (text[at + 1] === '"') at++
    else if (isAtEnd(text, delimiter, at)) return at
    else {
      if (later <= at) later = findLater(text, delimiter, at)
      if (later < 0) return at
    }
  }
  return undefined
}

function isAtEnd(text: string, delimiter: string, mark: number): boolean {
  let at = mark + 1
  while (text[at] === ' ') at++
  return at === text.length || text[at] === delimiter
}

/** Behind a mark in the middle of a cell, the one that ends it, before the next cell opens one: none is -1. */
function findLater(text: string, delimiter: string, mark: number): number {
  const next = text.indexOf(`${delimiter}"`, mark + 1)
  const end = next < 0 ? text.length : next
  for (let at = text.indexOf('"', mark + 1); at >= 0 && at < end; at = text.indexOf('"', at + 1))
    if (isAtEnd(text, delimiter, at)) return at
  return -1
}
