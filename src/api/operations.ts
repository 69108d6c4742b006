import type { Operation } from './contract/operation.ts'
import { accessOperations } from './operations/access.ts'
import { accountOperations } from './operations/account.ts'
import { customerOperations } from './operations/customers.ts'
import { deliveryOperations } from './operations/deliveries.ts'
import { historyOperations } from './operations/history.ts'
import { invitationOperations } from './operations/invitations.ts'
import { limitOfferOperations } from './operations/limit-offers.ts'
import { memberOperations } from './operations/members.ts'
import { ofCustomerOperations } from './operations/of-customers.ts'
import { planOperations } from './operations/plans.ts'
import { projectOperations } from './operations/projects.ts'
import { quotaOperations } from './operations/quotas.ts'
import { requestOperations } from './operations/requests.ts'
import { serviceUserOperations } from './operations/service-users.ts'
import { supportAccountOperations } from './operations/support-accounts.ts'
import { supportPeopleOperations } from './operations/support-people.ts'
import { supportQuotaOperations } from './operations/support-quotas.ts'
import { webhookOperations } from './operations/webhooks.ts'

/** Every operation of the API, in the order of its documentation. */
export const operations: Operation[] = [
  ...accountOperations,
  ...memberOperations,
  ...serviceUserOperations,
  ...invitationOperations,
  ...projectOperations,
  ...accessOperations,
  ...customerOperations,
  ...ofCustomerOperations,
  ...quotaOperations,
  ...requestOperations,
  ...planOperations,
  ...limitOfferOperations,
  ...historyOperations,
  ...webhookOperations,
  ...deliveryOperations,
  ...supportAccountOperations,
  ...supportPeopleOperations,
  ...supportQuotaOperations,
]
