import { and, desc, eq, lte } from 'drizzle-orm'
import { Secret, TOTP } from 'otpauth'
import t, { type Test } from 'tap'
import { addMember, changeRole, findMember, removeMember } from '../../src/accounts/members/data.ts'
import type { AccountId } from '../../src/db/ids.ts'
import { type Db, write } from '../../src/db/open.ts'
import { accounts, apiTokens, invitations, letters, memberships, projects, users } from '../../src/db/schema.ts'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { type LetterKind, letterKinds } from '../../src/mail/letters.ts'
import { type LetterRow, openBody } from '../../src/mail/outbox.ts'
import { whyNotSent } from '../../src/mail/reasons.ts'
import { noteTroubles } from '../../src/operations/troubles/data.ts'
import { noteExpiring } from '../../src/people/tokens/data.ts'
import { atCommandLine } from '../../src/records/record.ts'
import { tokenOf } from '../api/program.ts'
import { type Client, type Panel, publicUrl, startApp, there, undone, userId } from '../harness.ts'
import { linkIn, type MailServer, startMailServer, until } from '../smtp.ts'

// Each kind of e-mail is written while the mail server takes none; then its reason ends, in each way in which it
// can; then the server takes all. What is no longer true must not arrive, and Support reads why.

const minute = 60_000
const day = 24 * 60 * minute
const help = 'help@meshpanel.example'
const greta = 'greta@initech.example'
const newPassword = 'correct horse battery staple'

/** A panel with a mail server that takes no e-mail for the moment, and the cast as it logs in. */
type World = {
  panel: Panel
  mail: MailServer
  clients: Map<CastName, Client>
  as: (who: CastName) => Promise<Client>
}

async function startWorld(t: Test): Promise<World> {
  const mail = await startMailServer(t)
  mail.refuse({ at: 'data', code: 451, words: 'not now' })
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url, SUPPORT_EMAIL: help } })
  // It needs the database to itself, and what happens here is in a transaction that is taken back.
  panel.app.eraseTraces = () => {}
  const clients = new Map<CastName, Client>()
  const as = async (who: CastName) => {
    const client = clients.get(who) ?? (await panel.signIn(who))
    clients.set(who, client)
    return client
  }
  return { panel, mail, clients, as }
}

/** Runs something in a world and takes it back: what it wrote, the time that passed, and who the mail server refuses. */
async function takenBack(world: World, act: () => Promise<void>): Promise<void> {
  const { panel, mail, clients } = world
  const { refusing } = mail
  const cookies = [...clients].map(([who, client]) => [who, client, [...client.cookies]] as const)
  const begun = panel.app.now()
  try {
    await undone(panel.db, async () => {
      await act()
      await landed(world)
    })
  } finally {
    panel.jump(begun - panel.app.now())
    mail.refusing = refusing
    clients.clear()
    for (const [who, client, own] of cookies) {
      clients.set(who, client)
      client.cookies.clear()
      for (const [name, value] of own) client.cookies.set(name, value)
    }
  }
}

/** No e-mail is under way. */
async function landed({ panel }: World): Promise<void> {
  await until('no e-mail is under way', () => {
    const due = and(eq(letters.state, 'waiting'), lte(letters.dueAt, panel.app.now()))
    return panel.db.select().from(letters).where(due).get() === undefined
  })
}

type Account = typeof accounts.$inferSelect

const accountOf = ({ panel }: World, identifier: string) =>
  panel.db.select().from(accounts).where(eq(accounts.identifier, identifier)).get() ??
  Promise.reject(new Error(identifier))

/** Makes somebody a member, so that others can leave. */
async function join(world: World, who: CastName, accountId: AccountId, role: 'admin' | 'member'): Promise<void> {
  const { db, app } = world.panel
  const by = atCommandLine(app.now())
  write(db, by, (tx) => addMember(tx, by, { accountId, userId: userId({ db }, who), role }, 'member.joined'))
}

