import { dirname, join, relative } from 'node:path'
import { eq } from 'drizzle-orm'
import t from 'tap'
import ts from 'typescript'
import { writeUnchecked } from '../../src/db/open.ts'
import {
  importRows,
  imports,
  installation,
  invitations,
  letters,
  passkeys,
  projectAccess,
  records,
  users,
} from '../../src/db/schema.ts'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { type RecordKind, recordKinds } from '../../src/records/kinds.ts'
import { atCommandLine, byItself, type Change, record } from '../../src/records/record.ts'
import { tokenOf } from '../api/program.ts'
import { passkeyOf } from '../authenticator.ts'
import { accountId, type Fields, type Page, type Panel, projectId, startApp, userId } from '../harness.ts'
import { toldIn } from '../history/told.ts'
import { domainOf, groupRuleOf } from '../matrix/objects.ts'
import { isData, readSource, sources, src } from '../sources.ts'
import { enrol } from '../two-factor.ts'
import { addFailedDelivery, addWebhook } from '../webhooks/receiver.ts'
import { bareNames, bareNamesOfLetters, writeFromRightToLeft } from './apart.ts'

// What a page says is what happened: a notice tells of the act’s result, never of what was asked for.

t.setTimeout(600_000)

type Act = {
  who: CastName
  page: string
  button: string
  fields?: Fields
  within?: string
  /** What comes before it. */
  first?: (panel: Panel) => Promise<unknown>
}

const as =
  (
    who: CastName,
    page: string,
    button: string,
    { fields, within }: { fields?: Fields | undefined; within?: string | undefined } = {},
  ) =>
  async (panel: Panel) =>
    (await panel.signIn(who)).submit(page, button, fields, within)

async function tomsPasskey({ db }: Panel): Promise<void> {
  db.insert(passkeys)
    .values(passkeyOf(userId({ db }, 'tom')))
    .run()
}

const all =
  (...steps: ((panel: Panel) => Promise<unknown>)[]) =>
  async (panel: Panel) => {
    for (const step of steps) await step(panel)
  }
const untilResendable = async (panel: Panel) => panel.pass(resendGap)
const suspend = as('petra', '/partner/customers/acme/suspension', 'Suspend', { fields: { reason: 'Unpaid' } })
const limitAcme = as('petra', '/partner/customers/acme/quotas', 'Save quotas', { fields: { cores: '4' } })
const askForMore = all(
  limitAcme,
  as('stella', '/customer/quotas', 'Send request', { fields: { cores: '5', reason: 'Growth' } }),
)
const demote = as('stella', '/projects/website', 'Save', { fields: { role: 'reader' }, within: 'Tom' })
const inviteGuest = as('stella', '/customer/users', 'Invite', {
  fields: { name: 'Guest', email: 'guest@acme.example' },
})
const inviteFirst = as('petra', '/partner/customers/new/users', 'Invite', {
  fields: { name: 'Guest', email: 'guest@new.example' },
})
const newCustomer = as('petra', '/partner/customers', 'Create customer', { fields: { name: 'New', identifier: 'new' } })
const newPlan = as('petra', '/partner/plans/new', 'Create plan', { fields: { planName: 'M', cores: '8' } })
const askToBePartner = as('dora', '/customer/account', 'Ask to become a partner')
const askAsDirect = all(
  as('olga', '/support/accounts/direct/quotas', 'Save quotas', { fields: { cores: '4' } }),
  as('dora', '/customer/quotas', 'Send request', { fields: { cores: '5', reason: 'Growth' } }),
)
const saveAdmins = as('stella', '/customer/users?role=admin&sort=joined', 'Save view', {
  fields: { viewName: 'Our admins' },
})
const newAccount = as('olga', '/support/accounts', 'Create account', {
  fields: {
    name: 'New',
    identifier: 'new',
    kind: 'partner',
    adminName: 'Guest',
    adminEmail: 'guest@new.example',
  },
})
const unproved = async ({ db }: Panel) =>
  db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.tom.email)).run()
const checkUsers = as('stella', '/customer/imports', 'Check the file', {
  fields: { text: 'name,e-mail\nRow,row@acme.example' },
})
const checkCustomers = as('petra', '/partner/imports', 'Check the file', {
  fields: { text: 'name,identifier\nRow,row' },
})
/** It is begun, and its worker not woken. */
const running = async ({ db }: Panel) => db.update(imports).set({ state: 'running' }).run()
/** It has carried out its row by hand: the last invitation is its. */
const carriedOut = async ({ db }: Panel) => {
  const [invitation] = db.select().from(invitations).all()
  db.update(imports).set({ state: 'done' }).run()
  db.update(importRows)
    .set({ state: 'done', invitationId: invitation?.id ?? null })
    .run()
}
const removeAcmesProjects = all(
  as('stella', '/projects/website/removal', 'Delete project', { fields: { identifier: 'website' } }),
  as('stella', '/projects/shop/removal', 'Delete project', { fields: { identifier: 'shop' } }),
)
const deleteAcme = all(
  removeAcmesProjects,
  as('petra', '/partner/customers/acme/removal', 'Delete customer', { fields: { identifier: 'acme' } }),
)
const deleteDirect = as('olga', '/support/accounts/direct/removal', 'Delete account', {
  fields: { identifier: 'direct' },
})
const newProgram = as('stella', '/customer/service-users', 'Create service user', { fields: { name: 'Shop' } })
const createTokenOf = as('stella', '/customer/service-users/11', 'Create token', {
  fields: { name: 'Till', scopes: 'projects:read' },
})
/** A webhook, of an account or of Support, and a delivery of it that failed. */
const webhookOf = (owner: string | null) => async (panel: Panel) => {
  const { id } = addWebhook(
    panel,
    owner === null ? null : accountId(panel, owner),
    'https://x.example',
    'import.stopped',
  )
  addFailedDelivery(panel, id)
}

