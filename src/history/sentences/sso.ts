import type { RecordKind } from '../../records/kinds.ts'
import { inside, now, only, type Piece, type Sentence, say, side, type Told, typed, was, whom } from './told.ts'

type OfSso = Extract<RecordKind, `sso.${string}`>

const peopleWords: Record<string, string> = {
  off: 'New people are not let in',
  user: 'New people become users of the account',
  groups: 'New people are let in by their groups',
}
const projectRoles: Record<string, string> = { admin: 'Project Admin', user: 'Project User', reader: 'Project Reader' }

const inProject = ({ project }: Told): Piece[] => (project ? say` for the project ${project}` : [])

/** Acts on an account’s own provider of single sign-on. */
export const ofSso: Record<OfSso, (told: Told) => Sentence> = {
  'sso.provider-changed': (it) =>
    only(
      say`changed the provider of single sign-on${inside(it)}`,
      typed(it, 'issuer', 'Issuer'),
      typed(it, 'client', 'Client ID'),
      side(it, 'secret', 'after') ? say`The client secret is new` : null,
      trust(it),
    ),
  'sso.provider-removed': (it) => only(say`removed the provider of single sign-on ${was(it, 'issuer')}${inside(it)}`),
  'sso.domain-added': (it) => only(say`added the domain ${now(it, 'domain')}${inside(it)}`),
  'sso.domain-proved': (it) => only(say`proved the domain ${now(it, 'domain')}${inside(it)}`),
  'sso.domain-lost': (it) =>
    only(
      say`noted that the domain ${was(it, 'domain')} is no longer proved${inside(it)}`,
      say`Its record in DNS has been missing for a day`,
    ),
  'sso.domain-removed': (it) => only(say`removed the domain ${was(it, 'domain')}${inside(it)}`),
  'sso.required': (it) =>
    only(
      say`made single sign-on a must${inside(it)}`,
      say`From ${{ time: Number(side(it, 'from', 'after') ?? 0) }} on`,
      say`Exempt: ${whom(it)}`,
    ),
  'sso.not-required': (it) => only(say`no longer required single sign-on${inside(it)}`),
  'sso.new-people-changed': (it) =>
    only(
      say`changed who can join by single sign-on${inside(it)}`,
      side(it, 'people', 'after') === undefined ? null : say`${peopleWords[String(side(it, 'people', 'after'))] ?? ''}`,
      typed(it, 'claim', 'Claim with the groups'),
    ),
  'sso.group-added': (it) => {
    const there = projectRoles[String(side(it, 'in', 'after'))]
    return only(
      say`added a rule for the group ${now(it, 'group')}${inProject(it)}${inside(it)}`,
      say`Role: ${now(it, 'role')}${there === undefined ? [] : `, ${there}`}`,
    )
  },
  'sso.group-removed': (it) =>
    only(say`removed the rule for the group ${was(it, 'group')}${inProject(it)}${inside(it)}`),
}

function trust(it: Told) {
  const trusted = side(it, 'trusted', 'after')
  if (trusted === undefined) return null
  return trusted === 'yes'
    ? say`It alone gives out addresses of the account’s domains`
    : say`It does not alone give out addresses of the account’s domains`
}