/** Does what writes the e-mail, and returns its recipient. */
type Scenario = (world: World) => Promise<string>

const initech = '/partner/customers/initech'

const ask: Scenario = async ({ as }) => {
  await (await as('ines')).submit('/customer/account', 'Ask to become a partner')
  return help
}
const askForMore: Scenario = async ({ as }) => {
  await (await as('petra')).submit(`${initech}/quotas`, 'Save quotas', { cores: '4' })
  await (await as('ines')).submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
  return cast.petra.email
}
const move: Scenario = async ({ as }) => {
  await (await as('olga')).submit('/support/accounts/initech/partner', 'Move', { partner: 'rival' })
  return cast.ines.email
}
const suspend: Scenario = async ({ as }) => {
  await (await as('petra')).submit(`${initech}/suspension`, 'Suspend', { reason: 'The bill of May' })
  return cast.ines.email
}
const askForAddress: Scenario = async ({ as }) => {
  await (await as('ines')).submit('/profile', 'Change e-mail', { email: 'ines@new.example' })
  return cast.ines.email
}

const kinds: Record<LetterKind, Record<string, Scenario>> = {
  invitation: {
    'an invitation': async ({ as }) => {
      await (await as('ines')).submit('/customer/users', 'Invite', { name: 'Greta', email: greta, role: 'member' })
      return greta
    },
    'an invitation by one of the partner’s people': async ({ as }) => {
      const petra = await as('petra')
      await petra.submit(`${initech}/users`, 'Add Myself')
      await petra.switchTo('initech')
      await petra.submit('/customer/users', 'Invite', { name: 'Greta', email: greta, role: 'member' })
      return greta
    },
  },
  'partner-request': { 'a request to become a partner': ask },
  'partner-decision': {
    'a declined request to become a partner': async (world) => {
      await ask(world)
      await (await world.as('olga')).submit('/support/accounts', 'Decline')
      return cast.ines.email
    },
  },
  'quota-request': {
    'a request for more quota, to the partner': askForMore,
    'a request for more quota, to Support': async ({ as }) => {
      await (await as('olga')).submit('/support/accounts/direct/quotas', 'Save quotas', { cores: '4' })
      await (await as('dora')).submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
      return help
    },
  },
  'quota-decision': {
    'a decision about more quota': async (world) => {
      await askForMore(world)
      await (await world.as('petra')).submit(`${initech}/quotas`, 'Decline', { comment: 'Not now' })
      return cast.ines.email
    },
  },
  'customer-moved': {
    'a move, to the customer': move,
    'a move, to the partner before': async (world) => (await move(world)) && cast.petra.email,
    'a move, to the new partner': async (world) => (await move(world)) && cast.riva.email,
  },
  'password-reset': {
    'a password reset': async ({ panel }) => {
      await panel.visit().submit('/password-reset', 'Send link', { email: cast.ines.email })
      return cast.ines.email
    },
  },
  'email-change': {
    'the link to a new e-mail': async (world) => (await askForAddress(world)) && 'ines@new.example',
  },
  'email-confirmation': {
    'the link that confirms an e-mail': async ({ panel, as }) => {
      panel.db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.ines.email)).run()
      await (await as('ines')).submit('/profile', 'Send confirmation')
      return cast.ines.email
    },
  },
  'email-changed': {
    'the news of a wished change of e-mail': askForAddress,
    'the news of a change of e-mail': async (world) => {
      world.mail.refuse({ at: 'data', code: 451, words: 'not now' }, cast.ines.email)
      await askForAddress(world)
      await (await world.as('ines')).submit(await linkOf(world, 'ines@new.example'), 'Change e-mail')
      return cast.ines.email
    },
  },
  'two-factor-changed': {
    'the news of a second factor': async ({ panel, as }) => {
      const ines = await as('ines')
      const page = await ines.open('/profile/two-factor')
      const secret = page.root.querySelector('main code')?.textContent.replaceAll(' ', '') ?? ''
      const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: panel.app.now() })
      await ines.press(page, 'Switch on', { code })
      return cast.ines.email
    },
  },
  'password-changed': {
    'the news of a changed password': async ({ as }) => {
      const change = { current: demoPassword, password: newPassword, repeated: newPassword }
      await (await as('ines')).submit('/profile', 'Change password', change)
      return cast.ines.email
    },
    'the news of a reset password': async (world) => {
      await world.panel.visit().submit('/password-reset', 'Send link', { email: cast.ines.email })
      const link = await linkOf(world, cast.ines.email, '/password-reset/')
      const change = { password: newPassword, repeated: newPassword }
      const ines = await world.as('ines')
      await world.panel.visit().submit(link, 'Change password', change)
      await ines.logIn(cast.ines.email, newPassword)
      return cast.ines.email
    },
  },
  notifications: {
    'the news that Support suspended a customer': async ({ as }) => {
      await (await as('olga')).submit('/support/accounts/initech/suspension', 'Suspend', { reason: 'Abuse' })
      return cast.petra.email
    },
    'the news that a token expires soon': async ({ panel }) => {
      tokenOf(panel, 'ines', 'initech')
      panel.db.update(apiTokens).set({ remindAt: panel.app.now() }).run()
      noteExpiring(panel.db, panel.app.now())
      return cast.ines.email
    },
  },
  notice: {
    'backups that have failed for a day': async ({ panel: { app } }) => {
      const trouble = { kind: 'backups' as const, since: app.now() - 2 * day, words: 'The panel has made no backup.' }
      noteTroubles(app.db, [trouble], app.now(), app.mailContext)
      return cast.olga.email
    },
    'the news that somebody of the partner joined': async ({ as }) => {
      await (await as('petra')).submit(`${initech}/users`, 'Add Myself')
      return cast.ines.email
    },
    'the news of changed limits': async ({ as }) => {
      await (await as('petra')).submit(`${initech}/quotas`, 'Save quotas', { cores: '8' })
      return cast.ines.email
    },
    'the news of a changed pool': async ({ as }) => {
      await (await as('olga')).submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '8' })
      return cast.petra.email
    },
    'the news of a suspension': suspend,
    'the news of a resumption': async (world) => {
      await suspend(world)
      await (await world.as('petra')).submit('/partner/customers', 'Resume', {}, 'initech')
      return cast.ines.email
    },
    'the news of a deletion': async ({ as }) => {
      await (await as('petra')).submit(`${initech}/removal`, 'Delete customer', { identifier: 'initech' })
      return cast.ines.email
    },
    'the news of a removal': async (world) => {
      await join(world, 'nils', (await accountOf(world, 'initech')).id, 'member')
      const ines = await world.as('ines')
      const to = (await ines.get('/customer/users')).link('Remove', 'Nils')
      await ines.submit(to ?? '', 'Remove Nils')
      return cast.nils.email
    },
    'the news of a new role': async (world) => {
      await join(world, 'nils', (await accountOf(world, 'initech')).id, 'member')
      await (await world.as('ines')).submit('/customer/users', 'Save', { role: 'admin' }, 'Nils')
      return cast.nils.email
    },
  },
}

