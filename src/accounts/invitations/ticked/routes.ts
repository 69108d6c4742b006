import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { badRequest, notFound } from '../../../web/answer/errors.ts'
import { changeSeveral, LastResults, type SeveralResult } from '../../../web/answer/several.ts'
import { readId } from '../../../web/fields.ts'
import { readListText } from '../../../web/lists/list.ts'
import { readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import { memberListWithFactors } from '../../members/factors/data.ts'
import { invitedPrefix, usersAddress } from '../../members/page.ts'
import { invitationList } from '../data/listing.ts'
import { listPendingAmong } from '../data/ticked.ts'
import { type TickedInvitationAct, tickedInvitationActs } from './acts.ts'

const base = '/customer/ticked-invitations'
/** So many are changed at once: as many as a page of the list shows. */
const mostTicked = 200
const gone = 'no longer pending'

/** What the preview sends: the invitations that the act changes, and the page to return to. */
const chosen = z.strictObject({ invitations: z.string().max(4_000), list: z.string().max(2_000).default('') })

export default async function tickedInvitationRoutes(app: FastifyInstance) {
  const { db, config, postLetter } = app
  const results = new LastResults<SeveralResult<number> & { list: string }>()

  for (const [name, act] of Object.entries(tickedInvitationActs)) {
    const path = `${base}/${name}`
    app.get(path, { config: { can: 'member.invite' } }, async (request, reply) =>
      showPreview(request, reply, act, path),
    )
    app.post(path, { config: { can: 'member.invite', inAccount: true } }, async (request, reply) => {
      const { account, user } = request.member
      const { input } = readForm(chosen, request.body)
      if (!input) throw badRequest('Something is missing. Open the page again.')
      const ids = readIds([input.invitations])
      if ((await listPendingAmong(db, account.id, ids)).length === 0) throw notFound()
      const list = usersAt(input.list)
      const sender = { post: postLetter, publicUrl: config.publicUrl, inviter: user.name }
      const context = { actor: actor(request), sender, account }
      const result = await changeSeveral(request, ids, {
        change: (tx, id) => (act.change(tx, context, id) ? undefined : gone),
        words: act.done,
        gone,
      })
      if (result.left.length === 0) return reply.seeOther(list, act.done(result.changed.length))
      results.keep(user.id, account.id, { ...result, list })
      return reply.seeOther(
        `${base}/result`,
        result.changed.length === 0 ? 'Nothing was changed.' : act.done(result.changed.length),
      )
    })
  }

  app.get(`${base}/result`, { config: { can: 'member.invite' } }, async (request, reply) => {
    const { account, user } = request.member
    const last = results.of(user.id, account.id)
    if (!last) return reply.seeOther('/customer/users')
    const why = new Map(last.left.map((one) => [one.key, one.why]))
    const named = await listPendingAmong(db, account.id, [...why.keys()])
    return reply.page('accounts/invitations/ticked/result', {
      title: 'Result',
      done: last.changed.length,
      left: named.map((customer) => ({ customer, why: why.get(customer.id) ?? '' })),
      ended: why.size - named.length,
      gone,
      list: last.list,
    })
  })
}

async function showPreview(request: FastifyRequest, reply: FastifyReply, act: TickedInvitationAct, path: string) {
  const { db, now } = request.server
  const query = request.query as Record<string, unknown>
  const list = usersAt(query.list)
  const ids = readIds([query.c].flat())
  if (ids.length === 0) return reply.seeOther(list, 'Tick at least one invitation first.')
  const pending = await listPendingAmong(db, request.member.account.id, ids)
  if (pending.length === 0) throw notFound()
  const judged = pending.map((customer) => ({ customer, why: act.why(customer, now()) }))
  const changed = judged.filter(({ why }) => why === undefined)
  return reply.page('accounts/invitations/ticked/preview', {
    title: changed.length > 0 ? act.title(changed.length) : 'Nothing to change',
    act,
    path,
    list,
    changed,
    left: judged.filter(({ why }) => why !== undefined),
    missing: ids.length - pending.length,
    label: act.label(changed.length),
  })
}

function readIds(given: unknown[]): number[] {
  const texts = given.flatMap((text) => (typeof text === 'string' && text ? text.split(',') : []))
  if (texts.length > mostTicked) throw badRequest(`It holds more than ${mostTicked} invitations. Choose fewer.`)
  return [...new Set(texts.map((text) => readId(text)))].map((id) => {
    if (id === undefined) throw notFound()
    return id
  })
}

/** The page with the users and invitations as it was, from the query that a form carries. */
function usersAt(given: unknown): string {
  const query = typeof given === 'string' ? given : ''
  return usersAddress(
    { ...readListText(query, memberListWithFactors), spec: memberListWithFactors },
    { ...readListText(query, invitationList, invitedPrefix), spec: invitationList },
  )
}
