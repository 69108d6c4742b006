import * as z from 'zod'
import type { Suspension } from '../../db/suspension.ts'
import { accountName, identifier, projectName } from '../../web/fields.ts'

// What bodies and answers of several operations have in common. Names are in snake_case, times in RFC 3339 (UTC).

export const timeOf = (words: string) => z.iso.datetime().meta({ description: words })
export const shownTime = (at: number) => new Date(at).toISOString()
export const shownTimeOrNull = (at: number | null) => (at === null ? null : shownTime(at))

/** A name as an answer shows it. */
export const shownName = () => z.string()

export const shownIdentifier = (words = 'Never changes.') => z.string().meta({ description: words, example: 'wayne' })

/** The identifier of something that is there, in a body. */
export const givenIdentifier = (words: string) => z.string().max(100).meta({ description: words, example: 'intranet' })

/** What an identifier is given as: left out, it is made from the name. */
export const newIdentifier = (example: string) =>
  identifier().default('').meta({
    description: '2–32 characters: a–z, 0–9 and single hyphens, beginning with a letter. Left out: made from the name.',
    example,
  })

export const newAccountName = () =>
  accountName('Enter the name.').meta({ description: 'Up to 100 characters.', example: 'Wayne' })

export const newProjectName = () => projectName().meta({ description: 'Up to 100 characters.', example: 'Intranet' })

export const suspension = z
  .strictObject({ by: z.enum(['partner', 'support']), reason: z.string() })
  .nullable()
  .meta({ description: 'Null if the account is not suspended.' })

export const shownSuspension = (one: Suspension | null) => one && { by: one.by, reason: one.reason }

export const accountRole = z
  .enum(['admin', 'member'])
  .meta({ description: '`admin` is a Customer or Partner Admin, `member` a Customer or Partner User.' })
export const projectRole = z
  .enum(['admin', 'user', 'reader'])
  .meta({ description: 'Project Admin, Project User or Project Reader.' })

export const shownAdmins = z.int().min(0).meta({
  description: 'How many admins can log in. With users and without an admin, somebody must make one of them admin.',
})

/** Something that was deleted and can be restored. */
export const deletedShape = (id: string) =>
  z
    .strictObject({
      identifier: shownIdentifier(),
      name: shownName(),
      deleted_at: timeOf('When it was deleted.'),
      restorable_until: timeOf('Until when it can be restored.'),
    })
    .meta({ id })

export const showDeleted = (one: { identifier: string; name: string; deletedAt: number; until: number }) => ({
  identifier: one.identifier,
  name: one.name,
  deleted_at: shownTime(one.deletedAt),
  restorable_until: shownTime(one.until),
})
