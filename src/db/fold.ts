/**
 * Folds text for search and comparison: the same letters in any case and any form give the same
 * text, in any script (SQLite's own lower() knows ASCII only).
 */
export function fold(text: string): string {
  return text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC').replaceAll('ς', 'σ')
}

/** What a list row is found by: its folded texts, a line each. */
export function searchText(...texts: string[]): string {
  return fold(texts.join('\n'))
}
