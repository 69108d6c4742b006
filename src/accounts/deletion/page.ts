import type { FastifyReply } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import type { PoolShortage } from '../../quotas/arithmetic.ts'
import { withUnit } from '../../web/format.ts'
import type { Form } from '../../web/request/forms.ts'
import type { Account } from '../data/account.ts'
import { findTies } from '../endings/data/foreseeing.ts'
import { foreseeLosses, mostProjects } from './data/losses.ts'

/** `projects` says which projects the page named, if it was ticked that they go with the account. */
export const removal = z.strictObject({ identifier: z.string().trim().default(''), projects: z.string().default('') })

export const projectsWords = (ticked: string) =>
  ticked ? 'Its projects have changed since this page was opened. Look again.' : 'Tick this to delete its projects too.'

/** Where an account is deleted: by its partner, or by Support where it has none. */
type Place = { area: 'partner' | 'support'; list: string; action: string }

/** What an account loses when it is deleted, and the form that deletes it. */
export function showRemoval(reply: FastifyReply, account: Account, place: Place, form: Form) {
  const { db } = reply.request.server
  return reply.page('accounts/deletion/removal', {
    title: apart`Delete ${account.name}`,
    deleted: account,
    ...place,
    losses: foreseeLosses(db, account.id),
    ties: findTies(db, account),
    partnerName: place.area === 'partner' ? reply.request.member.account.name : '',
    form,
    mostProjects,
  })
}

export const ofPartner = ({ identifier }: Account): Place => ({
  area: 'partner',
  list: '/partner/customers',
  action: `/partner/customers/${identifier}/removal`,
})

export const ofSupport = ({ identifier }: Account): Place => ({
  area: 'support',
  list: '/support/accounts',
  action: `/support/accounts/${identifier}/removal`,
})

/** `partner`: the name of the account's partner, if it has one. */
export function restoredWords(
  deleted: Account,
  partner: string,
  done: 'restored' | 'without-admin',
  todo: string,
): string {
  const by = [deleted.supportSuspendedAt !== null ? 'Support' : [], deleted.suspendedAt !== null ? partner : []].flat()
  const words =
    by.length > 0
      ? apart`${deleted.name} is restored. It is still suspended by ${by.join(' and by ')}: its users can work in it once it is resumed.`
      : apart`${deleted.name} is restored, and its users can work in it again.`
  return done === 'without-admin' ? `${words} None of them is a Customer Admin now. ${todo}` : words
}

export function shortageWords(deleted: { name: string }, partner: string, shortages: PoolShortage[]): string {
  const lacks = shortages.map(
    ({ resource, takes, available }) =>
      apart`${deleted.name} had ${withUnit(takes, resource)} of ${resource.name}, and ${withUnit(available, resource)} are available`,
  )
  return apart`The pool of ${partner} no longer has room for ${deleted.name}: ${lacks.join('; ')}. Nothing was changed.`
}