const withDomain = async (panel: Panel) => domainOf(panel, 'acme')
const withRule = async (panel: Panel) => groupRuleOf(panel, 'acme')

const secondSession = (who: CastName) => (panel: Panel) => panel.signIn(who)

/** For each form of a signed-in user: how it is sent. Or why it cannot find its act done already. */
const acts: Record<string, Act | string> = {
  'POST /setup/:token': 'nobody is signed in, and it works once',
  'POST /login': 'nobody is signed in',
  'POST /login/second-factor': 'nobody is signed in',
  'POST /login/passkey': 'nobody is signed in',
  'POST /login/second-factor/passkey': 'nobody is signed in',
  'POST /profile/passkeys': 'each challenge is answered once; test/people/passkeys.test.ts',
  'POST /profile/sso/new': 'it only opens the page with the link to the provider',
  'POST /profile/sso/waiting': 'it needs a provider; test/people/sso.test.ts',
  'POST /profile/sso/removal': 'it needs a provider; test/people/sso.test.ts',
  'POST /profile/passkeys/new': 'it only opens the page that adds one',
  'POST /session/removal': 'nobody is signed in any more',
  'POST /password-reset': 'nobody is signed in, and whether there is a log-in is not told',
  'POST /password-reset/:token': 'nobody is signed in, and it works once',
  'POST /invitations/:token/user': 'nobody is signed in, and it works once',
  'POST /invitations/:token/acceptance': 'its link is only in the e-mail; test/accounts/invitations.test.ts',
  'POST /profile/email/:token': 'its link is only in the e-mail; test/people/email-change.test.ts',
  'POST /active-account': 'it changes only the session, and says which account is active',
  'POST /profile/password': 'it ends the session that the other form belongs to',
  'POST /profile/removal': 'it ends the session that the other form belongs to',
  'POST /profile/two-factor': 'it answers with the codes themselves',
  'POST /profile/tokens': 'it answers with the token itself',
  'POST /profile/tokens/support': 'it answers with the token itself',
  'POST /profile/tokens/:apiToken/rotation': 'it answers with the token itself',
  'POST /session/proof': 'it says nothing, and leads to the page that was asked for',
  'POST /customer/security': {
    who: 'stella',
    page: '/customer/security',
    button: 'Save',
    fields: { sessionHours: '9' },
  },
  'POST /customer/log-in': {
    who: 'stella',
    first: withDomain,
    page: '/customer/log-in',
    button: 'Save',
    fields: { clientId: 'other' },
  },
  'POST /customer/log-in/removal': {
    who: 'stella',
    first: withDomain,
    page: '/customer/log-in/removal',
    button: 'Remove provider',
  },
  'POST /customer/log-in/domains': {
    who: 'stella',
    page: '/customer/log-in',
    button: 'Add domain',
    fields: { domain: 'acme.example' },
  },
  'POST /customer/log-in/domains/:domain/check': 'looking again says what it finds; test/accounts/sso.test.ts',
  'POST /customer/log-in/domains/:domain/removal': {
    who: 'stella',
    first: withDomain,
    page: '/customer/log-in',
    button: 'Remove',
  },
  'POST /customer/log-in/people': {
    who: 'stella',
    first: withRule,
    page: '/customer/log-in/people',
    button: 'Save',
    fields: { newPeople: 'user' },
  },
  'POST /customer/log-in/people/groups': {
    who: 'stella',
    first: withRule,
    page: '/customer/log-in/people',
    button: 'Add rule',
    fields: { group: 'leads', role: 'admin' },
  },
  'POST /customer/log-in/people/groups/:groupRule/removal': {
    who: 'stella',
    first: withRule,
    page: '/customer/log-in/people',
    button: 'Remove',
  },
  'POST /customer/service-users': 'two programs may have one name',
  'POST /customer/service-users/:serviceUser/tokens': 'it answers with the token itself',
  'POST /customer/service-users/:serviceUser/tokens/:apiToken/rotation': 'it answers with the token itself',
  'POST /customer/service-users/:serviceUser': {
    who: 'stella',
    first: newProgram,
    page: '/customer/service-users/11',
    button: 'Save changes',
    fields: { serviceName: 'Till', role: 'admin' },
  },
  'POST /customer/service-users/:serviceUser/removal': {
    who: 'stella',
    first: newProgram,
    page: '/customer/service-users/11/removal',
    button: 'Remove Shop',
  },
  'POST /customer/service-users/:serviceUser/tokens/:apiToken/removal': {
    who: 'stella',
    first: all(newProgram, createTokenOf),
    page: '/customer/service-users/11',
    button: 'End',
  },
  'POST /profile/two-factor/recovery-codes': 'it answers with the codes themselves',
  'POST /customer/invitations/:id/link': 'it answers with the link itself',
  'POST /partner/customers/:customer/invitations/:id/link': 'it answers with the link itself',
  'POST /profile/data': 'it answers with the file itself',
  'POST /customer/account/export': 'it answers with the file itself',
  'POST /customer/imports': 'each file is an import of its own',
  'POST /partner/imports': 'each file is an import of its own',
  'POST /notifications/read': { who: 'tom', first: demote, page: '/notifications', button: 'Mark all as read' },
  'POST /profile/notifications': {
    who: 'tom',
    page: '/profile/notifications',
    button: 'Save changes',
    fields: { 'mail-projects': 'off' },
  },
  'POST /saved-views': {
    who: 'stella',
    page: '/customer/users?role=admin&sort=joined',
    button: 'Save view',
    fields: { viewName: 'Our admins' },
  },
  'POST /saved-views/:savedView/name': {
    who: 'stella',
    first: saveAdmins,
    page: '/saved-views/1/name',
    button: 'Save name',
    fields: { viewName: 'Managers' },
  },
  'POST /saved-views/:savedView/removal': {
    who: 'stella',
    first: saveAdmins,
    page: '/saved-views/1/name',
    button: 'Remove view',
  },
  'POST /profile/display': { who: 'tom', page: '/profile', button: 'Save display', fields: { theme: 'dark' } },
  'POST /profile/name': { who: 'tom', page: '/profile', button: 'Save name', fields: { name: 'Thomas' } },
  'POST /profile/email': {
    who: 'tom',
    page: '/profile',
    button: 'Change e-mail',
    fields: { email: 'tom@new.example' },
  },
  'POST /profile/accounts/:identifier/removal': {
    who: 'tom',
    page: '/profile/accounts/acme/removal',
    button: 'Leave Acme',
  },
  'POST /profile/sessions/:session/removal': {
    who: 'tom',
    first: secondSession('tom'),
    page: '/profile',
    button: 'End',
  },
  'POST /profile/tokens/:apiToken/removal': {
    who: 'tom',
    first: async (panel) => void tokenOf(panel, 'tom', 'acme'),
    page: '/profile/tokens',
    button: 'End',
  },
  'POST /profile/sessions/removal': {
    who: 'tom',
    first: secondSession('tom'),
    page: '/profile',
    button: 'End all other sessions',
  },
  'POST /profile/passkeys/:passkey/name': {
    who: 'tom',
    first: tomsPasskey,
    page: '/profile/passkeys/1',
    button: 'Save name',
    fields: { name: 'Old phone' },
  },
  'POST /profile/passkeys/:passkey/removal': {
    who: 'tom',
    first: tomsPasskey,
    page: '/profile/passkeys/1',
    button: 'Remove passkey',
  },
  'POST /profile/two-factor/removal': {
    who: 'tom',
    page: '/profile/two-factor',
    button: 'Switch off',
  },
  'POST /my-invitations/:id/acceptance': {
    who: 'nils',
    first: as('stella', '/customer/users', 'Invite', { fields: { name: 'Nils', email: cast.nils.email } }),
    page: '/',
    button: 'Accept',
  },
  'POST /customer/webhooks': 'it answers with the secret itself',
  'POST /customer/webhooks/:webhook/rotation': 'it answers with the secret itself',
  'POST /customer/webhooks/:webhook/change': {
    who: 'stella',
    first: webhookOf('acme'),
    page: '/customer/webhooks/1/change',
    button: 'Save webhook',
    fields: { url: 'https://other.example' },
  },
  'POST /customer/webhooks/:webhook/removal': {
    who: 'stella',
    first: webhookOf('acme'),
    page: '/customer/webhooks/1/removal',
    button: 'Remove webhook',
  },
  'POST /customer/webhooks/:webhook/test': {
    who: 'stella',
    first: webhookOf('acme'),
    page: '/customer/webhooks/1',
    button: 'Send a test',
  },
  'POST /customer/webhooks/:webhook/retries': {
    who: 'stella',
    first: webhookOf('acme'),
    page: '/customer/webhooks/1',
    button: 'Send all again',
  },
  'POST /customer/webhooks/:webhook/deliveries/:delivery/retry': {
    who: 'stella',
    first: webhookOf('acme'),
    page: '/customer/webhooks/1',
    button: 'Send again',
    within: 'import.stopped',
  },
  'POST /support/webhooks': 'it answers with the secret itself',
  'POST /support/webhooks/:webhook/rotation': 'it answers with the secret itself',
  'POST /support/webhooks/:webhook/change': {
    who: 'olga',
    first: webhookOf(null),
    page: '/support/webhooks/1/change',
    button: 'Save webhook',
    fields: { url: 'https://other.example' },
  },
  'POST /support/webhooks/:webhook/removal': {
    who: 'olga',
    first: webhookOf(null),
    page: '/support/webhooks/1/removal',
    button: 'Remove webhook',
  },
  'POST /support/webhooks/:webhook/test': {
    who: 'olga',
    first: webhookOf(null),
    page: '/support/webhooks/1',
    button: 'Send a test',
  },
  'POST /support/webhooks/:webhook/retries': {
    who: 'olga',
    first: webhookOf(null),
    page: '/support/webhooks/1',
    button: 'Send all again',
  },
  'POST /support/webhooks/:webhook/deliveries/:delivery/retry': {
    who: 'olga',
    first: webhookOf(null),
    page: '/support/webhooks/1',
    button: 'Send again',
    within: 'import.stopped',
  },
  'POST /projects/:project/name': {
    who: 'stella',
    page: '/projects/website',
    button: 'Rename',
    fields: { name: 'Site' },
  },
  'POST /projects/:project/access': {
    who: 'stella',
    page: '/projects/shop',
    button: 'Give access',
    fields: { people: 'tom', role: 'reader' },
  },
  'POST /projects/:project/access/:user': {
    who: 'stella',
    page: '/projects/website',
    button: 'Save',
    fields: { role: 'reader' },
    within: cast.tom.email,
  },
  'POST /projects/:project/access/:user/removal': {
    who: 'stella',
    page: '/projects/website',
    button: 'Remove',
    within: cast.tom.email,
  },
  'POST /projects/:project/quotas': {
    who: 'stella',
    page: '/projects/website',
    button: 'Save quotas',
    fields: { cores: '2' },
  },
  'POST /projects/:project/removal': {
    who: 'stella',
    page: '/projects/website/removal',
    button: 'Delete project',
    fields: { identifier: 'website' },
  },
  'POST /projects': {
    who: 'stella',
    page: '/projects',
    button: 'Create project',
    fields: { name: 'Intranet', identifier: 'intranet' },
  },
  'POST /customer/account/name': {
    who: 'stella',
    page: '/customer/account',
    button: 'Save name',
    fields: { name: 'Acme Inc.' },
  },
  'POST /customer/account/partner-request': {
    who: 'dora',
    page: '/customer/account',
    button: 'Ask to become a partner',
  },
  'POST /customer/users': {
    who: 'stella',
    page: '/customer/users',
    button: 'Invite',
    fields: { name: 'Guest', email: 'guest@acme.example' },
  },
  'POST /customer/users/:user/role': {
    who: 'stella',
    page: '/customer/users',
    button: 'Save',
    fields: { role: 'admin' },
    within: cast.tom.email,
  },
  'POST /customer/users/:user/removal': { who: 'stella', page: '/customer/users/TOM/removal', button: 'Remove Tom' },
  'POST /customer/invitations/:id/resending': {
    who: 'stella',
    first: all(inviteGuest, untilResendable),
    page: '/customer/users',
    button: 'Resend',
  },
  'POST /customer/invitations/:id/cancellation': {
    who: 'stella',
    first: inviteGuest,
    page: '/customer/users',
    button: 'Cancel',
  },
  'POST /customer/ticked-invitations/resending': {
    who: 'stella',
    first: all(inviteGuest, untilResendable),
    page: '/customer/ticked-invitations/resending?c=1',
    button: 'Resend 1 invitation',
  },
  'POST /customer/ticked-invitations/cancellation': {
    who: 'stella',
    first: inviteGuest,
    page: '/customer/ticked-invitations/cancellation?c=1',
    button: 'Cancel 1 invitation',
  },
  'POST /customer/invitations/:id/correction': {
    who: 'stella',
    first: inviteGuest,
    page: '/customer/invitations/1/correction',
    button: 'Send invitation',
    fields: { name: 'Gert', email: 'gert@acme.example' },
  },
  'POST /customer/users/:user/confirmation': {
    who: 'stella',
    first: unproved,
    page: '/customer/users',
    button: 'Send confirmation',
  },
  'POST /profile/email/confirmation': { who: 'tom', first: unproved, page: '/profile', button: 'Send confirmation' },
  'POST /customer/projects/deleted/:project/restoration': {
    who: 'stella',
    first: as('stella', '/projects/website/removal', 'Delete project', { fields: { identifier: 'website' } }),
    page: '/customer/projects/deleted',
    button: 'Restore',
  },
  'POST /customer/imports/:import/start': {
    who: 'stella',
    first: checkUsers,
    page: '/customer/imports/1',
    button: 'Import 1 user',
  },
  'POST /customer/imports/:import/stopping': {
    who: 'stella',
    first: all(checkUsers, running),
    page: '/customer/imports/1',
    button: 'Stop the import',
  },
  'POST /customer/imports/:import/invitations/cancellation': {
    who: 'stella',
    first: all(inviteGuest, checkUsers, carriedOut),
    page: '/customer/imports/1',
    button: 'Cancel its invitations',
    fields: { confirmed: 'yes' },
  },
  'POST /customer/imports/:import/removal': {
    who: 'stella',
    first: checkUsers,
    page: '/customer/imports/1',
    button: 'Discard',
  },
  'POST /customer/quotas/requests': {
    who: 'stella',
    first: limitAcme,
    page: '/customer/quotas',
    button: 'Send request',
    fields: { cores: '5', reason: 'Growth' },
  },
  'POST /customer/quotas/requests/:request/cancellation': {
    who: 'stella',
    first: askForMore,
    page: '/customer/quotas',
    button: 'Cancel request',
  },
  'POST /partner/imports/:import/start': {
    who: 'petra',
    first: checkCustomers,
    page: '/partner/imports/1',
    button: 'Import 1 customer',
  },
  'POST /partner/imports/:import/stopping': {
    who: 'petra',
    first: all(checkCustomers, running),
    page: '/partner/imports/1',
    button: 'Stop the import',
  },
  'POST /partner/imports/:import/invitations/cancellation': {
    who: 'petra',
    first: all(all(newCustomer, inviteFirst), checkCustomers, carriedOut),
    page: '/partner/imports/1',
    button: 'Cancel its invitations',
    fields: { confirmed: 'yes' },
  },
  'POST /partner/imports/:import/removal': {
    who: 'petra',
    first: checkCustomers,
    page: '/partner/imports/1',
    button: 'Discard',
  },
  'POST /partner/customers': {
    who: 'petra',
    page: '/partner/customers',
    button: 'Create customer',
    fields: { name: 'New', identifier: 'new' },
  },
  'POST /partner/customers/:customer/users/:user/password-link': {
    who: 'petra',
    page: '/partner/customers/acme/users/TOM',
    button: 'Send password link',
  },
  'POST /partner/customers/:customer/users/:user/two-factor/removal': {
    who: 'petra',
    first: async (panel) => void (await enrol(panel, await panel.signIn('tom'))),
    page: '/partner/customers/acme/users/TOM',
    button: 'Reset two-factor',
  },
  'POST /partner/customers/:customer/own-membership': {
    who: 'petra',
    page: '/partner/customers/acme/users',
    button: 'Add Myself',
  },
  'POST /partner/customers/:customer/own-membership/removal': {
    who: 'petra',
    first: as('petra', '/partner/customers/acme/users', 'Add Myself'),
    page: '/partner/customers/acme/users?account=cloudhaus',
    button: 'Remove Myself',
  },
  'POST /partner/customers/:customer/invitations': {
    who: 'petra',
    first: newCustomer,
    page: '/partner/customers/new/users',
    button: 'Invite',
    fields: { name: 'Guest', email: 'guest@new.example' },
  },
  'POST /partner/customers/:customer/invitations/:id/resending': {
    who: 'petra',
    first: all(newCustomer, inviteFirst, untilResendable),
    page: '/partner/customers/new/users',
    button: 'Resend',
  },
  'POST /partner/customers/:customer/invitations/:id/cancellation': {
    who: 'petra',
    first: all(newCustomer, inviteFirst),
    page: '/partner/customers/new/users',
    button: 'Cancel',
  },
  'POST /partner/customers/:customer/invitations/:id/correction': {
    who: 'petra',
    first: all(newCustomer, inviteFirst),
    page: '/partner/customers/new/invitations/1/correction',
    button: 'Send invitation',
    fields: { name: 'Gert', email: 'gert@acme.example' },
  },
  'POST /partner/customers/:customer/details': {
    who: 'petra',
    page: '/partner/customers/acme/details',
    button: 'Save details',
    fields: { reference: 'K-1007', version: '0' },
  },
  'POST /partner/customers/:customer/suspension': {
    who: 'petra',
    page: '/partner/customers/acme/suspension',
    button: 'Suspend',
    fields: { reason: 'Unpaid' },
  },
  'POST /partner/customers/:customer/suspension/removal': {
    who: 'petra',
    first: suspend,
    page: '/partner/customers',
    button: 'Resume',
  },
  'POST /partner/ticked-customers/suspension': {
    who: 'petra',
    page: '/partner/ticked-customers/suspension?c=acme',
    button: 'Suspend 1 customer',
    fields: { reason: 'Unpaid' },
  },
  'POST /partner/ticked-customers/resumption': {
    who: 'petra',
    first: suspend,
    page: '/partner/ticked-customers/resumption?c=acme',
    button: 'Resume 1 customer',
  },
  'POST /partner/ticked-customers/plan': {
    who: 'petra',
    first: newPlan,
    page: '/partner/ticked-customers/plan?c=acme&plan=1',
    button: 'Apply plan to 1 customer',
  },
  'POST /partner/ticked-customers/tag': {
    who: 'petra',
    page: '/partner/ticked-customers/tag?c=acme&tag=VIP',
    button: 'Add tag to 1 customer',
  },
  'POST /partner/ticked-customers/tag-removal': {
    who: 'petra',
    first: as('petra', '/partner/ticked-customers/tag?c=acme&tag=VIP', 'Add tag to 1 customer'),
    page: '/partner/ticked-customers/tag-removal?c=acme&tag=VIP',
    button: 'Remove tag from 1 customer',
  },
  'POST /partner/customers/:customer/removal': {
    who: 'petra',
    first: removeAcmesProjects,
    page: '/partner/customers/acme/removal',
    button: 'Delete customer',
    fields: { identifier: 'acme' },
  },
  'POST /partner/deleted-customers/:customer/restoration': {
    who: 'petra',
    first: deleteAcme,
    page: '/partner/deleted-customers',
    button: 'Restore',
  },
  'POST /partner/customers/:customer/quotas': {
    who: 'petra',
    page: '/partner/customers/acme/quotas',
    button: 'Save quotas',
    fields: { cores: '9' },
  },
  'POST /partner/customers/:customer/quotas/requests/:request/approval': {
    who: 'petra',
    first: askForMore,
    page: '/partner/customers/acme/quotas',
    button: 'Approve',
  },
  'POST /partner/customers/:customer/quotas/requests/:request/refusal': {
    who: 'petra',
    first: askForMore,
    page: '/partner/customers/acme/quotas',
    button: 'Decline',
    fields: { comment: 'No' },
  },
  'POST /partner/quotas/automatic-approval': {
    who: 'petra',
    page: '/partner/quotas',
    button: 'Save',
    fields: { share: '20' },
  },
  'POST /partner/plans': {
    who: 'petra',
    page: '/partner/plans/new',
    button: 'Create plan',
    fields: { planName: 'M', cores: '8' },
  },
  'POST /partner/plans/:plan': {
    who: 'petra',
    first: newPlan,
    page: '/partner/plans/1',
    button: 'Save plan',
    fields: { cores: '9' },
  },
  'POST /partner/plans/:plan/removal': {
    who: 'petra',
    first: newPlan,
    page: '/partner/plans/1/removal',
    button: 'Delete plan',
  },
  'POST /partner/customers/:customer/quotas/plan': {
    who: 'petra',
    first: newPlan,
    page: '/partner/customers/acme/quotas/plan?plan=1',
    button: 'Apply plan',
  },
  'POST /partner/customers/:customer/quotas/copy': {
    who: 'petra',
    first: limitAcme,
    page: '/partner/customers/initech/quotas/copy?from=acme',
    button: 'Copy limits',
  },
  'POST /support/accounts': {
    who: 'olga',
    page: '/support/accounts',
    button: 'Create account',
    fields: { name: 'New', identifier: 'new', kind: 'customer', adminName: 'Guest', adminEmail: 'guest@new.example' },
  },
  'POST /support/accounts/:identifier/invitations': {
    who: 'olga',
    first: newAccount,
    page: '/support/accounts/new/users',
    button: 'Invite',
    fields: { name: 'Gert', email: 'gert@acme.example' },
  },
  'POST /support/accounts/:identifier/invitations/:id/resending': {
    who: 'olga',
    first: all(newAccount, untilResendable),
    page: '/support/accounts/new/users',
    button: 'Resend',
  },
  'POST /support/accounts/:identifier/invitations/:id/cancellation': {
    who: 'olga',
    first: newAccount,
    page: '/support/accounts/new/users',
    button: 'Cancel',
  },
  'POST /support/accounts/:identifier/invitations/:id/correction': {
    who: 'olga',
    first: newAccount,
    page: '/support/accounts/new/invitations/1/correction',
    button: 'Send invitation',
    fields: { name: 'Gert', email: 'gert@acme.example' },
  },
  'POST /support/accounts/:identifier/security/removal': {
    who: 'olga',
    first: as('stella', '/customer/security', 'Save', { fields: { sessionHours: '9' } }),
    page: '/support/accounts/acme/security',
    button: 'Take it back',
  },
  'POST /support/accounts/:identifier/suspension': {
    who: 'olga',
    page: '/support/accounts/acme/suspension',
    button: 'Suspend',
    fields: { reason: 'Unpaid' },
  },
  'POST /support/accounts/:identifier/suspension/removal': {
    who: 'olga',
    first: as('olga', '/support/accounts/acme/suspension', 'Suspend', { fields: { reason: 'Abuse' } }),
    page: '/support/accounts',
    button: 'Resume',
  },
  'POST /support/accounts/:identifier/removal': {
    who: 'olga',
    page: '/support/accounts/direct/removal',
    button: 'Delete account',
    fields: { identifier: 'direct' },
  },
  'POST /support/accounts/:identifier/restoration': {
    who: 'olga',
    first: deleteDirect,
    page: '/support/accounts?status=deleted',
    button: 'Restore',
  },
  'POST /support/accounts/:identifier/partner': {
    who: 'olga',
    page: '/support/accounts/acme/partner',
    button: 'Move',
    fields: { to: 'partner', partner: 'rival' },
  },
  'POST /support/accounts/:identifier/quotas': {
    who: 'olga',
    page: '/support/accounts/direct/quotas',
    button: 'Save quotas',
    fields: { cores: '9' },
  },
  'POST /support/accounts/:identifier/pool': {
    who: 'olga',
    page: '/support/accounts/cloudhaus/quotas',
    button: 'Save pool',
    fields: { cores: '9' },
  },
  'POST /support/accounts/:identifier/quotas/requests/:request/approval': {
    who: 'olga',
    first: askAsDirect,
    page: '/support/accounts/direct/quotas',
    button: 'Approve',
  },
  'POST /support/accounts/:identifier/quotas/requests/:request/refusal': {
    who: 'olga',
    first: askAsDirect,
    page: '/support/accounts/direct/quotas',
    button: 'Decline',
    fields: { comment: 'No' },
  },
  'POST /support/accounts/:identifier/partnership': {
    who: 'olga',
    first: askToBePartner,
    page: '/support/accounts',
    button: 'Make partner',
    within: 'direct',
  },
  'POST /support/accounts/:identifier/partnership/removal': {
    who: 'olga',
    first: as('olga', '/support/accounts', 'Make partner', { fields: {}, within: 'direct' }),
    page: '/support/accounts',
    button: 'Make customer',
    within: 'direct',
  },
  'POST /support/accounts/:identifier/partner-request/removal': {
    who: 'olga',
    first: askToBePartner,
    page: '/support/accounts',
    button: 'Decline',
  },
  'POST /support/resources': {
    who: 'olga',
    page: '/support/resources',
    button: 'Add resource',
    fields: { key: 'lamps', name: 'Lamps' },
  },
  'POST /support/resources/:key': {
    who: 'olga',
    page: '/support/resources',
    button: 'Save',
    fields: { name: 'Kernels' },
    within: 'cores',
  },
  'POST /support/resources/:key/removal': {
    who: 'olga',
    page: '/support/resources',
    button: 'Remove',
    within: 'snapshots',
  },
  'POST /support/users/:user/disabling': {
    who: 'olga',
    page: '/support/users',
    button: 'Disable',
    within: cast.tom.email,
  },
  'POST /support/users/:user/disabling/removal': {
    who: 'olga',
    first: as('olga', '/support/users', 'Disable', { fields: {}, within: cast.tom.email }),
    page: '/support/users',
    button: 'Enable',
    within: cast.tom.email,
  },
  'POST /support/users/:user/sessions/removal': {
    who: 'olga',
    first: secondSession('tom'),
    page: '/support/users/TOM',
    button: 'End sessions',
  },
  'POST /support/users/:user/tokens/:apiToken/removal': {
    who: 'olga',
    first: async (panel) => void tokenOf(panel, 'tom', 'acme'),
    page: '/support/users/TOM',
    button: 'End',
  },
  'POST /support/users/:user/password-link': {
    who: 'olga',
    page: '/support/users/TOM',
    button: 'Send password link',
  },
  'POST /support/users/:user/two-factor/removal': {
    who: 'olga',
    first: async (panel) => void (await enrol(panel, await panel.signIn('tom'))),
    page: '/support/users',
    button: 'Reset two-factor',
    within: cast.tom.email,
  },
  'POST /support/users/:user/removal': {
    who: 'olga',
    page: '/support/users/TOM/removal',
    button: 'Delete Tom',
    fields: { email: cast.tom.email },
  },
  'POST /support/mail/:letter/resending': {
    who: 'olga',
    first: async (panel) => {
      await inviteGuest(panel)
      panel.db.update(letters).set({ state: 'failed', error: 'no such user' }).run()
    },
    page: '/support/mail',
    button: 'Send again',
  },
  'POST /support/mail/resending': {
    who: 'olga',
    first: async (panel) => {
      await inviteGuest(panel)
      panel.db.update(letters).set({ state: 'failed', error: 'no such user' }).run()
    },
    page: '/support/mail',
    button: 'Send all failed again',
  },
  'POST /support/clock': {
    who: 'olga',
    first: async (panel) => {
      panel.db.update(installation).set({ lastSeenAt: 0 }).run()
      panel.app.clock.look()
    },
    page: '/',
    button: 'The clock is right',
  },
  'POST /support/backups': { who: 'olga', page: '/support/backups', button: 'Back up now' },
}

