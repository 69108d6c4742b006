/**
 * Folds text for search and comparison: the same letters in any case and any form give the same
 * text, in any script (SQLite's own lower() knows ASCII only). Characters that cannot be seen, such as
 * joiners, are left out.
 */
export function fold(text: string): string {
  return text
    .normalize('NFKC')
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC')
    .replaceAll('ς', 'σ')
}

/**
 * Folds upper and lower case, and nothing else: other letters that only look alike stay different. `İ` stays as it
 * is, since its lower case is two characters, or the `i` of another letter. Each letter by itself, and `ς` as `σ`:
 * the lower case of `Σ` depends on what stands around it.
 */
export function foldCase(text: string): string {
  return text
    .normalize('NFC')
    .replaceAll(/[^İ]/gu, (letter) => letter.toLowerCase())
    .replaceAll('ς', 'σ')
    .normalize('NFC')
}

/** What a list row is found by: its folded texts, a line each. */
export function searchText(...texts: string[]): string {
  return fold(texts.join('\n'))
}
