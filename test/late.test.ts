import { and, eq, ne } from 'drizzle-orm'
import { Secret, TOTP } from 'otpauth'
import t from 'tap'
import { changeAccess, removeAccess } from '../src/access/data.ts'
import { moveAccount } from '../src/account-transfer/data.ts'
import { suspendAccount } from '../src/accounts/data.ts'
import { write } from '../src/db/open.ts'
import {
  emailChanges,
  imports,
  invitations,
  invitationTokens,
  passwordResets,
  projects,
  quotaRequests,
  sessions,
  users,
} from '../src/db/schema.ts'
import { deleteAccount } from '../src/deleted-accounts/data.ts'
import { cast, demoPassword } from '../src/demo.ts'
import { changeEmail } from '../src/email-change/data.ts'
import { atCommandLine } from '../src/history/record.ts'
import { cancelInvitation, resend } from '../src/invitations/data.ts'
import { createFirstOperator, endSession, endSessions, findUser, setDisabled, setPassword } from '../src/login/data.ts'
import { hashPassword } from '../src/login/passwords.ts'
import { changeRole, removeMember } from '../src/members/data.ts'
import { makePartner, requestPartnership } from '../src/partnership/data.ts'
import { requestReset, resetPassword } from '../src/password-reset/data.ts'
import { deleteUser } from '../src/personal-data/data.ts'
import { type Action, can, policy, type Standing } from '../src/policy.ts'
import { deleteProject } from '../src/projects/data.ts'
import { cancelRequest } from '../src/quota-requests/data.ts'
import { hashToken, seal } from '../src/secrets.ts'
import { switchOff } from '../src/two-factor/data.ts'
import { type Client, type Fields, type Page, type Panel, startApp } from './harness.ts'
import { fileBody, formBody, holdBody, type Late, loseInside, windowOf } from './held.ts'
import { changed, idIn, makeWorld, type Rows, rowsNow, sessionOf, undone, type Who, type World } from './late-world.ts'
import { addressOf, formFor, type Objects } from './objects.ts'
import { until } from './smtp.ts'

// TRUST, Moments: Act. Every form of the running application, sent by whoever may send it, and every way in which
// that right goes between the head of the request and its body, or between the panel's first look and the act.

t.setTimeout(600_000)

const words = 'correct horse battery staple'
const anotherHash = await hashPassword('another passphrase')
const token = 'L'.repeat(43)
const totpSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

const codeOf = (panel: Panel, secret: string) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: panel.app.now() })

/** What a form needs to do something: what must be there first, whom it is about, and its fields, where the matrix's are not enough. */
type Act = {
  /** Who sends it, where that does not follow from its action. */
  who?: Who[]
  arrange?: (w: World, who: Who) => void
  objects?: (w: World, who: Who) => Partial<Objects>
  fields?: (w: World, who: Who) => Fields | Promise<Fields>
  /** What it carries in place of fields. */
  file?: { name: string; content: string }
}

const inEmpty = (w: World) => ({ customer: 'empty', id: idIn(w, invitations, 'empty') })
const inDirect = (w: World) => ({ identifier: 'direct', request: requestIn(w, 'direct') })
const ofStella = (w: World) => ({ user: String(w.userId('Stella')) })
const withStellasForm = (fields: Fields) => ({ objects: ofStella, fields: () => fields })

