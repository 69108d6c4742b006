import t from 'tap'
import { findMember } from '../../src/accounts/members/data.ts'
import { findAccess } from '../../src/projects/access/data/giving.ts'
import { accountId, projectId, startApp, userId } from '../harness.ts'

// Ids of one kind are never taken for those of another. The compiler looks at this file, too: where a swap compiles,
// the error that is expected here is missing, and that is one itself.

t.test('ids that are swapped find nothing, and do not compile', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const [acme, website, tom] = [accountId(panel, 'acme'), projectId(panel, 'website'), userId(panel, 'tom')]

  t.equal(findAccess(db, acme, website, tom)?.name, 'Tom')
  // @ts-expect-error: a user’s id for a project’s
  t.equal(findAccess(db, acme, tom, website), undefined)
  // @ts-expect-error: a project’s id for an account’s, and the other way round
  t.equal(findAccess(db, website, acme, tom), undefined)
  // @ts-expect-error: any number for a project’s id
  t.equal(findAccess(db, acme, 1_000, tom), undefined)

  t.equal(findMember(db, acme, tom)?.name, 'Tom')
  // @ts-expect-error: a user’s id for an account’s
  t.equal(findMember(db, tom, tom), undefined)
})
