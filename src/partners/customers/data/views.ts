import { type Need, needs } from './attention.ts'
import type { CustomerFilter } from './listing.ts'
import type { Overview } from './overview.ts'

/** A tab of the list: what it shows, and how many there are. */
export type View = {
  label: string
  filters: Partial<Record<CustomerFilter, string>>
  n: string | undefined
  look: string
}

/** The tabs of needs in their order; `rare` ones are shown while there is one. */
const tabs: { need: Need; label: string; look: string; rare?: boolean }[] = [
  { need: 'near', label: 'Near a limit', look: 'warn' },
  { need: 'over', label: 'Over a limit', look: 'bad' },
  { need: 'missing', label: 'No admin', look: 'warn' },
  { need: 'expired', label: 'Invitation expired', look: 'warn', rare: true },
  { need: 'failed', label: 'E-mail failed', look: 'bad', rare: true },
  { need: 'idle', label: 'Idle 90 days', look: '', rare: true },
  { need: 'suspended', label: 'Suspended', look: '' },
]

/** The views of a partner's customers. Without an overview, which is counted for the first time, they have no numbers. */
export function customerViews(overview: Overview | undefined, number: (n: number) => string): View[] {
  return [
    { label: 'All', filters: {}, n: overview && number(overview.customers), look: '' },
    ...tabs.flatMap(({ need, label, look, rare }) => {
      const n = overview?.needs[need].n
      return rare && !n
        ? []
        : [{ label, filters: needs[need].filter, n: n === undefined ? undefined : number(n), look: n ? look : '' }]
    }),
  ]
}
