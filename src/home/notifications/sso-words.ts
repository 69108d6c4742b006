import type { Resource } from '../../quotas/resources/data.ts'
import type { RecordKind } from '../../records/kinds.ts'
import type { Part, ToldOf } from './words.ts'

const domainOf = ({ change }: ToldOf): Part => ({ name: String(change.domain?.[0] ?? change.domain?.[1] ?? '') })

/** What is told of an account’s own single sign-on; `whoDid` is how other acts on an account are told. */
export const ssoNews = (
  whoDid: (words: string) => (told: ToldOf, resources: Resource[]) => Part[],
  account: (told: ToldOf) => Part,
): Partial<Record<RecordKind, (told: ToldOf, resources: Resource[]) => Part[]>> => ({
  'sso.provider-changed': whoDid('changed the single sign-on of'),
  'sso.provider-removed': whoDid('removed the single sign-on of'),
  'sso.domain-proved': (told) => ['The domain ', domainOf(told), ' is proved for ', account(told)],
  'sso.domain-lost': (told) => ['The domain ', domainOf(told), ' is no longer proved for ', account(told)],
  'sso.domain-removed': (told) => ['The domain ', domainOf(told), ' was removed from ', account(told)],
  'sso.required': whoDid('made single sign-on a must in'),
  'sso.not-required': whoDid('no longer requires single sign-on in'),
  'sso.new-people-changed': whoDid('changed who can join by single sign-on in'),
  'sso.group-added': whoDid('added a group rule to the single sign-on of'),
  'sso.group-removed': whoDid('removed a group rule from the single sign-on of'),
})