const recordCount = ({ db }: Panel) => db.select().from(records).all().length

t.test('every form is listed here', async (t) => {
  const panel = await startApp(t)
  const forms = panel.routes.filter(({ method }) => method === 'POST').map(({ method, url }) => `${method} ${url}`)
  t.same(
    forms.filter((form) => !(form in acts)),
    [],
    'say how the new form is sent twice',
  )
})

/** The kinds of record that these acts made. */
const told = new Set<RecordKind>()

for (const [route, act] of Object.entries(acts)) {
  if (typeof act === 'string') continue
  t.test(`${route}: a second form that finds its act done does not claim it`, async (t) => {
    const panel = await startApp(t)
    const id = (text: string) => text.replace('TOM', String(userId(panel, 'tom')))
    await act.first?.(panel)
    const client = await panel.signIn(act.who)
    // It is switched on in the session that switches it off.
    if (route === 'POST /profile/two-factor/removal') await enrol(panel, client)
    const fields = { ...act.fields }
    if (fields.people === 'tom') fields.people = String(userId(panel, 'tom'))
    const [one, other] = [await client.open(id(act.page)), await client.open(id(act.page))]
    writeFromRightToLeft(panel)
    const first = await client.press(one, act.button, fields, act.within)
    t.equal(first.status, 303, `${first.problem} ${first.text}`)
    const page = await client.open(first.location ?? '')
    const said = page.notice
    t.same(bareNames(panel, page.root), [], 'names stand apart in what is said')
    t.same((await bareNamesOfLetters(panel)).bare, [], 'and in e-mails')
    const { kinds, wrong } = toldIn(panel)
    for (const kind of kinds) told.add(kind)
    t.same(wrong, [], 'the history tells of it in a sentence')
    const recorded = recordCount(panel)
    const second = await client.press(other, act.button, fields, act.within)
    t.ok(second.status < 500)
    if (recordCount(panel) > recorded || second.status !== 303) return
    const saidThen = (await client.open(second.location ?? '')).notice
    t.not(saidThen, said, `“${said}” is said once`)
    t.match(
      saidThen,
      /Nothing was changed|already|before|no longer open|no other session|a moment ago|not a user of|has no|Nothing was sent/,
    )
  })
}