/** The newest e-mail to somebody, once the server has refused it. */
async function waitingTo({ panel }: World, email: string): Promise<LetterRow> {
  return until(`an e-mail to ${email} waits`, () => {
    const own = and(eq(letters.email, email), eq(letters.state, 'waiting'))
    const letter = panel.db.select().from(letters).where(own).orderBy(desc(letters.id)).get()
    return letter && letter.attempts > 0 && letter
  })
}

/** The path of the link in an e-mail, which its reader has not got yet. */
async function linkOf(world: World, email: string, path = '/profile/email/'): Promise<string> {
  const own = eq(letters.email, email)
  const letter = await until('the link', () =>
    world.panel.db.select().from(letters).where(own).orderBy(desc(letters.id)).get(),
  )
  return linkIn(openBody(world.panel.app.secrets, letter)?.html, publicUrl, path)
}

/** A way in which the reason of an e-mail ends, and what Support then reads. */
type Way = { how: string; end: (world: World, letter: LetterRow) => Promise<unknown>; why: string }

const readerOf = ({ panel }: World, { userId }: LetterRow) => {
  return there(
    panel.db
      .select()
      .from(users)
      .where(eq(users.id, there(userId)))
      .get(),
  )
}
const whois = (world: World, letter: LetterRow): CastName => {
  const { email } = readerOf(world, letter)
  const who = (Object.keys(cast) as CastName[]).find((name) => cast[name].email === email)
  if (!who) throw new Error(`${email} is nobody of the cast.`)
  return who
}
const olga = async ({ as }: World) => as('olga')

