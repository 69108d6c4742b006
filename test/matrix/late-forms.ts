import { and, eq, ne } from 'drizzle-orm'
import { Secret, TOTP } from 'otpauth'
import { deleteAccount } from '../../src/accounts/deletion/data/deleting.ts'
import { cancelInvitation, resend } from '../../src/accounts/invitations/data/pending.ts'
import { invite } from '../../src/accounts/invitations/data/sending.ts'
import { suspendAccount } from '../../src/accounts/suspension/data.ts'
import { asUserId } from '../../src/db/ids.ts'
import { write } from '../../src/db/open.ts'
import {
  accountSecurity,
  apiTokens,
  importRows,
  imports,
  installation,
  invitations,
  invitationTokens,
  letters,
  memberships,
  passkeys,
  passwordResets,
  quotaRequests,
  sessions,
  users,
} from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { changeTag } from '../../src/partners/customers/ticked/data.ts'
import { requestPartnership } from '../../src/partners/partnership/data.ts'
import { endSession, endSessions } from '../../src/people/data/sessions.ts'
import { createUser, findUser, setDisabled, setPassword } from '../../src/people/data/users.ts'
import { changeEmail } from '../../src/people/email/data.ts'
import { resetTwoFactor } from '../../src/people/help/data.ts'
import { deleteUser } from '../../src/people/leaving/data.ts'
import { requestReset, resetPassword } from '../../src/people/password/data.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import { type Action, policy, type Standing } from '../../src/policy.ts'
import { deleteProject } from '../../src/projects/deletion/data.ts'
import { changeLimits } from '../../src/quotas/data/limits.ts'
import { cancelRequest } from '../../src/quotas/requests/data/asking.ts'
import { atCommandLine, byItself, record } from '../../src/records/record.ts'
import { hashToken } from '../../src/secrets.ts'
import { saveView } from '../../src/web/lists/saved/data.ts'
import { Authenticator, askedOn, passkeyOf } from '../authenticator.ts'
import { type Client, type Fields, type Page, type Panel, projectId } from '../harness.ts'
import { addFailedDelivery, addWebhook } from '../webhooks/receiver.ts'
import { fileBody, formBody, type Late, windowOf } from './held.ts'
import {
  anotherHash,
  askForNewEmail,
  deleteCustomer,
  type Loss,
  lossesOf,
  setUpTwoFactor,
  token,
  totpSecret,
  words,
} from './late-ways.ts'
import { erasing, idIn, sessionOf, type Who, type World } from './late-world.ts'
import { addressOf, formFor, lettersKept, type Objects } from './objects.ts'

// Every form of the running application, as somebody who may send it does, and what they can lose on the way.

const codeOf = (panel: Panel, secret: string) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: panel.app.now() })

/** What a form needs to do something: what must be there first, who it is about, and its fields, where the matrix's are not enough. */
type Act = {
  /** Who sends it, where that does not follow from its action. */
  who?: Who[]
  arrange?: (w: World, who: Who) => void
  objects?: (w: World, who: Who) => Partial<Objects>
  fields?: (w: World, who: Who) => Fields | Promise<Fields>
  /** What it carries in place of fields. */
  file?: { name: string; content: string }
}

function hookOf(w: World, owner: string | null): Partial<Objects> {
  const { id } = addWebhook(
    w.panel,
    owner === null ? null : w.accountId(owner),
    'https://late.example',
    'import.stopped',
  )
  return { webhook: String(id), delivery: String(addFailedDelivery(w.panel, id)) }
}
const hookOfAcme = (w: World) => hookOf(w, 'acme')
const hookOfSupport = (w: World) => hookOf(w, null)

const tokenOfWho = (w: World, who: Who) => ({ apiToken: String(makeTokenOf(w, who)) })
function tokenOfProgram({ panel, db, person, accountId, objects }: World) {
  const serviceUser = asUserId(Number(objects.serviceUser))
  const range = { scopes: ['projects:read' as const], networks: [], days: 30 }
  createApiToken(db, { ...person('Stella'), at: panel.app.now() }, accountId('acme'), {
    name: 'Shop',
    ...range,
    serviceUser,
  })
  return { apiToken: String(db.select().from(apiTokens).where(eq(apiTokens.userId, serviceUser)).get()?.id) }
}

