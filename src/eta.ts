import { join } from 'node:path'
import { Eta } from 'eta'
import { root } from './config.ts'

/**
 * The Eta of pages and letters; `tools` is what its views can call under that name, `base` the path that the panel's
 * own addresses in them get, `reload` whether templates are read anew each time. A value that is missing fails the page
 * instead of printing “undefined”.
 */
export function newEta(reload: boolean, tools: object = {}, base = ''): Eta {
  const eta = new Eta({
    views: join(root, 'views'),
    cache: !reload,
    autoTrim: [false, 'nl'],
    autoFilter: true,
    // Not among a view's data, which Eta copies for each partial.
    functionHeader: 'const { tools } = this',
    // What indents a template is a fifth of a page, and means nothing in HTML.
    plugins: [
      { processTemplate: (template: string) => template.replaceAll(/\n[ \t]+/g, '\n ') },
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
  return Object.assign(eta, { tools: { ...tools, below } })
}

/** In attributes that hold an address: those that are written out, and those that an expression begins. */
function putBaseBefore(template: string, base: string): string {
  return template
    .replaceAll(/(\s(?:href|src|action|formaction)=")(?=\/(?!\/))/g, (attribute) => attribute + base)
    .replaceAll(
      /(\s(?:href|src|action|formaction)="<%=)((?:(?!%>).)*)%>/gs,
      (_, attribute: string, expression: string) => `${attribute} tools.below(${expression.trim()}) %>`,
    )
}