const disabled: Way = {
  how: 'its reader is disabled',
  end: async (world, letter) =>
    (await olga(world)).submit('/support/users', 'Disable', {}, readerOf(world, letter).email),
  why: 'its reader’s login is disabled',
}
const deleted: Way = {
  how: 'its reader is deleted',
  end: async (world, letter) => {
    const { id, name, email } = readerOf(world, letter)
    await (await olga(world)).submit(`/support/users/${id}/removal`, `Delete ${name}`, { email })
  },
  why: 'a user whom it was for, or whom it named, was deleted',
}
const movedAway = (why: string): Way => ({
  how: 'its reader changes the e-mail address',
  end: async (world, letter) => {
    world.mail.refuse({ at: 'data', code: 451, words: 'not now' }, letter.email)
    const client = await world.as(whois(world, letter))
    await client.submit('/profile', 'Change e-mail', { email: 'elsewhere@new.example' })
    const page = await client.open(await linkOf(world, 'elsewhere@new.example'))
    const asks = page.text.includes('Choose a password')
    await client.press(page, 'Change e-mail', asks ? { password: newPassword, repeated: newPassword } : {})
  },
  why,
})
const accountDeleted: Way = {
  how: 'the account is deleted',
  end: async (world, { accountId }) => {
    const { db } = world.panel
    const account = db
      .select()
      .from(accounts)
      .where(eq(accounts.id, there(accountId)))
      .get()
    const { identifier = '', partnerId = null } = account ?? {}
    if (partnerId === null)
      return (await olga(world)).submit(`/support/accounts/${identifier}/removal`, 'Delete account', { identifier })
    const partner = db.select().from(accounts).where(eq(accounts.id, partnerId)).get()
    const client = await world.as(partner?.identifier === 'rival' ? 'riva' : 'petra')
    return client.submit(`/partner/customers/${identifier}/removal`, 'Delete customer', { identifier })
  },
  why: 'the account was deleted',
}
const removed: Way = {
  how: 'its reader is removed from the account',
  end: async ({ panel }, { userId, readerOf }) => {
    removeMember(
      panel.db,
      atCommandLine(panel.app.now()),
      { accountId: there(readerOf), userId: there(userId) },
      { exit: 'member.removed' },
    )
  },
  why: 'its reader is no longer a user of the account',
}
const demoted: Way = {
  how: 'its reader is no longer an admin',
  end: async ({ panel }, { userId, readerOf }) => {
    const { version = 0 } = findMember(panel.db, there(readerOf), there(userId)) ?? {}
    changeRole(
      panel.db,
      atCommandLine(panel.app.now()),
      { accountId: there(readerOf), userId: there(userId) },
      { role: 'member', version },
    )
  },
  why: 'its reader is no longer an admin of the account',
}
/** What ends the right to read of a customer. */
const lostLines: Way[] = [
  {
    how: 'its reader leaves the partner',
    end: async (world, letter) => removed.end(world, { ...letter, readerOf: (await accountOf(world, 'cloudhaus')).id }),
    why: 'its reader may no longer read all of it',
  },
  {
    how: 'its reader is no longer an admin of the partner',
    end: async (world, letter) => demoted.end(world, { ...letter, readerOf: (await accountOf(world, 'cloudhaus')).id }),
    why: 'its reader may no longer read all of it',
  },
  {
    how: 'the customer goes to another partner',
    end: async (world) => otherPartner.end(world, {} as LetterRow),
    why: 'its reader may no longer read all of it',
  },
  {
    how: 'the partner is suspended',
    end: async (world) =>
      (await olga(world)).submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Abuse' }),
    why: 'its reader may no longer read all of it',
  },
]
const resumed: Way = {
  how: 'the account is resumed',
  end: async ({ as }) => (await as('petra')).submit('/partner/customers', 'Resume', {}, 'initech'),
  why: 'the account was resumed',
}
const restored: Way = {
  how: 'the account is restored',
  end: async ({ as }) => (await as('petra')).submit('/partner/deleted-customers', 'Restore', {}, 'Initech'),
  why: 'the account was restored',
}
const cancelled: Way = {
  how: 'the request is cancelled',
  end: async ({ as }) => (await as('ines')).submit('/customer/quotas', 'Cancel request'),
  why: 'the request has ended',
}
const decided: Way = {
  how: 'the request is decided',
  end: async (world) => (await olga(world)).submit('/support/accounts', 'Decline'),
  why: 'the request has ended',
}
const otherPartner: Way = {
  how: 'the customer goes to another partner',
  end: async (world) => {
    const { partnerId } = await accountOf(world, 'initech')
    const partner = partnerId === (await accountOf(world, 'rival')).id ? 'cloudhaus' : 'rival'
    await (await olga(world)).submit('/support/accounts/initech/partner', 'Move', { partner })
  },
  why: 'its reader’s account no longer looks after this customer',
}
const partnerSuspended: Way = {
  how: 'its reader’s partner account is suspended',
  end: async (world, { readerOf }) => {
    const { identifier = '' } =
      world.panel.db
        .select()
        .from(accounts)
        .where(eq(accounts.id, there(readerOf)))
        .get() ?? {}
    await (await olga(world)).submit(`/support/accounts/${identifier}/suspension`, 'Suspend', { reason: 'Abuse' })
  },
  why: 'its reader’s partner account is suspended',
}
const joinedAgain: Way = {
  how: 'its reader joins the account again',
  end: async (world, { userId, readerOf }) =>
    userId === null ? undefined : join(world, whois(world, { userId } as LetterRow), there(readerOf), 'member'),
  why: 'its reader is a user of the account again',
}
const accountSuspended: Way = {
  how: 'the account is suspended',
  end: suspend,
  why: 'the account is suspended',
}
const senderSuspended: Way = {
  how: 'the partner whose people sent it is suspended',
  end: async (world) =>
    (await olga(world)).submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Abuse' }),
  why: 'the partner that sent it is suspended',
}
const late = (time: number): Way => ({
  how: 'its link expires',
  end: async ({ panel }) => panel.pass(time),
  why: 'its link expired before it could be sent',
})