const passkeyOfWho = (w: World, who: Who) => ({
  passkey: String(
    w.db
      .insert(passkeys)
      .values(passkeyOf(w.userId(who)))
      .returning()
      .get().id,
  ),
})
const viewOfWho = (w: World, who: Who) => {
  const of = { accountId: w.accountOf(who), list: 'users' }
  const view = saveView(w.db, w.person(who), of, { name: 'Late view', search: 'a', query: '' })
  if (typeof view !== 'object') throw new Error(`${who} could not save a view: ${view}`)
  return { savedView: String(view.id) }
}
const inEmpty = (w: World) => ({ customer: 'empty', id: idIn(w, invitations, 'empty') })
const inDirect = (w: World) => ({ identifier: 'direct', request: requestIn(w, 'direct') })
const ofStella = (w: World) => ({ user: String(w.userId('Stella')) })
const withStellasForm = (fields: Fields) => ({ objects: ofStella, fields: () => fields })

function unprove(w: World, who: Who): void {
  w.db
    .update(users)
    .set({ emailProvedAt: null })
    .where(eq(users.id, w.userId(who)))
    .run()
}

/** A partner account that has no admin yet. */
const inSolo = (w: World) => ({ identifier: 'solo', id: idIn(w, invitations, 'solo') })

function inviteToSolo(w: World): void {
  const solo = { id: w.accountId('solo'), kind: 'partner', name: 'Solo' } as const
  const sender = { post: w.panel.app.postLetter, publicUrl: '', inviter: 'Olga' }
  const invited = { name: 'First', email: 'first@solo.example', role: 'admin', projects: [] } as const
  // Long enough ago to be sent again.
  const earlier = { ...w.support, at: w.support.at - resendGap }
  invite(w.db, earlier, sender, { account: solo, input: { ...invited, projects: [] } })
}

