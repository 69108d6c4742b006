import type { Db } from '../../../db/open.ts'
import { allowResend } from '../../../mail/allowance.ts'
import { orTooMany, TooMany } from '../../../mail/pace.ts'
import type { Person } from '../../../records/record.ts'
import { plural } from '../../../web/format.ts'
import type { Invitation, Inviting } from '../data/invitation.ts'
import { cancelInvitation, resend } from '../data/pending.ts'
import type { Sender } from '../data/sending.ts'

type Context = { actor: Person; sender: Sender; account: Inviting }

/** An act on several pending invitations of an account. Each is changed by the function that changes one. */
export type TickedInvitationAct = {
  danger?: boolean
  /** The preview’s button. */
  label: (n: number) => string
  title: (n: number) => string
  lead: string
  done: (n: number) => string
  /** Why an invitation is left as it is; undefined where it is changed. */
  why: (invitation: Invitation, at: number) => string | undefined
  /** Changes one; undefined where it is no longer pending. Throws a TooMany. */
  change: (tx: Db, context: Context, id: number) => Invitation | undefined
}

const several = (n: number) => plural(n, 'invitation')
const were = (n: number) => `${several(n)} ${n === 1 ? 'was' : 'were'}`

/** By the end of their addresses. */
export const tickedInvitationActs: Record<string, TickedInvitationAct> = {
  resending: {
    label: (n) => `Resend ${several(n)}`,
    title: (n) => `Resend ${several(n)}?`,
    lead: 'Each person gets a new e-mail with a link that is valid for seven days. Earlier links end.',
    done: (n) => `${were(n)} sent again. Earlier links have ended.`,
    why: ({ sentAt }, at) => {
      const soon = orTooMany(() => allowResend(sentAt, at))
      return soon instanceof TooMany ? soon.message : undefined
    },
    change: (tx, { actor, sender, account }, id) => resend(tx, actor, sender, { account, id, handler: 'own' }),
  },
  cancellation: {
    danger: true,
    label: (n) => `Cancel ${several(n)}`,
    title: (n) => `Cancel ${several(n)}?`,
    lead: 'Their links end at once. You can invite these people again.',
    done: (n) => `${were(n)} cancelled.`,
    why: () => undefined,
    change: (tx, { actor, account }, id) => cancelInvitation(tx, actor, { accountId: account.id, id, handler: 'own' }),
  },
}
