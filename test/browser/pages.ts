import { eq } from 'drizzle-orm'
import type { Browser } from 'playwright-core'
import {
  accounts,
  deliveries,
  identities,
  installation,
  invitations,
  memberships,
  passkeys,
  savedViews,
  sessions,
  webhooks,
} from '../../src/db/schema.ts'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { tokenOf } from '../api/program.ts'
import { passkeyOf } from '../authenticator.ts'
import { accountId, userId } from '../harness.ts'
import { groupRuleOf } from '../matrix/objects.ts'
import { addFailedDelivery, addWebhook } from '../webhooks/receiver.ts'
import { arrange, longIdentifier, longName } from './arrange.ts'
import { clientOf, type LivePanel, Person } from './chromium.ts'
import { comeBackAs } from './provider.ts'

/** A page as somebody sees it: how to get there, and what to do on it before it is looked at. */
export type Sight = {
  name: string
  who: Person
  path: string
  act?: (who: Person) => Promise<void>
  /** What the bar finds while somebody types: with JavaScript, where there is room for it. */
  ofBar?: true
}

/** Every page of the panel, with the people who see them logged in and something on each. */
export async function sightsOf(browser: Browser, panel: LivePanel): Promise<Sight[]> {
  const webhook = fillWebhooks(panel)
  const webhookOfSupport = addWebhook(panel, null, 'https://siem.meshpanel.example/events').id
  const { petra: forPetra, stella: forStella, ...made } = await arrange(panel)
  const visitor = await Person.open(browser, panel)
  const open = async (who: CastName) => Person.of(browser, panel, await clientOf(panel, who))
  const [petra, stella] = [await Person.of(browser, panel, forPetra), await Person.of(browser, panel, forStella)]
  const [max, tom, olga, dora] = [await open('max'), await open('tom'), await open('olga'), await open('dora')]
  const [nils, ines] = [await open('nils'), await open('ines')]
  const [ended, viv, uma, half] = [
    await Person.of(browser, panel, made.ended),
    await Person.of(browser, panel, made.viv),
    await Person.of(browser, panel, made.uma),
    await Person.of(browser, panel, made.half),
  ]
  const [waiting, owner, other] = [
    await Person.of(browser, panel, comeBackAs(panel, cast.tom.email)),
    await Person.of(browser, panel, comeBackAs(panel, cast.tom.email, await clientOf(panel, 'tom'))),
    await Person.of(browser, panel, comeBackAs(panel, cast.tom.email, await clientOf(panel, 'dora'))),
  ]
  groupRuleOf(panel, 'acme')
  const { nora, invitedNils, cancelled, norasInvitation, partnerImport, ownImport, emailLink } = made
  const tomsId = userId(panel, 'tom')
  const petras = { userId: userId(panel, 'petra'), accountId: accountId(panel, 'cloudhaus'), list: 'customers' }
  const [savedView] = panel.db
    .insert(savedViews)
    .values([
      { ...petras, name: longName.slice(0, 40), search: 'a', query: 'sort=name' },
      { ...petras, name: 'מצפון', search: '', query: 'tag=south' },
      { ...petras, name: 'Of a filter that went', search: '', query: 'colour=red' },
    ])
    .returning()
    .all()
  const umasRemoval = `/support/users/${userId(panel, 'uma')}/removal`
  const correction = (page: string, person: Person, email: string) => async () => {
    await person.goto(page)
    await person.page.locator('tr', { hasText: email }).getByRole('link').first().click()
    await person.page.waitForURL(/correction/)
  }

  // Olga’s: one as most are, one that was copied to her devices, a key for the second step, and one of an earlier address.
  const olgas = { ...passkeyOf(userId(panel, 'olga')), createdAt: Date.now() - 40 * 86_400_000 }
  const kinds = [
    { name: 'Work laptop', lastUsedAt: Date.now() - 3_600_000 },
    { name: 'Phone and tablet', deviceType: 'multiDevice', backedUp: true, lastUsedAt: Date.now() - 86_400_000 },
    { name: 'Key in the safe', verifies: false },
    { name: longName, host: 'panel.example' },
  ] as const
  for (const kind of kinds)
    panel.db
      .insert(passkeys)
      .values({ ...olgas, ...kind, credentialId: kind.name })
      .run()

  tokenOf(panel, 'uma', 'umbrella', { scopes: ['projects:write', 'quotas:read'] })
  panel.db
    .insert(identities)
    .values({
      issuer: panel.app.config.sso?.issuer ?? '',
      subject: 'olga',
      userId: userId(panel, 'olga'),
      createdAt: Date.now(),
    })
    .run()

  const createToken = async (who: Person) => {
    // A service user's page has a form for its own name, too.
    await who.page.getByLabel('Name', { exact: true }).last().fill('Monitoring')
    await who.page.getByLabel('Read', { exact: true }).first().check()
    await who.press('Create token')
  }
  const createServiceUser = async (who: Person) => {
    await who.fill({ Name: 'Shop' })
    await who.press('Create service user')
  }
  const emptyName = async (who: Person) => {
    await who.fill({ Name: '' })
    await who.press('Save name')
  }
  const emptyForm = (button: string) => (who: Person) => who.press(button)
  const openMenu = (menu: string) => async (who: Person) => who.page.locator(`.${menu} > summary`).click()
  return [
    { name: 'log-in', who: visitor, path: '/login' },
    { name: 'log-in-wrong', who: visitor, path: '/login', act: emptyForm('Log in') },
    { name: 'password-reset', who: visitor, path: '/password-reset' },
    { name: 'password-reset-dead', who: visitor, path: '/password-reset/nothing' },
    { name: 'invitation-new', who: visitor, path: nora },
    { name: 'invitation-errors', who: visitor, path: nora, act: emptyForm('Accept invitation') },
    { name: 'invitation-known', who: visitor, path: invitedNils },
    { name: 'invitation-invited', who: nils, path: invitedNils },
    { name: 'invitation-other', who: tom, path: nora },
    { name: 'invitation-cancelled', who: visitor, path: cancelled },
    { name: 'home-partner', who: petra, path: '/' },
    { name: 'home-user', who: tom, path: '/' },
    { name: 'home-no-account', who: nils, path: '/' },
    { name: 'home-support', who: olga, path: '/' },
    { name: 'home-suspended', who: ines, path: '/' },
    { name: 'switcher-open', who: petra, path: '/', act: openMenu('switcher') },
    { name: 'settings-open', who: petra, path: '/', act: openMenu('settings') },
    { name: 'search-empty', who: petra, path: '/search' },
    { name: 'search', who: petra, path: '/search?q=a' },
    { name: 'search-support', who: olga, path: '/search?q=a' },
    { name: 'search-nothing', who: petra, path: '/search?q=nothing-of-the-kind' },
    { name: 'search-typed', who: petra, path: '/', act: typeSearch, ofBar: true },
    { name: 'change-account', who: petra, path: '/active-account' },
    { name: 'notifications', who: stella, path: '/notifications' },
    { name: 'notifications-partner', who: petra, path: '/notifications' },
    { name: 'notifications-empty', who: max, path: '/notifications?state=unread' },
    { name: 'notification-choices', who: petra, path: '/profile/notifications' },
    { name: 'profile', who: petra, path: '/profile' },
    { name: 'profile-errors', who: petra, path: '/profile', act: emptyForm('Change password') },
    { name: 'tokens', who: uma, path: '/profile/tokens' },
    { name: 'tokens-errors', who: petra, path: '/profile/tokens', act: emptyForm('Create token') },
    { name: 'tokens-new', who: stella, path: '/profile/tokens', act: createToken },
    { name: 'tokens-support', who: olga, path: '/profile/tokens/support' },
    {
      name: 'tokens-replace',
      who: stella,
      path: '/profile/tokens',
      act: async (who) => {
        await createToken(who)
        await who.follow('I have copied it')
        await who.follow('Replace')
      },
    },
    { name: 'account-sso', who: stella, path: '/customer/log-in' },
    { name: 'account-sso-people', who: stella, path: '/customer/log-in/people' },
    { name: 'security', who: stella, path: '/customer/security' },
    {
      name: 'security-errors',
      who: stella,
      path: '/customer/security',
      act: async (who) => {
        await who.fill({ 'Only from these addresses': '192.0.2.0/24', 'Required from': 'tomorrow' })
        await who.press('Save')
      },
    },
    { name: 'support-security', who: olga, path: '/support/accounts/acme/security' },
    { name: 'service-users', who: petra, path: '/customer/service-users' },
    {
      name: 'service-users-errors',
      who: petra,
      path: '/customer/service-users',
      act: emptyForm('Create service user'),
    },
    { name: 'service-user', who: stella, path: '/customer/service-users', act: createServiceUser },
    {
      name: 'service-user-token-replace',
      who: stella,
      path: '/customer/service-users',
      act: async (who) => {
        await createServiceUser(who)
        await createToken(who)
        await who.follow('I have copied it')
        await who.follow('Replace')
      },
    },
    {
      name: 'service-user-removal',
      who: stella,
      path: '/customer/service-users',
      act: async (who) => {
        await createServiceUser(who)
        await who.follow('Remove')
      },
    },
    { name: 'webhooks-none', who: dora, path: '/customer/webhooks' },
    { name: 'webhooks', who: stella, path: '/customer/webhooks' },
    { name: 'webhooks-new', who: stella, path: '/customer/webhooks/new' },
    { name: 'webhooks-errors', who: stella, path: '/customer/webhooks/new', act: emptyForm('Create webhook') },
    {
      name: 'webhooks-secret',
      who: dora,
      path: '/customer/webhooks/new',
      act: async (who) => {
        await who.fill({ Address: 'https://shop.direct.example/hook' })
        await who.press('Create webhook')
      },
    },
    { name: 'webhook', who: stella, path: `/customer/webhooks/${webhook}` },
    { name: 'webhook-change', who: stella, path: `/customer/webhooks/${webhook}/change` },
    { name: 'webhook-rotation', who: stella, path: `/customer/webhooks/${webhook}/rotation` },
    { name: 'webhook-removal', who: stella, path: `/customer/webhooks/${webhook}/removal` },
    { name: 'webhooks-of-support', who: olga, path: '/support/webhooks' },
    { name: 'webhook-of-support-new', who: olga, path: '/support/webhooks/new' },
    { name: 'webhook-of-support', who: olga, path: `/support/webhooks/${webhookOfSupport}` },
    { name: 'webhook-of-support-change', who: olga, path: `/support/webhooks/${webhookOfSupport}/change` },
    { name: 'webhook-of-support-rotation', who: olga, path: `/support/webhooks/${webhookOfSupport}/rotation` },
    { name: 'webhook-of-support-removal', who: olga, path: `/support/webhooks/${webhookOfSupport}/removal` },
    { name: 'api-docs', who: petra, path: '/api/docs' },
    { name: 'api-problem', who: visitor, path: '/api/problems/stale' },
    { name: 'passkeys', who: olga, path: '/profile/passkeys' },
    { name: 'passkeys-none', who: tom, path: '/profile/passkeys' },
    { name: 'passkeys-new', who: tom, path: '/profile/passkeys/new' },
    { name: 'passkeys-change', who: olga, path: '/profile/passkeys/2' },
    { name: 'passkeys-change-errors', who: olga, path: '/profile/passkeys/4', act: emptyName },
    { name: 'sso', who: tom, path: '/profile/sso' },
    { name: 'sso-connected', who: olga, path: '/profile/sso' },
    { name: 'sso-new', who: tom, path: '/profile/sso/new' },
    { name: 'sso-ended', who: visitor, path: '/login/sso/ended' },
    { name: 'sso-waiting', who: waiting, path: '/login/sso/waiting' },
    { name: 'sso-waiting-owner', who: owner, path: '/login/sso/waiting' },
    { name: 'sso-waiting-other', who: other, path: '/login/sso/waiting' },
    { name: 'two-factor', who: tom, path: '/profile/two-factor' },
    { name: 'two-factor-errors', who: tom, path: '/profile/two-factor', act: emptyForm('Switch on') },
    { name: 'two-factor-on', who: uma, path: '/profile/two-factor' },
    {
      name: 'recovery-codes',
      who: uma,
      path: '/profile/two-factor',
      act: (who) => who.press('Make new recovery codes'),
    },
    { name: 'second-step', who: half, path: '/login/second-factor' },
    { name: 'second-step-wrong', who: half, path: '/login/second-factor', act: emptyForm('Log in') },
    { name: 'leaving', who: tom, path: '/profile/accounts/acme/removal' },
    { name: 'customers', who: petra, path: '/partner/customers' },
    { name: 'customers-errors', who: petra, path: '/partner/customers', act: emptyForm('Create customer') },
    { name: 'customers-nothing-found', who: petra, path: '/partner/customers?q=nothing' },
    { name: 'customers-partner-user', who: max, path: '/partner/customers' },
    {
      name: 'customers-save-view',
      who: petra,
      path: '/partner/customers?tag=north&sort=name',
      act: openMenu('views .menu'),
    },
    { name: 'customers-saved-view', who: petra, path: '/partner/customers?q=a&sort=name' },
    { name: 'saved-view', who: petra, path: `/saved-views/${savedView?.id}/name` },
    { name: 'saved-view-ended', who: petra, path: `/saved-views/${(savedView?.id ?? 0) + 2}/name` },
    {
      name: 'saved-view-errors',
      who: petra,
      path: '/partner/customers?tag=north&sort=name',
      act: async (who) => {
        await openMenu('views .menu')(who)
        await who.press('Save view')
      },
    },
    { name: 'customer-users', who: petra, path: '/partner/customers/acme/users' },
    { name: 'customer-users-empty', who: petra, path: `/partner/customers/${longIdentifier}/users` },
    { name: 'customer-projects', who: petra, path: '/partner/customers/acme/projects' },
    { name: 'project-quotas', who: petra, path: '/partner/customers/acme/quotas' },
    {
      name: 'project-quotas-errors',
      who: petra,
      path: '/partner/customers/acme/quotas',
      act: async (who) => {
        await who.fill({ Cores: '99', RAM: '999999' })
        await who.press('Save quotas')
      },
    },
    { name: 'plans', who: petra, path: '/partner/plans' },
    { name: 'plans-user', who: max, path: '/partner/plans' },
    { name: 'plan-new', who: petra, path: '/partner/plans/new' },
    { name: 'plan-errors', who: petra, path: '/partner/plans/new', act: emptyForm('Create plan') },
    { name: 'plan-change', who: petra, path: '/partner/plans/1' },
    { name: 'plan-removal', who: petra, path: '/partner/plans/1/removal' },
    { name: 'plan-preview', who: petra, path: '/partner/customers/acme/quotas/plan?plan=1' },
    { name: 'plan-preview-short', who: petra, path: '/partner/customers/acme/quotas/plan?plan=2' },
    { name: 'limits-copied', who: petra, path: `/partner/customers/acme/quotas/copy?from=${longIdentifier}` },
    { name: 'limits-copied-errors', who: petra, path: '/partner/customers/acme/quotas/copy?from=nobody' },
    { name: 'project-quotas-user', who: max, path: '/partner/customers/acme/quotas' },
    { name: 'partner-quotas', who: petra, path: '/partner/quotas' },
    { name: 'partner-quotas-user', who: max, path: '/partner/quotas' },
    { name: 'own-quotas', who: stella, path: '/customer/quotas' },
    {
      name: 'own-quotas-explained',
      who: stella,
      path: '/customer/quotas',
      act: async (who) => who.page.getByText('Explain').nth(2).click(),
    },
    { name: 'own-quotas-user', who: tom, path: '/customer/quotas' },
    { name: 'own-quotas-errors', who: dora, path: '/customer/quotas', act: emptyForm('Send request') },
    {
      name: 'project-quotas-of-project',
      who: stella,
      path: '/projects/website',
      act: async (who) => who.page.getByText('See and change the quotas').click(),
    },
    { name: 'support-quotas', who: olga, path: '/support/accounts/cloudhaus/quotas' },
    { name: 'support-resources', who: olga, path: '/support/resources' },
    { name: 'customer-removal', who: petra, path: `/partner/customers/${longIdentifier}/removal` },
    {
      name: 'customer-removal-errors',
      who: petra,
      path: `/partner/customers/${longIdentifier}/removal`,
      act: emptyForm('Delete customer'),
    },
    { name: 'customer-removal-projects', who: petra, path: '/partner/customers/acme/removal' },
    { name: 'deleted-customers', who: petra, path: '/partner/deleted-customers' },
    { name: 'deleted-customers-user', who: max, path: '/partner/deleted-customers' },
    { name: 'deleted-projects', who: stella, path: '/customer/projects/deleted' },
    { name: 'deleted-account', who: ended, path: '/projects' },
    { name: 'support-deleted', who: olga, path: '/support/accounts?status=deleted' },
    { name: 'support-removal', who: olga, path: '/support/accounts/direct/removal' },
    { name: 'support-move', who: olga, path: '/support/accounts/acme/partner' },
    { name: 'support-move-errors', who: olga, path: '/support/accounts/acme/partner', act: emptyForm('Move') },
    { name: 'customer-overview', who: petra, path: '/partner/customers/acme' },
    { name: 'customer-overview-empty', who: petra, path: '/partner/customers/initech' },
    { name: 'customer-details', who: petra, path: '/partner/customers/acme/details' },
    {
      name: 'customers-ticked',
      who: petra,
      path: '/partner/customers',
      act: async ({ page }) => page.getByRole('checkbox', { name: 'Acme' }).check(),
    },
    {
      name: 'ticked-suspension',
      who: petra,
      path: `/partner/ticked-customers/suspension?c=acme&c=initech&c=${longIdentifier}`,
    },
    { name: 'ticked-resumption', who: petra, path: '/partner/ticked-customers/resumption?c=acme&c=initech' },
    { name: 'ticked-tag', who: petra, path: '/partner/ticked-customers/tag?c=acme&c=initech' },
    { name: 'ticked-plan', who: petra, path: '/partner/ticked-customers/plan?c=acme&c=initech' },
    { name: 'ticked-plan-preview', who: petra, path: '/partner/ticked-customers/plan?all=yes&plan=1' },
    { name: 'ticked-tag-preview', who: petra, path: '/partner/ticked-customers/tag?c=acme&c=initech&tag=VIP' },
    { name: 'ticked-tag-removal', who: petra, path: '/partner/ticked-customers/tag-removal?c=acme&c=initech&tag=VIP' },
    {
      name: 'ticked-result',
      who: petra,
      path: '/partner/ticked-customers/tag?c=acme&c=mills&tag=north',
      act: async (petra) => {
        // As if somebody else had given the tag in the meantime.
        await petra.page.locator('input[name="customers"]').evaluate((field) => {
          ;(field as HTMLInputElement).value = 'acme,gone-by-now'
        })
        await petra.press('Add tag to 1 customer')
      },
    },
    { name: 'customer-suspension', who: petra, path: '/partner/customers/acme/suspension' },
    { name: 'partner-history', who: petra, path: '/partner/history' },
    { name: 'projects', who: stella, path: '/projects' },
    { name: 'projects-errors', who: stella, path: '/projects', act: emptyForm('Create project') },
    { name: 'projects-user', who: tom, path: '/projects' },
    { name: 'project', who: stella, path: '/projects/shop' },
    { name: 'project-long', who: stella, path: `/projects/${longIdentifier}` },
    { name: 'project-user', who: tom, path: '/projects/website' },
    { name: 'project-removal', who: stella, path: '/projects/shop/removal' },
    { name: 'users', who: stella, path: '/customer/users' },
    { name: 'users-errors', who: stella, path: '/customer/users', act: emptyForm('Invite') },
    {
      name: 'users-ticked',
      who: stella,
      path: '/customer/users',
      act: async ({ page }) => page.getByRole('checkbox', { name: 'Nora' }).check(),
    },
    { name: 'ticked-resending', who: stella, path: `/customer/ticked-invitations/resending?c=${norasInvitation}` },
    {
      name: 'ticked-cancellation',
      who: stella,
      path: `/customer/ticked-invitations/cancellation?c=${norasInvitation}`,
    },
    {
      name: 'ticked-invitations-result',
      who: stella,
      path: `/customer/ticked-invitations/cancellation?c=${norasInvitation}`,
      act: async (stella) => {
        // As if it had just been sent, and was to be sent again, which is too soon.
        panel.db
          .update(invitations)
          .set({ sentAt: panel.app.now() })
          .where(eq(invitations.email, 'nora@acme.example'))
          .run()
        await stella.page.locator('form.stack').evaluate((form) => {
          form.setAttribute('action', (form.getAttribute('action') ?? '').replace('cancellation', 'resending'))
        })
        await stella.press('Cancel 1 invitation')
      },
    },
    { name: 'users-user', who: tom, path: '/customer/users' },
    { name: 'users-factor', who: stella, path: '/customer/users?factor=none' },
    { name: 'user-removal', who: stella, path: `/customer/users/${tomsId}/removal` },
    {
      name: 'copy-link',
      who: stella,
      path: '/customer/users',
      act: (who) => who.press('Copy link', 'nora@acme.example'),
    },
    { name: 'access', who: stella, path: '/customer/projects' },
    { name: 'access-given', who: stella, path: '/projects/shop/access' },
    { name: 'access-role', who: stella, path: `/projects/website/access/${tomsId}?from=settings` },
    { name: 'member-role', who: stella, path: `/customer/users/${tomsId}/role` },
    { name: 'account', who: stella, path: '/customer/account' },
    { name: 'account-asked', who: dora, path: '/customer/account' },
    { name: 'history', who: stella, path: '/customer/history' },
    { name: 'history-filtered', who: stella, path: '/customer/history?family=invitation&person=st&from=yesterday' },
    { name: 'user-deletion', who: nils, path: '/profile/removal' },
    { name: 'user-deletion-errors', who: nils, path: '/profile/removal', act: emptyForm('Delete my user') },
    { name: 'user-deletion-needed', who: stella, path: '/profile/removal' },
    { name: 'email-change', who: max, path: emailLink },
    { name: 'email-change-dead', who: stella, path: emailLink },
    { name: 'support-accounts', who: olga, path: '/support/accounts' },
    { name: 'support-accounts-errors', who: olga, path: '/support/accounts', act: emptyForm('Create account') },
    { name: 'support-suspension', who: olga, path: '/support/accounts/acme/suspension' },
    { name: 'support-users', who: olga, path: '/support/users' },
    { name: 'support-user', who: olga, path: `/support/users/${userId(panel, 'uma')}` },
    { name: 'customer-history', who: petra, path: '/partner/customers/acme/history' },
    { name: 'customer-history-own', who: petra, path: '/partner/customers/acme/history/own' },
    { name: 'customer-help', who: petra, path: `/partner/customers/acme/users/${userId(panel, 'tom')}` },
    { name: 'support-mail', who: olga, path: '/support/mail' },
    { name: 'support-letter', who: olga, path: '/support/mail/1' },
    { name: 'support-backups-empty', who: olga, path: '/support/backups' },
    { name: 'support-backups', who: olga, path: '/support/backups', act: backUp },
    { name: 'support-history', who: olga, path: '/support/history' },
    { name: 'partner-imports', who: petra, path: '/partner/imports' },
    { name: 'partner-imports-errors', who: petra, path: '/partner/imports', act: emptyForm('Check the file') },
    { name: 'partner-import', who: petra, path: partnerImport },
    { name: 'own-imports', who: stella, path: '/customer/imports' },
    { name: 'own-import', who: stella, path: ownImport },
    {
      name: 'correction',
      who: stella,
      path: '/customer/users',
      act: correction('/customer/users', stella, 'nora@acme.example'),
    },
    {
      name: 'correction-by-partner',
      who: petra,
      path: '/partner/customers',
      act: correction(`/partner/customers/${longIdentifier}/users`, petra, 'first.admin@'),
    },
    {
      name: 'correction-by-support',
      who: olga,
      path: '/support/accounts',
      act: correction('/support/accounts/solo/users', olga, 'sol@solo.example'),
    },
    { name: 'address-not-confirmed', who: viv, path: '/profile' },
    { name: 'home-not-confirmed', who: viv, path: '/' },
    { name: 'users-of-partner-and-not-confirmed', who: petra, path: '/partner/customers/mills/users' },
    { name: 'leaving-ends-invitations', who: petra, path: '/profile/accounts/mills/removal' },
    { name: 'support-account-users', who: olga, path: '/support/accounts/solo/users' },
    { name: 'support-account-users-with-admin', who: olga, path: '/support/accounts/direct/users' },
    { name: 'home-clock', who: olga, path: '/', act: whileInDoubt(panel) },
    { name: 'support-requests', who: olga, path: '/support/quotas' },
    { name: 'support-user-deletion', who: olga, path: umasRemoval },
    {
      name: 'disabling-ends-invitations',
      who: olga,
      path: '/support/users?q=stella',
      act: (who) => who.press('Disable', cast.stella.email),
    },
    { name: 'customer-removal-ends', who: petra, path: '/partner/customers/mills/removal' },
    {
      name: 'becoming-partner',
      who: olga,
      path: '/support/accounts',
      act: (who) => who.press('Make partner', 'mills'),
    },
    {
      name: 'becoming-customer',
      who: olga,
      path: '/support/accounts',
      act: (who) => who.press('Make customer', 'rival'),
    },
    { name: 'not-found', who: stella, path: '/nothing' },
    { name: 'not-allowed', who: tom, path: '/partner/customers' },
    { name: 'choose-account', who: nils, path: '/projects' },
    { name: 'suspended', who: ines, path: '/projects' },
    { name: 'other-account', who: petra, path: '/projects', act: fromAnotherTab },
    { name: 'customers-from-acme', who: petra, path: '/partner/customers' },
    { name: 'choose-partner', who: petra, path: '/partner/customers', act: inTwoPartners(panel) },
    { name: 'not-saved', who: stella, path: '/projects', act: whileReadOnly(panel) },
    { name: 'out-of-date', who: nils, path: '/profile', act: afterLoggingInAgain },
    { name: 'unsent', who: nils, path: '/profile', act: afterTheSession(panel) },
    {
      name: 'confirm',
      who: olga,
      path: '/support/accounts',
      act: async (who) => {
        panel.pass(11 * 60_000)
        await who.press('Make partner', 'initech')
      },
    },
  ]
}