t.test('giving access names only users of the account, all or none, and counts who got it', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const shop = projectId(panel, 'shop')
  const inShop = () =>
    panel.db
      .select()
      .from(projectAccess)
      .where(eq(projectAccess.projectId, shop))
      .all()
      .map((access) => access.userId)
  const before = inShop()
  const answers: Page[] = []
  for (const people of [
    String(userId(panel, 'uma')),
    '99999',
    [String(userId(panel, 'tom')), String(userId(panel, 'uma'))],
  ]) {
    const refused = await stella.press(await stella.open('/projects/shop'), 'Give access', { people, role: 'reader' })
    t.equal(refused.status, 422)
    t.match(refused.text, 'one of them is not a user of this account. Nothing was changed.')
    t.notMatch(refused.body, 'Uma')
    t.same(inShop(), before)
    answers.push(refused)
  }
  t.equal(answers[0]?.withoutTokens, answers[1]?.withoutTokens, 'a foreign user is as one that does not exist')

  const both = [String(userId(panel, 'tom')), String(userId(panel, 'stella'))]
  const given = await stella.press(await stella.open('/projects/shop'), 'Give access', { people: both, role: 'reader' })
  t.equal(
    (await stella.open(given.location ?? '')).notice,
    '1 person has access to Shop as Project Reader now. 1 person had access already and kept the role.',
  )
})

