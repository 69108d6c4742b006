/** Letters of scripts that are written from right to left. */
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u

/** First strong isolate, and pop directional isolate: what <bdi> is in plain text (UAX #9). No name can hold them. */
const [open, close] = ['\u2068', '\u2069']

/** A name as it stands in plain text: set apart where it would reorder the words and figures around it. */
export function isolated(name: string): string {
  return rightToLeft.test(name) && !name.includes(open) ? open + name + close : name
}

/** A sentence with names in it, each set apart where it is written from right to left. */
export function apart(words: TemplateStringsArray, ...names: unknown[]): string {
  return words.map((text, n) => text + (n < names.length ? isolated(String(names[n])) : '')).join('')
}

/** A sentence in pieces; each second one is a name that was set apart. */
export function apartPieces(sentence: string): string[] {
  return sentence.split(/[\u2068\u2069]/)
}