/** Comes back after the clock was two days ahead, and reads that it is right again. */
function whileInDoubt({ app, db }: LivePanel) {
  return async (olga: Person): Promise<void> => {
    const { lastSeenAt = 0 } = db.select().from(installation).get() ?? {}
    db.update(installation)
      .set({ lastSeenAt: app.now() + 2 * 24 * 3_600_000 })
      .run()
    app.clock.look()
    await olga.goto('/')
    db.update(installation).set({ lastSeenAt }).run()
    app.clock.look()
  }
}

/** Where the box is hidden, on phones, the page was looked at. */
async function typeSearch(who: Person): Promise<void> {
  await who.page.keyboard.press('/')
  await who.page.keyboard.type('a')
  await who.page.locator('.search-box .found li').first().waitFor()
}

/** Makes a backup and waits until it is there. */
async function backUp(olga: Person): Promise<void> {
  await olga.press('Back up now')
  // While it is being made, the button is away, and the page follows.
  await olga.page.getByRole('button', { name: 'Back up now' }).waitFor()
  await olga.page.getByRole('cell', { name: 'Good', exact: true }).first().waitFor()
}

/** Sends a form while nothing can be saved. */
function whileReadOnly(panel: LivePanel) {
  const { $client } = panel.db
  return async (who: Person): Promise<void> => {
    await who.fill({ Name: longName, Identifier: 'typed-in-vain' })
    $client.pragma('query_only = ON')
    await who.press('Create project')
    $client.pragma('query_only = OFF')
    panel.app.storage.check()
  }
}