/** One entry for each POST that asks for a right. A route without one fails the first test. */
export const acts: Record<string, Act | Act[]> = {
  '/notifications/read': {
    arrange: (w, who) => {
      const told = { kind: 'user.sessions-ended', userId: w.userId(who) } as const
      record(w.db, atCommandLine(w.panel.app.now()), told)
    },
  },
  '/profile/notifications': {},
  '/saved-views': {},
  '/saved-views/:savedView/name': { objects: viewOfWho },
  '/saved-views/:savedView/removal': { objects: viewOfWho },
  '/profile/display': { fields: () => ({ theme: 'dark', timeZone: 'Europe/Berlin', numbers: 'point' }) },
  '/profile/name': { fields: () => ({ name: 'Changed', version: '1' }) },
  '/profile/password': { fields: () => ({ current: demoPassword, password: words, repeated: words }) },
  '/profile/two-factor': {
    fields: async ({ panel, clients }, who) => {
      const page = await clients[who].get('/profile/two-factor')
      return { secret: page.value('secret') ?? '', code: codeOf(panel, secretOn(page)) }
    },
  },
  '/profile/two-factor/recovery-codes': { arrange: setUpTwoFactor },
  '/profile/two-factor/removal': { arrange: setUpTwoFactor },
  '/profile/passkeys': {
    fields: async ({ clients, db, panel, userId }, who) => {
      // The page asks for proof itself.
      db.update(sessions)
        .set({ provedAt: panel.app.now() })
        .where(eq(sessions.userId, userId(who)))
        .run()
      const page = await clients[who].get('/profile/passkeys/new')
      return { name: 'Phone', credential: new Authenticator().create(askedOn(page, '/profile/passkeys')) }
    },
  },
  '/profile/passkeys/:passkey/name': { objects: passkeyOfWho, fields: () => ({ name: 'Old phone' }) },
  '/profile/passkeys/:passkey/removal': { objects: passkeyOfWho },
  '/profile/accounts/:identifier/removal': {},
  '/profile/sessions/:session/removal': {
    objects: (w, who) => ({ session: String(otherSession(w, who)) }),
  },
  '/profile/sessions/removal': {},
  '/profile/tokens': { fields: () => ({ name: 'Shop', scopes: 'projects:read', days: '30' }) },
  '/profile/tokens/support': { fields: () => ({ name: 'Desk', scopes: 'support:read', days: '30' }) },
  '/profile/tokens/:apiToken/rotation': { objects: tokenOfWho },
  '/profile/tokens/:apiToken/removal': { objects: tokenOfWho },
  '/profile/email': { fields: () => ({ email: 'changed@x.example' }) },
  '/profile/email/confirmation': { arrange: (w, who) => unprove(w, who) },
  '/profile/email/:token': { arrange: askForNewEmail, objects: () => ({ token }) },
  '/profile/data': {},
  '/profile/removal': { fields: () => ({ email: cast.stella.email }) },
  '/active-account': { who: ['Petra'], fields: () => ({ account: 'acme' }) },
  '/my-invitations/:id/acceptance': {
    who: ['Nils'],
    objects: (w) => ({ id: invitationTo(w, cast.nils.email) }),
  },

  '/projects': {},
  '/projects/:project/name': {},
  '/projects/:project/quotas': {},
  '/projects/:project/removal': {},
  '/projects/:project/access': { fields: (w) => ({ people: String(w.userId('Petra')), role: 'reader' }) },
  '/projects/:project/access/:user': withStellasForm({ role: 'reader', version: '1' }),
  '/projects/:project/access/:user/removal': { objects: ofStella },
  '/customer/account/name': {},
  '/customer/account/export': {},
  '/customer/account/partner-request': {},
  '/customer/users': {},
  '/customer/users/:user/role': {},
  '/customer/users/:user/confirmation': { arrange: (w) => unprove(w, 'Tom') },
  '/customer/users/:user/removal': {},
  '/customer/log-in': {},
  '/customer/log-in/removal': {},
  '/customer/log-in/domains': {},
  '/customer/log-in/domains/:domain/check': {},
  '/customer/log-in/domains/:domain/removal': {},
  '/customer/log-in/people': {},
  '/customer/log-in/people/groups': {},
  '/customer/log-in/people/groups/:groupRule/removal': {},
  '/customer/security': {},
  '/customer/service-users': {},
  '/customer/service-users/:serviceUser': {},
  '/customer/service-users/:serviceUser/removal': {},
  '/customer/service-users/:serviceUser/tokens': {},
  '/customer/service-users/:serviceUser/tokens/:apiToken/rotation': { objects: tokenOfProgram },
  '/customer/service-users/:serviceUser/tokens/:apiToken/removal': { objects: tokenOfProgram },
  '/customer/invitations/:id/resending': {},
  '/customer/invitations/:id/cancellation': {},
  '/customer/invitations/:id/correction': {},
  '/customer/invitations/:id/link': {},
  '/customer/ticked-invitations/resending': {},
  '/customer/ticked-invitations/cancellation': {},
  '/customer/projects/deleted/:project/restoration': {
    arrange: (w) => deleteProject(w.db, w.person('Stella'), w.accountId('acme'), projectId(w, 'shop')),
    objects: () => ({ project: 'shop' }),
  },
  '/customer/imports': [{}, { file: { name: 'users.csv', content: 'name,e-mail\nChanged,changed@x.example' } }],
  '/customer/imports/:import/start': {},
  '/customer/imports/:import/removal': {},
  '/customer/imports/:import/stopping': { arrange: (w) => runImport(w, 'acme') },
  '/customer/imports/:import/invitations/cancellation': {
    arrange: (w) => sendByImport(w, 'acme', 'Stella'),
    fields: () => ({ confirmed: 'yes' }),
  },
  '/customer/quotas/requests': {
    arrange: (w) => cancelRequest(w.db, w.person('Stella'), w.accountId('acme'), Number(w.objects.request)),
  },
  '/customer/quotas/requests/:request/cancellation': {},

  '/customer/webhooks': {},
  '/customer/webhooks/:webhook/change': { objects: hookOfAcme },
  '/customer/webhooks/:webhook/rotation': { objects: hookOfAcme },
  '/customer/webhooks/:webhook/removal': { objects: hookOfAcme },
  '/customer/webhooks/:webhook/test': { objects: hookOfAcme },
  '/customer/webhooks/:webhook/retries': { objects: hookOfAcme },
  '/customer/webhooks/:webhook/deliveries/:delivery/retry': { objects: hookOfAcme },
  '/support/webhooks': {},
  '/support/webhooks/:webhook/change': { objects: hookOfSupport },
  '/support/webhooks/:webhook/rotation': { objects: hookOfSupport },
  '/support/webhooks/:webhook/removal': { objects: hookOfSupport },
  '/support/webhooks/:webhook/test': { objects: hookOfSupport },
  '/support/webhooks/:webhook/retries': { objects: hookOfSupport },
  '/support/webhooks/:webhook/deliveries/:delivery/retry': { objects: hookOfSupport },

  '/partner/customers': {},
  '/partner/customers/:customer/users/:user/password-link': {},
  '/partner/customers/:customer/users/:user/two-factor/removal': { arrange: (w) => setUpTwoFactor(w, 'Tom') },
  '/partner/customers/:customer/own-membership': { objects: () => ({ customer: 'initech' }) },
  '/partner/customers/:customer/own-membership/removal': {},
  '/partner/customers/:customer/invitations': { objects: inEmpty },
  '/partner/customers/:customer/invitations/:id/resending': { objects: inEmpty },
  '/partner/customers/:customer/invitations/:id/cancellation': { objects: inEmpty },
  '/partner/customers/:customer/invitations/:id/correction': {
    objects: inEmpty,
  },
  '/partner/customers/:customer/invitations/:id/link': { objects: inEmpty },
  '/partner/customers/:customer/details': {},
  '/partner/customers/:customer/suspension': {},
  '/partner/customers/:customer/suspension/removal': {
    arrange: (w) =>
      suspendAccount(
        w.db,
        w.person('Petra'),
        { accountId: w.accountId('acme'), reason: 'The bill is open.' },
        w.panel.app.mailContext,
      ),
  },
  '/partner/ticked-customers/suspension': {},
  '/partner/ticked-customers/resumption': {
    arrange: (w) =>
      suspendAccount(
        w.db,
        w.person('Petra'),
        { accountId: w.accountId('acme'), reason: 'The bill is open.' },
        w.panel.app.mailContext,
      ),
  },
  '/partner/ticked-customers/plan': {},
  '/partner/ticked-customers/tag': {},
  '/partner/ticked-customers/tag-removal': { arrange: tagAcme },
  '/partner/customers/:customer/removal': { objects: inEmpty },
  '/partner/deleted-customers/:customer/restoration': {
    arrange: (w) =>
      deleteAccount(
        w.db,
        w.person('Petra'),
        { partnerId: w.accountId('cloudhaus'), accountId: w.accountId('empty') },
        w.panel.app.mailContext,
      ),
    objects: () => ({ customer: 'empty' }),
  },
  '/partner/customers/:customer/quotas': {},
  '/partner/customers/:customer/quotas/requests/:request/approval': {},
  '/partner/customers/:customer/quotas/requests/:request/refusal': {},
  '/partner/quotas/automatic-approval': {},
  '/partner/plans': {},
  '/partner/plans/:plan': {},
  '/partner/plans/:plan/removal': {},
  '/partner/customers/:customer/quotas/plan': {},
  '/partner/customers/:customer/quotas/copy': {
    arrange: (w) => {
      const holder = { level: 'account', accountId: w.accountId('initech') } as const
      write(w.db, w.person('Petra'), (tx) =>
        changeLimits(tx, w.person('Petra'), holder, { amounts: new Map([[1, 9]]), remark: '' }),
      )
    },
    fields: () => ({ from: 'initech', version: '2', limitsVersion: '1' }),
  },
  '/partner/imports': [{}, { file: { name: 'customers.csv', content: 'name\nChanged' } }],
  '/partner/imports/:import/start': { objects: importOfCloudhaus },
  '/partner/imports/:import/removal': { objects: importOfCloudhaus },
  '/partner/imports/:import/stopping': {
    arrange: (w) => runImport(w, 'cloudhaus'),
    objects: importOfCloudhaus,
  },
  '/partner/imports/:import/invitations/cancellation': {
    arrange: (w) => sendByImport(w, 'cloudhaus', 'Petra'),
    objects: importOfCloudhaus,
    fields: () => ({ confirmed: 'yes' }),
  },

  '/support/accounts': {},
  '/support/accounts/:identifier/invitations': { objects: () => ({ identifier: 'solo' }) },
  '/support/accounts/:identifier/invitations/:id/resending': { arrange: inviteToSolo, objects: inSolo },
  '/support/accounts/:identifier/invitations/:id/cancellation': { arrange: inviteToSolo, objects: inSolo },
  '/support/accounts/:identifier/invitations/:id/correction': {
    arrange: inviteToSolo,
    objects: inSolo,
  },
  '/support/accounts/:identifier/security/removal': {
    arrange: (w) =>
      w.db
        .insert(accountSecurity)
        .values({ accountId: w.accountId('acme'), networks: '127.0.0.0/8' })
        .run(),
  },
  '/support/accounts/:identifier/suspension': {},
  '/support/accounts/:identifier/suspension/removal': {
    arrange: (w) =>
      suspendAccount(
        w.db,
        w.support,
        { accountId: w.accountId('acme'), reason: 'The bill is open.' },
        w.panel.app.mailContext,
      ),
  },
  '/support/accounts/:identifier/removal': { objects: inDirect },
  '/support/accounts/:identifier/restoration': {
    arrange: (w) =>
      deleteAccount(w.db, w.support, { partnerId: null, accountId: w.accountId('direct') }, w.panel.app.mailContext),
    objects: inDirect,
  },
  '/support/accounts/:identifier/partner': {},
  '/support/accounts/:identifier/quotas': { objects: inDirect, fields: () => ({ projects: '1', version: '2' }) },
  '/support/accounts/:identifier/pool': { objects: () => ({ identifier: 'cloudhaus' }) },
  '/support/accounts/:identifier/quotas/requests/:request/approval': { objects: inDirect },
  '/support/accounts/:identifier/quotas/requests/:request/refusal': { objects: inDirect },
  '/support/accounts/:identifier/partnership': { fields: () => ({ confirmed: 'yes' }) },
  '/support/accounts/:identifier/partnership/removal': { objects: () => ({ identifier: 'solo' }) },
  '/support/accounts/:identifier/partner-request/removal': {
    arrange: (w) =>
      requestPartnership(w.db, w.person('Stella'), { accountId: w.accountId('acme'), who: 'everyone' }, () => {}),
  },
  '/support/resources': {},
  '/support/resources/:key': {},
  '/support/resources/:key/removal': {},
  '/support/users/:user/disabling': { fields: () => ({ confirmed: 'yes' }) },
  '/support/users/:user/disabling/removal': { arrange: (w) => setDisabled(w.db, w.support, w.userId('Tom'), true) },
  '/support/users/:user/sessions/removal': {},
  '/support/users/:user/tokens/:apiToken/removal': { objects: (w) => tokenOfWho(w, 'Tom') },
  '/support/users/:user/password-link': {},
  '/support/users/:user/two-factor/removal': { arrange: (w) => setUpTwoFactor(w, 'Tom') },
  '/support/users/:user/removal': { fields: () => ({ email: cast.tom.email }) },
  '/support/mail/:letter/resending': {},
  '/support/mail/resending': {
    arrange: ({ db }) => db.update(letters).set({ state: 'failed' }).where(eq(letters.state, 'kept')).run(),
  },
  '/support/backups': {},
  '/support/clock': { arrange: ({ db }) => db.update(installation).set({ lastSeenAt: 0 }).run() },
}

