// Ids are numbers, and what keeps tenants apart takes two or three of them in a row. So those of accounts, projects and
// users have types of their own, which their columns give them (schema/): a number that is another's id, or none, does
// not compile.

declare const of: unique symbol

type Id<Of extends string> = number & { readonly [of]: Of }

export type AccountId = Id<'account'>
export type ProjectId = Id<'project'>
export type UserId = Id<'user'>

// For numbers from outside, in the place where they are read.
export const asAccountId = (id: number) => id as AccountId
export const asProjectId = (id: number) => id as ProjectId
export const asUserId = (id: number) => id as UserId
