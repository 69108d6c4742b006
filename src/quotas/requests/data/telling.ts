import { eq } from 'drizzle-orm'
import { caretakerOf } from '../../../accounts/data/caretaker.ts'
import { listAdmins } from '../../../accounts/members/data.ts'
import { sideOf } from '../../../accounts/notices/data/telling.ts'
import type { Db } from '../../../db/open.ts'
import { users } from '../../../db/schema.ts'
import type { Letter, MailContext } from '../../../mail/outbox.ts'
import { wantsAtOnce } from '../../../records/data/choices.ts'
import type { Actor } from '../../../records/record.ts'
import { withUnit } from '../../../web/format.ts'
import { anybody, forReader, type Reader } from '../../../web/reader.ts'
import type { Quota } from '../../arithmetic.ts'
import type { QuotaRequest } from './reading.ts'

/** So many admins of a partner get the letter. */
const mostLetters = 20

/** How the reader of an e-mail writes numbers; Support’s own address is nobody’s. */
const readerOf = (tx: Db, reason: Letter['reason']): Reader =>
  ('userId' in reason &&
    reason.userId !== undefined &&
    tx.select().from(users).where(eq(users.id, reason.userId)).get()) ||
  anybody

/** Tells the people who decide that somebody asks, or that the rule has already approved it. */
export function tellDeciders(
  tx: Db,
  at: number,
  { request, quotas, automatic }: { request: QuotaRequest; quotas: Quota[]; automatic: boolean },
  { post, publicUrl, supportEmail, panelName }: MailContext,
): void {
  const caretaker = caretakerOf(tx, { id: request.accountId })
  const readers: Pick<Letter, 'name' | 'email' | 'reason'>[] = caretaker
    ? listAdmins(tx, caretaker.id, mostLetters)
        .filter(({ userId }) => wantsAtOnce(tx, userId, 'requests'))
        .map(({ userId, name, email }) => ({
          name,
          email,
          reason: { because: 'admin', userId, readerOf: caretaker.id } as const,
        }))
    : [{ name: `${panelName} Support`, email: supportEmail ?? '', reason: { because: 'support' } as const }].filter(
        ({ email }) => email,
      )
  for (const reader of readers) {
    post(tx, at, {
      kind: 'quota-request',
      ...reader,
      accountId: request.accountId,
      names: [request.requestedBy],
      data: {
        requester: request.requester,
        requesterEmail: request.requesterEmail,
        account: request.account,
        project: request.project ?? '',
        reason: request.reason,
        automatic,
        lines: forReader(readerOf(tx, reader.reason), () =>
          request.amounts.map(({ resource, asked }) => {
            const now = quotas.find((quota) => quota.resource.id === resource.id)?.own.limit
            return { name: resource.name, now: withUnit(now ?? 0, resource), asked: withUnit(asked, resource) }
          }),
        ),
        link: caretaker
          ? `${publicUrl}/partner/customers/${request.identifier}/quotas?account=${caretaker.identifier}`
          : `${publicUrl}/support/accounts/${request.identifier}/quotas`,
      },
    })
  }
}

export function tellRequester(
  tx: Db,
  actor: Actor,
  { request, amounts }: { request: QuotaRequest; amounts: Map<number, number> },
  { post, publicUrl }: MailContext,
): void {
  const user = tx.select().from(users).where(eq(users.id, request.requestedBy)).get()
  if (!user || user.disabledAt !== null || !wantsAtOnce(tx, user.id, 'answers')) return
  const caretaker = actor.bySupport ? null : caretakerOf(tx, { id: request.accountId })
  // A rule decides for its partner, while the requester acts.
  const decider = request.automatic && caretaker ? { ...actor, accountId: caretaker.id } : actor
  const account = { id: request.accountId, name: request.account, partnerId: caretaker?.id ?? null }
  const person = actor.userId === null ? undefined : tx.select().from(users).where(eq(users.id, actor.userId)).get()
  post(tx, actor.at, {
    kind: 'quota-decision',
    accountId: request.accountId,
    name: user.name,
    email: user.email,
    reason: { because: 'member', userId: user.id, readerOf: request.accountId },
    names: [actor.userId],
    data: {
      account: request.account,
      project: request.project ?? '',
      approved: request.state === 'approved',
      automatic: request.automatic,
      person: person?.name ?? '',
      side: sideOf(tx, decider, account),
      comment: request.comment,
      lines: forReader(user, () =>
        request.amounts.map(({ resource, asked }) => {
          const granted = amounts.get(resource.id) ?? null
          return {
            name: resource.name,
            asked: withUnit(asked, resource),
            granted: granted === null ? null : withUnit(granted, resource),
          }
        }),
      ),
      link: `${publicUrl}/customer/quotas?account=${request.identifier}`,
    },
  })
}