function tagAcme(w: World): void {
  const acme = { partnerId: w.accountId('cloudhaus'), id: w.accountId('acme'), identifier: 'acme' }
  changeTag(w.db, w.person('Petra'), acme, { tag: 'Changed', wanted: true })
}

/** The secret that a page shows, without the spaces between its groups. */
function secretOn(page: Page): string {
  return page.root.querySelector('main li code')?.textContent.replaceAll(/\s/g, '') ?? ''
}

function otherSession(w: World, who: Who): number | undefined {
  const own = and(eq(sessions.userId, w.userId(who)), ne(sessions.id, sessionOf(w, w.clients[who]).id))
  return w.db.select().from(sessions).where(own).get()?.id
}

/** Each of them has one, for an account that they are in. */
function makeTokenOf({ panel, db, userId }: World, who: Who): number | undefined {
  const own = db
    .select()
    .from(memberships)
    .where(eq(memberships.userId, userId(who)))
    .get()
  if (!own) return undefined
  const by = { ...byItself(panel.app.now()), userId: userId(who) }
  createApiToken(db, by, own.accountId, { name: 'Monitoring', scopes: ['projects:read'], networks: [], days: 30 })
  return db
    .select()
    .from(apiTokens)
    .where(eq(apiTokens.userId, userId(who)))
    .get()?.id
}