/** One entry for each POST that asks for a right. A route without one fails the first test. */
const acts: Record<string, Act | Act[]> = {
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
  '/profile/accounts/:identifier/removal': {},
  '/profile/sessions/:session/removal': {
    objects: (w, who) => ({ session: String(otherSession(w, who)) }),
  },
  '/profile/sessions/removal': {},
  '/profile/email': { fields: () => ({ email: 'changed@x.example' }) },
  '/profile/email/:token': { arrange: askForNewEmail, objects: () => ({ token }) },
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
  '/customer/account/partner-request': {},
  '/customer/users': {},
  '/customer/users/:user/role': {},
  '/customer/users/:user/removal': {},
  '/customer/invitations/:id/resending': {},
  '/customer/invitations/:id/cancellation': {},
  '/customer/invitations/:id/link': {},
  '/customer/projects/deleted/:project/restoration': {
    arrange: (w) => deleteProject(w.db, w.person('Stella'), w.accountId('acme'), projectId(w, 'shop')),
    objects: () => ({ project: 'shop' }),
  },
  '/customer/imports': [{}, { file: { name: 'users.csv', content: 'name,e-mail\nChanged,changed@x.example' } }],
  '/customer/imports/:import/start': {},
  '/customer/imports/:import/removal': {},
  '/customer/quotas/requests': {
    arrange: (w) => cancelRequest(w.db, w.person('Stella'), w.accountId('acme'), Number(w.objects.request)),
  },
  '/customer/quotas/requests/:request/cancellation': {},

  '/partner/customers': {},
  '/partner/customers/:customer/own-membership': { objects: () => ({ customer: 'initech' }) },
  '/partner/customers/:customer/own-membership/removal': {},
  '/partner/customers/:customer/invitations': { objects: inEmpty },
  '/partner/customers/:customer/invitations/:id/resending': { objects: inEmpty },
  '/partner/customers/:customer/invitations/:id/cancellation': { objects: inEmpty },
  '/partner/customers/:customer/invitations/:id/link': { objects: inEmpty },
  '/partner/customers/:customer/suspension': {},
  '/partner/customers/:customer/suspension/removal': {
    arrange: (w) =>
      suspendAccount(w.db, w.person('Petra'), w.accountId('acme'), 'The bill is open.', w.panel.app.mailContext),
  },
  '/partner/customers/:customer/removal': { objects: inEmpty },
  '/partner/deleted-customers/:customer/restoration': {
    arrange: (w) =>
      deleteAccount(w.db, w.person('Petra'), w.accountId('cloudhaus'), w.accountId('empty'), w.panel.app.mailContext),
    objects: () => ({ customer: 'empty' }),
  },
  '/partner/customers/:customer/quotas': {},
  '/partner/customers/:customer/quotas/requests/:request/approval': {},
  '/partner/customers/:customer/quotas/requests/:request/refusal': {},
  '/partner/quotas/automatic-approval': {},
  '/partner/imports': [{}, { file: { name: 'customers.csv', content: 'name\nChanged' } }],
  '/partner/imports/:import/start': { objects: importOfCloudhaus },
  '/partner/imports/:import/removal': { objects: importOfCloudhaus },

  '/support/accounts': {},
  '/support/accounts/:identifier/suspension': {},
  '/support/accounts/:identifier/suspension/removal': {
    arrange: (w) => suspendAccount(w.db, w.support, w.accountId('acme'), 'The bill is open.', w.panel.app.mailContext),
  },
  '/support/accounts/:identifier/removal': { objects: inDirect },
  '/support/accounts/:identifier/restoration': {
    arrange: (w) => deleteAccount(w.db, w.support, null, w.accountId('direct'), w.panel.app.mailContext),
    objects: inDirect,
  },
  '/support/accounts/:identifier/partner': {},
  '/support/accounts/:identifier/quotas': { objects: inDirect },
  '/support/accounts/:identifier/pool': { objects: () => ({ identifier: 'cloudhaus' }) },
  '/support/accounts/:identifier/quotas/requests/:request/approval': { objects: inDirect },
  '/support/accounts/:identifier/quotas/requests/:request/refusal': { objects: inDirect },
  '/support/accounts/:identifier/partnership': {},
  '/support/accounts/:identifier/partnership/removal': { objects: () => ({ identifier: 'solo' }) },
  '/support/accounts/:identifier/partner-request/removal': {
    arrange: (w) => requestPartnership(w.db, w.person('Stella'), w.accountId('acme'), () => {}),
  },
  '/support/resources': {},
  '/support/resources/:key': {},
  '/support/resources/:key/removal': {},
  '/support/users/:user/disabling': {},
  '/support/users/:user/disabling/removal': { arrange: (w) => setDisabled(w.db, w.support, w.userId('Tom'), true) },
  '/support/users/:user/sessions/removal': {},
  '/support/users/:user/two-factor/removal': { arrange: (w) => setUpTwoFactor(w, 'Tom') },
  '/support/users/:user/removal': { fields: () => ({ email: cast.tom.email }) },
  '/support/mail/:letter/resending': {},
  '/support/backups': {},
}

