import { apart, isolated } from '../../db/apart.ts'
import type { ProjectRole, Role } from '../../policy.ts'
import { partInUse } from '../../quotas/arithmetic.ts'
import type { Resource } from '../../quotas/resources/data.ts'
import type { RecordKind } from '../../records/kinds.ts'
import type { Audience } from '../../records/notifying.ts'
import type { Change } from '../../records/record.ts'
import { projectRoleNames, roleName } from '../../roles.ts'
import { plural, withUnit } from '../../web/format.ts'
import { loginNews } from './login-words.ts'
import { pageOfLine } from './pages.ts'
import { ssoNews } from './sso-words.ts'

/** A piece of a sentence: words of ours, or a name that somebody typed. */
export type Part = string | { name: string }

type Place = { name: string; identifier: string; kind: 'customer' | 'partner'; deletedAt: number | null; id: number }

/** A notification with what its record tells. Names are as they were then. */
export type ToldOf = {
  kind: RecordKind
  audience: Audience
  bySupport: boolean
  byReader: boolean
  actor: string | null
  /** It was a program. */
  byService: boolean | null
  actorAccount: Place | null
  subject: string | null
  ofService: boolean | null
  account: Place | null
  /** Of which the reader is a user. */
  reader: Place | null
  project: { name: string; identifier: string } | null
  invited: string | null
  change: Change
}

export type ToldLine = {
  parts: Part[]
  /** What more there is to say: amounts, roles. */
  detail: string
  /** On whose side somebody acted, where that is not the account’s own. */
  side: string
  /** Whose initials stand before it; none for what concerns the reader’s login. */
  account: { name: string; identifier: string } | null
  /** The page that settles it. */
  href: string | null
}

export const plainWords = (parts: Part[]) =>
  parts.map((part) => (typeof part === 'string' ? part : isolated(part.name))).join('')

export function lineOf(told: ToldOf, resources: Resource[]): ToldLine {
  const { account } = told
  const sentence = newsOf[told.kind]?.(told, resources) ?? ['Something happened']
  return {
    parts: sentence.filter((part) => part !== ''),
    detail: detailOf(told, resources),
    side: sideOfLine(told),
    account: account && { name: account.name, identifier: account.identifier },
    href: pageOfLine(told),
  }
}

function sideOfLine({ bySupport, byReader, actor, actorAccount, account }: ToldOf): string {
  if (actor === null) return ''
  if (bySupport) return 'Support'
  return byReader || !actorAccount || actorAccount.id === account?.id ? '' : actorAccount.name
}

type Sentence = (told: ToldOf, resources: Resource[]) => Part[]

const named = (name: string | null | undefined, instead: string): Part => (name ? { name } : instead)
const who = ({ actor, bySupport, actorAccount }: ToldOf): Part =>
  bySupport && !actor ? 'Support' : named(actor ?? actorAccount?.name, 'The panel')
/** Who a sentence begins with. A program may be called as a colleague is. */
const whoFirst = (told: ToldOf): Part[] => [told.byService ? 'The service user ' : '', who(told)]
const account = (told: ToldOf): Part => named(told.account?.name, 'an account')
const project = (told: ToldOf): Part => named(told.project?.name, 'a project')
const invited = (told: ToldOf): Part => named(told.invited ?? told.subject, 'somebody')
const subject = (told: ToldOf): Part => named(told.subject, 'a user')
const text = (value: string | number | null | undefined) => (value == null ? '' : String(value))

const whoDid =
  (words: string): Sentence =>
  (told) => [...whoFirst(told), ` ${words} `, account(told)]

/** An answer to a request, as its sender reads it and as others do. */
const answered =
  (verb: string): Sentence =>
  (told) => [
    ...whoFirst(told),
    told.audience === 'asker'
      ? ` ${verb} your request for more quota for `
      : ` ${verb} the request for more quota for `,
    ...quotaPlace(told),
  ]

const quotaPlace = (told: ToldOf): Part[] => (told.project ? [project(told), ' in ', account(told)] : [account(told)])

const helped =
  (alone: string, others: [string, string]): Sentence =>
  (told) =>
    told.audience === 'login'
      ? [...whoFirst(told), ` ${alone}`]
      : [...whoFirst(told), ` ${others[0]} `, subject(told), ` ${others[1]} `, account(told)]

/** About a token of their own, and not one of their account’s programs. */
const isOwn = ({ audience, ofService }: ToldOf) => audience === 'login' && !ofService
const ofService = (told: ToldOf): Part[] => ['the service user ', subject(told), ' in ', account(told)]
const endingOf = ({ change }: ToldOf) => text(change.token?.[0])

const ofToken =
  ([before, after]: [string, string], verb: string): Sentence =>
  (told) => {
    if (told.audience === 'support') return [...whoFirst(told), ` ${verb} an API token for Support`]
    if (isOwn(told)) return [before, told.account ? account(told) : 'Support', after]
    return told.audience === 'login'
      ? ['An API token of ', ...ofService(told), ` was ${verb} in your name`]
      : [...whoFirst(told), ` ${verb} an API token of `, ...ofService(told)]
  }

