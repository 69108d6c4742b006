import { isDeepStrictEqual } from 'node:util'
import { desc, eq, getTableColumns, is, sql } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import t from 'tap'
import { createAccount, renameAccount } from '../../src/accounts/data/account.ts'
import { deleteAccount } from '../../src/accounts/deletion/data/deleting.ts'
import { purgeAccount, purgeDeletedProject } from '../../src/accounts/deletion/purge/data.ts'
import { addRows, createImport, finishChecking, type NewRow, startImport } from '../../src/accounts/imports/data.ts'
import { discardOldImports, stopImport } from '../../src/accounts/imports/ending/data.ts'
import { markRow } from '../../src/accounts/imports/running/data.ts'
import { acceptInvitation } from '../../src/accounts/invitations/data/accepting.ts'
import type { Invitation } from '../../src/accounts/invitations/data/invitation.ts'
import { resend } from '../../src/accounts/invitations/data/pending.ts'
import {
  addToken,
  invitationLifetime,
  invite,
  type NewInvitation,
} from '../../src/accounts/invitations/data/sending.ts'
import { addMember, changeRole } from '../../src/accounts/members/data.ts'
import { saveSecurity } from '../../src/accounts/security/data.ts'
import { changeServiceUser, createServiceUser, removeServiceUser } from '../../src/accounts/service-users/data.ts'
import { addDomain, noteCheck } from '../../src/accounts/sso/data/domains.ts'
import { addGroup } from '../../src/accounts/sso/data/groups.ts'
import { saveAccountProvider, setNewPeople, setRequired } from '../../src/accounts/sso/data/provider.ts'
import { suspendAccount } from '../../src/accounts/suspension/data.ts'
import { noteTokenUse } from '../../src/api/data.ts'
import { named, searchText } from '../../src/db/fold.ts'
import { asAccountId, asProjectId, asUserId, type ProjectId, type UserId } from '../../src/db/ids.ts'
import * as schema from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { markRead } from '../../src/home/notifications/data/listing.ts'
import { noteExpired, writeToReader } from '../../src/home/notifications/data/mailing.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { giveUpAfter, type Letter, withdrawLettersAbout } from '../../src/mail/outbox.ts'
import { believeClock, noteSeen } from '../../src/operations/clock/data.ts'
import { tie } from '../../src/operations/installation/data.ts'
import { saveClaim } from '../../src/operations/replica/data.ts'
import { noteTroubles } from '../../src/operations/troubles/data.ts'
import { changeDetails, type Details } from '../../src/partners/customers/details/data.ts'
import { makePartner, requestPartnership } from '../../src/partners/partnership/data.ts'
import {
  createUser,
  findUserByEmail,
  renameUser,
  setDisabled,
  setDisplay,
  type User,
} from '../../src/people/data/users.ts'
import { requestEmailChange } from '../../src/people/email/data.ts'
import { deleteUser } from '../../src/people/leaving/data.ts'
import { admit } from '../../src/people/log-in/throttle/data.ts'
import {
  addPasskey,
  type NewPasskey,
  notePasskeyUse,
  renamePasskey,
  useUpChallenge,
} from '../../src/people/passkeys/data.ts'
import { requestReset, resetLifetime, resetPassword } from '../../src/people/password/data.ts'
import { connectIdentity } from '../../src/people/sso/data.ts'
import { createApiToken, endApiToken, noteExpiring, rotateApiToken } from '../../src/people/tokens/data.ts'
import { keepReplay } from '../../src/people/tokens/replays/data.ts'
import { renewCodes, switchOn } from '../../src/people/two-factor/data.ts'
import { addAccess, changeAccess } from '../../src/projects/access/data/giving.ts'
import { createProject, listProjectChoices, renameProject } from '../../src/projects/data.ts'
import { deleteProject } from '../../src/projects/deletion/data.ts'
import type { Holder } from '../../src/quotas/arithmetic.ts'
import { findQuotas, setLimits } from '../../src/quotas/data/limits.ts'
import { changePlan, createPlan } from '../../src/quotas/plans/data/plans.ts'
import { askForMore, setAutomaticShare } from '../../src/quotas/requests/data/asking.ts'
import { approveRequest } from '../../src/quotas/requests/data/deciding.ts'
import { addResource, changeResource, findResource } from '../../src/quotas/resources/data.ts'
import { chooseWays } from '../../src/records/data/choices.ts'
import { type Person, record } from '../../src/records/record.ts'
import { hashToken } from '../../src/secrets.ts'
import { emailKey } from '../../src/web/fields.ts'
import { keepListChoice } from '../../src/web/lists/data.ts'
import { renameSavedView, saveView } from '../../src/web/lists/saved/data.ts'
import type { SsoProof } from '../../src/web/request/proved.ts'
import { signIn } from '../../src/web/request/session.ts'
import { visitor } from '../../src/web/request/viewer.ts'
import { noteOutcome } from '../../src/webhooks/data/outcomes.ts'
import {
  changeWebhook,
  createWebhook,
  removeWebhook,
  retrySince,
  rotateWebhookSecret,
} from '../../src/webhooks/data/webhooks.ts'
import { type Panel, startApp, there, undone } from '../harness.ts'
import { until } from '../smtp.ts'

// A prepared insert lists its columns: one that is forgotten there is never saved, and nothing else says so. Here every
// column of every table is given a value by the function that makes the row, or by the act that sets it later, and is
// read back. A new column or table fails until it is here, or among those without an act, with the reason.

type Tables = {
  [Key in keyof typeof schema as (typeof schema)[Key] extends SQLiteTable ? Key : never]: (typeof schema)[Key]
}
type Key = keyof Tables
type RowOf<Table extends Key> = Tables[Table]['$inferSelect']

/** What a column must hold: a pattern for what is made at random. */
type Wanted<Row> = { [Column in keyof Row]?: Row[Column] | RegExp }

/** Does something, and says which columns of the row it has set to what. `row` is what the acts before have left. */
type Act<Row> = (world: World, row: Row) => Wanted<Row> | Promise<Wanted<Row>>

/** The first act makes the row, and the others change it. */
type Story<Row> = Act<Row>[]

type World = {
  panel: Panel
  db: Panel['db']
  at: number
  user: (who: CastName) => User
  account: (identifier: string) => typeof schema.accounts.$inferSelect
  website: ProjectId
  /** Petra of Cloudhaus, Stella of Acme, Olga of Support. */
  petra: Person
  stella: Person
  olga: Person
  mail: Panel['app']['mailContext']
  /** The texts of the links that were mailed, the last one first. */
  links: string[]
}

