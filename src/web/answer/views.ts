import type { Names } from './names.ts'

/**
 * The names that each page's view reads, beside what every page has. A page does not compile without one of them, or with
 * another; test/web/views.test.ts reads in the views which they use.
 */
export type Views = {
  'accounts/choose': Names<'list'>
  'accounts/deletion/index': Names<'list'>
  'accounts/deletion/removal': Names<
    'action' | 'area' | 'deleted' | 'form' | 'list' | 'losses' | 'mostProjects' | 'partnerName' | 'ties'
  >
  'accounts/endings/confirmation': Names<
    'area' | 'back' | 'ends' | 'fields' | 'formAction' | 'keeps' | 'label' | 'lead' | 'you'
  >
  'accounts/imports/index': Names<'area' | 'back' | 'base' | 'columns' | 'example' | 'form' | 'list' | 'many'>
  'accounts/imports/show': Names<
    'area' | 'back' | 'base' | 'counts' | 'invitations' | 'leftOut' | 'list' | 'many' | 'one' | 'rows' | 'waits',
    'refresh'
  >
  'accounts/invitations/correction': Names<'about' | 'area' | 'back' | 'form' | 'formAction' | 'invitation'>
  'accounts/invitations/link': Names<'back' | 'invitation' | 'link'>
  'accounts/invitations/show': Names<'form' | 'formAction' | 'here' | 'offer' | 'provider' | 'who'>
  'accounts/invitations/ticked/preview': Names<'act' | 'changed' | 'label' | 'left' | 'list' | 'missing' | 'path'>
  'accounts/invitations/ticked/result': Names<'done' | 'ended' | 'gone' | 'left' | 'list'>
  'accounts/members/index': Names<
    'address' | 'choices' | 'form' | 'invitations' | 'list' | 'now' | 'projectCount' | 'views'
  >
  'accounts/members/removal': Names<'ends' | 'member'>
  'accounts/members/role': Names<'member'>
  'accounts/security/index': Names<'form' | 'ip'>
  'accounts/service-users/index': Names<'form' | 'list'>
  'accounts/service-users/removal': Names<'service'>
  'accounts/service-users/service-user': Names<'change' | 'families' | 'form' | 'lifetimes' | 'service' | 'tokens'>
  'accounts/sso/index': Names<'callback' | 'domainForm' | 'domains' | 'form' | 'only' | 'provider'>
  'accounts/sso/removal': Names<'issuer'>
  'accounts/sso/people': Names<'form' | 'provider' | 'ruleForm' | 'rules'>
  'accounts/settings': Names<'adminCount' | 'admins' | 'caretaker' | 'details' | 'form' | 'mayAsk' | 'request'>
  'api/docs': Names<'api' | 'problems' | 'schemas' | 'tags'>
  'api/problem': Names<'about' | 'name'>
  'errors/choose-account': Names<'message'>
  'errors/choose-partner': Names<'accounts' | 'message'>
  'errors/confirm': Names<
    'atProvider' | 'download' | 'fields' | 'form' | 'formAction' | 'message' | 'passkey' | 'provider' | 'typed'
  >
  'errors/enrol': Names<'message'>
  'errors/error': Names<'message' | 'requestId'>
  'errors/not-saved': Names<'account' | 'fields' | 'formAction' | 'message' | 'requestId'>
  'errors/other-account': Names<'fields' | 'formAction' | 'message' | 'own'>
  'errors/out-of-date': Names<'fields' | 'formAction' | 'message'>
  'errors/suspended': Names<'message'>
  'history/index': Names<'area' | 'list'>
  'home/index': Names<
    | 'caretaker'
    | 'checklists'
    | 'deleted'
    | 'deletedPrefix'
    | 'invitationPrefix'
    | 'invitations'
    | 'now'
    | 'own'
    | 'partnerRequest'
    | 'partners'
    | 'projects'
    | 'support'
    | 'work'
  >
  'home/notification-choices': Names<'emailProved' | 'form' | 'topics' | 'ways'>
  'home/notifications': Names<'list' | 'mostUnread' | 'newest' | 'unread'>
  'home/saved-views/new': Names<'back' | 'form'>
  'home/saved-views/view': Names<'back' | 'form' | 'view' | 'works'>
  'home/search': Names<'groups' | 'q'>
  'operations/backups/index': Names<
    | 'copies'
    | 'everyHours'
    | 'failure'
    | 'folder'
    | 'keep'
    | 'kinds'
    | 'last'
    | 'list'
    | 'now'
    | 'overdue'
    | 'replica'
    | 'states'
    | 'working',
    'refresh'
  >
  'partners/customers/details': Names<'customer' | 'form' | 'tags'>
  'partners/customers/help': Names<'belongs' | 'customer' | 'member' | 'twoFactor'>
  'partners/customers/history': Names<'customer' | 'list' | 'side'>
  'partners/customers/index': Names<'form' | 'list' | 'plans' | 'shared' | 'views'>
  'partners/customers/overview': Names<
    | 'admins'
    | 'changes'
    | 'customer'
    | 'details'
    | 'inside'
    | 'invitations'
    | 'now'
    | 'projects'
    | 'request'
    | 'users'
    | 'uses'
  >
  'partners/customers/projects': Names<'customer' | 'projectLimits' | 'list' | 'quota'>
  'partners/customers/suspension': Names<'customer' | 'form'>
  'partners/customers/ticked/plan': Names<'act' | 'customers' | 'form' | 'list' | 'path' | 'plans', 'all'>
  'partners/customers/ticked/preview': Names<
    | 'act'
    | 'changed'
    | 'form'
    | 'label'
    | 'left'
    | 'list'
    | 'missing'
    | 'more'
    | 'most'
    | 'notice'
    | 'path'
    | 'plan'
    | 'remarks'
    | 'tag'
  >
  'partners/customers/ticked/result': Names<'done' | 'gone' | 'left' | 'list' | 'notYours'>
  'partners/customers/ticked/tag': Names<'act' | 'customers' | 'form' | 'list' | 'offered' | 'path', 'all'>
  'partners/customers/users': Names<
    'admins' | 'customer' | 'ends' | 'form' | 'inside' | 'invitations' | 'list' | 'listPath' | 'now' | 'views'
  >
  'partners/partnership/confirmation': Names<'details' | 'partnerName' | 'ties'>
  'partners/partnership/move/index': Names<'asks' | 'details' | 'form' | 'ties'>
  'people/email/index': Names<'change' | 'form' | 'formAction'>
  'people/first-run/index': Names<'form' | 'formAction'>
  'people/leaving/removal': Names<'back' | 'emptied' | 'ends' | 'form' | 'formAction' | 'needed' | 'own' | 'person'>
  'people/log-in/index': Names<'first' | 'form' | 'here' | 'passkey' | 'setUp' | 'sso'>
  'people/log-in/unsent': Names<'forms'>
  'people/log-in/way': Names<'account' | 'atProvider' | 'byPassword' | 'email'>
  'people/passkeys/index': Names<'full' | 'passkeys' | 'possible' | 'required'>
  'people/passkeys/new': Names<'alone' | 'form' | 'passkey'>
  'people/passkeys/passkey': Names<'details' | 'ended' | 'form'>
  'people/password/choose': Names<'form' | 'formAction' | 'works'>
  'people/password/index': Names<'form'>
  'people/profile/index': Names<
    | 'connected'
    | 'password'
    | 'provider'
    | 'displayForm'
    | 'emailForm'
    | 'list'
    | 'nameForm'
    | 'passwordForm'
    | 'sessionPrefix'
    | 'sessions'
    | 'timeZones'
    | 'zone'
  >
  'people/profile/leaving': Names<'ends' | 'own'>
  'people/sso/ended': Names<'address' | 'provider'>
  'people/sso/index': Names<'identity' | 'only' | 'password' | 'provider'>
  'people/sso/new': Names<'provider'>
  'people/sso/waiting': Names<'form' | 'provider' | 'waiting' | 'who'>
  'people/tokens/index': Names<'families' | 'form' | 'lifetimes' | 'tokens'>
  'people/tokens/new': Names<'list' | 'api' | 'name' | 'token'>
  'people/tokens/rotation': Names<'action' | 'list' | 'token'>
  'people/tokens/support': Names<'families' | 'form' | 'lifetimes'>
  'people/two-factor/codes': Names<'codes'>
  'people/two-factor/index': Names<'codesLeft' | 'form' | 'on' | 'qr' | 'required' | 'sealed' | 'secret'>
  'people/two-factor/log-in': Names<'code' | 'form' | 'passkey'>
  'projects/access/giving': Names<'candidates' | 'find' | 'form' | 'from' | 'moreCandidates' | 'project'>
  'projects/access/index': Names<'list' | 'projects'>
  'projects/access/person': Names<'from' | 'person' | 'project'>
  'projects/deletion/index': Names<'full' | 'list'>
  'projects/index': Names<'caretaker' | 'form' | 'full' | 'list' | 'quota'>
  'projects/removal': Names<'form' | 'project'>
  'projects/show': Names<
    | 'candidates'
    | 'find'
    | 'giveForm'
    | 'limitForm'
    | 'list'
    | 'mayChangeAccess'
    | 'mayRename'
    | 'moreCandidates'
    | 'project'
    | 'quotas'
    | 'renameForm'
  >
  'quotas/customer': Names<
    | 'approvalForm'
    | 'caretaker'
    | 'changes'
    | 'copyForm'
    | 'customer'
    | 'form'
    | 'plans'
    | 'quotas'
    | 'refusalForm'
    | 'request'
    | 'requestQuotas'
  >
  'quotas/own': Names<
    | 'askable'
    | 'caretaker'
    | 'ended'
    | 'form'
    | 'projectLimits'
    | 'list'
    | 'project'
    | 'quotas'
    | 'request'
    | 'requestPrefix'
    | 'requests'
  >
  'quotas/partner': Names<'acts' | 'changes' | 'form' | 'list' | 'quotas' | 'uses'>
  'quotas/plans/form': Names<'earlierDefault' | 'form' | 'limited' | 'others' | 'plan'>
  'quotas/plans/index': Names<'mostPlans' | 'plans' | 'resources'>
  'quotas/plans/preview': Names<'choice' | 'customer' | 'limitsVersion' | 'rows' | 'same' | 'version'>
  'quotas/plans/removal': Names<'plan'>
  'quotas/resources/index': Names<'form' | 'resources'>
  'quotas/support': Names<
    | 'approvalForm'
    | 'caretaker'
    | 'details'
    | 'form'
    | 'pool'
    | 'poolForm'
    | 'quotas'
    | 'refusalForm'
    | 'request'
    | 'requestQuotas'
  >
  'quotas/support-requests': Names<'list'>
  'support/account-users': Names<'admins' | 'details' | 'form' | 'invitations' | 'list' | 'now'>
  'support/accounts': Names<'customers' | 'form' | 'list' | 'requestPrefix' | 'requests' | 'views'>
  'support/letter': Names<'letter' | 'text'>
  'support/mail': Names<'failed' | 'list' | 'toServer'>
  'support/security': Names<'details' | 'rules'>
  'support/suspension': Names<'form' | 'suspended'>
  'support/user': Names<'accounts' | 'connected' | 'letters' | 'passkeys' | 'sessions' | 'tokens' | 'user'>
  'support/users': Names<'list' | 'views'>
  'webhooks/form': Names<'area' | 'base' | 'families' | 'form' | 'webhook'>
  'webhooks/index': Names<'area' | 'base' | 'columns' | 'mostWebhooks' | 'webhooks'>
  'webhooks/removal': Names<'area' | 'base' | 'webhook'>
  'webhooks/rotation': Names<'area' | 'base' | 'webhook'>
  'webhooks/secret': Names<'area' | 'base' | 'rotated' | 'secret' | 'webhook'>
  'webhooks/show': Names<'area' | 'base' | 'counts' | 'list' | 'spans' | 'webhook'>
}

/** What `reply.page` takes for a view. */
export type PageData<View extends keyof Views> = Views[View] & { title: string; problem?: string | undefined }
