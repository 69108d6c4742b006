import { foldForms } from '../../db/fold.ts'

// Whether a password can be guessed (ASVS 5.0, 6.2.4 and 6.2.11): estimated by zxcvbn, which knows common
// passwords, words, keyboard rows, dates, repetitions, and letters replaced by signs.

/** So many guesses, at least. Twelve characters without a pattern take 10^12, four common words 10^14. */
const leastGuesses = 1e10

/**
 * zxcvbn takes time with the square of the length, and more with signs that stand for letters: 12 s for 256
 * characters of the worst kind. Within these bounds that takes 12 ms, rarely 50. What follows makes no password weaker.
 */
const mostJudged = 48
const mostSubstitutions = 8

/** Languages that people choose passwords in: the names of their months and days come from Node, what follows does not. */
const languages = ['de', 'en', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'cs', 'sv', 'da', 'hu', 'ro', 'tr', 'el', 'ru', 'uk']
const loving = [
  'ich liebe dich',
  'je t aime',
  'te quiero',
  'te amo',
  'ti amo',
  'eu te amo',
  'ik hou van jou',
  'kocham cie',
  'miluji te',
  'jag alskar dig',
  'jeg elsker dig',
  'szeretlek',
  'te iubesc',
  'seni seviyorum',
  'σ αγαπω',
  'я тебя люблю',
  'я тебе кохаю',
]

/** Words that passwords are made of all over Europe, with and without accents and spaces. */
function everyday(): string[] {
  const days = Array.from({ length: 12 }, (_, n) => Date.UTC(2026, n, n + 1))
  const named = languages.flatMap((language) =>
    (['month', 'weekday'] as const).flatMap((part) => {
      const format = new Intl.DateTimeFormat(language, { [part]: 'long', timeZone: 'UTC' })
      return days.map((day) => format.format(day).toLowerCase())
    }),
  )
  const words = [...named, ...loving, ...loving.map((phrase) => phrase.replaceAll(' ', ''))]
  return [...new Set([...words, ...words.map((word) => word.normalize('NFKD').replaceAll(/\p{M}/gu, ''))])]
}

/** So many letters must be left of a password without the words of its owner, where it holds any. */
const lettersBeside = 4

/** zxcvbn with its dictionaries: reading and building them takes 60 ms and some memory, which many processes never need. */
async function loadEstimator() {
  const [{ zxcvbn, zxcvbnOptions }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  zxcvbnOptions.setOptions({
    dictionary: { ...dictionary, everyday: everyday() },
    graphs: adjacencyGraphs,
    l33tMaxSubstitutions: mostSubstitutions,
  })
  return zxcvbn
}

let estimator: ReturnType<typeof loadEstimator> | undefined

/** Whose password it is, and the names of their accounts, or of the one that they are invited to. */
export type Owner = { name: string; email: string; accounts: string[] }

/** Why a password is too easy to guess for its owner, and what to do; undefined when it is not. */
export async function whyGuessable(password: string, owner: Owner, panelName: string): Promise<string | undefined> {
  const texts = [owner.name, owner.email, ...owner.accounts, panelName, 'Meshpanel'].map(foldForms)
  const personal = [...new Set(texts.flatMap((text) => [letters(text), ...text.split(/[^\p{L}\p{N}]+/u)]))]
    .filter((word) => word.length > 2)
    .toSorted((one, other) => other.length - one.length)
  const whole = letters(foldForms(password))
  const rest = personal.reduce((left, word) => left.replaceAll(word, ''), whole)
  if (rest !== whole && rest.replaceAll(/\p{N}/gu, '').length < lettersBeside)
    return 'This is little more than your own name or e-mail, or the name of your account or of the panel. Choose another.'

  const judged = [...password.normalize('NFKC')].slice(0, mostJudged).join('')
  estimator ??= loadEstimator()
  const { guesses } = (await estimator)(judged, personal)
  return guesses < leastGuesses
    ? 'This password is easy to guess. Use four or more words that do not belong together, or let a password manager create one.'
    : undefined
}

const letters = (text: string) => text.replaceAll(/[^\p{L}\p{N}]/gu, '')
