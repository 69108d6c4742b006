import { join } from 'node:path'
import { Eta } from 'eta'
import { root } from './config.ts'

/** The Eta of pages and letters. A value that is missing fails the page instead of printing “undefined”. */
export function newEta(): Eta {
  const eta = new Eta({
    views: join(root, 'views'),
    cache: true,
    autoTrim: [false, 'nl'],
    autoFilter: true,
    plugins: [
      {
        // What indents a template is a fifth of a page, and means nothing in HTML.
        processTemplate: (template: string) => template.replaceAll(/\n[ \t]+/g, '\n '),
        // A partial sees all that its view sees. Eta copies it for each one, of which a list has hundreds.
        processFnString: (code: string) =>
          code.replace(
            copied,
            'this.render(__eta_t, __eta_d ? Object.assign(Object.create(it), __eta_d) : it, options)',
          ),
      },
    ],
    filterFunction: (value) => {
      if (value === undefined || value === null) throw new Error('A view prints a value that is missing.')
      return String(value)
    },
  })
  // A name is always looked up in the same place.
  const paths = new Map<string, string>()
  const { resolvePath } = eta
  eta.resolvePath = (name, options) => {
    const path = paths.get(name) ?? resolvePath.call(eta, name, options)
    paths.set(name, path)
    return path
  }
  return eta
}

const copied = 'this.render(__eta_t, {...it, ...(__eta_d ?? {})}, options)'
