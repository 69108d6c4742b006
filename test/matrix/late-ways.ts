import { eq } from 'drizzle-orm'
import { deleteAccount } from '../../src/accounts/deletion/data/deleting.ts'
import { changeRole, removeMember } from '../../src/accounts/members/data.ts'
import { suspendAccount } from '../../src/accounts/suspension/data.ts'
import type { AccountId } from '../../src/db/ids.ts'
import { write } from '../../src/db/open.ts'
import { accountSecurity, emailChanges, projects, sessions, users } from '../../src/db/schema.ts'
import { makePartner } from '../../src/partners/partnership/data.ts'
import { moveAccount } from '../../src/partners/partnership/move/data.ts'
import { endSession, endSessions } from '../../src/people/data/sessions.ts'
import { setDisabled, setPassword } from '../../src/people/data/users.ts'
import { deleteUser } from '../../src/people/leaving/data.ts'
import { hashPassword } from '../../src/people/log-in/passwords.ts'
import { type Action, can, type Standing } from '../../src/policy.ts'
import { changeAccess, removeAccess } from '../../src/projects/access/data/giving.ts'
import { deleteProject } from '../../src/projects/deletion/data.ts'
import { hashToken, seal } from '../../src/secrets.ts'
import { type Page, projectId } from '../harness.ts'
import { formBody, windowOf } from './held.ts'
import { erasing, sessionOf, type Who, type World } from './late-world.ts'
import type { Objects } from './objects.ts'

// Every way in which somebody loses what they had.

export const words = 'correct horse battery staple'
export const anotherHash = await hashPassword('another passphrase')
export const token = 'L'.repeat(43)
export const totpSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

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
  'finds the account closed to this address': {
    who: [...inAcme, 'Petra'],
    leaves: 'unproven',
    lose: (w, who) =>
      w.db
        .insert(accountSecurity)
        .values({ accountId: w.accountOf(who), networks: '192.0.2.7' })
        .run(),
  },
  'is removed from the account': {
    who: [...inAcme, 'Petra'],
    leaves: 'unattached',
    lose: (w, who) =>
      mustGo(
        removeMember(
          w.db,
          w.support,
          { accountId: w.accountOf(who), userId: w.userId(who) },
          { exit: 'member.removed' },
        ),
      ),
  },
  'leaves the account': {
    who: [...inAcme, 'Petra'],
    leaves: 'unattached',
    lose: (w, who) =>
      mustGo(
        removeMember(
          w.db,
          w.person(who),
          { accountId: w.accountOf(who), userId: w.userId(who) },
          { exit: 'member.left' },
        ),
      ),
  },
  'is made a Customer User': {
    who: ['Stella', 'Petra in Acme'],
    leaves: 'customer member',
    lose: (w, who) =>
      mustGo(
        changeRole(
          w.db,
          w.support,
          { accountId: w.accountOf(who), userId: w.userId(who) },
          { role: 'member', version: 1 },
        ),
      ),
  },
  'is made a Partner User': {
    who: ['Petra'],
    leaves: 'partner member',
    lose: (w, who) =>
      mustGo(
        changeRole(
          w.db,
          w.support,
          { accountId: w.accountOf(who), userId: w.userId(who) },
          { role: 'member', version: 1 },
        ),
      ),
  },
  'works in an account that its partner suspends': {
    who: inAcme,
    leaves: 'suspended',
    lose: (w, who) =>
      suspendAccount(
        w.db,
        w.person('Petra'),
        { accountId: w.accountOf(who), reason: 'The bill is open.' },
        w.panel.app.mailContext,
      ),
  },
  'works in an account that Support suspends': {
    who: [...inAcme, 'Petra'],
    leaves: 'suspended',
    lose: (w, who) =>
      suspendAccount(
        w.db,
        w.support,
        { accountId: w.accountOf(who), reason: 'The contract ended.' },
        w.panel.app.mailContext,
      ),
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
      suspendAccount(
        w.db,
        w.support,
        { accountId: w.accountId('cloudhaus'), reason: 'The contract ended.' },
        w.panel.app.mailContext,
      ),
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
    lose: (w, who) =>
      removeAccess(w.db, w.support, {
        accountId: w.accountId('acme'),
        projectId: projectId(w, 'website'),
        userId: w.userId(who),
      }),
  },
  'is made a Project User': {
    who: ['Tom'],
    forms: { match: inProject, answer: 403 },
    lose: (w, who) =>
      changeAccess(
        w.db,
        w.support,
        { accountId: w.accountId('acme'), projectId: projectId(w, 'website'), userId: w.userId(who) },
        { role: 'user', version: 2 },
      ),
  },
  'leaves the account that the form switches to': {
    who: ['Petra'],
    forms: { match: /^\/active-account$/, answer: 404 },
    lose: (w, who) =>
      mustGo(
        removeMember(
          w.db,
          w.person(who),
          { accountId: w.accountId('acme'), userId: w.userId(who) },
          { exit: 'member.left' },
        ),
      ),
  },
}

function mustGo(done: unknown): void {
  if (typeof done !== 'object') throw new Error(`This cannot be taken away: ${String(done)}.`)
}

export function deleteCustomer(w: World, accountId: AccountId): void {
  for (const { id } of w.db.select().from(projects).where(eq(projects.accountId, accountId)).all())
    deleteProject(w.db, w.support, accountId, id)
  const done = deleteAccount(
    w.db,
    w.person('Petra'),
    { partnerId: w.accountId('cloudhaus'), accountId },
    w.panel.app.mailContext,
  )
  if (done !== 'deleted') throw new Error('The customer cannot be deleted.')
}

function moveToRival(w: World, accountId: AccountId): void {
  const tell = { post: w.panel.app.postLetter, publicUrl: '', panelName: '', supportEmail: undefined }
  const done = moveAccount(w.db, w.support, { accountId, to: 'rival' }, tell)
  if (done !== 'moved') throw new Error(`The customer cannot move: ${String(done)}.`)
}

/** What is lost on the way to a form, and the status of the answer then; a 303 leads to the log-in. */
export type Loss = { how: string; lose: (w: World, objects: Objects) => unknown; slow?: boolean; deserved: number }

/** Everything that somebody can lose on the way to a form that asks for a right. */
export function lossesOf(url: string, action: Action, who: Who): Loss[] {
  return Object.entries(ways).flatMap(([how, { who: whose, leaves, forms, lose, slow = false }]) => {
    const loss = { how, slow, lose: (w: World, objects: Objects) => lose(w, who, objects) }
    if (!whose.includes(who)) return []
    if (forms) return forms.match.test(url) ? [{ ...loss, deserved: forms.answer }] : []
    if (leaves === undefined || can([leaves], action)) return []
    return [{ ...loss, deserved: leaves === 'visitor' ? 303 : 403 }]
  })
}

export function setUpTwoFactor(w: World, who: Who): void {
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

export function askForNewEmail(w: World, who: Who): void {
  const expiresAt = w.panel.app.now() + 60_000
  w.db
    .insert(emailChanges)
    .values({ hash: hashToken(token), userId: w.userId(who), email: 'changed@x.example', expiresAt })
    .run()
}

/**
 * Why an answer is none that a late request deserves; undefined where it is. A form that was let in before may first
 * find that what it is about has gone (404), or that what was typed is not so any more (422).
 */
export function wrongAnswer({ status, location }: Page, deserved: number, letIn: boolean): string | undefined {
  if (letIn && (status === 404 || status === 422)) return undefined
  if (status !== deserved) return `${status} ${location ?? ''}`
  return deserved === 303 && !location?.startsWith('/login') ? `303 ${location}` : undefined
}
