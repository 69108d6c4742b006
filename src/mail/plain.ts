import type { DomNode, FormatCallback } from 'html-to-text'
import { isolated } from '../db/apart.ts'

/** The plain part of an e-mail, for programs that show no HTML, made from its HTML when it is sent. */
export async function plainPart(html: string): Promise<string> {
  // Read when the first e-mail is sent: it takes as long as a tenth of a start.
  const { convert } = await import('html-to-text')
  return convert(html, {
    wordwrap: false,
    // Without the name of the panel above; letters of earlier versions have other classes, and are converted whole.
    baseElements: { selectors: ['td.m-card', 'td.m-soft'] },
    formatters: { name, button, link },
    selectors: [
      { selector: 'bdi', format: 'name' },
      { selector: 'a.m-button', format: 'button' },
      { selector: 'a', format: 'link' },
      { selector: 'ul', options: { itemPrefix: '  ' } },
    ],
  })
}

const escaped: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&amp;': '&' }

/** The words of an e-mail in one line, to search them: a hundredth of the time of its plain part. */
export function wordsIn(html: string): string {
  return html
    .replace(/^.*<body/s, '<body')
    .replaceAll(/<[^>]*>|\s+/g, ' ')
    .replaceAll(/&[#\w]+;/g, (entity) => escaped[entity] ?? entity)
}

const wordsOf = ({ data, children }: DomNode): string => data ?? (children ?? []).map(wordsOf).join('')

const name: FormatCallback = (element, _walk, builder) => builder.addInline(isolated(wordsOf(element)))

/** The address stands alone in its line, where programs find its end. */
const button: FormatCallback = (element, walk, builder) => {
  walk(element.children, builder)
  builder.addInline(':')
  builder.addLineBreak()
  builder.addInline(element.attribs.href, { noWordTransform: true })
}

/** In a sentence, an address stands in angle brackets (RFC 3986, appendix C). */
const link: FormatCallback = (element, walk, builder) => {
  const { href } = element.attribs
  walk(element.children, builder)
  if (href !== `mailto:${wordsOf(element)}`) builder.addInline(` <${href}>`, { noWordTransform: true })
}
