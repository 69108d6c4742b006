import type { UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { users } from '../../db/schema.ts'

const service = prepared((db, { userId }: Placeholders<{ userId: UserId }>) =>
  db.select({ is: users.service }).from(users).where(equals(users.id, userId)).prepare(),
)

/** Whether a user is a program’s, and no person. Nobody is none. */
export const isProgram = (db: Db, userId: UserId | null): boolean =>
  userId !== null && service(db).get({ userId })?.is === true