const day = 24 * 3_600_000
const later = <Actor extends { at: number }>(actor: Actor, by: number): Actor => ({ ...actor, at: actor.at + by })

function worldOf(panel: Panel): World {
  const { app, db } = panel
  const at = app.now()
  const user = (who: CastName) => there(findUserByEmail(db, cast[who].email))
  const account = (identifier: string) =>
    there(db.select().from(schema.accounts).where(eq(schema.accounts.identifier, identifier)).get())
  const acting = (who: CastName, from: string | null): Person => ({
    userId: user(who).id,
    accountId: from === null ? null : account(from).id,
    bySupport: from === null,
    at,
    ip: '192.0.2.7',
    requestId: `request of ${who}`,
    stillMay: null,
  })
  const links: string[] = []
  return {
    panel,
    db,
    at,
    user,
    account,
    website: there(listProjectChoices(db, account('acme').id, 9).find(({ identifier }) => identifier === 'website')).id,
    petra: acting('petra', 'cloudhaus'),
    stella: acting('stella', 'acme'),
    olga: acting('olga', null),
    mail: {
      ...app.mailContext,
      post: (tx, at, letter) => {
        const { link } = letter.data as { link?: string }
        if (typeof link === 'string') links.unshift(link)
        return app.mailContext.post(tx, at, letter)
      },
    },
    links,
  }
}

const guest = { name: 'Günter 9', email: 'Guenter@Acme.example' }
const hash = /^[0-9a-f]{64}$|^[\w-]{43}$/

function invited({ db, stella, mail, account, website }: World, email = guest.email): Invitation {
  const projects: NewInvitation['projects'] = [{ id: website, role: 'reader' }]
  const input = { name: guest.name, email, role: 'admin', projects } as const
  const made = invite(db, stella, { ...mail, inviter: 'Stella' }, { account: account('acme'), input })
  if (typeof made === 'string') throw new Error(made)
  return made
}

/** Inviting to a membership of Acme with a project, and joining. */
function described({ db, petra, account }: World, wanted: Details, version: number) {
  const [{ id }, partnerId] = [account('acme'), account('cloudhaus').id]
  changeDetails(db, petra, { partnerId, identifier: 'acme' }, { wanted, version })
  const { tags: _, ...texts } = wanted
  return { ...texts, referenceKey: wanted.reference.toLowerCase(), accountId: id, partnerId, version: version + 1 }
}

const details: Details = {
  contactName: 'Karla 7',
  contactEmail: 'karla@acme.example',
  contactPhone: '+49 30 1234',
  contactAddress: 'Main Street 1\nBerlin',
  reference: 'K-1007',
  note: 'Call after noon',
  tags: ['VIP'],
}

function joined(world: World): Invitation {
  const { db, stella } = world
  const invitation = invited(world, cast.nils.email)
  there(acceptInvitation(db, later(stella, 1_000), { id: invitation.id, userId: world.user('nils').id, way: 'mailed' }))
  return invitation
}

const newImport = ({ db, stella, account }: World) =>
  createImport(db, stella, account('acme').id, { kind: 'users', fileName: 'people.csv' })

const cores = ({ db }: Pick<World, 'db'>) => there(findResource(db, 'cores')).id

/** Sets a limit of Acme or of Website, and says what its row holds. */
function limited({ db, stella, account, website }: World, level: 'account' | 'project', amount: number) {
  const accountId = account('acme').id
  const holder: Holder = level === 'account' ? { level, accountId } : { level, accountId, projectId: website }
  const { version } = there(findQuotas(db, holder))
  const [by, remark] = [later(stella, amount), `To ${amount}`]
  setLimits(db, by, holder, { amounts: new Map([[cores({ db }), amount]]), remark, version })
  return { amount, remark, setBy: by.userId, setFrom: by.accountId, setAt: by.at }
}

/** Acme asks for 11 cores for Website. */
function asked(world: World) {
  limited(world, 'account', 10)
  limited(world, 'project', 10)
  const wish = { projectId: world.website, amounts: new Map([[cores(world), 11]]), reason: 'More visitors' }
  askForMore(world.db, world.stella, { accountId: world.account('acme').id, ...wish }, world.mail)
  return { projectId: wish.projectId, reason: wish.reason, requestedBy: world.stella.userId }
}

function approve({ db, petra, account, mail }: World, id: number) {
  const by = later(petra, 1_000)
  const which = { partnerId: account('cloudhaus').id, accountId: account('acme').id, id }
  approveRequest(db, by, { ...which, amounts: new Map([[cores({ db }), 12]]), comment: 'Gladly' }, mail)
  return by
}

const posted = ({ db, mail, at }: World, letter: Pick<Letter, 'reason' | 'names' | 'accountId'>) =>
  mail.post(db, at, {
    kind: 'notice',
    ...guest,
    data: { subject: 'News', paragraphs: ['Much.'], facts: [], link: { words: 'Open', to: '/' } },
    ...letter,
  })

/** Nils of Acme has access to Website by his group. */
function mappedAccess({ db, stella, account, user, website }: World) {
  const seat = { accountId: account('acme').id, userId: user('nils').id }
  addMember(db, stella, { ...seat, role: 'member' }, 'member.joined')
  const access = { ...seat, projectId: website, mapped: true }
  addAccess(db, stella, access, 'user')
  return { ...access, role: 'user', ...named('Nils', cast.nils.email), createdAt: stella.at } as const
}

/** Starts a session as a single sign-on does. */
async function startedBySso({ app }: Panel, id: UserId, sso: SsoProof): Promise<void> {
  const session = { regenerate: async () => {}, sessionId: 'theirs' }
  const request = { server: app, session, viewer: visitor, headers: {}, cookies: {}, ip: '127.0.0.1' }
  await signIn(request as never, { userId: id, accountId: null, sso })
}