const unconfirmed: Way = {
  how: 'its address turns out not to be confirmed',
  end: async ({ panel }, { userId }) => {
    const reader = eq(users.id, there(userId))
    panel.db.update(users).set({ emailProvedAt: null }).where(reader).run()
  },
  why: 'its address is not confirmed',
}
const leftSupport: Way = {
  how: 'its reader leaves Support',
  end: async ({ panel }, { userId }) => {
    const reader = eq(users.id, there(userId))
    panel.db.update(users).set({ operator: false }).where(reader).run()
  },
  why: 'its reader no longer belongs to Support',
}
const addressChanged = movedAway('its reader’s e-mail address has changed')
const newerLink = 'its link was used, or a newer one replaced it'

/** How the reason of an e-mail can end: what the row itself says of it decides. */
function waysOf(kind: LetterKind, letter: LetterRow, world: World): Way[] {
  const account =
    letter.accountId === null
      ? undefined
      : world.panel.db.select().from(accounts).where(eq(accounts.id, letter.accountId)).get()
  const withAccount = kind === 'quota-request' ? { ...accountDeleted, why: 'the request has ended' } : accountDeleted
  const about = account?.kind === 'customer' && account.deletedAt === null ? [withAccount] : []
  switch (letter.reason) {
    case 'none':
      throw new Error(`A new e-mail of the kind ${kind} has no reason.`)
    case 'support':
      if (letter.userId !== null) return [leftSupport, unconfirmed]
      return [...about, ...(kind === 'partner-request' ? [decided] : [])]
    case 'user':
      // The news of a change goes to the former address, whatever happens to the login.
      if (readerOf(world, letter).email !== letter.email) return [deleted]
      if (kind === 'notifications') return [disabled, deleted, addressChanged, unconfirmed, ...lostLines]
      return [
        ...[disabled, deleted, addressChanged, unconfirmed, ...about],
        ...(letter.readerOf === null ? [] : [joinedAgain]),
      ]
    case 'member':
      return [disabled, deleted, addressChanged, unconfirmed, removed, ...about]
    case 'admin':
      if (account?.deletedAt) return [disabled, deleted, addressChanged, restored]
      return [
        ...[disabled, deleted, addressChanged, unconfirmed, removed, demoted, ...about],
        ...(letter.accountId === letter.readerOf ? [] : [otherPartner, partnerSuspended]),
        ...(account?.suspendedAt ? [resumed] : []),
        ...(kind === 'quota-request' ? [cancelled] : []),
      ]
    case 'token':
      if (kind === 'email-confirmation')
        return [disabled, deleted, movedAway(newerLink), late(4 * day), newConfirmation, usedLink(cast.ines.email)]
      return kind === 'password-reset'
        ? [disabled, deleted, movedAway(newerLink), late(31 * minute), newReset, usedReset]
        : [disabled, deleted, late(61 * minute), newAddress, usedLink('ines@new.example')]
    case 'invitation':
      return [...invitationWays, ...about, accountSuspended, ...(sentByPetra(world, letter) ? [senderSuspended] : [])]
  }
}