function invitationTo({ db }: World, email: string): string {
  return String(db.select().from(invitations).where(eq(invitations.email, email)).get()?.id)
}

function requestIn(w: World, account: string): string {
  return idIn(w, quotaRequests, account)
}

/** It waits for its worker, which is not woken. */
function runImport(w: World, account: string): void {
  w.db
    .update(imports)
    .set({ state: 'running' })
    .where(eq(imports.id, Number(idIn(w, imports, account))))
    .run()
}

/** The one row of an import has sent an invitation. */
function sendByImport(w: World, account: string, who: Who): void {
  const importId = Number(idIn(w, imports, account))
  const into = w.accountId(account === 'acme' ? 'acme' : 'empty')
  const [invitation] = w.db
    .insert(invitations)
    .values({
      accountId: into,
      email: 'imported@x.example',
      emailKey: 'imported@x.example',
      name: 'Imported',
      search: 'imported',
      role: 'member',
      invitedBy: w.userId(who),
      invitedFrom: w.accountId(account),
      createdAt: Date.now(),
      sentAt: Date.now(),
      expiresAt: Date.now() + 86_400_000,
    })
    .returning({ id: invitations.id })
    .all()
  w.db.update(imports).set({ state: 'done' }).where(eq(imports.id, importId)).run()
  w.db
    .update(importRows)
    .set({ state: 'done', invitationId: invitation?.id ?? null })
    .where(eq(importRows.importId, importId))
    .run()
}