/** One for each kind of record that anybody is told of. */
export const newsOf: Partial<Record<RecordKind, Sentence>> = {
  'account.suspended': whoDid('suspended'),
  'account.resumed': whoDid('resumed'),
  'account.became-partner': (told) => [account(told), ' is a partner account now'],
  'account.became-customer': (told) => [account(told), ' is a customer account again'],
  'account.security-changed': whoDid('changed the security settings of'),
  'account.exported': whoDid('exported the data of'),
  'account.deleted': whoDid('deleted'),
  'account.restored': whoDid('restored'),
  'account.moved': (told) => [
    account(told),
    ' is now looked after by ',
    named(text(told.change.partner?.[1]), 'Support'),
  ],
  'account.customer-came': ({ change }) => [named(text(change.customer?.[1]), 'An account'), ' is your customer now'],
  'account.customer-left': ({ change }) => [
    named(text(change.customer?.[0]), 'An account'),
    ' is no longer your customer',
  ],
  'limit.changed': (told) => [...whoFirst(told), ' changed the limits of ', ...quotaPlace(told)],
  'limit.pool-changed': whoDid('changed the pool of'),
  'limit.requested': (told) => [...whoFirst(told), ' asks for more quota for ', ...quotaPlace(told)],
  'limit.approved': answered('approved'),
  'limit.declined': answered('declined'),
  'limit.near': (told, resources) => {
    const { name, part } = limited(told, resources)
    return [account(told), ` has used ${part} % of its limit for `, { name }]
  },
  'limit.reached': (told, resources) => {
    const { name, over } = limited(told, resources)
    return [account(told), over ? ' is over its limit for ' : ' has used up its limit for ', { name }]
  },
  'partner.requested': (told) => [...whoFirst(told), ' asks to make ', account(told), ' a partner account'],
  'partner.declined': (told) => [
    ...whoFirst(told),
    ' declined your request to make ',
    account(told),
    ' a partner account',
  ],
  'member.added-self': whoDid('joined'),
  'member.removed-self': whoDid('left'),
  'member.joined-by-sso': (told) => [subject(told), ' joined ', account(told), ' by single sign-on'],
  'member.removed-by-sso': (told) => [subject(told), ' left ', account(told), ' by the groups of single sign-on'],
  'member.left': (told) => [subject(told), ' left ', account(told)],
  'member.removed': whoDid('removed you from'),
  'member.role-changed': whoDid('changed your role in'),
  'invitation.cancelled': (told) => [
    ...whoFirst(told),
    ' cancelled your invitation to ',
    invited(told),
    ' to join ',
    account(told),
  ],
  'invitation.expired': (told) => ['Your invitation to ', invited(told), ' to join ', account(told), ' has expired'],
  'invitation.accepted': (told) => [invited(told), ' accepted your invitation to ', account(told)],
  'access.given': (told) => [...whoFirst(told), ' gave you access to ', project(told), ' in ', account(told)],
  'access.role-changed': (told) => [...whoFirst(told), ' changed your role in ', project(told), ' in ', account(told)],
  'access.removed': (told) => [...whoFirst(told), ' removed you from ', project(told), ' in ', account(told)],
  'user.password-link-sent': helped('sent you a link to choose a new password', [
    'sent',
    'a link to choose a new password in',
  ]),
  'user.two-factor-reset': helped('reset your two-factor login', ['reset the two-factor login of', 'in']),
  ...loginNews,
  ...ssoNews(whoDid, account),
  'token.created': ofToken(['An API token for ', ' was created in your name'], 'created'),
  'token.rotated': ofToken(['Your API token for ', ' was replaced'], 'replaced'),
  'token.ended': ofToken(['Your API token for ', ' was ended'], 'ended'),
  'token.expiring': (told) => [
    isOwn(told) ? `Your API token ${endingOf(told)} for ` : `The API token ${endingOf(told)} of `,
    ...(isOwn(told) ? [told.account ? account(told) : 'Support'] : ofService(told)),
    ` expires in ${plural(Number(told.change.days?.[1] ?? 0), 'day')}`,
  ],
  'webhook.switched-off': (told) => [
    `The webhook ${text(told.change.host?.[1])} `,
    ...(told.account ? ['of ', account(told), ' '] : []),
    'was switched off, because it ',
    told.change.status?.[1] === 'gone' ? 'answered that it no longer exists' : 'failed for more than three days',
  ],
  'user.sessions-ended': (told) =>
    told.byReader ? ['You ended your other sessions'] : [...whoFirst(told), ' ended your sessions'],
}

/** The resource whose limit is nearly used up, and whether more than that is allocated. */
function limited({ change }: ToldOf, resources: Resource[]) {
  const [key = '', [limit, allocated] = [0, 0]] = Object.entries(change)[0] ?? []
  const resource = resources.find((known) => known.key === key) ?? { name: key, unit: '' }
  return {
    name: resource.name,
    over: Number(allocated) > Number(limit),
    part: Math.floor(partInUse(Number(limit), Number(allocated))),
    words: `${withUnit(Number(allocated), resource)} of ${withUnit(Number(limit), resource)}`,
  }
}

/** Amounts and roles, before and after. What people typed is in the history. */
function detailOf(told: ToldOf, resources: Resource[]): string {
  const { kind, change } = told
  if (kind === 'limit.near' || kind === 'limit.reached') return limited(told, resources).words
  if (kind === 'account.moved') return change.partner?.[0] ? `Before: ${change.partner[0]}` : ''
  if (kind.startsWith('limit.'))
    return resources
      .flatMap((resource) => {
        const { [resource.key]: amounts } = change
        return amounts
          ? [apart`${resource.name}: ${amounts.map((amount) => amountWords(amount, resource)).join(' → ')}`]
          : []
      })
      .join(' · ')
  const { role } = change
  if (!role || /^member\.(?:removed|left)/.test(kind)) return ''
  const words = role.filter((value) => value !== null).map((value) => roleWords(told, String(value)))
  return words.join(' → ')
}

const amountWords = (amount: string | number | null, resource: Resource) =>
  amount === null ? 'no limit' : withUnit(Number(amount), resource)
const roleWords = ({ kind, account }: ToldOf, role: string) =>
  kind.startsWith('access.')
    ? projectRoleNames[role as ProjectRole]
    : roleName(account?.kind ?? 'customer', role as Role)
