import { foldForms } from '../db/fold.ts'

// Names that readers could take for the panel's own words: in histories, e-mails and lists of users.

/**
 * Latin letters, each followed by letters that look like it: the letters from other scripts, and from the extensions of
 * Latin, that confusables.txt of UTS #39 (Unicode 15.0) gives the same skeleton, marks aside; and small capitals.
 */
const rows = `
aɑΑαАаᎪᗅᴀꓮ𐊠𖽀 bƀƂƃƄɓΒБВЬѢѣҌҍᏏᏴᑲᑳᖯᗷꓐꞴ𐊂𐊡𐌁 cȼСсҪҫᏟᴄⲤⲥꓚꮯ𐊢𐌂𐐕𐐽𐔜 dÐĐđƉƌɖɗԁᎠᏧᑯᗞᗪᴅꓒꓓ eɆɇΕεЕеҽҿᎬᴇⴹꓰꬲ𐊆𑢦𑢮 fƑƒϜքᖴᵮẝꓝꞘꞙꬵ𐊇𐊥𐔥𑢢𑣂
gƍǤǥɠɡԌցᏀᏳᶃꓖ hĦħɦʜΗНћҢһӇӉհᎻᏂᏲᕼⱧⲎꓧꚕ𐋏 iıɨɩɪΙιІіᎥᵻᵼꙇꭵ𑣃 jɈɉͿϳЈјᎫᒍꓙꞲ kƙΚκКкҚҞᏦⱩⲔꓗꝀ𐔘 lŁłƖƗƚǀɫɭʟӀӏᏞᒪⲒⳐⵏꓡꓲ𐊊𐌉𐐛𐔦𑢣𑢲𖼖𖼨
mɱΜϺМмӍᎷᗰᴍᵯⲘꓟ𐊰𐌑 nƝƞɳɴΝηпոռᵰⲚꓠ𐔓 oØøƟɵΘΟθοσОоѲѳӨөՕօᎾᏫᴏᴑⲞⲟⴱⵁⵔꓳꝊꝋꬽꬾꭴꮎꮻ𐊒𐊫𐐄𐐬𐓂𐓪𐔖𑢵𑣈𑣗 pƥΡρРрᏢᑭᴘᵽⲢⲣꓑ𐊕 qʠԛգզⵕ
rƦɍɼɽʀгғᎡᏒᖇᴦᵲⲅꓣꭇꭈꮁ𐒴𖼵 sƽʂЅѕՏᏕᏚᵴꓢꜱꮪ𐊖𐐠𐑈𑣁𖼺 tŦŧƭƮȾΤτТтҬᎢᴛᵵⲦꓔ𐊗𐊱𐌕𑢼𖼊 uɄʋυՍսᏌᑌᴜᵾꓴꞟꭎꭒꮜ𐓎𐓶𑢸𑣘𖽂 vνѴѵᏙᐯᴠⴸꓦꮩ𐔝𑢠𑣀𖼈 wɯѡѽԜԝաᎳᏔᴡꓪꝡꮃ
xΧХхҲᕁᕽⲬⵝꓫꞳ𐊐𐊴𐌗𐔧 yƴɎɏɣʏΥγУуҮүҰұᎩᎽᶌỿⲨꓬꭚ𐊲𑢤𑣜𖽃 zƵƶȤȥʐΖᏃᴢᵶꓜꮓ𑢩𑣄`
const looks = new Map(
  rows
    .trim()
    .split(/\s+/)
    .flatMap((row) => {
      const [latin = '', ...others] = row
      return others.map((other) => [other, latin] as const)
    }),
)

/** Digits and signs that look like a letter, or like nothing: each with that letter. */
const signs = new Map(
  [...'0o1l3e4a5s6b7t8b9g$s@a|l!l+t€e'.matchAll(/(.)(.)/gu)].map(
    ([, sign = '', letter = '']) => [sign, letter] as const,
  ),
)

/** Letters in black circles and squares, which Unicode does not decompose. */
const inBlack = /[\u{1f150}-\u{1f169}\u{1f170}-\u{1f189}]/gu
/** The letters that flags are made of. */
const firstOfFlags = 0x1f1e6
const ofFlags = /[\u{1f1e6}-\u{1f1ff}]/u

const latin = (n: number) => String.fromCharCode(97 + n)
const codeOf = (sign: string) => sign.codePointAt(0) ?? 0
const alike = (text: string) =>
  [...text].map((letter) => looks.get(letter) ?? looks.get(letter.toUpperCase()) ?? letter).join('')

