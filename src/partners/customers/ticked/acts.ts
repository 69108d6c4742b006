import { resumeAccount, suspendAccount } from '../../../accounts/suspension/data.ts'
import { apart } from '../../../db/apart.ts'
import { foldCase } from '../../../db/fold.ts'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import type { Action } from '../../../policy.ts'
import type { Plan } from '../../../quotas/plans/data/plans.ts'
import type { Person } from '../../../records/record.ts'
import { plural } from '../../../web/format.ts'
import { mostTags } from '../tags.ts'
import { changeTag, type TickedCustomer, tagsChangedAt } from './data.ts'
import { planAct } from './plan.ts'

/** What somebody typed besides, where the act asks for it. */
export type Typed = { reason: string; tag: string; plan?: Plan | undefined }

/** Who acts, and for which partner. */
export type TickedContext = { actor: Person; partnerId: AccountId; mail: MailContext }

/** An act on several customers. Each of them is changed by the function that changes one, in a transaction of its own. */
export type TickedAct = {
  can: Action
  /** In the list. */
  button: string
  /** What is typed or chosen: the reason on the preview, a tag or a plan before it, because the preview depends on it. */
  asks: 'reason' | 'tag' | 'plan' | undefined
  danger?: boolean
  /** The preview’s button. */
  label: (n: number) => string
  title: (n: number, typed: Typed) => string
  lead: string
  done: (n: number, typed: Typed) => string
  /** The act that takes it back, by the end of its address, and the fields of that. */
  undo?: (typed: Typed) => { by: string; fields: Record<string, string> }
  /** Of what it can undo: when that was done last, and what is said where it is no longer the act that is undone. */
  undone?: { at: (tx: Db, partnerId: AccountId, customer: TickedCustomer) => number | null; later: string }
  /** Why a customer is left as it is; undefined where it is changed. */
  why: (customer: TickedCustomer, typed: Typed) => string | undefined
  /** What the preview says about a customer that is changed, and about all of them together. */
  remark?: (customer: TickedCustomer, typed: Typed) => string | undefined
  notice?: (db: Db, partnerId: AccountId, changed: TickedCustomer[], typed: Typed) => string
  /** Changes one. Returns what is left to say about it. */
  change: (tx: Db, context: TickedContext, customer: TickedCustomer, typed: Typed) => string | undefined
}

const customers = (n: number) => plural(n, 'customer')
const were = (n: number) => `${customers(n)} ${n === 1 ? 'was' : 'were'}`
const undoneTag: TickedAct['undone'] = { at: tagsChangedAt, later: 'its tags were changed since then' }
const hasTag = ({ tags }: TickedCustomer, tag: string) => tags.some((other) => foldCase(other) === foldCase(tag))

/** By the end of their addresses. */
export const tickedActs: Record<string, TickedAct> = {
  suspension: {
    can: 'customer.suspend',
    button: 'Suspend',
    asks: 'reason',
    danger: true,
    label: (n) => `Suspend ${customers(n)}`,
    title: (n) => `Suspend ${customers(n)}?`,
    lead: 'Nobody can work in these accounts until you resume them. Nothing is deleted. Their admins get an e-mail.',
    done: (n) => `${were(n)} suspended.`,
    undo: () => ({ by: 'resumption', fields: {} }),
    why: ({ suspendedAt }) => (suspendedAt === null ? undefined : 'already suspended'),
    change: (tx, { actor, mail }, { id }, { reason }) =>
      suspendAccount(tx, actor, { accountId: id, reason }, mail) ? undefined : 'already suspended',
  },
  resumption: {
    can: 'customer.suspend',
    button: 'Resume',
    asks: undefined,
    label: (n) => `Resume ${customers(n)}`,
    title: (n) => `Resume ${customers(n)}?`,
    lead: 'Their users can work in these accounts again at once.',
    done: (n) => `${were(n)} resumed.`,
    undone: { at: (_tx, _partnerId, { suspendedAt }) => suspendedAt, later: 'suspended again since then' },
    why: ({ suspendedAt, supportSuspendedAt }) =>
      suspendedAt !== null
        ? undefined
        : supportSuspendedAt === null
          ? 'not suspended'
          : 'suspended by Support: only Support can resume it',
    change: (tx, { actor, mail }, { id }) =>
      resumeAccount(tx, actor, id, mail).other
        ? 'your suspension was lifted, but Support has suspended it too'
        : undefined,
  },
  plan: planAct,
  tag: {
    can: 'customer.describe',
    button: 'Add tag',
    asks: 'tag',
    label: (n) => `Add tag to ${customers(n)}`,
    title: (n, { tag }) => apart`Add the tag “${tag}” to ${customers(n)}?`,
    lead: 'Only people of your partner account see tags. Their other details stay as they are.',
    done: (n, { tag }) => apart`The tag “${tag}” was added to ${customers(n)}.`,
    undo: ({ tag }) => ({ by: 'tag-removal', fields: { tag } }),
    undone: undoneTag,
    why: (customer, { tag }) =>
      hasTag(customer, tag)
        ? 'has this tag already'
        : customer.tags.length >= mostTags
          ? `has ${mostTags} tags, which is the most`
          : undefined,
    change: (tx, { actor, partnerId }, customer, { tag }) => {
      changeTag(tx, actor, { ...customer, partnerId }, { tag, wanted: true })
      return undefined
    },
  },
  'tag-removal': {
    can: 'customer.describe',
    button: 'Remove tag',
    asks: 'tag',
    label: (n) => `Remove tag from ${customers(n)}`,
    title: (n, { tag }) => apart`Remove the tag “${tag}” from ${customers(n)}?`,
    lead: 'Their other tags and details stay as they are.',
    done: (n, { tag }) => apart`The tag “${tag}” was removed from ${customers(n)}.`,
    undo: ({ tag }) => ({ by: 'tag', fields: { tag } }),
    undone: undoneTag,
    why: (customer, { tag }) => (hasTag(customer, tag) ? undefined : 'does not have this tag'),
    change: (tx, { actor, partnerId }, customer, { tag }) => {
      changeTag(tx, actor, { ...customer, partnerId }, { tag, wanted: false })
      return undefined
    },
  },
}