/** Sends a form that was opened before another tab logged out and in again. */
async function afterLoggingInAgain(nils: Person): Promise<void> {
  await nils.fill({ 'Full name': 'Nils Holgersson' })
  const other = await nils.context.newPage()
  const { origin } = new URL(nils.page.url())
  await other.goto(`${origin}/profile`)
  await other.locator('.settings > summary').click()
  await other.getByRole('button', { name: 'Log out' }).click()
  await other.getByLabel('E-mail').fill(cast.nils.email)
  await other.getByLabel('Password', { exact: true }).fill(demoPassword)
  await other.getByRole('button', { name: 'Log in', exact: true }).click()
  await other.waitForLoadState('load')
  await other.close()
  await nils.press('Save name')
}

/** Sends a form whose session has ended, and logs in. */
function afterTheSession({ db }: LivePanel) {
  return async (nils: Person) => {
    await nils.fill({ 'Full name': 'Nils Dacke' })
    db.delete(sessions)
      .where(eq(sessions.userId, userId({ db }, 'nils')))
      .run()
    await nils.press('Save name')
    await nils.fillLogIn('nils')
  }
}

/** Sends a form after another tab has changed the account. Petra is in Acme afterwards, and comes back. */
/** Joins a second partner account for one look at the page. */
const inTwoPartners =
  ({ db }: LivePanel) =>
  async (petra: Person): Promise<void> => {
    const both = db.select().from(accounts).where(eq(accounts.kind, 'partner')).all()
    for (const { id } of both) {
      const joining = {
        accountId: id,
        userId: userId({ db }, 'petra'),
        role: 'admin',
        createdAt: 1,
        lastUsedAt: 1,
      } as const
      db.insert(memberships).values(joining).onConflictDoNothing().run()
    }
    await petra.goto('/partner/customers')
  }