const stories: { [Table in Key]: Story<RowOf<Table>>[] } = {
  accountSecurity: [
    [
      ({ db, stella, account, mail }) => {
        const accountId = account('acme').id
        const rules = { networks: '192.0.2.0/24', secondFactorFrom: 8, sessionTime: 9, idleTime: 10 }
        saveSecurity(db, stella, { accountId, ...rules, version: 0 }, { mail, host: 'localhost' })
        return { accountId, ...rules }
      },
      ({ db, stella, mail }, { accountId }) => {
        const rules = { networks: '', secondFactorFrom: null, sessionTime: null, idleTime: null }
        saveSecurity(db, stella, { accountId, ...rules, version: 1 }, { mail, host: 'localhost' })
        return { ...rules, version: 2 }
      },
    ],
  ],
  accountProviders: [
    [
      ({ db, stella, account }) => {
        const accountId = account('acme').id
        const wanted = {
          issuer: 'https://id.acme.example',
          clientId: 'panel',
          clientSecret: 'sealed',
          emailTrusted: true,
        }
        saveAccountProvider(db, stella, accountId, { ...wanted, version: 0 })
        return { accountId, ...wanted, createdAt: stella.at }
      },
      ({ db, stella }, { accountId, version }) => {
        const wanted = { newPeople: 'groups', groupClaim: 'groups' } as const
        setNewPeople(db, stella, accountId, { ...wanted, version })
        return { ...wanted, version: version + 1 }
      },
      ({ db, stella }, { accountId }) => {
        const wanted = { requiredFrom: stella.at + day, exemptUserId: stella.userId }
        setRequired(db, stella, accountId, wanted)
        return wanted
      },
    ],
  ],
  accountDomains: [
    [
      ({ db, stella, account }) => {
        const accountId = account('acme').id
        addDomain(db, stella, accountId, 'acme.example')
        return { accountId, domain: 'acme.example', token: hash, createdAt: stella.at }
      },
      ({ db, stella }, row) => {
        noteCheck(db, later(stella, 5), row, true)
        return { provedAt: stella.at + 5, checkedAt: stella.at + 5 }
      },
      ({ db, stella }, row) => {
        noteCheck(db, later(stella, day), row, false)
        return { failingSince: stella.at + day, checkedAt: stella.at + day }
      },
    ],
  ],
  providerGroups: [
    [
      ({ db, stella, account, website }) => {
        const accountId = account('acme').id
        const rule = { value: 'staff', role: 'member', projectId: website, projectRole: 'reader' } as const
        addGroup(db, stella, accountId, rule)
        return { accountId, ...rule, createdAt: stella.at }
      },
    ],
  ],
  accounts: [
    [
      ({ db, petra }) => {
        const gold = { kind: 'partner', name: 'Gold 7', identifier: 'gold' } as const
        createAccount(db, petra, { ...gold, partnerId: null })
        return { ...gold, ...named('Gold 7', 'gold'), createdAt: petra.at }
      },
      ({ db, petra }, { id }) => {
        setAutomaticShare(db, petra, id, 15)
        return { automaticShare: 15 }
      },
    ],
    [
      ({ db, petra, account }) => {
        const partnerId = account('cloudhaus').id
        createAccount(db, petra, { kind: 'customer', name: 'Silver', identifier: 'silver', partnerId })
        return { partnerId }
      },
      ({ db, petra, mail }, { id }) => {
        suspendAccount(db, petra, { accountId: id, reason: 'Not paid' }, mail)
        return { suspendedAt: petra.at, suspendedReason: 'Not paid' }
      },
      ({ db, olga, mail }, { id }) => {
        suspendAccount(db, olga, { accountId: id, reason: 'Abuse' }, mail)
        return { supportSuspendedAt: olga.at, supportSuspendedReason: 'Abuse' }
      },
      ({ db, petra }, { id, version }) => {
        renameAccount(db, petra, id, { name: 'Silver 2', version })
        return { name: 'Silver 2', version: version + 1 }
      },
      ({ db, petra, account, mail }, { id }) => {
        deleteAccount(db, petra, { partnerId: account('cloudhaus').id, accountId: id }, mail)
        return { deletedAt: petra.at, deletedBy: petra.userId }
      },
      ({ db, at }, { id }) => {
        purgeAccount(db, at + 31 * day, id, { removeFiles: () => {} })
        return { purgedAt: at + 31 * day }
      },
    ],
  ],
  memberships: [
    [
      ({ db, petra, account, user }) => {
        const member = {
          accountId: account('acme').id,
          userId: user('nils').id,
          role: 'member',
          fromPartner: true,
          mapped: true,
        } as const
        addMember(db, petra, member, 'member.joined')
        return { ...member, ...named('Nils', cast.nils.email), createdAt: petra.at, lastUsedAt: petra.at }
      },
      ({ db, petra }, { accountId, userId, version }) => {
        changeRole(db, petra, { accountId, userId }, { role: 'admin', version })
        return { role: 'admin', version: version + 1 }
      },
    ],
  ],
  apiTokens: [
    [
      ({ db, stella, account }) => {
        const { token } = there(
          createApiToken(db, stella, account('acme').id, {
            name: 'Shop',
            scopes: ['members:read', 'projects:write'],
            networks: ['192.0.2.0/24', '2001:db8::1'],
            days: 30,
          }),
        )
        return {
          hash: hashToken(token),
          lastFour: token.slice(-4),
          userId: stella.userId,
          accountId: account('acme').id,
          madeBy: stella.userId,
          name: 'Shop',
          scopes: 'members:read projects:write',
          networks: '192.0.2.0/24 2001:db8::1',
          createdAt: stella.at,
          expiresAt: stella.at + 30 * day,
          remindAt: stella.at + 16 * day,
        }
      },
      ({ db, at }, { expiresAt }) => {
        noteExpiring(db, at + 16 * day)
        return { remindAt: expiresAt - 2 * day }
      },
      ({ db, at }, { id }) => {
        noteTokenUse(db, id, at + 5, '192.0.2.9')
        return { lastUsedAt: at + 5, lastUsedIp: '192.0.2.9' }
      },
      ({ db, stella }, { id }) => {
        endApiToken(db, later(stella, 7), { userId: stella.userId, tokenId: id })
        return { endedAt: stella.at + 7, remindAt: null }
      },
    ],
    [
      ({ db, stella, account }) => {
        const { userId } = stella
        const accountId = account('acme').id
        const choice = { name: 'Shop', scopes: ['members:read'], networks: [], days: 30 } as const
        createApiToken(db, stella, accountId, choice)
        const firstId = newestId(db, schema.apiTokens)
        const { token } = there(rotateApiToken(db, stella, { userId, tokenId: firstId }, true))
        const times = {
          createdAt: stella.at,
          expiresAt: stella.at + 30 * day,
          remindAt: stella.at + 16 * day,
        }
        const values = { userId, accountId, madeBy: userId, name: 'Shop', scopes: 'members:read', firstId, ...times }
        return { ...values, hash: hashToken(token), lastFour: token.slice(-4) }
      },
    ],
    [
      ({ db, petra, account }) => {
        const accountId = account('acme').id
        const { userId } = petra
        addMember(db, petra, { accountId, userId, role: 'admin', fromPartner: true }, 'member.added-self')
        const choice = { name: 'Helper', scopes: ['members:read'], networks: [], days: 30 } as const
        const { token } = there(createApiToken(db, petra, accountId, choice))
        return {
          hash: hashToken(token),
          lastFour: token.slice(-4),
          userId,
          accountId,
          madeBy: userId,
          fromPartner: true,
          name: 'Helper',
          scopes: 'members:read',
          createdAt: petra.at,
          expiresAt: petra.at + 30 * day,
          remindAt: petra.at + 16 * day,
        }
      },
    ],
  ],
  serviceUsers: [
    [
      ({ db, stella, account }) => {
        const accountId = account('acme').id
        const made = createServiceUser(db, stella, accountId, { name: 'Shop 7', role: 'member' })
        const userId = made === 'full' ? undefined : made.userId
        const values = { userId: there(userId), accountId, role: 'member', madeBy: stella.userId } as const
        return { ...values, ...named('Shop 7', ''), createdAt: stella.at }
      },
      ({ db, stella }, { accountId, userId, version }) => {
        changeServiceUser(db, stella, { accountId, userId }, { name: 'Till 8', role: 'admin', version })
        return { role: 'admin', ...named('Till 8', ''), version: version + 1 }
      },
      ({ db, stella }, { accountId, userId }) => {
        removeServiceUser(db, later(stella, 9), { accountId, userId })
        return { removedAt: stella.at + 9 }
      },
    ],
    [
      ({ db, petra, account }) => {
        const accountId = account('acme').id
        const seat = { accountId, userId: petra.userId, role: 'admin', fromPartner: true } as const
        addMember(db, petra, seat, 'member.added-self')
        const made = createServiceUser(db, petra, accountId, { name: 'Shop 7', role: 'admin' })
        const userId = there(made === 'full' ? undefined : made.userId)
        const values = { userId, accountId, role: 'admin', madeBy: petra.userId, fromPartner: true } as const
        return { ...values, ...named('Shop 7', ''), createdAt: petra.at }
      },
    ],
  ],
  apiReplays: [
    [
      ({ db, stella, account }) => {
        createApiToken(db, stella, account('acme').id, {
          name: 'Shop',
          scopes: ['members:read'],
          networks: [],
          days: 30,
        })
        const tokenId = newestId(db, schema.apiTokens)
        const row = { tokenId, keyHash: 'k', requestHash: 'r', status: 201, answer: 'sealed', at: stella.at }
        keepReplay(db, row)
        return row
      },
    ],
  ],
  partnerRequests: [
    [
      ({ db, stella, account }) => {
        requestPartnership(db, stella, { accountId: account('acme').id, who: 'everyone' }, () => {})
        return { accountId: account('acme').id, requestedBy: stella.userId, createdAt: stella.at }
      },
      ({ db, olga, mail }, { accountId }) => {
        const by = later(olga, 1_000)
        makePartner(db, by, accountId, mail)
        return { state: 'granted', decidedAt: by.at }
      },
    ],
  ],
  imports: [
    [
      (world) => {
        const { ip, requestId, userId, at } = world.stella
        newImport(world)
        const what = { accountId: world.account('acme').id, kind: 'users', fileName: 'people.csv' } as const
        return { ...what, createdBy: userId, createdAt: at, ip, requestId }
      },
      ({ db, stella }, { id }) => {
        finishChecking(db, stella, id, { header: ['name', 'shoe'], leftOut: ['shoe'], unreadAfter: 3 })
        return { state: 'ready', header: '["name","shoe"]', leftOut: '["shoe"]', unreadAfter: 3 }
      },
      ({ db, stella }, row) => {
        startImport(db, { ...stella, ip: '192.0.2.8', requestId: 'another' }, { ...row, creator: '' })
        return { state: 'running', ip: '192.0.2.8', requestId: 'another' }
      },
      ({ db, stella }, row) => {
        const by = later(stella, 1_000)
        stopImport(db, by, row)
        return { state: 'stopped', endedAt: by.at, stoppedBy: by.userId }
      },
      ({ db, at }) => {
        discardOldImports(db, at + 31 * day, false)
        return { discardedAt: at + 31 * day }
      },
    ],
  ],
  importRows: [
    [
      (world) => {
        const row: NewRow = {
          line: 7,
          input: '{"name":"Karla"}',
          subject: 'Karla',
          emailKey: 'karla@acme.example',
          state: 'ready',
          words: 'Will be invited',
          cells: '["Karla"]',
          search: 'karla',
          unchanged: true,
        }
        const importId = newImport(world)
        addRows(world.db, importId, [row])
        return { importId, ...row }
      },
      (world, row) => {
        const invitationId = invited(world).id
        markRow(world.db, row, 'done', { words: 'Was invited', invitationId })
        return { state: 'done', words: 'Was invited', invitationId, cells: null }
      },
    ],
  ],
  invitations: [
    [
      (world) => {
        const { name, email } = { name: guest.name, email: 'NILS@nowhere.example' }
        const { userId, accountId, at } = world.stella
        invited(world, email)
        return {
          ...{ accountId: world.account('acme').id, name, email, emailKey: emailKey(email), role: 'admin' },
          ...{ search: searchText(name, email), invitedBy: userId, invitedFrom: accountId },
          ...{ createdAt: at, sentAt: at, expiresAt: at + invitationLifetime },
        }
      },
      ({ db, stella, user }, { id }) => {
        const by = later(stella, 1_000)
        acceptInvitation(db, by, { id, userId: user('nils').id, way: 'mailed' })
        return { state: 'accepted', endedAt: by.at, acceptedBy: user('nils').id }
      },
    ],
    [
      (world) => ({ invitedBy: invited(world).invitedBy }),
      ({ db, at }, { expiresAt }) => {
        noteExpired(db, at + invitationLifetime)
        return { toldExpiry: expiresAt }
      },
    ],
  ],
  invitationTokens: [
    [
      (world) => {
        const { db, stella } = world
        const invitationId = invited(world).id
        const token = addToken(db, stella, invitationId, 'copied')
        const by = { madeBy: stella.userId, madeFrom: stella.accountId, createdAt: stella.at }
        return { hash: hashToken(token), invitationId, kind: 'copied', ...by }
      },
      ({ db, stella, mail, account }, { invitationId }) => {
        const by = later(stella, resendGap)
        resend(db, by, { ...mail, inviter: 'Stella' }, { account: account('acme'), id: invitationId, handler: 'own' })
        return { supersededAt: by.at }
      },
    ],
  ],
  invitationProjects: [
    [
      (world) => {
        const { id: invitationId, accountId } = invited(world)
        return { accountId, invitationId, projectId: world.website, role: 'reader' }
      },
    ],
  ],
  letters: [
    [
      (world) => {
        const { user, account, at } = world
        const because = { userId: user('petra').id, readerOf: account('cloudhaus').id }
        posted(world, { reason: { because: 'admin', ...because }, accountId: account('acme').id })
        const reader = { ...guest, subject: 'News', search: searchText(guest.name, guest.email, 'News') }
        const sent = { messageId: /^<.+@localhost>$/, body: /./, createdAt: at, dueAt: at, giveUpAt: at + giveUpAfter }
        return { ...reader, ...sent, reason: 'admin', ...because, accountId: account('acme').id }
      },
      ({ db, at }, { accountId }) => {
        withdrawLettersAbout(db, there(accountId), at + 1_000)
        return { state: 'withdrawn', body: null, error: 'Not sent: the account was deleted.', doneAt: at + 1_000 }
      },
    ],
    [
      (world) => {
        const { id: invitationId } = invited(world)
        return { reason: 'invitation', invitationId, tokenHash: hash }
      },
      async ({ db }, { id }) => {
        await until(
          'it is kept',
          () =>
            db
              .select()
              .from(schema.letters)
              .all()
              .find((one) => one.id === id)?.doneAt,
        )
        return { state: 'kept', attempts: 1 }
      },
    ],
    [
      (world) => {
        requestReset(world.db, world.stella, world.user('stella'), world.mail)
        return { priority: 0, reason: 'token', tokenHash: hash }
      },
    ],
  ],
  notifications: [
    [
      ({ db, olga, user, account, mail }) => {
        suspendAccount(db, olga, { accountId: account('acme').id, reason: 'Abuse' }, mail)
        const told = { audience: 'partner', topic: 'accounts', mail: 'now', recordId: /^[1-9]/ } as const
        const of = { accountId: account('acme').id, readerOf: account('cloudhaus').id }
        return { ...told, ...of, userId: user('petra').id, createdAt: olga.at }
      },
      ({ db, at, mail }, { userId }) => {
        writeToReader(db, at, { userId, mail: 'now', before: at + 1 }, mail)
        return { mail: 'written', letterId: /^[1-9]/ }
      },
      ({ db, petra }, { id }) => {
        markRead(db, petra, id)
        return { readAt: petra.at }
      },
    ],
  ],
  notificationChoices: [
    [
      ({ db, stella }) => {
        chooseWays(db, stella, { usage: 'off' })
        return { userId: stella.userId, topic: 'usage', way: 'off' }
      },
    ],
  ],
  webhooks: [
    [
      ({ db, stella, account, panel }) => {
        const wish = { url: 'https://x.example/', events: 'project.*' }
        createWebhook(db, stella, { ...wish, owner: account('acme').id }, panel.app.secrets)
        return { ...wish, accountId: account('acme').id, secret: /./, createdAt: stella.at }
      },
      ({ db, stella, account, panel }, { id, secret }) => {
        const by = later(stella, 1_000)
        rotateWebhookSecret(db, by, { owner: account('acme').id, id }, panel.app.secrets)
        return { earlierSecret: secret, earlierUntil: by.at + day, version: 2 }
      },
      ({ db, stella, account }, webhook) => {
        record(db, stella, { kind: 'project.renamed', accountId: account('acme').id })
        const delivery = there(db.select().from(schema.deliveries).get())
        const failed = { status: 500, error: null, duration: 1, retryAfter: 60_000 }
        noteOutcome(db, { webhook, delivery }, failed, { now: stella.at, believed: true })
        const heldUntil = stella.at + 60_000
        return { failures: 1, failingSince: stella.at, heldUntil, nextAt: /^[1-9]/ }
      },
      ({ db, stella, account }, { id }) => {
        retrySince(db, stella, { owner: account('acme').id, id }, 7)
        return { retryFrom: 7, heldUntil: 0, nextAt: stella.at }
      },
      ({ db, stella, account }, { id, url, events }) => {
        changeWebhook(db, stella, { owner: account('acme').id, id }, { url, events, on: false })
        return { offAt: stella.at, offBecause: 'person', version: 3 }
      },
      ({ db, stella }, webhook) => {
        const delivery = there(db.select().from(schema.deliveries).get())
        noteOutcome(
          db,
          { webhook, delivery },
          { status: 200, error: null, duration: 1, retryAfter: null },
          { now: stella.at, believed: true },
        )
        return { succeededAt: stella.at, failures: 0, failingSince: null }
      },
      ({ db, stella, account }, { id }) => {
        removeWebhook(db, stella, { owner: account('acme').id, id })
        return { removedAt: stella.at }
      },
    ],
  ],
  deliveries: [
    [
      ({ db, stella, account, panel }) => {
        const wish = { url: 'https://x.example/', events: 'project.*' }
        createWebhook(db, stella, { ...wish, owner: account('acme').id }, panel.app.secrets)
        record(db, stella, { kind: 'project.renamed', accountId: account('acme').id })
        const of = { accountId: account('acme').id, webhookId: /^[1-9]/, recordId: /^[1-9]/ }
        const made = {
          type: 'project.renamed',
          body: /"type":"project.renamed"/,
          createdAt: stella.at,
          dueAt: stella.at,
        }
        return { ...of, ...made, messageId: /^msg_/ }
      },
      ({ db, stella }, delivery) => {
        const webhook = there(db.select().from(schema.webhooks).get())
        const failed = { status: null, error: 'No answer', duration: 15, retryAfter: 60_000 }
        noteOutcome(db, { webhook, delivery }, failed, { now: stella.at, believed: true })
        return { error: 'No answer', duration: 15, attempts: 1, triedAt: stella.at, dueAt: stella.at + 60_000 }
      },
      ({ db, stella }, delivery) => {
        const webhook = there(db.select().from(schema.webhooks).get())
        noteOutcome(
          db,
          { webhook, delivery },
          { status: 204, error: null, duration: 3, retryAfter: null },
          { now: stella.at, believed: true },
        )
        return { state: 'delivered', status: 204, error: null, body: null, attempts: 2 }
      },
    ],
  ],
  letterPeople: [
    [
      (world) => {
        posted(world, { reason: { because: 'support' }, names: [world.user('tom').id] })
        return { letterId: 1, userId: world.user('tom').id }
      },
    ],
  ],
  users: [
    [
      ({ db, olga }) => {
        createUser(db, olga, { ...guest, passwordHash: 'a hash', operator: true, emailProved: true })
        const made = { passwordHash: 'a hash', operator: true, emailProvedAt: olga.at, createdAt: olga.at }
        return { ...guest, emailKey: emailKey(guest.email), ...named(guest.name, guest.email), ...made }
      },
      ({ db, olga }, { id, version }) => {
        renameUser(db, olga, id, { name: 'Günter 10', version })
        return { name: 'Günter 10', version: version + 1 }
      },
      ({ db, olga }, { id }) => {
        const display = { theme: 'dark', timeZone: 'Asia/Tokyo', zoneByBrowser: false, numbers: 'space' } as const
        setDisplay(db, olga, id, display)
        return display
      },
      ({ db, olga }, { id }) => {
        switchOn(
          db,
          { ...olga, userId: id },
          { sealedSecret: 'sealed', step: 5, codes: [], sessionHash: 'no session' },
          () => {},
        )
        return { totpSecret: 'sealed', totpStep: 5 }
      },
      ({ db, olga }, { id }) => {
        const adding = { name: 'Phone', host: 'localhost', handle: 'a handle', sessionHash: 'no session' }
        const passkey: NewPasskey = {
          ...{ credentialId: 'an id', publicKey: Buffer.from('a key'), counter: 0, transports: '' },
          deviceType: 'singleDevice',
          ...{ backedUp: false, verifies: true },
        }
        addPasskey(db, { ...olga, userId: id }, { ...adding, passkey }, () => {})
        return { passkeyHandle: 'a handle' }
      },
      ({ db, olga }, { id }) => {
        setDisabled(db, olga, id, true)
        return { disabledAt: olga.at }
      },
      ({ db, olga, panel }, { id }) => {
        deleteUser(db, olga, id, { secrets: panel.app.secrets, removeFiles: () => {}, eraseTraces: () => {} })
        return { deletedAt: olga.at }
      },
    ],
    [
      ({ db, olga }) => {
        const [nils] = db.select().from(schema.users).where(eq(schema.users.email, cast.nils.email)).all()
        createUser(db, olga, { ...guest, passwordHash: there(nils).passwordHash, emailProved: true })
        return { passwordHash: there(nils).passwordHash }
      },
      async ({ panel }) => {
        await panel.visit().logIn(guest.email)
        return { lastSeenAt: /^\d+$/ }
      },
    ],
    [
      ({ db, stella, account }) => {
        createServiceUser(db, stella, account('acme').id, { name: 'Shop 7', role: 'member' })
        return { name: 'Shop 7', service: true, email: '', emailKey: /^service [0-9a-f-]{36}$/, createdAt: stella.at }
      },
    ],
  ],
  passwordResets: [
    [
      ({ db, stella, user, mail, at }) => {
        requestReset(db, stella, user('stella'), mail)
        return { hash, userId: stella.userId, expiresAt: at + resetLifetime }
      },
      ({ db, stella, user, links }) => {
        const token = there(links[0]?.split('/').at(-1))
        resetPassword(db, stella, { token, user: user('stella'), passwordHash: 'another hash' }, () => {})
        return { usedAt: stella.at }
      },
    ],
  ],
  emailChanges: [
    [
      ({ db, stella, user, mail, at }) => {
        requestEmailChange(db, stella, { user: user('stella'), email: guest.email }, mail)
        return { hash, userId: stella.userId, email: guest.email, expiresAt: at + 3_600_000 }
      },
    ],
  ],
  sessions: [
    [
      async ({ panel, user, account }) => {
        await panel.visit().logIn(cast.stella.email)
        const time = /^\d+$/
        const from = { ip: '127.0.0.1', browser: /lightMyRequest/ }
        const since = { createdAt: time, lastSeenAt: time, provedAt: time }
        return {
          hash,
          userId: user('stella').id,
          activeAccountId: account('acme').id,
          secondFactor: false,
          newBrowser: true,
          ...since,
          ...from,
        }
      },
      ({ db, stella }, row) => {
        switchOn(db, stella, { sealedSecret: 'sealed', step: 5, codes: [], sessionHash: row.hash }, () => {})
        return { secondFactor: true }
      },
    ],
    [
      async ({ panel, db, stella, account }) => {
        connectIdentity(db, stella, { issuer: 'https://id.example/', subject: 'stella' }, () => {})
        const sso = { identityId: 1, ssoSid: 'theirs', ssoFactors: true, ssoAccountId: account('acme').id }
        await startedBySso(panel, stella.userId, { ...sso, provedAt: 5 })
        return sso
      },
    ],
    [
      async ({ panel, user }) => {
        const stella = await panel.signIn('stella')
        panel.pass(5 * 60_000)
        await stella.get('/profile')
        return { userId: user('stella').id, longestIdle: /^30\d{4}$/ }
      },
    ],
  ],
  listChoices: [
    [
      ({ db, stella }) => {
        keepListChoice(db, stella.userId, 'users', 'sort=joined')
        return { userId: stella.userId, list: 'users', query: 'sort=joined' }
      },
    ],
  ],
  savedViews: [
    [
      ({ db, stella, account }) => {
        const view = { name: 'Admins', search: 'a', query: 'role=admin' }
        const of = { accountId: account('acme').id, list: 'users' }
        saveView(db, stella, of, view)
        return { ...of, ...view, userId: stella.userId }
      },
      ({ db, stella }, { id }) => {
        renameSavedView(db, stella, id, 'Managers')
        return { name: 'Managers' }
      },
    ],
  ],
  recoveryCodes: [
    [
      ({ db, stella }) => {
        renewCodes(db, stella, ['a code'])
        return { userId: stella.userId, hash: hashToken('a code') }
      },
    ],
  ],
  passkeys: [
    [
      ({ db, stella }) => {
        const passkey: NewPasskey = {
          ...{ credentialId: 'an id', publicKey: Buffer.from('a key'), counter: 1, transports: 'usb nfc' },
          deviceType: 'multiDevice',
          ...{ backedUp: true, verifies: true },
        }
        const adding = { passkey, name: 'Phone', host: 'localhost', handle: 'a handle', sessionHash: 'no session' }
        addPasskey(db, stella, adding, () => {})
        return { ...passkey, userId: stella.userId, host: 'localhost', name: 'Phone', createdAt: stella.at }
      },
      ({ db, stella }, { id }) => {
        renamePasskey(db, stella, id, 'Old phone')
        return { name: 'Old phone' }
      },
      ({ db, stella }, row) => {
        notePasskeyUse(db, stella, { passkey: row, use: { counter: 2, backedUp: false } }, () => {})
        return { counter: 2, backedUp: false, lastUsedAt: stella.at }
      },
    ],
  ],
  identities: [
    [
      ({ db, stella }) => {
        connectIdentity(db, stella, { issuer: 'https://id.example/', subject: 'stella' }, () => {})
        return { issuer: 'https://id.example/', subject: 'stella', userId: stella.userId, createdAt: stella.at }
      },
      async ({ panel }, { id, userId }) => {
        const sso = { identityId: id, ssoSid: 'theirs', ssoFactors: true, ssoAccountId: null, provedAt: 5 }
        await startedBySso(panel, userId, sso)
        return { lastUsedAt: /^\d+$/ }
      },
    ],
  ],
  usedChallenges: [
    [
      ({ db, at }) => {
        useUpChallenge(db, 'a challenge', { at, expiresAt: at + 1 })
        return { hash: hashToken('a challenge'), expiresAt: at + 1 }
      },
    ],
  ],
  throttles: [
    [
      ({ db, at }) => {
        admit(db, { account: 'somebody', address: undefined }, at)
        return { key: `account ${hashToken('somebody')}`, tries: 1, at }
      },
    ],
  ],
  projects: [
    [
      ({ db, stella, account }) => {
        const project = { name: 'Intranet 3', identifier: 'intranet' }
        createProject(db, stella, { accountId: account('acme').id, userId: stella.userId }, project)
        return { accountId: account('acme').id, ...project, ...named(project.name, 'intranet'), createdAt: stella.at }
      },
      ({ db, stella }, { id, accountId, version }) => {
        renameProject(db, stella, { accountId, projectId: id }, { name: 'Intranet 4', version })
        return { name: 'Intranet 4', version: version + 1 }
      },
      ({ db, stella }, { id, accountId }) => {
        deleteProject(db, stella, accountId, id)
        return { deletedAt: stella.at, deletedBy: stella.userId }
      },
      ({ db, at }, { id }) => {
        purgeDeletedProject(db, at + 31 * day, id)
        return { purgedAt: at + 31 * day }
      },
    ],
  ],
  projectAccess: [
    [
      (world) => {
        joined(world)
        const access = { accountId: world.account('acme').id, projectId: world.website, userId: world.user('nils').id }
        const at = world.stella.at + 1_000
        return { ...access, role: 'reader', ...named('Nils', cast.nils.email), createdAt: at }
      },
      ({ db, stella }, { accountId, projectId, userId, version }) => {
        changeAccess(db, stella, { accountId, projectId, userId }, { role: 'admin', version })
        return { role: 'admin', version: version + 1 }
      },
    ],
    [mappedAccess],
  ],
  keptAccess: [
    [
      (world) => {
        joined(world)
        deleteProject(world.db, world.stella, world.account('acme').id, world.website)
        return {
          accountId: world.account('acme').id,
          projectId: world.website,
          userId: world.user('nils').id,
          role: 'reader',
        }
      },
    ],
    [
      (world) => {
        const { accountId, projectId, userId, role, mapped } = mappedAccess(world)
        deleteProject(world.db, world.stella, accountId, projectId)
        return { accountId, projectId, userId, role, mapped }
      },
    ],
  ],
  keptLimits: [
    [
      (world) => {
        limited(world, 'project', 4)
        deleteProject(world.db, world.stella, world.account('acme').id, world.website)
        return { accountId: world.account('acme').id, projectId: world.website, resourceId: cores(world), amount: 4 }
      },
    ],
  ],
  resources: [
    [
      ({ db, olga }) => {
        const resource = { key: 'gpus', name: 'GPUs', unit: 'cards' }
        addResource(db, olga, resource)
        return resource
      },
      ({ db, olga }, { key, version }) => {
        changeResource(db, olga, key, { name: 'Graphics', unit: 'GB', version })
        return { name: 'Graphics', unit: 'GB', version: version + 1 }
      },
    ],
  ],
  limits: [
    [
      (world) => {
        const set = limited(world, 'account', 4)
        return { level: 'account', accountId: world.account('acme').id, ...set }
      },
      (world) => {
        limited(world, 'project', 4)
        return { toldUse: 100 }
      },
    ],
    [
      (world) => {
        const set = limited(world, 'project', 4)
        const place = { level: 'project', accountId: world.account('acme').id, projectId: world.website } as const
        return { ...place, resourceId: cores(world), ...set }
      },
      (world, { version }) => {
        const { amount, remark, setAt } = limited(world, 'project', 5)
        return { amount, remark, setAt, version: version + 1 }
      },
    ],
  ],
  poolSums: [
    [
      (world) => {
        const { amount } = limited(world, 'account', 4)
        return { partnerId: world.account('cloudhaus').id, resourceId: cores(world), amount }
      },
      (world) => ({ amount: limited(world, 'account', 5).amount }),
    ],
  ],
  quotaRequests: [
    [
      (world) => ({ ...asked(world), accountId: world.account('acme').id, createdAt: world.stella.at }),
      (world, { id }) => {
        const by = approve(world, id)
        return { state: 'approved', comment: 'Gladly', endedAt: by.at, endedBy: by.userId }
      },
    ],
    [
      (world) => {
        setAutomaticShare(world.db, world.petra, world.account('cloudhaus').id, 50)
        return { ...asked(world), automatic: true }
      },
    ],
  ],
  quotaRequestAmounts: [
    [
      (world) => {
        asked(world)
        return { requestId: 1, resourceId: cores(world), asked: 11 }
      },
      (world, { requestId }) => {
        approve(world, requestId)
        return { granted: 12 }
      },
    ],
  ],
  records: [
    [
      ({ db, petra }) => {
        const about = {
          accountId: asAccountId(1),
          userId: asUserId(2),
          invitationId: 3,
          projectId: asProjectId(4),
          letterId: 5,
        }
        const { userId, accountId, at, ip, requestId } = petra
        record(
          db,
          { ...petra, bySupport: true, tokenId: 6 },
          { kind: 'account.renamed', ...about, change: { name: ['A', 'B'] } },
        )
        const by = { actorId: userId, actorAccountId: accountId, bySupport: true, at, ip, requestId, tokenId: 6 }
        return { kind: 'account.renamed', ...about, ...by, change: '{"name":["A","B"]}', hash }
      },
    ],
  ],
  personalChanges: [
    [
      ({ db, stella, user }) => {
        renameUser(db, stella, user('stella').id, { name: 'Stella 2', version: 1 })
        return { recordId: /^\d+$/, userId: stella.userId, field: 'name', before: 'Stella', after: 'Stella 2' }
      },
    ],
  ],
  troubles: [
    [
      ({ db, at, mail }) => {
        noteTroubles(db, [{ kind: 'backups', since: at, words: 'None was made.' }], at, mail)
        return { kind: 'backups', since: at }
      },
      ({ db, at, mail }) => {
        noteTroubles(db, [{ kind: 'backups', since: at, words: 'None was made.' }], at + day, mail)
        return { toldAt: at + day }
      },
    ],
  ],
  replication: [
    [
      ({ db }) => {
        saveClaim(db, { epoch: 3, claim: 'mine' })
        return { id: 1, epoch: 3, claim: 'mine' }
      },
      ({ db }) => {
        saveClaim(db, { epoch: 4, claim: 'yours' })
        return { epoch: 4, claim: 'yours' }
      },
    ],
  ],
  ties: [
    [
      (world) => {
        const { version: _, ...kept } = described(world, details, 0)
        return { ...kept, createdAt: world.petra.at, search: 'karla 7\nkarla@acme.example\nk-1007\nvip' }
      },
      (world, { version }) => {
        const others = { ...details, contactName: 'Lea 8', note: 'Call before noon' }
        const { contactName, note, version: next } = described(world, others, version)
        return { contactName, note, version: next }
      },
    ],
  ],
  tieTags: [
    [
      (world) => {
        const { partnerId } = described(world, details, 0)
        const { id } = there(world.db.select().from(schema.ties).get())
        return { tieId: id, partnerId, tag: 'VIP', tagKey: 'vip' }
      },
    ],
  ],
  plans: [
    [
      ({ db, petra, account }) => {
        const partnerId = account('cloudhaus').id
        createPlan(db, petra, partnerId, { name: 'Gold 7', isDefault: true, amounts: new Map() })
        return { partnerId, name: 'Gold 7', nameKey: 'gold 7', isDefault: true }
      },
      ({ db, petra }, { id, partnerId, version }) => {
        const wanted = { name: 'Silver 8', isDefault: false, amounts: new Map(), version }
        changePlan(db, petra, { partnerId, id }, wanted)
        return { name: 'Silver 8', nameKey: 'silver 8', isDefault: false, version: version + 1 }
      },
    ],
  ],
  planLimits: [
    [
      (world) => {
        const resourceId = cores(world)
        const wanted = { name: 'Bronze', isDefault: false, amounts: new Map([[resourceId, 9]]) }
        const plan = createPlan(world.db, world.petra, world.account('cloudhaus').id, wanted)
        if (typeof plan === 'string') throw new Error(plan)
        return { planId: plan.id, resourceId, amount: 9 }
      },
    ],
  ],
  installation: [
    [
      ({ db, at, panel }) => {
        db.delete(schema.installation).run()
        tie(db, panel.app.secrets, at)
        return { id: 1, keyCheck: /./, lastSeenAt: /^\d+$/ }
      },
      ({ db, at }) => {
        noteSeen(db, at + day)
        return { lastSeenAt: at + day }
      },
      ({ db, olga, at }) => {
        record(db, later(olga, day), { kind: 'account.renamed' })
        believeClock(db, olga)
        return { lastSeenAt: at, aheadUntil: at + day }
      },
    ],
  ],
}

