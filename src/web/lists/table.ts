import type { ListSpec } from '../../db/list.ts'
import { escaped } from '../answer/bare-page.ts'

type Options = {
  /** The columns that a page shows, in its order; by default all that have a heading. */
  show?: string[]
  /** The last column holds what can be done with a row, or what these words say. */
  acts?: boolean | string
  /** The first column is a check box of the row. */
  ticks?: boolean
  /** How columns look on a page where they look otherwise. */
  looks?: Record<string, string>
}

const unseenHeading = { label: false, sorts: undefined, away: true }
const hiddenOnPhones = /\b(?:wide|mid|not-narrow)\b/

/**
 * A page’s table: its headings, and the attributes of each cell. It throws if the cells of a row are in another order than
 * the headings.
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
  if (ticks) headings.unshift({ ...unseenHeading, name: 'tick', head: 'Ticked', look: 'tick' })
  const cells = headings.map(({ head, look, label }) => {
    const labelled = label && !hiddenOnPhones.test(look) ? ` data-label="${escaped(head)}"` : ''
    return `${look && ` class="${look}"`}${labelled}`
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
