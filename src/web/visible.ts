// Which characters a line of text may hold. Unicode names are those of UTS #18 and UAX #44.

/**
 * Cannot be seen, or changes how other text is shown. The fillers of Hangul, the empty Braille cell, the blanks of hieroglyphs
 * and the null notehead only look like spaces; an object replacement character stands for what was not copied.
 */
const invisible =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\ufff9-\ufffc\u{13441}\u{13442}\u{16fe4}\u{1d159}]/u

/**
 * Marks that have no letter, or that pile up beyond the line. Four on a letter are as many as a language has: Burmese
 * လျှို့ဝှက်, Hebrew with accents, Tibetan. Marks beside a letter do not pile up.
 */
const astray = /^\p{M}|[\p{Mn}\p{Me}]{5}/u

/** Comes along when text is copied from another program: spaces, joiners, direction marks, the byte order mark. */
const pasted = /[\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/

/** Zero-width joiner and non-joiner: Persian, the scripts of India and Sri Lanka, and emoji are written with them. */
const joiners =
  /(?<=[\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200c\u200d](?=[\p{L}\p{M}\p{Extended_Pictographic}])/gu

/** Persian joins its endings to digits with a non-joiner. */
const afterDigits = /(?<=\p{Nd})\u200c(?=(?!\p{N})\p{Script=Arabic})/gu

/** What makes a black flag that of England, Scotland or Wales. */
const flags =
  /(?<=\u{1f3f4})\u{e0067}\u{e0062}(?:\u{e0065}\u{e006e}\u{e0067}|\u{e0073}\u{e0063}\u{e0074}|\u{e0077}\u{e006c}\u{e0073})\u{e007f}/gu

/** Choose the form of an emoji, of a Han character in a Japanese name, or of a Mongolian letter. */
const variants =
  /(?<=\p{Emoji})[\ufe0e\ufe0f]|(?<=\p{Script=Han})[\ufe00-\ufe02\u{e0100}-\u{e01ef}]|(?<=\p{Script=Mongolian})[\u180b-\u180d\u180f]/gu

/** Text without the spaces and invisible marks at both ends. */
export function trimmed(text: string): string {
  // A pattern would look at a long run of spaces in the middle from each of them.
  let [from, to] = [0, text.length]
  while (from < to && pasted.test(text.charAt(from))) from++
  while (to > from && pasted.test(text.charAt(to - 1))) to--
  return text.slice(from, to)
}

/** Whether every character is visible and in its place, without any exceptions: for addresses. */
export function isPlain(text: string): boolean {
  return !invisible.test(text) && !astray.test(text)
}

/** Whether every character is visible and in its place, or is one that a script or an emoji needs in this position. */
export function isLegible(text: string): boolean {
  return isPlain([joiners, afterDigits, flags, variants].reduce((left, one) => left.replaceAll(one, ''), text))
}

/** Whether anything is visible at all. */
export function showsSomething(text: string): boolean {
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(text)
}