function sentByPetra({ panel }: World, { invitationId }: LetterRow): boolean {
  const own = and(eq(invitations.id, invitationId ?? 0), eq(users.email, cast.petra.email))
  const sent = panel.db
    .select()
    .from(invitations)
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(own)
    .get()
  return sent !== undefined
}

const newReset: Way = {
  how: 'a newer link is asked for',
  end: async (world) => {
    world.panel.pass(5 * minute)
    await world.panel.visit().submit('/password-reset', 'Send link', { email: cast.ines.email })
    await until('both links', () => world.panel.db.select().from(letters).all().length === 2)
  },
  why: newerLink,
}
const usedReset: Way = {
  how: 'its link is used',
  end: async (world) => {
    const link = await linkOf(world, cast.ines.email, '/password-reset/')
    await world.panel.visit().submit(link, 'Change password', { password: newPassword, repeated: newPassword })
  },
  why: 'its link was already used',
}
const newAddress: Way = {
  how: 'another address is asked for',
  end: async ({ as }) => (await as('ines')).submit('/profile', 'Change e-mail', { email: 'ines@newer.example' }),
  why: newerLink,
}
const newConfirmation: Way = {
  how: 'another confirmation is asked for',
  end: async ({ as }) => (await as('ines')).submit('/profile', 'Send confirmation'),
  why: newerLink,
}
const usedLink = (email: string): Way => ({
  how: 'its link is used',
  end: async (world) => {
    const ines = await world.as('ines')
    const page = await ines.open(await linkOf(world, email))
    if (page.hasButton('Change e-mail')) await ines.press(page, 'Change e-mail')
    else await ines.press(page, 'Confirm e-mail address', { password: newPassword, repeated: newPassword })
  },
  why: newerLink,
})
const invitationWays: Way[] = [
  late(8 * day),
  {
    how: 'the invitation is cancelled',
    end: async ({ as }) => (await as('ines')).submit('/customer/users', 'Cancel', {}, greta),
    why: 'the invitation was cancelled',
  },
  {
    how: 'the invitation is sent again',
    end: async ({ panel, as }) => {
      panel.pass(5 * minute)
      await (await as('ines')).submit('/customer/users', 'Resend', {}, greta)
    },
    why: 'a newer link replaced the one in it',
  },
  {
    how: 'the invitation is accepted',
    end: async (world) => {
      const accept = { password: newPassword, repeated: newPassword }
      await world.panel.visit().submit(await linkOf(world, greta, '/invitations/'), 'Accept invitation', accept)
    },
    why: 'the invitation was already accepted',
  },
]

