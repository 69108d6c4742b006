import * as z from 'zod'
import { foldCase } from '../../../db/fold.ts'
import { email, optionalLine, optionalText } from '../../../web/fields.ts'
import { longestTag, mostTags } from '../tags.ts'

// The fields of what a partner keeps about a customer, for its form and for the API.

/** Tags without repetitions in another case. */
const distinctTags = <Given>(tags: z.ZodType<string[], Given>) =>
  tags
    .transform((all) => [...new Map(all.filter(Boolean).map((tag) => [foldCase(tag), tag])).values()])
    .refine((all) => all.length <= mostTags, `Use at most ${mostTags} tags.`)

export const tagList = distinctTags(z.array(optionalLine(longestTag))).meta({ maxItems: mostTags })

/** The same, in one text field: separated by commas. */
export const tags = distinctTags(
  optionalLine(400).transform((text) => text.split(',').map((tag) => tag.trim())),
).refine((all) => all.every((tag) => [...tag].length <= longestTag), `Use at most ${longestTag} characters for a tag.`)

export const detailFields = {
  contactName: optionalLine(100),
  contactEmail: z
    .union([z.literal(''), email()], { error: 'This is not an e-mail address. It looks like name@example.com.' })
    .default(''),
  contactPhone: optionalLine(50),
  contactAddress: optionalText(500),
  reference: optionalLine(50),
  note: optionalText(5_000),
}
