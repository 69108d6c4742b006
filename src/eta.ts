import { join } from 'node:path'
import { Eta } from 'eta'
import { root } from './config.ts'
import { apart, apartPieces, isolated } from './db/apart.ts'

/**
 * The Eta of pages and e-mails; `tools` is what a page's views can call under that name (those of e-mails only what sets names apart), `base` the path that the panel's
 * own addresses in them get, `reload` whether templates are read again each time. A value that is missing fails the page
 * instead of printing “undefined”.
 */
export function newEta(reload: boolean, tools?: object, base = ''): Eta {
  const eta = new Eta({
    views: join(root, 'views'),
    cache: !reload,
    autoTrim: [false, 'nl'],
    autoFilter: true,
    // Not among a view's data, which Eta copies for each partial.
    functionHeader: 'const { tools } = this',
    plugins: [
      { processTemplate: withoutIndentation },
      ...(tools ? [{ processTemplate: withoutEndTags }, { processTemplate: withoutQuotes }] : []),
      ...(base ? [{ processTemplate: (template: string) => putBaseBefore(template, base) }] : []),
    ],
    filterFunction: (value) => {
      if (value === undefined || value === null) throw new Error('A view prints a value that is missing.')
      return String(value)
    },
  })
  // Views name partials from the folder of views on, so a name is always the same file.
  const paths = new Map<string, string>()
  const { resolvePath } = eta
  eta.resolvePath = (name, options) => {
    const path = paths.get(name) ?? resolvePath.call(eta, name, options)
    paths.set(name, path)
    return path
  }
  const below = (address: string) => (/^\/(?!\/)/.test(address) ? base + address : address)
  return Object.assign(eta, { tools: { ...tools, below, apart, isolated, apartPieces } })
}

const blocks =
  'table|thead|tbody|tr|t[hd]|[uo]l|li|d[ltd]|div|p|h[1-6]|section|main|header|nav|form|details|summary|fieldset|legend|option'
const besideBlock = new RegExp(`(</?(?:${blocks})(?: [^<>]*)?>)\\s*\\n\\s*|\\s*\\n\\s*(?=</?(?:${blocks})\\b)`, 'g')

/**
 * Line breaks and indentation are a fifth of a page. In HTML, they mean nothing next to blocks, and a space elsewhere.
 */
function withoutIndentation(template: string): string {
  return template
    .replaceAll(besideBlock, '$1')
    .replaceAll(/(?<=[^%]>)\n[ \t]+(?=<[^%])/g, '\n')
    .replaceAll(/\n[ \t]+/g, '\n ')
}

/** HTML ends cells, rows and options where the next one begins. Programs that show e-mails may not know that. */
const withoutEndTags = (template: string): string => template.replaceAll(/<\/(?:t[dhr]|option)>/g, '')

/** A plain word in an attribute needs no quotes. What a view prints keeps them. */
const withoutQuotes = (template: string): string =>
  template
    .split(/(<%[\s\S]*?%>)/)
    .map((part, n) => (n % 2 === 0 ? part.replaceAll(/(\s[a-z-]+=)"([\w#.:-]+)"(?=[\s>])/g, '$1$2') : part))
    .join('')

/** In attributes that hold an address, with or without quotes: those that are written out, and those that an expression begins. */
function putBaseBefore(template: string, base: string): string {
  return template
    .replaceAll(/(\s(?:href|src|action|formaction)="?)(?=\/(?!\/))/g, (attribute) => attribute + base)
    .replaceAll(
      /(\s(?:href|src|action|formaction)="?<%=)((?:(?!%>).)*)%>/gs,
      (_, attribute: string, expression: string) => `${attribute} tools.below(${expression.trim()}) %>`,
    )
}
