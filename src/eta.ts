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
    filterFunction: (value) => {
      if (value === undefined || value === null) throw new Error('A view prints a value that is missing.')
      return String(value)
    },
  })
}