/** What a name looks like at a glance: without case and accents, with letters that look alike made one. */
function lookOf(name: string): string {
  const plain = name.normalize('NFKD').replaceAll(inBlack, (sign) => latin((codeOf(sign) - 0x1f150) % 32))
  return alike(foldForms(alike(plain).replaceAll(/\p{M}/gu, '')))
    .replaceAll(/[ij]/g, 'l')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
}

/** The letters that a character may be read as, and whether it may be passed over. */
function readingsOf(sign: string): { letters: (string | undefined)[]; skipped: boolean } {
  if (ofFlags.test(sign)) return { letters: [lookOf(latin(codeOf(sign) - firstOfFlags))], skipped: true }
  return { letters: [sign, signs.get(sign)], skipped: !isLetter(sign) }
}

const isLetter = (sign: string | undefined) => sign !== undefined && /\p{L}/u.test(sign)

/** A reserved word as it is looked for. */
const wordOf = (text: string) =>
  [...lookOf(text).replaceAll(/[^\p{L}\p{N}]/gu, '')].map((sign) => signs.get(sign) ?? sign).join('')
const wordsOf = (...texts: string[]) => texts.map(wordOf)

const support = wordOf('Support')
const products = new Set(wordsOf('Meshpanel'))
const ofAll = wordsOf('The panel', 'Command line', 'Deleted user')
/** Accounts may be called so: no history shows an account where it says “Set-up”. */
const ofPersons = wordsOf('System', 'Set-up')
/** They change nothing about who a name speaks for. */
const fillers = wordsOf(
  ...'the team desk help customer customers client technical tech service services center centre staff agent'.split(
    ' ',
  ),
  ...'official hotline online live number no nr your our of from tm sm kunden der das die'.split(' '),
)

/** Reserves the configured name of the panel, and names built with it. For the whole process. */
export function reserveNamesOf(panelName: string): void {
  const word = wordOf(panelName)
  // A name of signs alone looks like nothing, and would reserve all such names.
  if (word) products.add(word)
}

/** After these a name says what its bearer is, or who they work for: Olga (Support), Olga – Support, Olga of Support. */
const breaks =
  /[^\p{L}\p{N}\s\p{Pd}&+.!$€'‘’]|[–—―]|(?<=\s)\p{Pd}|\p{Pd}(?=\s)|\.\s|(?<!\p{L})['‘’]|['‘’](?!\p{L})|(?<=\s)(?:of|from|at|von|vom|de)(?=\s)/u

/**
 * Whether a name is reserved, or looks like one that is: it consists of reserved words and fillers, or says after
 * a bracket, a dash or the like that its bearer is one, or names the panel together with Support. In the name of a person
 * anything after a bracket counts; an account may be called “Acme – IT Support”.
 */
export function isReserved(name: string, of: 'person' | 'account'): boolean {
  const look = lookOf(name)
  const reserved = [support, ...products, ...ofAll, ...(of === 'person' ? ofPersons : [])]
  const [first = '', ...others] = look.split(breaks)
  return (
    says(look, reserved, { whole: true }) ||
    (others.length > 0 && says(first, reserved, { whole: true })) ||
    others.some((part) =>
      of === 'person' ? tails(part).some((tail) => says(tail, reserved)) : says(part, reserved),
    ) ||
    tails(look).some((tail) => says(tail, [support, ...products], { least: 2 }))
  )
}

/** A text from each of its words on. */
function tails(text: string): string[] {
  return [...text.matchAll(/(?<![\p{L}\p{N}$|!+€])[\p{N}$|!+€]*\p{L}/gu)].map(({ index }) => text.slice(index))
}

/**
 * Whether a look begins with reserved words, `least` of them, among fillers; or is `whole` made of them. Digits and signs may
 * mean letters or nothing, so all readings are followed at once: each is the rest of its word, after a mark for every
 * reserved word that it has had.
 */
function says(look: string, reserved: string[], { whole = false, least = 1 } = {}): boolean {
  const mark = '+'
  const done = mark.repeat(least)
  const text = [...look]
  let open = new Set([''])
  for (const [n, sign] of text.entries()) {
    const { letters, skipped } = readingsOf(sign)
    const next = new Set<string>()
    for (const state of open) {
      if (skipped) next.add(state)
      const had = state.replaceAll(/[^+]/g, '')
      const rest = state.slice(had.length)
      const more = had.length < least ? `${had}${mark}` : had
      const ahead = rest
        ? [[had, rest] as const]
        : [...fillers.map((word) => [had, word] as const), ...reserved.map((word) => [more, word] as const)]
      for (const [marks, word] of ahead)
        if (letters.some((letter) => letter !== undefined && word.startsWith(letter)))
          next.add(marks + word.slice([...word][0]?.length))
    }
    open = next
    if (!whole && open.has(done) && !isLetter(text[n + 1])) return true
  }
  return open.has(done)
}
