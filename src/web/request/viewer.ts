import type { FastifyRequest } from 'fastify'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import type { Suspension } from '../../db/suspension.ts'
import type { AccountKind, Role, Standing } from '../../policy.ts'
import type { Actor, Person } from '../../records/record.ts'
import type { Reader } from '../reader.ts'

export type ActiveAccount = {
  id: AccountId
  kind: AccountKind
  name: string
  identifier: string
  role: Role
  /** One of the partner's people, in one of its customers. */
  fromPartner: boolean
  suspension: Suspension | null
  partnerName: string | null
  /** A suspension by the partner waits for Support: the partner cannot act now. */
  leftToSupport: boolean
  /** What it asks of whoever works in it; null where that is nothing. */
  rules: AccountRules | null
}

/** What an account asks of those who work in it: null or empty for nothing. Times are in milliseconds. */
export type AccountRules = {
  networks: string
  secondFactorFrom: number | null
  sessionTime: number | null
  idleTime: number | null
}

/** What keeps somebody from an account whose member they are: what it asks for is not fulfilled. */
export type Unmet = 'address' | 'second factor' | 'proof'

/** An account that its members can no longer work in, and its partner if that can restore it; otherwise Support can. */
export type DeletedAccount = Pick<ActiveAccount, 'name' | 'identifier'> & { restorer: string | null }

/** A partner account of the viewer, and their standings in it. */
export type PartnerAccount = Pick<ActiveAccount, 'id' | 'identifier' | 'name' | 'kind'> & {
  standings: readonly Standing[]
}

/** Who asks, in which account: read from the database at every request. */
export type Viewer = {
  user:
    | {
        id: UserId
        name: string
        email: string
        /** A link that was mailed to the e-mail was followed. */
        emailProved: boolean
        operator: boolean
        /** A program’s user, and no person. */
        service: boolean
        twoFactor: boolean
        /** Has a passkey that works at this address. */
        passkey: boolean
        theme: 'light' | 'dark' | ''
        /** How they read times and numbers. */
        reads: Reader
      }
    | undefined
  /** Has given the password, but not yet the second factor: nobody, for all else. */
  halfSignedIn: { id: UserId; email: string } | undefined
  /** The one that the request acts in: the active account; in the Partner Area, the only partner account. */
  account: ActiveAccount | undefined
  /** The one that the switcher shows: the session's. */
  activeAccount: ActiveAccount | undefined
  /** The active account was taken from the user, who must choose another: none is chosen automatically. */
  accountLost: boolean
  /** It was lost because it was deleted, and may still be restored. */
  deletedAccount: DeletedAccount | undefined
  /** The accounts last used, one more than the switcher lists. Read when they are asked for, and once. */
  readonly recentAccounts: { identifier: string; name: string; kind: AccountKind; rules: AccountRules | null }[]
  /** The partner accounts last used, at most as many as the switcher lists. Read in the same way. */
  readonly partnerAccounts: PartnerAccount[]
  standings: readonly Standing[]
  /** Why the account that the request acts in is closed to them, if it is. */
  unmet?: Unmet | undefined
  /** The session has proved two factors. */
  secondFactor: boolean
  /** What forms are bound to: the hash of the session's id, or 'visitor'. */
  sessionKey: string
}

declare module 'fastify' {
  interface FastifyRequest {
    viewer: Viewer
    /** The token of a program that asks, and the first of those that replaced one another; none on pages. */
    apiToken?: { id: number; firstId: number; lastUsedAt: number | null; networks: string }
    /** The signed-in user and the active account. For handlers whose action asks for both. */
    readonly member: { user: NonNullable<Viewer['user']>; account: ActiveAccount }
    readonly signedIn: NonNullable<Viewer['user']>
    /** Reads the viewer again: rights may have gone since the request arrived. */
    readViewerAgain: () => void
    /**
     * The session began with the password alone, its user has a passkey, and an account of theirs asks for a second factor: only the
     * passkey confirms who they are.
     */
    readonly needsPasskey: boolean
    /** Throws the answer that a late request deserves, unless its viewer may still do what its route is for. */
    mustStillMay: (tx: Db) => void
  }
}

export const visitor: Viewer = {
  user: undefined,
  halfSignedIn: undefined,
  account: undefined,
  activeAccount: undefined,
  accountLost: false,
  deletedAccount: undefined,
  recentAccounts: [],
  partnerAccounts: [],
  standings: ['visitor'],
  secondFactor: false,
  sessionKey: 'visitor',
}

/** For the getter `request.signedIn`. */
export function signedIn(this: FastifyRequest) {
  if (!this.viewer.user)
    throw new Error(`${this.routeOptions.url} is for signed-in users, but its action admits visitors.`)
  return this.viewer.user
}

/** For the getter `request.member`. */
export function member(this: FastifyRequest) {
  if (!this.viewer.account)
    throw new Error(`${this.routeOptions.url} works in an account, but its action admits those without one.`)
  return { user: signedIn.call(this), account: this.viewer.account }
}

/** Who acts, for the history: a member of the active account. */
export function actor(request: FastifyRequest): Person {
  return {
    ...origin(request),
    userId: request.signedIn.id,
    accountId: request.viewer.account?.id ?? null,
    bySupport: false,
    stillMay: request.mustStillMay,
    ...tokenOf(request),
  }
}

const tokenOf = ({ apiToken }: FastifyRequest) => (apiToken ? { tokenId: apiToken.id } : {})

/** Support acts on accounts and users that it is no member of. */
export function supportActor(request: FastifyRequest): Person {
  return {
    ...origin(request),
    userId: request.signedIn.id,
    accountId: null,
    bySupport: true,
    stillMay: request.mustStillMay,
    ...tokenOf(request),
  }
}

/** A visitor: the token or password that was given decides, in the act itself. */
export function visitingActor(request: FastifyRequest): Actor {
  return { ...origin(request), userId: null, accountId: null, bySupport: false, stillMay: null }
}

/** Where a request comes from, for the history. */
export function origin(request: FastifyRequest): Pick<Actor, 'at' | 'ip' | 'requestId'> {
  return { at: request.server.now(), ip: request.ip, requestId: request.id }
}

/** What the address of a page of the Partner Area has to say besides: which account, where the viewer has several. */
export function whichPartner({ account, partnerAccounts }: Viewer, partner: PartnerAccount): Record<string, string> {
  return partnerAccounts.length > 1 && account?.id !== partner.id ? { account: partner.identifier } : {}
}