t.test('ending the sessions of somebody who has none does nothing, and leaves no record', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  await panel.signIn('tom')
  const toms = `/support/users/${userId(panel, 'tom')}`
  const pages = [await olga.open(toms), await olga.open(toms)] as const
  await olga.press(pages[0], 'End sessions')
  const recorded = recordCount(panel)
  await olga.press(pages[1], 'End sessions')
  t.equal(recordCount(panel), recorded)
})

t.test('what is restored while it is suspended is not said to be open', async (t) => {
  const panel = await startApp(t)
  await removeAcmesProjects(panel)
  await suspend(panel)
  await as('petra', '/partner/customers/acme/removal', 'Delete customer', { fields: { identifier: 'acme' } })(panel)
  const petra = await panel.signIn('petra')
  const restored = await petra.submitAndFollow('/partner/deleted-customers', 'Restore')
  t.equal(
    restored.notice,
    'Acme is restored. It is still suspended by Cloudhaus: its users can work in it once it is resumed.',
  )
  const stella = panel.visit()
  await stella.logIn(cast.stella.email, demoPassword)
  t.match((await stella.open('/')).text, 'Acme is suspended')
})

t.test('no route passes over what an act says that it did', async (t) => {
  const parse = (file: string) => ts.createSourceFile(file, readSource(file), ts.ScriptTarget.Latest, true)
  const telling = new Map<string, Set<string>>()
  for (const file of sources.filter((file) => isData(file) || file === 'mail/outbox.ts')) {
    const names = new Set<string>()
    for (const one of parse(file).statements)
      if (ts.isFunctionDeclaration(one) && one.name && one.type && one.type.getText() !== 'void')
        names.add(one.name.text)
    telling.set(file, names)
  }
  t.ok(telling.get('people/data/users.ts')?.has('setDisabled'), 'what an act returns is read from its data file')

  let calls = 0
  for (const file of sources.filter((file) => /(routes|page)\.ts$/.test(file))) {
    const source = parse(file)
    const imported = new Set<string>()
    for (const one of source.statements) {
      if (!ts.isImportDeclaration(one) || !ts.isStringLiteral(one.moduleSpecifier)) continue
      const names = telling.get(relative(src, join(src, dirname(file), one.moduleSpecifier.text)))
      const bindings = one.importClause?.namedBindings
      if (names && bindings && ts.isNamedImports(bindings))
        for (const { name } of bindings.elements) if (names.has(name.text)) imported.add(name.text)
    }
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && imported.has(node.expression.text)) {
        calls++
        t.notOk(ts.isExpressionStatement(node.parent), `${file} asks what ${node.expression.text} did`)
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  t.ok(calls > 80, `${calls} calls were looked at`)
})

t.test('an invitation that a member accepts says that the role stays, and what it gave', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  const shop = projectId(panel, 'shop')
  const email = 'tom@new.example'
  const invitation = { name: 'Tom', email, role: 'admin', projects: String(shop) }
  await stella.submit('/customer/users', 'Invite', { ...invitation, projectRole: 'reader' })
  panel.db.update(users).set({ email, emailKey: email }).where(eq(users.email, cast.tom.email)).run()
  const accepted = await tom.submitAndFollow('/', 'Accept')
  t.match(
    accepted.notice,
    'You are already Customer User of Acme. The invitation did not change your role. It gave you access to 1 project.',
  )
  t.match((await tom.get('/projects/shop')).text, 'You are Project Reader')
  t.match((await stella.get('/customer/users')).row(email), 'Customer User')
  t.match(
    (await stella.get('/customer/history')).row('accepted the invitation'),
    'Was a user already, and stays Customer User',
  )
})

