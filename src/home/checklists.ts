import type { FastifyRequest } from 'fastify'
import type { AccountId } from '../db/ids.ts'
import { type Action, can } from '../policy.ts'
import { factsOfAccount, factsOfInstallation, factsOfPartner } from './data.ts'

/** What somebody new does first; a step is done when the data says so. */
export type Checklist = { title: string; steps: Step[] }
type Step = {
  words: string
  done: boolean
  href?: string
  /** What is done elsewhere than on a page. */
  hint?: string
  /** The list goes away when the others are done. */
  optional?: true
}

/** What the viewer has still to do before they can work, for each of their sides; none where all of it is done. */
export function checklistsOf(request: FastifyRequest): Checklist[] {
  const { viewer } = request
  const may = (action: Action) => can(viewer.standings, action)
  const all: Checklist[] = []
  if (may('support.account')) all.push(ofOperator(request))
  const partner = viewer.partnerAccounts.find(({ id }) => id === viewer.account?.id)
  if (partner && may('customer.create')) all.push(ofPartnerAdmin(request, partner.id))
  if (viewer.account?.kind === 'customer' && !viewer.account.fromPartner && may('project.create'))
    all.push(ofCustomerAdmin(request, viewer.account.id))
  return all.filter(({ steps }) => steps.some(({ done, optional }) => !done && !optional))
}

function ofOperator(request: FastifyRequest): Checklist {
  const { config, db } = request.server
  const facts = factsOfInstallation(db)
  return {
    title: 'Set up this installation',
    steps: [
      {
        words: 'Connect a mail server',
        hint: 'Set SMTP_URL and MAIL_FROM, and start the panel again.',
        done: config.smtp !== undefined,
        optional: true,
      },
      {
        words: 'Create the first partner account, and invite its admin',
        href: '/support/accounts',
        done: facts.partners,
      },
      {
        words: 'Copy backups to another machine',
        hint: 'Set BACKUP_TO or REPLICATE_TO.',
        done: config.backupTo !== undefined || config.replicateTo !== undefined,
        optional: true,
      },
      twoFactor(request),
    ],
  }
}

function ofPartnerAdmin(request: FastifyRequest, partnerId: AccountId): Checklist {
  const facts = factsOfPartner(request.server.db, partnerId)
  const customers = '/partner/customers'
  return {
    title: 'Get started',
    steps: [
      { words: 'Create your first customer', href: customers, done: facts.customers },
      {
        words: 'Invite its first Customer Admin, or add yourself',
        href: customers,
        done: facts.people || facts.invited,
      },
      { words: 'Set what the customer may use', href: customers, done: facts.limits, optional: true },
      twoFactor(request),
    ],
  }
}

function ofCustomerAdmin(request: FastifyRequest, accountId: AccountId): Checklist {
  const facts = factsOfAccount(request.server.db, accountId, request.signedIn.id)
  return {
    title: 'Get started',
    steps: [
      { words: 'Create your first project', href: '/projects', done: facts.projects },
      { words: 'Invite somebody you work with', href: '/customer/users', done: facts.people || facts.invited },
      { words: 'Give them access to a project', href: '/customer/projects', done: facts.access || facts.promised },
      twoFactor(request),
    ],
  }
}

function twoFactor({ signedIn }: FastifyRequest): Step {
  return {
    words: 'Turn on two-factor login',
    href: '/profile/two-factor',
    done: signedIn.twoFactor,
    optional: true,
  }
}
