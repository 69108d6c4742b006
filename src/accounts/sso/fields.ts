import { domainToASCII } from 'node:url'
import * as z from 'zod'
import { line, version } from '../../web/fields.ts'
import { trimmed } from '../../web/visible.ts'

const printable = /^[\x21-\x7e]*$/
const noSpaces = 'Use ASCII characters without spaces, as the provider shows it.'

export const providerFields = z.strictObject({
  issuer: line('Enter the address of the provider.', 500).refine(
    mayBeIssuer,
    'Enter an https address without a query, such as https://login.example.com.',
  ),
  clientId: line('Enter the client ID.', 500).refine((text) => printable.test(text), noSpaces),
  clientSecret: z
    .string()
    .default('')
    .transform(trimmed)
    .refine((text) => text.length <= 500 && printable.test(text), noSpaces),
  emailTrusted: z.literal('yes').optional(),
  version: version(),
})

function mayBeIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, search, hash, username, password } = new URL(text)
  return /^https?:$/.test(protocol) && !search && !hash && !username && !password
}

/** A domain in its ASCII form. Its ending alone is none that an account could have. */
export const domainFields = z.strictObject({
  domain: line('Enter a domain, such as example.com.', 253)
    .transform((text) => domainToASCII(text.replace(/^@|\.$/g, '')).toLowerCase())
    .refine(
      (text) =>
        text.length <= 240 &&
        /^([a-z0-9_]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(text) &&
        text.split('.').every((label) => label.length <= 63),
      'Enter a domain, such as example.com.',
    ),
})
