/** By what somebody is recognised in a text. */
export type Mentioned = { names: string[]; emails: string[] }

/** What replaces them in a text. */
export const stranger = 'a deleted user'

/** A look at texts for somebody: e-mails in any case, a name of several words too, a single word as it is written. */
export function mentionsOf({ names, emails }: Mentioned): {
  in: (text: string) => boolean
  replaced: (text: string) => string
} {
  const single = names.filter((name) => !/\s/.test(name))
  const patterns = [
    pattern([...emails, ...names.filter((name) => /\s/.test(name))], 'giu'),
    pattern(single, 'gu'),
  ].filter((one) => one !== undefined)
  return {
    in: (text) => patterns.some((one) => text.search(one) >= 0),
    replaced: (text) => patterns.reduce((left, one) => left.replace(one, stranger), text),
  }
}

/**
 * Whole words only: Tom is not in tomorrow. The longest first, since one may begin with another. Between two words of a
 * name may be any spaces: pages and e-mails show several, or one that does not break, as one.
 */
function pattern(words: string[], flags: string): RegExp | undefined {
  const known = [...new Set(words)].filter(Boolean).sort((one, other) => other.length - one.length)
  if (known.length === 0) return undefined
  const any = known.map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&').replaceAll(/\s+/g, '\\s+')).join('|')
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${any})(?![\\p{L}\\p{N}])`, flags)
}