t.test('an invitation that makes a member says as what', async (t) => {
  const panel = await startApp(t)
  await as('stella', '/customer/users', 'Invite', { fields: { name: 'Nils', email: cast.nils.email, role: 'admin' } })(
    panel,
  )
  const accepted = await (await panel.signIn('nils')).submitAndFollow('/', 'Accept')
  t.equal(accepted.notice, 'You are Customer Admin of Acme now. You are working in Acme now.')
})

t.test('a sentence tells of every kind of record', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, tom] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('tom')]
  await petra.submit('/partner/customers', 'Create customer', { name: 'Taken', identifier: 'umbrella' })
  await stella.submit('/customer/account', 'Download everything (ZIP)')
  await inviteGuest(panel)
  await stella.submit('/customer/users', 'Copy link', {}, 'guest@acme.example')
  await tom.submit('/profile', 'Download my data')
  tokenOf(panel, 'tom', 'acme')
  await tom.submit((await tom.open('/profile/tokens')).link('Replace') ?? '', 'Replace token')
  await newProgram(panel)
  await stella.submit('/customer/service-users/11', 'Save changes', { serviceName: 'Till', role: 'admin' })
  await stella.submit('/customer/service-users/11/removal', 'Remove Till')
  await webhookOf('acme')(panel)
  await stella.submit('/customer/webhooks/1/rotation', 'Make new secret')
  await stella.submit('/customer/webhooks/1/change', 'Save webhook', { url: 'https://other.example' })
  await tom.submit('/profile', 'Change password', {
    current: demoPassword,
    password: 'correct horse battery',
    repeated: 'correct horse battery',
  })
  // What takes weeks, a mailbox or the command line, as it is recorded there.
  const [acme, toms, website] = [accountId(panel, 'acme'), userId(panel, 'tom'), projectId(panel, 'website')]
  const self = { ...byItself(panel.app.now()), userId: toms }
  const time = new Date(panel.app.now()).toISOString()
  writeUnchecked(panel.db, (tx) => {
    record(tx, byItself(self.at), { kind: 'account.purged', accountId: acme, change: { users: [2, 0] } })
    record(tx, byItself(self.at), { kind: 'project.purged', accountId: acme, projectId: website })
    record(tx, self, { kind: 'partner.cancelled', accountId: acme })
    for (const kind of ['limit.near', 'limit.reached'] as const)
      record(tx, byItself(self.at), { kind, accountId: acme, change: { cores: [10, 9] } })
    const expiring = { token: ['…x7Yz', null], days: [null, 14] } satisfies Change
    record(tx, byItself(self.at), { kind: 'token.expiring', accountId: acme, userId: toms, change: expiring })
    record(tx, byItself(self.at), { kind: 'invitation.expired', accountId: acme, invitationId: 1 })
    record(tx, self, { kind: 'import.ended', accountId: acme, change: { done: [null, 2], failed: [null, 1] } })
    for (const kind of [
      'user.reset-requested',
      'user.recovery-codes-made',
      'user.recovery-code-used',
      'user.passkey-added',
      'user.sso-connected',
      'user.sso-disconnected',
      'user.address-proved',
    ] as const)
      record(tx, self, { kind, userId: toms })
    const ended = {
      'two-factor log-in': ['on', 'off'],
      passkeys: [2, 0],
      'single sign-on': ['on', 'off'],
    } satisfies Change
    record(tx, self, { kind: 'user.address-claimed', userId: toms, change: ended })
    const personal = { field: 'email', before: cast.tom.email, after: 'tom@new.example' } as const
    record(tx, self, { kind: 'user.email-changed', userId: toms, personal })
    record(tx, atCommandLine(self.at), { kind: 'installation.restored', change: { backup: [null, time] } })
    record(tx, atCommandLine(self.at), {
      kind: 'webhook.switched-off',
      change: { host: [null, 'x.example'], status: [null, 'gone'] },
    })
    const ofSso: [RecordKind, Change][] = [
      ['sso.domain-lost', { domain: ['acme.example', null] }],
      ['sso.new-people-changed', { people: ['off', 'groups'], claim: [null, 'groups'] }],
      ['sso.group-removed', { group: ['staff', null] }],
      ['sso.provider-changed', { issuer: [null, 'https://id.example'], secret: [null, 'new'], trusted: ['no', 'yes'] }],
      ['sso.provider-removed', { issuer: ['https://id.example', null] }],
      ['sso.domain-added', { domain: [null, 'acme.example'] }],
      ['sso.domain-proved', { domain: [null, 'acme.example'] }],
      ['sso.domain-removed', { domain: ['acme.example', null] }],
      ['sso.not-required', { from: [5, null] }],
    ]
    for (const [kind, change] of ofSso) record(tx, self, { kind, accountId: acme, change })
    record(tx, self, {
      kind: 'member.joined-by-sso',
      accountId: acme,
      userId: toms,
      change: { role: [null, 'member'] },
    })
    const gone = { role: ['member', null], projects: ['website', null] } satisfies Change
    record(tx, byItself(self.at), { kind: 'member.removed-by-sso', accountId: acme, userId: toms, change: gone })
    record(tx, self, { kind: 'sso.required', accountId: acme, userId: toms, change: { from: [null, 5] } })
    const rule = { group: [null, 'staff'], role: [null, 'member'], in: [null, 'reader'] } satisfies Change
    record(tx, self, { kind: 'sso.group-added', accountId: acme, projectId: website, change: rule })
    record(tx, atCommandLine(self.at), { kind: 'installation.secrets-rotated', change: { sessions: [2, 0] } })
  })
  const { kinds, wrong } = toldIn(panel)
  t.same(wrong, [])
  for (const kind of kinds) told.add(kind)
  t.same(
    Object.keys(recordKinds).filter((kind) => !told.has(kind as RecordKind)),
    [],
  )
})
