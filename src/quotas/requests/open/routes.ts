import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { canAct } from '../../../accounts/data/caretaker.ts'
import type { ListQuery } from '../../../db/list.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { amount } from '../../../web/fields.ts'
import { listDownload } from '../../../web/lists/csv.ts'
import { readList } from '../../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import { findQuotas } from '../../data/limits.ts'
import { usesOf } from '../../data/uses.ts'
import { lastChanges } from '../../page.ts'
import { findAutomaticShare, setAutomaticShare } from '../data/asking.ts'
import { listOpenRequests, openRequestList } from '../data/reading.ts'

const automaticApproval = z.strictObject({
  share: amount('leave it empty to decide every request yourself').refine(
    (share) => share === null || (share >= 1 && share <= 100),
    'Enter a share from 1 to 100 per cent, or leave it empty to decide every request yourself.',
  ),
})

/** Requests that wait for a decision, for a partner and for Support. */
export default async function openRequestRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/partner/quotas', { config: { can: 'partner-quota.see' } }, async (request, reply) => {
    const list = (query: ListQuery) => listOpenRequests(db, request.member.account.id, query)
    return listDownload(request, reply, { spec: openRequestList, list }) ?? showPartnerQuotas(request, reply)
  })

  app.get('/support/quotas', { config: { can: 'support.quota' } }, async (request, reply) => {
    const list = (query: ListQuery) => listOpenRequests(db, null, query)
    return (
      listDownload(request, reply, { spec: openRequestList, list }) ??
      reply.page('quotas/support-requests', { title: 'Quotas', list: list(readList(request, openRequestList)) })
    )
  })

  app.post(
    '/partner/quotas/automatic-approval',
    { config: { can: 'customer.limit', inAccount: true } },
    async (request, reply) => {
      const form = readForm(automaticApproval, request.body)
      if (!form.input) return showPartnerQuotas(request, reply.code(422), form)
      const { share } = form.input
      const changed = setAutomaticShare(db, actor(request), request.member.account.id, share)
      const rule =
        share === null
          ? 'Every request waits for a Partner Admin'
          : `Requests for up to ${share} % more are approved automatically`
      return reply.seeOther('/partner/quotas', changed ? `${rule} now.` : `${rule}, as before. Nothing was changed.`)
    },
  )

  function showPartnerQuotas(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    const { account } = request.member
    const share = findAutomaticShare(db, account.id)
    const list = listOpenRequests(db, account.id, readList(request, openRequestList))
    return reply.page('quotas/partner', {
      title: 'Quotas',
      quotas: orNotFound(findQuotas(db, { level: 'pool', accountId: account.id })).quotas,
      list,
      uses: usesOf(
        db,
        list.rows.map(({ accountId }) => accountId),
      ),
      changes: lastChanges(request, { fromAccountId: account.id }),
      acts: canAct(db, account.id),
      form: form ?? newForm({ share: share === null ? '' : String(share) }),
    })
  }
}