function importOfCloudhaus(w: World) {
  return { import: idIn(w, imports, 'cloudhaus') }
}

/** Who can send the form of an action, each in the account where they may. */
function sendersOf(action: Action): Who[] {
  const may: readonly Standing[] = policy[action]
  if (may.includes('visitor')) return []
  if (may.includes('unattached')) return ['Stella']
  if (may.includes('support')) return ['Olga']
  if (!may.includes('customer admin')) return ['Petra']
  return may.includes('customer member') ? ['Stella', 'Petra in Acme', 'Tom'] : ['Stella', 'Petra in Acme']
}

/** A form that somebody sends. */
export type Sending = { name: string; arrange: (w: World) => Promise<Late & { objects: Objects }>; losses: Loss[] }

/** Every form of the panel, with each of those who may send it. */
export function sendingsOf({ url, can: action, confirm = false }: Post): Sending[] {
  const own = [acts[url] ?? []].flat().flatMap((act) =>
    (act.who ?? sendersOf(action)).flatMap((who) => {
      const losses = lossesOf(url, action, who)
      const name = `${who}: ${url}${act.file ? ' with a file' : ''}`
      const sending = { name, arrange: (w: World) => arranged(w, who, url, act), losses }
      const proving = { name: `${name} with a proof`, arrange: (w: World) => proved(w, who, url, act), losses }
      return confirm ? [sending, proving] : [sending]
    }),
  )
  const visitor = byVisitors[url]
  if (!visitor) return own
  const arrange = async (w: World) => {
    const { client, fields, objects } = await visitor.arrange(w)
    const all = { ...w.objects, ...objects }
    return { client, path: addressOf(url, all), body: await formBody(client, fields), objects: all }
  }
  return [...own, { name: `${visitor.who}: ${url}`, arrange, losses: visitor.losses }]
}

/** A form of somebody's, ready to be sent, with what it is about. */
async function arranged(w: World, who: Who, url: string, act: Act): Promise<Late & { objects: Objects }> {
  act.arrange?.(w, who)
  const objects = { ...w.objects, ...act.objects?.(w, who) }
  const client = w.clients[who]
  const body = act.file
    ? await fileBody(client, act.file)
    : await formBody(client, (await act.fields?.(w, who)) ?? formFor(url, objects))
  return { client, path: addressOf(url, objects), body, objects }
}

/** The same by somebody who has logged in long ago, and so is asked to prove who they are. */
function proved(w: World, who: Who, url: string, act: Act) {
  const fields = act.fields
  return arranged(w, who, url, {
    ...act,
    arrange: () => {
      act.arrange?.(w, who)
      w.db
        .update(sessions)
        .set({ provedAt: 0 })
        .where(eq(sessions.userId, w.userId(who)))
        .run()
    },
    fields: async () => {
      const hasCodes = findUser(w.db, w.userId(who))?.totpSecret
      const own = (await fields?.(w, who)) ?? formFor(url, { ...w.objects, ...act.objects?.(w, who) })
      return { ...own, _proof: hasCodes ? codeOf(w.panel, totpSecret) : demoPassword }
    },
  })
}

/** Forms of visitors: a password, a token or half a log-in is all the right they have. */
type VisitorForm = {
  who: string
  arrange: (w: World) => Promise<{ client: Client; fields: Fields; objects?: Partial<Objects> }>
  losses: Loss[]
}

