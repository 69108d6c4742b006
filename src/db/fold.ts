/**
 * Folds case and forms: the same letters in any case and any form give the same text, in any script (SQLite's own
 * lower() knows ASCII only). Marks and other letters stay. Characters that cannot be seen, such as joiners, are left out.
 */
export function foldForms(text: string): string {
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
 * is, since its lower case is two characters, or the `i` of another letter. Each letter is folded alone, and `ς` as `σ`,
 * because the lower case of `Σ` depends on the letters around it.
 */
export function foldCase(text: string): string {
  return text
    .normalize('NFC')
    .replaceAll(/[^İ]/gu, (letter) => letter.toLowerCase())
    .replaceAll('ς', 'σ')
    .normalize('NFC')
}

/** Letters that Unicode does not decompose, each after the letters that people type for it. */
const typedAs = lettersOf(
  'ae æ · oe œ · ss ß · th þ · ij ĳ · l łƚɫ · o øɵɔ · d đðɖɗ · h ħɦ · i ıɨɩ · n ŋɲƞ · t ŧƭʈ · b ƀɓ · c ƈȼ · e əɛɇ · f ƒ · g ǥɠɣ · j ɉ · k ƙĸ · p ƥ · r ɍ · s ʃ · u ʉ · v ʋ · y ƴɏ · z ƶȥ · a ⱥ · / ⁄∕',
)
/** Letters that are also typed as two: in German, Danish and Norwegian, and Swedish. */
const typedAsTwo = lettersOf('ue ü · oe öø · ae ä · aa å')
/** The keys of a keyboard, and what typography puts in their places. */
const keys = lettersOf(`' ’‘‚‛ʼʻʹ′‵´\`‹›＇ · " “”„‟«»″‶＂ · - ‐‑‒–—―−⁃﹘﹣－`)

/** Marks over and under letters. The two of kana tell letters apart, and so do the vowel signs of Indic scripts. */
const marks = /(?![\u3099\u309a])(?=\p{M})[\p{Script=Inherited}\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}]/gu

/**
 * Folds text for search and for order, the same everywhere: to what somebody types who has another keyboard. Without
 * case and forms, marks, typographic quotes and dashes; `ł` is `l`, `ø` is `o`, `ß` is `ss`. Never for what tells
 * people or things apart: that is `foldCase`.
 */
export function fold(text: string): string {
  return isAscii(text) ? text.toLowerCase().replaceAll('`', "'") : withoutMarks(foldForms(replaced(text, keys)))
}

/** The same, but `ü` is `ue`, `ö` and `ø` are `oe`, `ä` is `ae`, and `å` is `aa`. */
function foldToTwo(text: string): string {
  return withoutMarks(replaced(foldForms(replaced(text, keys)), typedAsTwo))
}

function withoutMarks(text: string): string {
  return replaced(text.normalize('NFKD').replaceAll(marks, '').normalize('NFC'), typedAs)
}

const isAscii = (text: string) => /^[\0-\x7f]*$/.test(text)

/** What a text is found by when it is typed: `Müller` also by `mueller`, `O’Brien` also by `obrien`. */
function spellingsOf(text: string): string[] {
  const folded = fold(text)
  return [...new Set([folded, isAscii(text) ? folded : foldToTwo(text), folded.replaceAll("'", '')])]
}

/** The spellings that a typed word may mean: a search for `Müller` finds `muller` and `mueller`. */
export function readingsOf(word: string): string[] {
  return isAscii(word) ? [fold(word)] : [...new Set([fold(word), foldToTwo(word)])]
}

/** What a list row is found by: a line for each of its texts, in all its spellings, with tabs between them. */
export function searchText(...texts: string[]): string {
  return texts.map((text) => spellingsOf(text).join('\t')).join('\n')
}

/** What a partner finds a customer by, besides the customer’s own names and people. */
export function tieSearch(
  tie: { contactName: string; contactEmail: string; reference: string },
  tags: string[],
): string {
  return searchText(tie.contactName, tie.contactEmail, tie.reference, ...tags)
}

/**
 * What names are sorted by, byte for byte: folded, and with the length of each number before it, so that 2 comes
 * before 10. A length above 9 is written as `9` for each nine digits, and the rest.
 */
export function sortKey(name: string): string {
  return fold(name).replaceAll(/\d+/g, (digits) => {
    const number = digits.replace(/^0+(?=\d)/, '')
    const nines = Math.floor((number.length - 1) / 9)
    return `${'9'.repeat(nines)}${(number.length - 1) % 9}${number}`
  })
}

/** The columns by which a row is found and sorted: by its name, and found also by another text. */
export function named(name: string, other: string): { search: string; sortKey: string } {
  return { search: searchText(name, other), sortKey: sortKey(name) }
}

/** Each letter of a list, with its spelling before it: `ae æ · oe œ`. */
function lettersOf(list: string): Map<string, string> {
  return new Map(
    list.split(' · ').flatMap((entry) => {
      const [typed = '', letters = ''] = entry.split(' ')
      return [...letters].map((letter) => [letter, typed] as const)
    }),
  )
}

function replaced(text: string, letters: Map<string, string>): string {
  return [...text].map((letter) => letters.get(letter) ?? letter).join('')
}
