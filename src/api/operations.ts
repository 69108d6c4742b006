import type { Operation } from './operation.ts'
import { accessOperations } from './operations/access.ts'
import { accountOperations } from './operations/account.ts'
import { customerOperations } from './operations/customers.ts'
import { memberOperations } from './operations/members.ts'
import { ofCustomerOperations } from './operations/of-customers.ts'
import { projectOperations } from './operations/projects.ts'

/** Every operation of the API, in the order of its documentation. */
export const operations: Operation[] = [
  ...accountOperations,
  ...memberOperations,
  ...projectOperations,
  ...accessOperations,
  ...customerOperations,
  ...ofCustomerOperations,
]
