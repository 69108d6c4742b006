import type { ListSpec } from '../../db/list.ts'
import { escaped } from '../answer/bare-page.ts'

type Options = {
  /** The columns that a page shows, in its order; by default all that have a heading. */
  show?: string[]
  /** The last column holds what can be done with a row, or what these words say. */
  acts?: boolean | string
  /** The first column has a check box in each row. */
  ticks?: boolean
  /** How columns look on a page where they look otherwise. */
  looks?: Record<string, string>
}

const unseenHeading = { label: false, sorts: undefined, away: true }
/** The style sheet gives them to the cells of the heading’s column, in tables of so many columns. */
const byHeading = new Set([
  'acts',
  'main',
  'mid',
  'factor',
  'muted',
  'not-narrow',
  'num',
  'person',
  'state',
  'ticks',
  'trim',
  'who',
  'wide',
  'wrap',
])
const mostColumns = 8
const hiddenOnPhones = /\b(?:wide|mid|not-narrow)\b/

/**
 * A page’s table: its headings, and the attributes of each cell. Cells look as their heading (app.css). It throws if the cells
 * of a row are in another order than the headings.
 */
export function tableOf(columns: ListSpec<never>['columns'], { show, acts, ticks, looks = {} }: Options = {}) {
  const names = show ?? Object.keys(columns).filter((name) => columns[name]?.head !== undefined)
  const headings = names.map((name) => {
    const { head, look = '', label, sorts } = columns[name] ?? {}
    if (head === undefined) throw new Error(`The column ${name} has no heading.`)
    return { name, head, look: looks[name] ?? look, label, sorts, away: false }
  })
  const unseen = acts === true ? 'Actions' : acts
  if (unseen) headings.push({ ...unseenHeading, name: 'acts', head: unseen, look: looks.acts ?? 'acts' })
  const [first] = headings
  if (first && ticks) first.look += ' ticks'
  if (headings.length > mostColumns) throw new Error(`A table has at most ${mostColumns} columns.`)
  const cells = headings.map(({ head, look, label }) => {
    const rest = look.split(' ').filter((word) => word && !byHeading.has(word))
    const labelled =
      label && !hiddenOnPhones.test(look) ? ` data-label=${/^\w+$/.test(head) ? head : `"${escaped(head)}"`}` : ''
    return `${rest.length > 0 ? ` class="${rest.join(' ')}"` : ''}${labelled}`
  })
  let at = 0
  return {
    headings,
    td: (name: string): string => {
      const due = headings[at]?.name
      if (name !== due) throw new Error(`The cell ${name} stands where ${due} is due.`)
      const cell = cells[at] ?? ''
      at = (at + 1) % headings.length
      return cell
    },
  }
}