/** Brings the scenario about, so that others could do without its reader. */
async function bringAbout(world: World, scenario: Scenario): Promise<LetterRow> {
  const letter = await waitingTo(world, await scenario(world))
  if (letter.userId === null) return letter
  const admin = and(eq(memberships.userId, letter.userId), eq(memberships.role, 'admin'))
  for (const { accountId } of world.panel.db.select().from(memberships).where(admin).all()) {
    const account = world.panel.db.select().from(accounts).where(eq(accounts.id, accountId)).get()
    if (account?.deletedAt === null) await join(world, 'uma', accountId, 'admin')
  }
  await landed(world)
  return letter
}

/** The mail server takes everything again, and the worker tries. */
async function recover({ panel, mail }: World): Promise<void> {
  mail.refuse(undefined)
  panel.pass(2 * minute)
  panel.app.wakeMail()
}

async function outcome(world: World, { id }: LetterRow): Promise<LetterRow> {
  return until('the e-mail is sent or withdrawn', () => {
    const letter = world.panel.db.select().from(letters).where(eq(letters.id, id)).get()
    return letter && letter.state !== 'waiting' && letter
  })
}

t.test('each kind of e-mail has its cases here', async (t) => {
  t.same(Object.keys(kinds).sort(), Object.keys(letterKinds).sort())
  for (const [kind, scenarios] of Object.entries(kinds)) t.ok(Object.keys(scenarios).length > 0, kind)
})

const seen = new Set<string>()
/** Ways are gone through once for each kind and reason, not for each of its scenarios again. */
const gone = new Set<string>()

/** One world for all of them: each is taken back, and so is each way within it. */
const common = await startWorld(t)
for (const who of ['petra', 'ines', 'riva', 'olga', 'dora'] as const) await common.as(who)

for (const kind of Object.keys(kinds) as LetterKind[])
  for (const [what, scenario] of Object.entries(kinds[kind]))
    t.test(`${what} arrives while its reason holds, and not when it has ended`, (t) =>
      takenBack(common, async () => {
        const letter = await bringAbout(common, scenario)
        const ways = waysOf(kind, letter, common)
        seen.add(letter.reason)
        t.ok(ways.length > 0, 'its reason can end')
        const mine = ways.filter(({ how, why }) => !gone.has(`${kind} ${letter.reason} ${how} ${why}`))
        for (const { how, why } of mine) gone.add(`${kind} ${letter.reason} ${how} ${why}`)
        await takenBack(common, async () => {
          await recover(common)
          t.equal((await outcome(common, letter)).state, 'sent')
          t.ok(arrived(common, letter))
        })
        for (const way of mine) await takenBack(common, () => comesToNothing(t, common, letter, way))
      }),
    )