async function fromAnotherTab(petra: Person): Promise<void> {
  const other = await petra.context.newPage()
  await petra.fill({ Name: 'Typed before', Identifier: 'typed-before' })
  const { origin } = new URL(petra.page.url())
  await other.goto(`${origin}/partner/customers/acme/users`)
  const join = other.getByRole('button', { name: 'Add Myself' })
  if (await join.count()) await join.click()
  await other.goto(`${origin}/projects?account=acme`)
  await other.close()
  await petra.press('Create project')
}

/** Three webhooks of Acme, and deliveries of the first, which is returned. */
function fillWebhooks(panel: LivePanel): number {
  const acme = accountId(panel, 'acme')
  const [first, second, third] = [
    'https://hooks.acme.example/panel',
    'https://billing.acme.example/events?key=Zm9v',
    'https://old.acme.example',
  ].map((url, n) => addWebhook(panel, acme, url, n === 0 ? 'import.* limit.*' : 'import.stopped').id)
  const at = panel.app.now()
  const set = (id: number | undefined, values: Partial<typeof webhooks.$inferInsert>) =>
    panel.db
      .update(webhooks)
      .set(values)
      .where(eq(webhooks.id, id ?? 0))
      .run()
  set(first, { succeededAt: at })
  set(second, { failingSince: at - 3_600_000, failures: 4, heldUntil: at + 1e8 })
  set(third, { offAt: at, offBecause: 'failing' })
  const delivered = { state: 'delivered', status: 204, attempts: 1, duration: 31, body: null } as const
  const tries = [
    delivered,
    { state: 'failed', status: 500, attempts: 10, duration: 120 },
    {
      state: 'waiting',
      error: 'hooks.acme.example is at 10.0.0.5, which is no public address.',
      attempts: 3,
      duration: 4,
      dueAt: at + 1e7,
    },
    { state: 'withdrawn', attempts: 0, body: null },
    { ...delivered, duration: 1_204, attempts: 2 },
    { state: 'waiting', status: 302, attempts: 1, duration: 88, dueAt: at + 1e7 },
  ] as const
  for (const tried of tries) {
    const id = addFailedDelivery(panel, first ?? 0)
    panel.db
      .update(deliveries)
      .set({ status: null, ...tried })
      .where(eq(deliveries.id, id))
      .run()
  }
  return first ?? 0
}
