import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { dayAt } from '../../db/list.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import { networks, version } from '../../web/fields.ts'
import { isInNetworks } from '../../web/networks.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor, supportActor } from '../../web/request/viewer.ts'
import { supportedAccount } from '../scope.ts'
import { type AccountSecurity, findSecurity, liftSecurity, saveSecurity } from './data.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** Longer than a session lasts anyway (src/web/request/session.ts) is no use. */
const mostHours = 7 * 24
const mostMinutes = 8 * 60
/** Shorter than this, people would do little else than confirm who they are. */
const fewestMinutes = 15

const whole = (least: number, most: number, words: string) =>
  z
    .string()
    .default('')
    .transform((text) => text.trim())
    .refine((text) => text === '' || (/^\d{1,4}$/.test(text) && Number(text) >= least && Number(text) <= most), words)
    .transform((text) => (text === '' ? null : Number(text)))

const security = z.strictObject({
  secondFactorFrom: z
    .string()
    .default('')
    .transform((text) => text.trim())
    .refine((text) => text === '' || dayOf(text) !== undefined, 'Enter a date such as 2026-12-01.')
    .transform((text) => dayOf(text) ?? null),
  sessionHours: whole(1, mostHours, `Enter 1 to ${mostHours} hours, or nothing.`),
  idleMinutes: whole(fewestMinutes, mostMinutes, `Enter ${fewestMinutes} to ${mostMinutes} minutes, or nothing.`),
  networks: networks(),
  away: z.literal('yes').optional(),
  version: version(),
})
const nothing = z.strictObject({})
const back = z.strictObject({ next: z.string().default('/') })

/** Account Settings → Security: what an account asks of those who work in it. */
export default async function securityRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/customer/security', { config: { can: 'account.secure' } }, async (request, reply) => show(request, reply))

  app.post(
    '/customer/security',
    { config: { can: 'account.secure', inAccount: true, confirm: true } },
    async (request, reply) => {
      const form = readForm(security, request.body)
      if (!form.input) return show(request, reply.code(422), form)
      const { id, name } = request.member.account
      const { sessionHours, idleMinutes, away, networks, ...input } = form.input
      const wanted = {
        ...input,
        networks: networks.join(' '),
        sessionTime: sessionHours === null ? null : sessionHours * hour,
        idleTime: idleMinutes === null ? null : idleMinutes * minute,
      }
      const problems = problemsOf(request, wanted, away === 'yes')
      if (Object.keys(problems).length > 0) {
        Object.assign(form.errors, problems)
        return show(request, reply.code(422), form)
      }
      const context = { mail: app.mailContext, host: app.config.passkeyHost }
      const saved = saveSecurity(db, actor(request), { accountId: id, ...wanted }, context)
      if (saved !== 'stale')
        return reply.seeOther(
          '/customer/security',
          saved === 'saved'
            ? apart`The security settings of ${name} were saved.`
            : apart`The security settings of ${name} were like this already. Nothing was changed.`,
        )
      form.values.version = String(findSecurity(db, id).version)
      form.errors.secondFactorFrom =
        'Somebody has changed these settings since you opened the page. Save again to replace theirs.'
      return show(request, reply.code(422), form)
    },
  )

  const support = { config: { can: 'support.account' } } as const
  app.get('/support/accounts/:identifier/security', support, async (request, reply) => {
    const details = supportedAccount(request)
    const { version, ...rules } = findSecurity(db, details.id)
    return reply.page('support/security', { title: apart`Security of ${details.name}`, details, rules })
  })

  app.post(
    '/support/accounts/:identifier/security/removal',
    { config: { ...support.config, confirm: true } },
    async (request, reply) => {
      const { id, name, identifier } = supportedAccount(request)
      readForm(nothing, request.body)
      const lifted = liftSecurity(db, supportActor(request), id)
      return reply.seeOther(
        `/support/accounts/${identifier}/security`,
        lifted
          ? apart`${name} asks for nothing more than the panel does now. Its admins are told.`
          : apart`${name} asked for nothing. Nothing was changed.`,
      )
    },
  )

  // Where an account asks who somebody is: the answer leads back to the page that they wanted.
  app.post('/session/proof', { config: { can: 'profile.see', confirm: true } }, async (request, reply) => {
    const { input } = readForm(back, request.body)
    return reply.seeOther(ownPath(input?.next))
  })
}

/** Why these settings would lock out the person who saves them, by field. */
function problemsOf(
  { viewer, signedIn, ip, server }: FastifyRequest,
  { networks, secondFactorFrom }: AccountSecurity,
  away: boolean,
): Record<string, string> {
  const before = viewer.account?.rules?.secondFactorFrom ?? null
  const moved = secondFactorFrom !== null && secondFactorFrom !== before
  if (moved && secondFactorFrom < dayBegun(server.now()))
    return { secondFactorFrom: 'This day is over. Choose today or a later day.' }
  if (moved && !signedIn.twoFactor && !signedIn.passkey && !viewer.secondFactor)
    return { secondFactorFrom: 'Set up two-factor login or a passkey for yourself first.' }
  if (!isInNetworks(networks, ip) && !away)
    return {
      networks: `Your own address, ${ip}, is in none of these ranges: you would no longer get in from here.`,
      away: 'yes',
    }
  return {}
}

const dayBegun = (at: number) => at - (at % day)

/** The beginning of a day that is in the calendar. */
function dayOf(text: string): number | undefined {
  const at = dayAt(text)
  return at !== undefined && dayWords(at) === text ? at : undefined
}

const dayWords = (at: number) => new Date(at).toISOString().slice(0, 10)

function show(request: FastifyRequest, reply: FastifyReply, form?: Form) {
  const { id } = request.member.account
  return reply.page('accounts/security/index', {
    title: 'Security',
    form: form ?? newForm(valuesOf(findSecurity(request.server.db, id))),
    ip: request.ip,
  })
}

function valuesOf({ networks, secondFactorFrom, sessionTime, idleTime, version }: AccountSecurity) {
  const times = (time: number | null, unit: number) => (time === null ? '' : String(time / unit))
  return {
    networks,
    secondFactorFrom: secondFactorFrom === null ? '' : dayWords(secondFactorFrom),
    sessionHours: times(sessionTime, hour),
    idleMinutes: times(idleTime, minute),
    version: String(version),
  }
}