/** Its reason ends, and it does not arrive. */
async function comesToNothing(t: Test, world: World, before: LetterRow, { how, end, why }: Way): Promise<void> {
  const already = world.mail.taken.length
  await end(world, before)
  await recover(world)
  const { state, error, body } = await outcome(world, before)
  t.same({ state, error, body }, { state: 'withdrawn', error: `Not sent: ${why}.`, body: null }, how)
  t.notOk(arrived(world, before, already), `${how}: nothing arrives`)
  // She may have left Support.
  world.panel.db.update(users).set({ operator: true }).where(eq(users.email, cast.olga.email)).run()
  const page = await (await world.panel.signIn('olga')).get('/support/mail?state=withdrawn')
  t.match(page.text, `Not sent: ${why}.`, `${how}: Support reads why`)
}

/** Whether the mail server took it, after so many others. */
const arrived = ({ mail }: World, { messageId }: LetterRow, already = 0) =>
  mail.taken.slice(already).some(({ mail }) => mail.messageId === messageId)

t.test('each reason was seen to end', async (t) => {
  const reasons = letters.reason.enumValues.filter((reason) => reason !== 'none')
  t.same([...seen].sort(), [...reasons].sort())
})

/**
 * Most of what ends a reason withdraws its e-mails as well. The worker does not rely on that: it reads the rows. So
 * here the rows change alone, and each change is taken back.
 */
t.test('a reason is read from the rows themselves, whatever else withdraws an e-mail', async (t) => {
  const world = await startWorld(t)
  const { db, app } = world.panel
  const letterOf = async (scenario: Scenario) => waitingTo(world, await scenario(world))
  const invitation = await letterOf(kinds.invitation['an invitation'] ?? suspend)
  const request = await letterOf(askForMore)
  const petra = await world.as('petra')
  await petra.submit(`${initech}/users`, 'Add Myself')
  const toPetra = { userId: request.userId, email: request.email }
  const notice = await letterOf(suspend)
  const [cloudhaus, rival, direct, { id: initechId }] = await Promise.all(
    (['cloudhaus', 'rival', 'direct', 'initech'] as const).map((identifier) => accountOf(world, identifier)),
  ).then((all) => all as [Account, Account, Account, Account])
  await join(world, 'ines', direct.id, 'member')
  db.update(accounts).set({ suspendedAt: null, suspendedReason: null }).where(eq(accounts.id, initechId)).run()
  const remove = (tx: Db, id: AccountId) => {
    tx.update(projects).set({ deletedAt: app.now() }).where(eq(projects.accountId, id)).run()
    tx.update(accounts).set({ deletedAt: app.now() }).where(eq(accounts.id, id)).run()
  }

  const cases: [how: string, letter: LetterRow, change: (tx: Db) => void, why: string][] = [
    ['its account', notice, (tx) => remove(tx, initechId), 'the account was deleted'],
    ['its invitation', { ...invitation, invitationId: null }, () => {}, 'the invitation was cancelled'],
    [
      'the address of its invitation',
      invitation,
      (tx) => tx.update(invitations).set({ email: 'other@initech.example' }).run(),
      'the invitation now goes to another address',
    ],
    [
      'the partner of its reader',
      { ...notice, ...toPetra },
      (tx) =>
        tx
          .update(accounts)
          .set({ supportSuspendedAt: app.now(), supportSuspendedReason: '' })
          .where(eq(accounts.id, cloudhaus.id))
          .run(),
      'its reader’s partner account is suspended',
    ],
    [
      'the account of its reader',
      { ...notice, reason: 'member', readerOf: direct.id },
      (tx) => remove(tx, direct.id),
      'its reader’s account was deleted',
    ],
    [
      'the partner of its account',
      request,
      (tx) => tx.update(accounts).set({ partnerId: rival.id }).where(eq(accounts.id, initechId)).run(),
      'its reader’s account no longer looks after this customer',
    ],
  ]
  for (const [how, letter, change, why] of cases) {
    if (change.length > 0) t.equal(whyNotSent(db, letter, app.now()), undefined, `${how} is as it was`)
    const asked = () =>
      db.transaction((tx) => {
        change(tx)
        t.equal(whyNotSent(tx, letter, app.now()), why, how)
        throw new Error('taken back')
      })
    t.throws(asked, /taken back/)
  }
})
