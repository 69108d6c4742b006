import { domainToASCII } from 'node:url'
import * as z from 'zod'
import { suggestIdentifier } from '../../public/identifier.js'
import { foldCase } from '../db/fold.ts'
import { readAmount } from './amounts.ts'
import { isNetwork } from './networks.ts'
import { isReserved } from './reserved-names.ts'
import { isLegible, isPlain, showsSomething, trimmed } from './visible.ts'

// The schemas of form fields. Messages are in the words of the person who fills the form. The limits are repeated with `meta`
// for the API’s document, because transforms and refinements leave nothing in a JSON Schema.

const invisible =
  'Delete the invisible or control characters, or the accents without a letter: type this instead of pasting it.'

/** Text as it is stored: NFC, at most `most` characters, all of them visible, without marks at its ends. */
const shown = (most: number, legible = isLegible) =>
  z
    .string()
    .refine((text) => [...text].length <= most, `Use at most ${most} characters.`)
    .refine(legible, invisible)

const typedText = (missing: string) => z.string({ error: missing }).transform((text) => trimmed(text.normalize('NFC')))

/** A line of text of at most `most` characters. */
export const line = (missing: string, most: number) =>
  typedText(missing).pipe(shown(most).refine(showsSomething, missing)).meta({ minLength: 1, maxLength: most })

/** A line that may be left empty. */
export const optionalLine = (most: number) =>
  typedText('')
    .default('')
    .pipe(shown(most).refine((text) => text === '' || showsSomething(text), invisible))
    .meta({ maxLength: most })

/** Text of several lines that may be left empty. */
export const optionalText = (most: number) =>
  z
    .string()
    .default('')
    .transform((text) => trimmed(text.normalize('NFC').replaceAll(/\r\n?/g, '\n')))
    .pipe(shown(most, (text) => text.split('\n').every(isLegible)))
    .meta({ maxLength: most })

/** What somebody or something is called: not a message, since names go into e-mails to people who do not know us. */
const called = (missing: string) =>
  line(missing, 100).refine((name) => !holdsLink(name), 'Leave out links and e-mail addresses.')

const reserved =
  'This name is reserved, because people could mistake it for the panel or its Support. Choose another name.'

export const personName = () => called('Enter the full name.').refine((name) => !isReserved(name, 'person'), reserved)

/** History and e-mails name it like a person. */
export const serviceUserName = () =>
  called('Enter a name, such as the program that it is for.').refine((name) => !isReserved(name, 'person'), reserved)

export const accountName = (missing: string) => called(missing).refine((name) => !isReserved(name, 'account'), reserved)

export const projectName = () => called('Enter the project’s name.')

export const planName = () => called('Enter the plan’s name.')

export const viewName = () => line('Enter a name for the view.', 40)

/** It goes into letters to its user, whom somebody else may have added it for. */
export const passkeyName = () => called('Enter a name, such as “Phone”.')

/** A domain ends in at least two letters, so `e.V.` is not one. Browsers read the Chinese full stop as a dot. */
const endOfDomain = String.raw`[\p{L}\p{M}\p{N}-][.。]\p{L}[\p{L}\p{M}\p{N}-]+`

const links = [
  String.raw`\p{L}:[\/\\]{2}`,
  String.raw`(?<![\p{L}\p{N}])(https?|hxxps?|ftps?|sftp|mailto|tel|sms|callto|skype|whatsapp|tg):\S`,
  String.raw`(?<![\p{L}\p{N}])(w{3,}\d?|ftp)[.。]\S`,
  // `//evil.example`, and domains or numbers with a path, a query or a port.
  String.raw`[\/\\]{2}\S*?${endOfDomain}`,
  String.raw`${endOfDomain}[.。]?([\/\\?#]\S|:\d)`,
  String.raw`(?<![\p{N}.])\d{1,3}(\.\d{1,3}){3}([\/\\?#]|:\d)`,
  String.raw`[^\s@]@[^\s@]+[.。]\p{L}`,
]
const anyLink = new RegExp(links.join('|'), 'iu')

/** What mail programs and browsers turn into links. A bare domain may be a company's name: Booking.com B.V. */
function holdsLink(name: string): boolean {
  return anyLink.test(name.normalize('NFKC'))
}

export const identifierRule =
  '2–32 characters: a–z, 0–9 and single hyphens, beginning with a letter. It cannot be changed later.'

export const identifierPattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

/** May be left empty: then `withIdentifier` derives it from the name. */
export const identifier = () =>
  z
    .string({ error: 'Choose an identifier.' })
    .transform(trimmed)
    .refine(
      (text) => text === '' || (text.length >= 2 && text.length <= 32 && identifierPattern.test(text)),
      `This cannot be an identifier. It takes ${identifierRule}`,
    )
    .meta({ maxLength: 32, pattern: `^(${identifierPattern.source.slice(1, -1)})?$` })

