import type { FastifyRequest } from 'fastify'
import { type DomainsProvider, findCountingProvider, findProviderOfDomain } from '../../accounts/sso/data/provider.ts'
import type { Config } from '../../config.ts'
import { apart } from '../../db/apart.ts'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { domainOf } from '../../web/fields.ts'
import { findSession } from '../../web/request/session.ts'
import { providerOfAccount } from './of-account.ts'
import { type Provider, providerOf } from './provider.ts'

/** A provider of single sign-on: the installation’s, or an account’s. */
export type Via = {
  provider: Provider
  issuer: string
  /** What it is called in sentences. */
  name: string
  emailTrusted: boolean
  /** It can answer for two factors. */
  factors: boolean
  account: { id: AccountId; identifier: string } | null
  /** Whether it may sign in a person with this address now. */
  isOf: (tx: Db, email: string) => boolean
}

export function viaOfInstallation(config: Config): Via | undefined {
  const { sso } = config
  if (!sso) return undefined
  return {
    provider: providerOf(config, sso),
    issuer: sso.issuer,
    name: sso.name,
    emailTrusted: sso.emailTrusted,
    factors: sso.secondFactor !== 'no',
    account: null,
    isOf: () => true,
  }
}

/** Whether the provider of an account may sign in a person with this address now. */
export const mayAccountSignIn = (db: Db, accountId: AccountId, email: string) =>
  findProviderOfDomain(db, domainOf(email))?.provider.accountId === accountId

export function viaOf({ server }: FastifyRequest, { provider: row, account }: DomainsProvider): Via | undefined {
  const provider = providerOfAccount(server.config, server.secrets, row, account.identifier)
  if (!provider) return undefined
  return {
    provider,
    issuer: row.issuer,
    name: apart`the login of ${account.name}`,
    emailTrusted: row.emailTrusted,
    // Its admins do not decide how people prove who they are elsewhere in the panel.
    factors: false,
    account: { id: row.accountId, identifier: account.identifier },
    isOf: (tx, email) => mayAccountSignIn(tx, row.accountId, email),
  }
}

/** Undefined where the account has none that counts now, or the installation lets only its own provider log people in. */
export function viaOfAccount(request: FastifyRequest, accountId: AccountId): Via | undefined {
  const { db, config } = request.server
  const there = config.sso?.only ? undefined : findCountingProvider(db, accountId)
  return there && viaOf(request, there)
}

/** Where somebody who is logged in can confirm who they are: where their session began, else at the installation’s provider. */
export function viaOfSession(request: FastifyRequest): Via | undefined {
  const accountId = findSession(request)?.ssoAccountId ?? null
  return (accountId === null ? undefined : viaOfAccount(request, accountId)) ?? viaOfInstallation(request.server.config)
}
