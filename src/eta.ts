import { join } from 'node:path'
import { Eta } from 'eta'
import { root } from './config.ts'

/** The Eta of pages and letters. A value that is missing fails the page instead of printing “undefined”. */
export function newEta(): Eta {
  return new Eta({
    views: join(root, 'views'),
    cache: true,
    autoTrim: [false, 'nl'],
    autoFilter: true,
    // What indents a template is a fifth of a page, and means nothing in HTML.
    plugins: [{ processTemplate: (template: string) => template.replaceAll(/\n[ \t]+/g, '\n ') }],
    filterFunction: (value) => {
      if (value === undefined || value === null) throw new Error('A view prints a value that is missing.')
      return String(value)
    },
  })
}