/** Derives an empty identifier from the name; refuses where the name offers none. */
export function withIdentifier<Input extends { name: string; identifier: string }>(
  input: Input,
  context: z.RefinementCtx,
): Input {
  if (input.identifier) return input
  const suggestion = suggestIdentifier(input.name)
  if (!suggestion) {
    context.addIssue({
      code: 'custom',
      path: ['identifier'],
      message: `Choose an identifier: none can be made from this name. It takes ${identifierRule}`,
    })
  }
  return { ...input, identifier: suggestion }
}

/**
 * One strict e-mail address (nodemailer would send a list to all in it). Domains of any script and
 * any length work, and so do ' and + and letters beyond ASCII before the @.
 */
export const email = (missing = 'Enter the e-mail address.') =>
  z
    .string({ error: missing })
    .transform((text) => trimmed(text.normalize('NFC')))
    .pipe(
      z
        .string()
        .min(1, missing)
        .max(254, 'This e-mail address is too long.')
        .refine(isPlain, invisible)
        .refine(
          (text) => splitEmail(text) !== undefined,
          'This is not an e-mail address. It looks like name@example.com.',
        ),
    )
    .meta({ format: 'email', maxLength: 254 })

/** What two spellings of one address have in common: upper and lower case folded, the domain in its ASCII form. */
export function emailKey(address: string): string {
  const parts = splitEmail(address)
  return parts ? `${foldCase(parts.local)}@${parts.domain}` : foldCase(address)
}

/** The domain of an address, in its ASCII form; empty where it is no address. */
export const domainOf = (address: string): string => splitEmail(address)?.domain ?? ''

function splitEmail(address: string): { local: string; domain: string } | undefined {
  const at = address.lastIndexOf('@')
  const local = address.slice(0, at)
  const domain = domainToASCII(address.slice(at + 1)).toLowerCase()
  const ascii = `${local.replaceAll(/[\p{L}\p{N}\p{M}]/gu, 'x')}@${domain}`
  if (at < 1 || local.length > 64 || !domain.includes('.') || /[%/:?#[\]\\]/.test(address.slice(at + 1)))
    return undefined
  return z.regexes.html5Email.test(ascii) && !/^\.|\.\.|\.@/.test(ascii) ? { local, domain } : undefined
}

/** Whole numbers by our own rule: a validator's coercion takes 0x10, 1e3 and spaces for numbers. */
const digits = /^(0|[1-9][0-9]{0,8})$/

/**
 * An amount of a unit: a whole number, `0` for none, empty (null) for none of its own. `empty` says what that means.
 * Thousands may be grouped, and another unit of storage may follow (amounts.ts).
 */
export const amount = (empty: string, unit = '') =>
  z
    .string()
    .trim()
    .transform((text, context) => {
      if (text === '') return null
      const amount = readAmount(text, unit)
      if (amount !== undefined) return amount
      const words = unit ? ` of ${unit}` : ''
      context.addIssue(`Enter a whole number${words} from 0 to 999999999, or ${empty}.`)
      return z.NEVER
    })

/** The number of an edit's version, written into the form by the page. */
export const version = () => z.string().regex(digits, 'Open the page again.').transform(Number)

/** The time of the act that an Undo takes back. */
export const undoneAct = () =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'Open the page again.')
    .transform(Number)
    .optional()

/** IP addresses and ranges, separated by spaces or commas; none for every address. */
export const networks = () =>
  z
    .string()
    .default('')
    .transform((text) => text.split(/[\s,]+/).filter(Boolean))
    .refine((all) => all.length <= 20, 'Enter at most 20 ranges.')
    .refine((all) => all.every(isNetwork), 'Enter IP addresses or ranges such as 192.0.2.0/24, separated by spaces.')

/** The address of a webhook; `outside.whyNot` says whether the panel would go there. */
export const webhookUrl = () =>
  line('Enter the address, such as https://example.com/webhooks.', 1_000).refine(
    (text) => URL.canParse(text),
    'This is no address. Enter one such as https://example.com/webhooks.',
  )

/** A field that may be given several times, as checkboxes are. */
export const several = <Item extends z.ZodType<unknown, string>>(item: Item) =>
  z.union([z.array(item), item.transform((one) => [one])], { error: 'Choose from the list.' }).default([])

/** An id in an address or a choice: undefined if it is not an id, so that it is not found. */
export function readId(text: string): number | undefined {
  return digits.test(text) ? Number(text) : undefined
}

export const idChoice = () => z.string().regex(digits, 'Choose from the list.').transform(Number)
