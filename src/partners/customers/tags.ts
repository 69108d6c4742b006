import { line } from '../../web/fields.ts'

/** A customer has at most so many tags. */
export const mostTags = 10

/** One tag, of at most as many characters as fit beside a name. */
export const longestTag = 30

export const oneTag = () =>
  line('Enter a tag.', longestTag).refine((tag) => !tag.includes(','), 'Use one tag, without a comma.')