function setUpTwoFactor(w: World, who: Who): void {
  w.db
    .update(users)
    .set({ totpSecret: seal(w.panel.app.secrets, totpSecret) })
    .where(eq(users.id, w.userId(who)))
    .run()
  w.db
    .update(sessions)
    .set({ secondFactor: true })
    .where(eq(sessions.userId, w.userId(who)))
    .run()
}

/** The secret that a page shows, without the spaces between its groups. */
function secretOn(page: Page): string {
  return page.root.querySelector('main li code')?.textContent.replaceAll(/\s/g, '') ?? ''
}

function otherSession(w: World, who: Who): number | undefined {
  const own = and(eq(sessions.userId, w.userId(who)), ne(sessions.id, sessionOf(w, w.clients[who]).id))
  return w.db.select().from(sessions).where(own).get()?.id
}

function askForNewEmail(w: World, who: Who): void {
  const expiresAt = w.panel.app.now() + 60_000
  w.db
    .insert(emailChanges)
    .values({ hash: hashToken(token), userId: w.userId(who), email: 'changed@x.example', expiresAt })
    .run()
}

function invitationTo({ db }: World, email: string): string {
  return String(db.select().from(invitations).where(eq(invitations.email, email)).get()?.id)
}

function requestIn(w: World, account: string): string {
  return idIn(w, quotaRequests, account)
}

function importOfCloudhaus(w: World) {
  return { import: idIn(w, imports, 'cloudhaus') }
}

