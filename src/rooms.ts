import deletedAccountRoutes from './accounts/deletion/routes.ts'
import supportDeletionRoutes from './accounts/deletion/support/routes.ts'
import accountExportRoutes from './accounts/export/routes.ts'
import importRoutes from './accounts/imports/routes.ts'
import offerRoutes from './accounts/invitations/offer/routes.ts'
import invitationRoutes from './accounts/invitations/routes.ts'
import tickedInvitationRoutes from './accounts/invitations/ticked/routes.ts'
import memberRemovalRoutes from './accounts/members/removal/routes.ts'
import memberRoleRoutes from './accounts/members/role/routes.ts'
import memberRoutes from './accounts/members/routes.ts'
import accountRoutes from './accounts/routes.ts'
import securityRoutes from './accounts/security/routes.ts'
import serviceUserRoutes from './accounts/service-users/routes.ts'
import newPeopleRoutes from './accounts/sso/people/routes.ts'
import accountSsoRoutes from './accounts/sso/routes.ts'
import apiDocsRoutes from './api/docs/routes.ts'
import historyRoutes from './history/routes.ts'
import notificationRoutes from './home/notifications/routes.ts'
import homeRoutes from './home/routes.ts'
import savedViewRoutes from './home/saved-views/routes.ts'
import searchRoutes from './home/search/routes.ts'
import backupRoutes from './operations/backups/routes.ts'
import clockRoutes from './operations/clock/routes.ts'
import wellKnownRoutes from './operations/well-known/routes.ts'
import customerDetailRoutes from './partners/customers/details/routes.ts'
import customerHistoryRoutes from './partners/customers/history/routes.ts'
import customerRoutes from './partners/customers/routes.ts'
import customerSuspensionRoutes from './partners/customers/suspension/routes.ts'
import tickedCustomerRoutes from './partners/customers/ticked/routes.ts'
import customerUserRoutes from './partners/customers/users/routes.ts'
import accountTransferRoutes from './partners/partnership/move/routes.ts'
import partnerRequestRoutes from './partners/partnership/request/routes.ts'
import partnershipRoutes from './partners/partnership/routes.ts'
import emailLinkRoutes from './people/email/link/routes.ts'
import emailChangeRoutes from './people/email/routes.ts'
import firstRunRoutes from './people/first-run/routes.ts'
import personalDataRoutes from './people/leaving/download/routes.ts'
import userRemovalRoutes from './people/leaving/routes.ts'
import loginRoutes from './people/log-in/routes.ts'
import passkeyAddingRoutes from './people/passkeys/adding/routes.ts'
import passkeyLogInRoutes from './people/passkeys/log-in/routes.ts'
import passkeyRoutes from './people/passkeys/routes.ts'
import passwordChangeRoutes from './people/password/change/routes.ts'
import passwordResetRoutes from './people/password/routes.ts'
import accountLeavingRoutes from './people/profile/account/routes.ts'
import profileRoutes from './people/profile/routes.ts'
import ssoConnectingRoutes from './people/sso/connecting/routes.ts'
import ssoEndedRoutes from './people/sso/log-out/routes.ts'
import ssoRoutes from './people/sso/routes.ts'
import tokenRoutes from './people/tokens/routes.ts'
import secondStepRoutes from './people/two-factor/log-in/routes.ts'
import twoFactorResetRoutes from './people/two-factor/reset/routes.ts'
import twoFactorRoutes from './people/two-factor/routes.ts'
import accessRoutes from './projects/access/routes.ts'
import deletedProjectRoutes from './projects/deletion/routes.ts'
import projectRemovalRoutes from './projects/removal/routes.ts'
import projectRoutes from './projects/routes.ts'
import projectSettingsRoutes from './projects/settings/routes.ts'
import quotaRoutes from './quotas/limits/routes.ts'
import quotaDecisionRoutes from './quotas/requests/decision/routes.ts'
import openRequestRoutes from './quotas/requests/open/routes.ts'
import quotaRequestRoutes from './quotas/requests/routes.ts'
import resourceRoutes from './quotas/resources/routes.ts'
import supportAccountRoutes from './support/accounts/routes.ts'
import supportAccountUserRoutes from './support/accounts/users/routes.ts'
import supportMailRoutes from './support/mail/routes.ts'
import supportUserRoutes from './support/users/routes.ts'
import webhookRoutes from './webhooks/routes.ts'

/** The rooms of all wings, with their pages and forms. */
export const rooms = [
  wellKnownRoutes,
  firstRunRoutes,
  loginRoutes,
  secondStepRoutes,
  twoFactorRoutes,
  passkeyRoutes,
  passkeyAddingRoutes,
  passkeyLogInRoutes,
  ssoRoutes,
  ssoConnectingRoutes,
  ssoEndedRoutes,
  twoFactorResetRoutes,
  passwordResetRoutes,
  homeRoutes,
  notificationRoutes,
  savedViewRoutes,
  searchRoutes,
  profileRoutes,
  passwordChangeRoutes,
  tokenRoutes,
  accountLeavingRoutes,
  emailChangeRoutes,
  emailLinkRoutes,
  personalDataRoutes,
  userRemovalRoutes,
  accountRoutes,
  accountExportRoutes,
  memberRoutes,
  memberRoleRoutes,
  memberRemovalRoutes,
  serviceUserRoutes,
  securityRoutes,
  accountSsoRoutes,
  newPeopleRoutes,
  invitationRoutes,
  tickedInvitationRoutes,
  offerRoutes,
  importRoutes,
  projectRoutes,
  projectRemovalRoutes,
  projectSettingsRoutes,
  accessRoutes,
  deletedProjectRoutes,
  historyRoutes,
  webhookRoutes,
  partnerRequestRoutes,
  partnershipRoutes,
  customerRoutes,
  customerDetailRoutes,
  customerHistoryRoutes,
  customerUserRoutes,
  customerSuspensionRoutes,
  tickedCustomerRoutes,
  deletedAccountRoutes,
  supportDeletionRoutes,
  accountTransferRoutes,
  quotaRoutes,
  quotaRequestRoutes,
  openRequestRoutes,
  quotaDecisionRoutes,
  resourceRoutes,
  supportAccountRoutes,
  supportAccountUserRoutes,
  supportUserRoutes,
  supportMailRoutes,
  backupRoutes,
  clockRoutes,
  apiDocsRoutes,
]
