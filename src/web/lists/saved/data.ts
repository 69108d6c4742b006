import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { foldCase } from '../../../db/fold.ts'
import type { AccountId, UserId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../../db/prepared.ts'
import { accounts, memberships, savedViews, users } from '../../../db/schema.ts'
import type { Person } from '../../../records/record.ts'

// Views of lists that people saved: each is its user's alone, in one account or, of Support's lists, in none (W-42).

export type SavedView = { id: number; accountId: AccountId | null; list: string } & ViewToSave

/** Its name, what is searched for, and the filters, sort and rows as a query. */
export type ViewToSave = { name: string; search: string; query: string }

/** Whose views of which list. */
type Of = { userId: UserId; accountId: AccountId | null; list: string }

/** They are tabs of one row. */
export const mostSavedViews = 10

const columns = {
  id: savedViews.id,
  accountId: savedViews.accountId,
  list: savedViews.list,
  name: savedViews.name,
  search: savedViews.search,
  query: savedViews.query,
}

const viewsOf = prepared((db, { userId, accountId, list }: Placeholders<Of>) =>
  db
    .select(columns)
    .from(savedViews)
    .where(
      and(
        equals(savedViews.userId, userId),
        equals(savedViews.list, list),
        sql`${savedViews.accountId} is ${accountId}`,
      ),
    )
    .orderBy(asc(savedViews.id))
    .prepare(),
)

/** The views that a user saved of a list, in the order in which they were saved. */
export function listSavedViews(db: Db, of: Of): SavedView[] {
  return viewsOf(db).all(of)
}

/** A view that this user saved; another's is not there. */
export function findSavedView(db: Db, userId: UserId, id: number): SavedView | undefined {
  return db
    .select(columns)
    .from(savedViews)
    .where(and(eq(savedViews.id, id), eq(savedViews.userId, userId)))
    .get()
}

/**
 * Saves a view of a list for its user. 'taken' when one of the list has the name, 'full' when it has as many as it can.
 * Undefined when the user is no longer in the account, or, without one, no longer of Support.
 */
export function saveView(
  db: Db,
  actor: Person,
  of: { accountId: AccountId | null; list: string },
  view: ViewToSave,
): SavedView | 'taken' | 'full' | undefined {
  const { userId } = actor
  return write(db, actor, (tx) => {
    if (!mayKeepIn(tx, userId, of.accountId)) return undefined
    const views = listSavedViews(tx, { ...of, userId })
    if (isTaken(views, view.name)) return 'taken'
    if (views.length >= mostSavedViews) return 'full'
    return tx
      .insert(savedViews)
      .values({ ...of, ...view, userId })
      .returning(columns)
      .get()
  })
}

/** Renames a view of the actor’s. 'taken' when another one of its list has the name; undefined when it is not there. */
export function renameSavedView(db: Db, actor: Person, id: number, name: string): SavedView | 'taken' | undefined {
  return write(db, actor, (tx) => {
    const view = findSavedView(tx, actor.userId, id)
    if (!view) return undefined
    const others = listSavedViews(tx, { ...view, userId: actor.userId }).filter((other) => other.id !== id)
    if (isTaken(others, name)) return 'taken'
    tx.update(savedViews).set({ name }).where(eq(savedViews.id, id)).run()
    return { ...view, name }
  })
}

/** Removes a view of the actor’s. Undefined when it is not there. */
export function removeSavedView(db: Db, actor: Person, id: number): SavedView | undefined {
  return write(db, actor, (tx) => {
    const view = findSavedView(tx, actor.userId, id)
    if (view) tx.delete(savedViews).where(eq(savedViews.id, id)).run()
    return view
  })
}

const isTaken = (views: SavedView[], name: string) => views.some((view) => foldCase(view.name) === foldCase(name))

function mayKeepIn(tx: Db, userId: UserId, accountId: AccountId | null): boolean {
  const query =
    accountId === null
      ? tx
          .select({ id: users.id })
          .from(users)
          .where(and(eq(users.id, userId), eq(users.operator, true)))
      : tx
          .select({ id: accounts.id })
          .from(memberships)
          .innerJoin(accounts, eq(accounts.id, memberships.accountId))
          .where(and(eq(memberships.userId, userId), eq(accounts.id, accountId), isNull(accounts.deletedAt)))
  return query.get() !== undefined
}