function projectId({ db }: World, identifier: string): number {
  return db.select().from(projects).where(eq(projects.identifier, identifier)).get()?.id ?? 0
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

/** A way in which somebody loses what they had. */
type Way = {
  who: readonly Who[]
  /** How they stand afterwards; 'visitor' has to log in again. */
  leaves?: Standing
  /** The forms whose object goes, and what answers then. */
  forms?: { match: RegExp; answer: 403 | 404 }
  lose: (w: World, who: Who, objects: Objects) => unknown
  /** Takes a request of its own, so that it cannot happen within another. */
  slow?: true
}

const everybody = ['Stella', 'Petra in Acme', 'Tom', 'Petra', 'Olga', 'Nils'] as const
const inAcme = ['Stella', 'Petra in Acme', 'Tom'] as const
const inProject = /^\/projects\/:project\//
const ofCustomer = /^\/partner\/customers\/:customer\//

const ways: Record<string, Way> = {
  'is disabled by Support': {
    who: everybody,
    leaves: 'visitor',
    lose: (w, who) => setDisabled(w.db, w.support, w.userId(who), true),
  },
  'is deleted': {
    who: everybody,
    leaves: 'visitor',
    lose: (w, who) => {
      if (deleteUser(w.db, w.support, w.userId(who), erasing(w)) !== 'deleted') throw new Error(`${who} cannot go.`)
    },
  },
  'logs out in another window': {
    who: everybody,
    leaves: 'visitor',
    slow: true,
    lose: async (w, who) => {
      const other = windowOf(w.panel, w.clients[who])
      await other.postRaw('/session/removal', (await formBody(other, {})).bytes)
    },
  },
  'ends this session from another': {
    who: everybody,
    leaves: 'visitor',
    lose: (w, who) => endSession(w.db, w.person(who), sessionOf(w, w.clients[who]).id),
  },
  'is logged out by Support': {
    who: everybody,
    leaves: 'visitor',
    lose: (w, who) => endSessions(w.db, w.support, w.userId(who)),
  },
  'changes the password elsewhere': {
    who: everybody,
    leaves: 'visitor',
    lose: (w, who) => write(w.db, w.person(who), (tx) => setPassword(tx, w.person(who), w.userId(who), anotherHash)),
  },
  'sets up two-factor log-in elsewhere': {
    who: everybody,
    leaves: 'visitor',
    lose: (w, who) => {
      setUpTwoFactor(w, who)
      w.db
        .update(sessions)
        .set({ secondFactor: false })
        .where(eq(sessions.userId, w.userId(who)))
        .run()
    },
  },
  'is removed from the account': {
    who: [...inAcme, 'Petra'],
    leaves: 'unattached',
    lose: (w, who) => mustGo(removeMember(w.db, w.support, w.accountOf(who), w.userId(who), 'member.removed')),
  },
  'leaves the account': {
    who: [...inAcme, 'Petra'],
    leaves: 'unattached',
    lose: (w, who) => mustGo(removeMember(w.db, w.person(who), w.accountOf(who), w.userId(who), 'member.left')),
  },
  'is made a Customer User': {
    who: ['Stella', 'Petra in Acme'],
    leaves: 'customer member',
    lose: (w, who) => mustGo(changeRole(w.db, w.support, w.accountOf(who), w.userId(who), 'member', 1)),
  },
  'is made a Partner User': {
    who: ['Petra'],
    leaves: 'partner member',
    lose: (w, who) => mustGo(changeRole(w.db, w.support, w.accountOf(who), w.userId(who), 'member', 1)),
  },
  'works in an account that its partner suspends': {
    who: inAcme,
    leaves: 'suspended',
    lose: (w, who) =>
      suspendAccount(w.db, w.person('Petra'), w.accountOf(who), 'The bill is open.', w.panel.app.mailContext),
  },
  'works in an account that Support suspends': {
    who: [...inAcme, 'Petra'],
    leaves: 'suspended',
    lose: (w, who) => suspendAccount(w.db, w.support, w.accountOf(who), 'The contract ended.', w.panel.app.mailContext),
  },
  'works in an account that its partner deletes': {
    who: inAcme,
    leaves: 'unattached',
    lose: (w, who) => deleteCustomer(w, w.accountOf(who)),
  },
  'works in a customer whose partner Support suspends': {
    who: ['Petra in Acme'],
    leaves: 'suspended',
    lose: (w) =>
      suspendAccount(w.db, w.support, w.accountId('cloudhaus'), 'The contract ended.', w.panel.app.mailContext),
  },
  'works in a customer that moves to another partner': {
    who: ['Petra in Acme'],
    leaves: 'unattached',
    lose: (w, who) => moveToRival(w, w.accountOf(who)),
  },
  'works in a customer that becomes a partner account': {
    who: ['Stella'],
    leaves: 'partner admin',
    lose: (w, who) => makePartner(w.db, w.support, w.accountOf(who), { post: w.panel.app.postLetter, publicUrl: '' }),
  },
  'belongs to Support no more': {
    who: ['Olga'],
    leaves: 'unattached',
    lose: (w, who) =>
      w.db
        .update(users)
        .set({ operator: false })
        .where(eq(users.id, w.userId(who)))
        .run(),
  },

  'looked after a customer that moved to another partner': {
    who: ['Petra'],
    forms: { match: ofCustomer, answer: 404 },
    lose: (w, _who, { customer }) => moveToRival(w, w.accountId(customer)),
  },
  'looked after a customer that a colleague deleted': {
    who: ['Petra'],
    forms: { match: ofCustomer, answer: 404 },
    lose: (w, _who, { customer }) => deleteCustomer(w, w.accountId(customer)),
  },
  'works in a project that a colleague deletes': {
    who: inAcme,
    forms: { match: inProject, answer: 404 },
    lose: (w) => deleteProject(w.db, w.support, w.accountId('acme'), projectId(w, 'website')),
  },
  'loses access to the project': {
    who: ['Tom'],
    forms: { match: inProject, answer: 404 },
    lose: (w, who) => removeAccess(w.db, w.support, w.accountId('acme'), projectId(w, 'website'), w.userId(who)),
  },
  'is made a Project User': {
    who: ['Tom'],
    forms: { match: inProject, answer: 403 },
    lose: (w, who) =>
      changeAccess(w.db, w.support, w.accountId('acme'), projectId(w, 'website'), w.userId(who), 'user', 2),
  },
  'leaves the account that the form switches to': {
    who: ['Petra'],
    forms: { match: /^\/active-account$/, answer: 404 },
    lose: (w, who) => mustGo(removeMember(w.db, w.person(who), w.accountId('acme'), w.userId(who), 'member.left')),
  },
}

function mustGo(done: unknown): void {
  if (typeof done !== 'object') throw new Error(`This cannot be taken away: ${String(done)}.`)
}

function deleteCustomer(w: World, accountId: number): void {
  for (const { id } of w.db.select().from(projects).where(eq(projects.accountId, accountId)).all())
    deleteProject(w.db, w.support, accountId, id)
  const done = deleteAccount(w.db, w.person('Petra'), w.accountId('cloudhaus'), accountId, w.panel.app.mailContext)
  if (done !== 'deleted') throw new Error('The customer cannot be deleted.')
}

function moveToRival(w: World, accountId: number): void {
  const tell = { post: w.panel.app.postLetter, publicUrl: '', panelName: '', supportEmail: undefined }
  const done = moveAccount(w.db, w.support, accountId, 'rival', tell)
  if (done !== 'moved') throw new Error(`The customer cannot move: ${String(done)}.`)
}

/** What is lost on the way to a form, and the status of the answer then; a 303 leads to the log-in. */
type Loss = { how: string; lose: (w: World, objects: Objects) => unknown; slow?: boolean; deserved: number }

/** A form that somebody sends. */
type Sending = { name: string; arrange: (w: World) => Promise<Late & { objects: Objects }>; losses: Loss[] }

/** Every form of the panel, with each of those who may send it. */
function sendingsOf(url: string, action: Action): Sending[] {
  const own = [acts[url] ?? []].flat().flatMap((act) =>
    (act.who ?? sendersOf(action)).map((who) => ({
      name: `${who}: ${url}${act.file ? ' with a file' : ''}`,
      arrange: (w: World) => arranged(w, who, url, act),
      losses: lossesOf(url, action, who),
    })),
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

/** Everything that somebody can lose on the way to a form that asks for a right. */
function lossesOf(url: string, action: Action, who: Who): Loss[] {
  return Object.entries(ways).flatMap(([how, { who: whose, leaves, forms, lose, slow = false }]) => {
    const loss = { how, slow, lose: (w: World, objects: Objects) => lose(w, who, objects) }
    if (!whose.includes(who)) return []
    if (forms) return forms.match.test(url) ? [{ ...loss, deserved: forms.answer }] : []
    if (leaves === undefined || can([leaves], action)) return []
    return [{ ...loss, deserved: leaves === 'visitor' ? 303 : 403 }]
  })
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

/** Forms of visitors: a password, a token or half a log-in is all the right they have. */
type VisitorForm = {
  who: string
  arrange: (w: World) => Promise<{ client: Client; fields: Fields; objects?: Partial<Objects> }>
  losses: Loss[]
}

const loses = (deserved: number, lost: Record<string, (w: World) => unknown>): Loss[] =>
  Object.entries(lost).map(([how, lose]) => ({ how, lose, deserved }))

/** What of a user can change while a log-in of theirs is on its way. */
/** No file holds anything of these people. */
const erasing = ({ panel }: World) => ({ secrets: panel.app.secrets, removeFiles: () => {}, eraseTraces: () => {} })

const ofUser = (who: Who) => ({
  'was disabled': (w: World) => setDisabled(w.db, w.support, w.userId(who), true),
  'was deleted': (w: World) => deleteUser(w.db, w.support, w.userId(who), erasing(w)),
  'has another password': (w: World) =>
    write(w.db, w.support, (tx) => setPassword(tx, w.support, w.userId(who), anotherHash)),
})

/** What can become of an invitation to Acme while its link is open. */
const ofInvitation = (email: string) => ({
  'was cancelled': (w: World) =>
    cancelInvitation(w.db, w.support, w.accountId('acme'), Number(invitationTo(w, email)), 'own'),
  'was sent again': (w: World) => sendInvitationAgain(w, email),
  'leads to a suspended account': (w: World) =>
    suspendAccount(w.db, w.support, w.accountId('acme'), 'Why', w.panel.app.mailContext),
  'leads to a deleted account': (w: World) => deleteCustomer(w, w.accountId('acme')),
})

function sendInvitationAgain(w: World, email: string): void {
  const acme = { id: w.accountId('acme'), kind: 'customer', name: 'Acme' } as const
  const sender = { post: w.panel.app.postLetter, publicUrl: '', inviter: 'Stella' }
  // The token is the test's own, and so of the second before.
  resend(w.db, w.support, sender, acme, Number(invitationTo(w, email)), 'own')
}

function giveLink(w: World, email: string): void {
  w.db
    .insert(invitationTokens)
    .values({ hash: hashToken(token), invitationId: Number(invitationTo(w, email)), createdAt: 1 })
    .run()
}

const byVisitors: Record<string, VisitorForm> = {
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
        switchOff(w.db, w.support, w.userId('Tom'), 'user.two-factor-reset', () => {}),
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
    losses: loses(409, ofInvitation('guest@acme.example')),
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

function giveResetLink(w: World, who: Who): void {
  const expiresAt = w.panel.app.now() + 60_000
  w.db
    .insert(passwordResets)
    .values({ hash: hashToken(token), userId: w.userId(who), expiresAt })
    .run()
}

/** What ends a link to a new password. */
function ofReset(who: Who) {
  const user = (w: World) => {
    const found = findUser(w.db, w.userId(who))
    if (!found) throw new Error(`${who} is no user.`)
    return found
  }
  return {
    'has asked for another link': (w: World) =>
      requestReset(w.db, w.support, user(w), { post: w.panel.app.postLetter, publicUrl: '' }),
    'has used the link': (w: World) => resetPassword(w.db, w.support, token, user(w), anotherHash, () => {}),
    'has another e-mail': (w: World) => {
      askForNewEmail(w, who)
      const sender = { post: w.panel.app.postLetter, publicUrl: '', supportEmail: undefined }
      changeEmail(w.db, w.person(who), user(w), token, '', sender)
    },
  }
}

/** Forms whose tests stand on their own, below. */
const apart = ['/setup/:token', '/password-reset']

function postsOf(app: Panel['app']): { url: string; can: Action }[] {
  return app.routeTable.flatMap(({ method, url, config }) => {
    if (method !== 'POST') return []
    if (!config.can) throw new Error(`POST ${url} names no action.`)
    return [{ url, can: config.can }]
  })
}

/**
 * Why an answer is none that a late request deserves; undefined where it is. A form that is being handled may first
 * find that what it is about has gone (404), or that what was typed is not so any more (422).
 */
function wrongAnswer({ status, location }: Page, deserved: number, moment: Moment): string | undefined {
  if (moment === 'the form is being handled' && (status === 404 || status === 422)) return undefined
  if (status !== deserved) return `${status} ${location ?? ''}`
  return deserved === 303 && !location?.startsWith('/login') ? `303 ${location}` : undefined
}

t.test('there is a case for each form of the panel, and for no other', async (t) => {
  const panel = await startApp(t)
  const forms = postsOf(panel.app)
  t.same([...Object.keys(acts), ...Object.keys(byVisitors), ...apart].sort(), forms.map(({ url }) => url).sort())
  for (const { url, can: action } of forms.filter(({ url }) => !apart.includes(url))) {
    const sendings = sendingsOf(url, action)
    t.ok(sendings.length > 0, `somebody sends ${url}`)
    for (const { name, losses } of sendings) t.ok(losses.length > 0, `something can be lost: ${name}`)
  }
})

function allSendings({ panel }: World): Sending[] {
  return postsOf(panel.app).flatMap(({ url, can: action }) => sendingsOf(url, action))
}

t.test('a form acts while its sender may: even if its body comes late', async (t) => {
  const w = await makeWorld(t)
  for (const { name, arrange } of allSendings(w)) {
    await undone(w.db, async () => {
      const late = await arrange(w)
      const before = rowsNow(w.db)
      const page = await holdBody(w.base, late, () => {})
      t.ok(page.status < 400, `${name} answers ${page.status} ${page.text.slice(0, 300)}`)
      t.ok(changed(before, rowsNow(w.db)).length > 0, `${name} changes something`)
    })
  }
})

type Moment = 'the body is on its way' | 'the form is being handled'

/** Sends a form, and lets something happen at that moment: the answer, and all rows as they were right after that. */
const send: Record<
  Moment,
  (w: Pick<World, 'panel' | 'db' | 'base'>, late: Late, happens: () => unknown) => Promise<{ page: Page; then: Rows }>
> = {
  'the body is on its way': async (w, late, happens) => {
    let then: Rows = {}
    const page = await holdBody(w.base, late, async () => {
      await happens()
      then = rowsNow(w.db)
    })
    return { page, then }
  },
  'the form is being handled': async (w, late, happens) => {
    let then: Rows = {}
    const page = await loseInside(w.panel, late, () => {
      happens()
      then = rowsNow(w.db)
    })
    return { page, then }
  },
}

for (const moment of ['the body is on its way', 'the form is being handled'] as const) {
  t.test(`what is lost while ${moment} is not used any more: nothing changes`, async (t) => {
    const w = await makeWorld(t)
    for (const { name, arrange, losses } of allSendings(w)) {
      await undone(w.db, async () => {
        const late = await arrange(w)
        const atFirst = rowsNow(w.db)
        for (const { how, lose, slow, deserved } of losses) {
          if (slow && moment === 'the form is being handled') continue
          await undone(w.db, async () => {
            const { page, then } = await send[moment](w, late, () => lose(w, late.objects))
            const outcome = {
              lost: changed(atFirst, then).length > 0,
              changed: changed(then, rowsNow(w.db)),
              answer: wrongAnswer(page, deserved, moment),
            }
            t.same(outcome, { lost: true, changed: [], answer: undefined }, `${name} – ${how}`)
          })
        }
      })
    }
  })
}

t.test('a first operator’s form that comes after another first operator’s does nothing', async (t) => {
  for (const moment of ['the body is on its way', 'the form is being handled'] as const) {
    const panel = await startApp(t, { empty: true })
    const { app, db } = panel
    const client = panel.visit()
    const base = await app.listen({ host: '127.0.0.1', port: 0 })
    const fields = { name: 'Olga', email: cast.olga.email, password: words, repeated: words }
    const late = { client, path: `/setup/${app.setupToken}`, body: await formBody(client, fields) }
    const first = { name: 'First', email: 'first@x.example', passwordHash: anotherHash, emailProved: true }
    const happens = () => createFirstOperator(db, atCommandLine(app.now()), first)
    const { page, then } = await send[moment]({ panel, db, base }, late, happens)
    t.equal(page.status, 404)
    t.same(changed(then, rowsNow(db)), [])
    t.equal(db.select().from(users).all().length, 1)
  }
})

t.test(
  'no letter with a link to a new password goes to whoever is disabled, deleted or has another e-mail since it was asked for',
  async (t) => {
    const w = await makeWorld(t)
    const { panel, db } = w
    const ask = async (email: string) => {
      const client = panel.visit()
      return { client, path: '/password-reset', body: await formBody(client, { email }) }
    }
    const linksOf = (name: string) =>
      db
        .select()
        .from(passwordResets)
        .where(eq(passwordResets.userId, w.userId(name)))
        .all().length
    /** Letters are written in the order in which they were asked for: when this one is, those before it are or never will be. */
    const afterAllBefore = async () => {
      const { client, path, body } = await ask(cast.dora.email)
      await client.postRaw(path, body.bytes)
      await until('the letters are written', () => linksOf('Dora') > 0)
    }
    await undone(db, async () => {
      await holdBody(w.base, await ask(cast.stella.email), () => {})
      await afterAllBefore()
      t.equal(linksOf('Stella'), 1)
    })
    const losses = {
      disabled: ofUser('Stella')['was disabled'],
      deleted: ofUser('Stella')['was deleted'],
      moved: ofReset('Stella')['has another e-mail'],
    }
    for (const [how, lose] of Object.entries(losses)) {
      for (const when of ['start', 'end'] as const) {
        await undone(db, async () => {
          const id = w.userId('Stella')
          const page = await loseInside(panel, await ask(cast.stella.email), () => lose(w), when)
          t.equal(page.location, '/login', 'and whoever asks is told nothing')
          await afterAllBefore()
          t.same(
            db.select().from(passwordResets).where(eq(passwordResets.userId, id)).all(),
            [],
            `${how} at the ${when}`,
          )
        })
      }
    }
  },
)
