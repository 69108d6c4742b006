import type { ListQuery, ListSpec } from '../../../db/list.ts'
import { Refusal } from '../../answer/errors.ts'
import { listAddress, readListFields } from '../list.ts'
import type { SavedView, ViewToSave } from './data.ts'

/** What is saved of a list as somebody sees it: its search apart, since people type names and e-mails there. */
export function viewToSave<Filters extends string>(
  query: ListQuery<Filters>,
  spec: ListSpec<never, Filters>,
): Omit<ViewToSave, 'name'> {
  return { search: query.q, query: queryOf({ ...query, q: '' }, spec) }
}

/** Saved views as tabs. One that names a filter or value that the list no longer has comes without a query. */
export function shownViews<Filters extends string>(
  views: SavedView[],
  spec: ListSpec<never, Filters>,
): NonNullable<ListQuery['saved']> {
  return views.map((view) => ({ id: view.id, name: view.name, query: queryOfView(view, spec) }))
}

/** The query of the address that shows a saved view; undefined if the list no longer has one of its filters or their values. */
export function queryOfView<Filters extends string>(
  { search, query }: SavedView,
  spec: ListSpec<never, Filters>,
): string | undefined {
  const given = Object.fromEntries(new URLSearchParams(query))
  const names = ['sort', 'size', ...Object.keys(spec.filters)]
  if (Object.keys(given).some((name) => !names.includes(name))) return undefined
  try {
    return queryOf({ ...readListFields(given, spec), q: search }, spec)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

function queryOf<Filters extends string>(query: ListQuery<Filters>, spec: ListSpec<never, Filters>): string {
  return listAddress('', { ...query, spec, remembered: false, cursor: undefined }).replace('?', '')
}