const loses = (deserved: number, lost: Record<string, (w: World) => unknown>): Loss[] =>
  Object.entries(lost).map(([how, lose]) => ({ how, lose, deserved }))

/** What of a user can change while a log-in of theirs is on its way. */
export const ofUser = (who: Who) => ({
  'was disabled': (w: World) => setDisabled(w.db, w.support, w.userId(who), true),
  'was deleted': (w: World) => deleteUser(w.db, w.support, w.userId(who), erasing(w)),
  'has another password': (w: World) =>
    write(w.db, w.support, (tx) => setPassword(tx, w.support, w.userId(who), anotherHash)),
})

/** What can become of an invitation to Acme while its link is open. */
const ofInvitation = (email: string) => ({
  'was cancelled': (w: World) =>
    cancelInvitation(w.db, w.support, {
      accountId: w.accountId('acme'),
      id: Number(invitationTo(w, email)),
      handler: 'own',
    }),
  'was sent again': (w: World) => sendInvitationAgain(w, email),
  'leads to a suspended account': (w: World) =>
    suspendAccount(w.db, w.support, { accountId: w.accountId('acme'), reason: 'Why' }, w.panel.app.mailContext),
  'leads to a deleted account': (w: World) => deleteCustomer(w, w.accountId('acme')),
})

function sendInvitationAgain(w: World, email: string): void {
  const acme = { id: w.accountId('acme'), kind: 'customer', name: 'Acme' } as const
  const sender = { post: w.panel.app.postLetter, publicUrl: '', inviter: 'Stella' }
  // The token is the test's own, and so of the second before.
  resend(w.db, w.support, sender, { account: acme, id: Number(invitationTo(w, email)), handler: 'own' })
}

function giveLink(w: World, email: string): void {
  w.db
    .insert(invitationTokens)
    .values({ hash: hashToken(token), invitationId: Number(invitationTo(w, email)), createdAt: 1 })
    .run()
}

/** The page that a token is taken from makes another challenge: the client keeps its cookie as it is. */
function keeping(client: Client, cookie: string): Client {
  const { cookies } = client
  const set = cookies.set.bind(cookies)
  cookies.set = (name, value) => (name === cookie ? cookies : set(name, value))
  return client
}