/** Columns that no act sets, and why. */
const withoutAct: Record<string, string> = {
  'accounts.partnerKind': 'it is always “partner”, so that a foreign key can ask for it',
}

type Cells = Record<string, unknown>

const isWanted = (wanted: unknown, value: unknown) =>
  wanted instanceof RegExp ? wanted.test(String(value ?? '')) : isDeepStrictEqual(wanted, value)

const rowid = sql`rowid`.mapWith(Number)

const newestId = (db: Panel['db'], table: SQLiteTable) =>
  db.select({ id: rowid }).from(table).orderBy(desc(rowid)).limit(1).get()?.id ?? 0

const readRow = (db: Panel['db'], table: SQLiteTable, id: number): Cells =>
  there(db.select().from(table).where(eq(rowid, id)).get())

/** The values of a row when none of its columns is set. */
const unset = (table: SQLiteTable): Cells =>
  Object.fromEntries(Object.entries(getTableColumns(table)).map(([name, column]) => [name, column.default ?? null]))

const panel = await startApp(t)

for (const [key, table] of Object.entries(schema)) {
  if (!is(table, SQLiteTable)) continue
  t.test(`every column of ${key} is saved by the act that sets it`, async (t) => {
    const { db } = panel
    const set = new Set(Object.keys(withoutAct).map((name) => name.replace(`${key}.`, '')))
    const play = async (story: Story<Cells>) => {
      const world = worldOf(panel)
      let [row, id] = [unset(table), 0]
      for (const act of story) {
        const before = row
        const wanted = await act(world, before)
        id ||= newestId(db, table)
        row = readRow(db, table, id)
        for (const [name, value] of Object.entries(wanted)) {
          t.ok(isWanted(value, row[name]), `${key}.${name} is ${value}, not ${row[name]}`)
          t.notOk(isWanted(value, before[name]), `${key}.${name} was not ${value} before`)
          set.add(name)
        }
      }
    }
    for (const story of stories[key as Key] as Story<Cells>[]) await undone(db, () => play(story))
    // SQLite numbers the rows.
    const left = Object.keys(getTableColumns(table)).filter((name) => name !== 'id' && !set.has(name))
    t.same(left, [], 'no column is left out')
  })
}