export const byVisitors: Record<string, VisitorForm> = {
  '/login': {
    who: 'Stella, who logs in,',
    arrange: async ({ panel }) => ({
      client: panel.visit(),
      fields: { email: cast.stella.email, password: demoPassword },
    }),
    losses: loses(422, ofUser('Stella')),
  },
  '/login/second-factor': {
    who: 'Tom, who has given the password,',
    arrange: async (w) => {
      setUpTwoFactor(w, 'Tom')
      const client = w.panel.visit()
      await client.logIn(cast.tom.email)
      return { client, fields: { code: codeOf(w.panel, totpSecret) } }
    },
    losses: loses(303, {
      ...ofUser('Tom'),
      'was logged out everywhere': (w) => endSessions(w.db, w.support, w.userId('Tom')),
      'has no second factor any more': (w) =>
        resetTwoFactor(w.db, w.support, w.userId('Tom'), { accountId: null, tell: () => {} }),
    }),
  },
  '/login/passkey': {
    who: 'Tom, who logs in by passkey,',
    arrange: async (w) => {
      const phone = new Authenticator()
      await phone.addTo(w.clients.Tom)
      await lettersKept(w.panel)
      const client = w.panel.visit()
      const page = await client.get('/login')
      const credential = phone.get(askedOn(page, '/login/passkey'))
      return { client: keeping(client, 'meshpanel-log-in'), fields: { credential } }
    },
    losses: loses(422, {
      'was disabled': ofUser('Tom')['was disabled'],
      'was deleted': ofUser('Tom')['was deleted'],
      'has no passkey any more': (w) =>
        resetTwoFactor(w.db, w.support, w.userId('Tom'), { accountId: null, tell: () => {} }),
    }),
  },
  '/login/second-factor/passkey': {
    who: 'Tom, who has given the password,',
    arrange: async (w) => {
      const phone = new Authenticator()
      await phone.addTo(w.clients.Tom)
      await lettersKept(w.panel)
      setUpTwoFactor(w, 'Tom')
      const client = w.panel.visit()
      const page = await client.open((await client.logIn(cast.tom.email)).location ?? '')
      const credential = phone.get(askedOn(page, '/login/second-factor/passkey'))
      return { client: keeping(client, 'meshpanel-second-step'), fields: { credential } }
    },
    losses: loses(303, {
      ...ofUser('Tom'),
      'was logged out everywhere': (w) => endSessions(w.db, w.support, w.userId('Tom')),
      'has no second factor any more': (w) =>
        resetTwoFactor(w.db, w.support, w.userId('Tom'), { accountId: null, tell: () => {} }),
    }),
  },
  '/session/removal': {
    who: 'Stella, who logs out,',
    arrange: async (w) => ({ client: windowOf(w.panel, w.clients.Stella), fields: {} }),
    losses: loses(303, {
      'has logged out': (w) => endSession(w.db, w.person('Stella'), sessionOf(w, w.clients.Stella).id),
    }),
  },
  '/password-reset/:token': {
    who: 'Stella, who has a link to a new password,',
    arrange: async (w) => {
      giveResetLink(w, 'Stella')
      return { client: w.panel.visit(), fields: { password: words, repeated: words }, objects: { token } }
    },
    losses: loses(404, {
      ...ofReset('Stella'),
      'was disabled': ofUser('Stella')['was disabled'],
      'was deleted': ofUser('Stella')['was deleted'],
    }),
  },
  '/invitations/:token/user': {
    who: 'A new person, whose invitation',
    arrange: async (w) => {
      giveLink(w, 'guest@acme.example')
      const fields = { name: 'New', password: words, repeated: words }
      return { client: w.panel.visit(), fields, objects: { token } }
    },
    losses: loses(409, {
      ...ofInvitation('guest@acme.example'),
      'is for an address that somebody else has taken': (w) =>
        write(w.db, w.support, (tx) =>
          createUser(tx, w.support, {
            name: 'Other',
            email: 'guest@acme.example',
            passwordHash: anotherHash,
            emailProved: true,
          }),
        ),
    }),
  },
  '/invitations/:token/acceptance': {
    who: 'Nils, whose invitation',
    arrange: async (w) => {
      giveLink(w, cast.nils.email)
      return { client: w.clients.Nils, fields: {}, objects: { token } }
    },
    // One that was sent again is open to Nils on Home, too.
    losses: [
      ...lossesOf('', 'home.see', 'Nils'),
      ...loses(409, ofInvitation(cast.nils.email)).filter(({ how }) => how !== 'was sent again'),
    ],
  },
}

export function giveResetLink(w: World, who: Who): void {
  const expiresAt = w.panel.app.now() + 60_000
  w.db
    .insert(passwordResets)
    .values({ hash: hashToken(token), userId: w.userId(who), expiresAt })
    .run()
}

/** What ends a link to a new password. */
export function ofReset(who: Who) {
  const user = (w: World) => {
    const found = findUser(w.db, w.userId(who))
    if (!found) throw new Error(`${who} is no user.`)
    return found
  }
  return {
    'has asked for another link': (w: World) =>
      requestReset(w.db, w.support, user(w), { post: w.panel.app.postLetter, publicUrl: '' }),
    'has used the link': (w: World) =>
      resetPassword(w.db, w.support, { token, user: user(w), passwordHash: anotherHash }, () => {}),
    'has another e-mail': (w: World) => {
      askForNewEmail(w, who)
      const sender = { post: w.panel.app.postLetter, publicUrl: '', supportEmail: undefined }
      changeEmail(w.db, w.person(who), { userId: user(w).id, token, sessionHash: '' }, sender)
    },
  }
}

/** Forms whose tests stand on their own, in late.test.ts (`/session/proof` changes the proof alone, of which all that ask for one have cases); those that need a provider, in test/people/sso.test.ts. */
export const apart = [
  ...['/setup/:token', '/password-reset', '/profile/passkeys/new', '/session/proof'],
  ...['/profile/sso/new', '/profile/sso/removal', '/profile/sso/waiting'],
]

type Post = { url: string; can: Action; confirm?: boolean | 'download' }

export function postsOf({ routeTable }: Panel['app']): Post[] {
  return routeTable.flatMap(({ method, url, config: { can, api, ...config } }) => {
    if (method !== 'POST' || api) return []
    if (!can) throw new Error(`POST ${url} names no action.`)
    return [{ url, can, ...config }]
  })
}

/** Every form of the panel that is no case apart. */
export function allSendings({ panel }: World): Sending[] {
  return postsOf(panel.app).flatMap(sendingsOf)
}
