import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { apart } from '../../db/apart.ts'
import { can, isOfPartnerArea } from '../../policy.ts'
import { fileTooLarge, forbidden, LogInFirst, Refusal, tooLarge, withoutAccount } from '../answer/errors.ts'
import { httpLimits } from '../answer/http.ts'
import { isMultipart } from './unsent.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its forms act in the active account, and so carry it (`_account`). */
    inAccount?: boolean
    /** The user must confirm who they are if the log-in was long ago; the answer may be a file. */
    confirm?: boolean | 'download'
    /** Its form may carry a file. A body of more bytes than this is refused. */
    upload?: number
  }
}

export type GuardOptions = {
  /** Makes another of the user's accounts the active one. False if the user is not in it. */
  switchAccount: (request: FastifyRequest, identifier: string) => boolean
  /** The user's account with this identifier, also if it is suspended or deleted. */
  findOwnAccount: (request: FastifyRequest, identifier: string) => { name: string; identifier: string } | undefined
  /** Checks the code, password or passkey that confirms who somebody is. Returns what is wrong, or undefined. */
  prove: (request: FastifyRequest, reply: FastifyReply) => Promise<string | undefined>
  offerProofs: (request: FastifyRequest, reply: FastifyReply) => Proofs
}

/** In which ways somebody can confirm who they are. */
export type Proofs = {
  /** What the browser is asked for a passkey with; null where the user has none for it. */
  passkey: string | null
  /** They have a password, or a code. */
  typed: boolean
  /** The provider of single sign-on, and the link that leads there; empty where it cannot confirm it. */
  provider: string
  atProvider: string
}

/** ASVS 7.5.1: what matters most asks for the person again when that is longer ago. */
const proofLasts = 10 * 60_000

export default fp<GuardOptions>(async (app: FastifyInstance, options) => {
  // A visitor is sent to log in before any of the form is read, unless it was filled in during a session.
  app.addHook('onRequest', async (request, reply) => {
    const action = request.routeOptions.config.can
    if (!action || can(request.viewer.standings, action)) return
    if (request.viewer.standings.includes('enrolling') && request.method === 'GET') {
      return reply.redirect('/profile/two-factor', 303)
    }
    if (!request.viewer.user && !mayBeKept(request)) throw new LogInFirst(request)
  })

  // A large body is read for those alone who may send it: a short one may still say that it belongs to another account.
  app.addHook('onRequest', async (request) => {
    if (!isLarge(request)) return
    const { can: action, upload } = request.routeOptions.config
    if (upload === undefined) throw tooLarge()
    if (action && !can(request.viewer.standings, action)) throw refusal(request)
    if (Number(request.headers['content-length']) > upload) throw fileTooLarge()
  })

  // Throws rather than replies: a hook that merely returns lets the handler run.
  app.addHook('preValidation', async (request, reply) => {
    const { can: action, inAccount, confirm } = request.routeOptions.config
    if (!action) return
    // Reading the form may have taken seconds.
    if (request.method === 'POST') request.readViewerAgain()
    const { account } = request.formMeta ?? {}
    if (!request.viewer.user && !can(request.viewer.standings, action)) throw new LogInFirst(request)
    if (inAccount && account !== undefined) sameAccount(request, account, options)
    if (!can(request.viewer.standings, action) && mayProve(request) && request.method === 'POST') {
      await confirmed(request, reply, options)
      request.readViewerAgain()
    }
    if (!can(request.viewer.standings, action)) throw refusal(request, () => options.offerProofs(request, reply))
    if (inAccount && account === undefined) throw withoutAccount()
    if (confirm && request.method === 'POST') await confirmed(request, reply, options)
  })
})

/** Whether the person has confirmed who they are in this session, and not long ago. */
export function provedLately(request: FastifyRequest): boolean {
  const { server, session, needsPasskey } = request
  if (needsPasskey) return false
  // One of the future was given by a clock that was ahead.
  const age = server.now() - (session.provedAt ?? 0)
  return age >= 0 && age <= proofLasts
}

async function confirmed(
  request: FastifyRequest,
  reply: FastifyReply,
  { prove, offerProofs }: GuardOptions,
): Promise<void> {
  const { proof, credential } = request.formMeta
  const given = request.needsPasskey ? credential : proof || credential
  if (!given && provedLately(request)) return
  const wrong = given ? await prove(request, reply) : ''
  if (wrong === undefined) return
  const form = { values: {}, errors: wrong ? { [credential ? '_credential' : '_proof']: wrong } : {} }
  throw new Refusal(
    403,
    'Confirm that it is you',
    request.routeOptions.config.confirm === 'download'
      ? 'Confirm your password to continue. The download then starts, and you can leave this page.'
      : 'Confirm your password to continue. Nothing was changed yet.',
    {
      view: 'errors/confirm',
      form,
      ...offerProofs(request, reply),
      formAction: request.url,
      fields: request.body ?? {},
      download: request.routeOptions.config.confirm === 'download',
    },
  )
}

/** Rule 6: a form acts in the account that it was made in, or not at all. */
function sameAccount(request: FastifyRequest, wanted: string, { switchAccount, findOwnAccount }: GuardOptions): void {
  if (wanted === request.viewer.account?.identifier) return
  if (wanted === request.viewer.deletedAccount?.identifier) throw refusal(request)
  if (request.formMeta.switchBack && switchAccount(request, wanted)) return

  const account = findOwnAccount(request, wanted)
  // It was not changed but lost, most likely while the form was open.
  if (!account && request.viewer.accountLost) throw refusal(request)
  const active = request.viewer.account?.name
  const now = active ? apart`You are working in ${active} now` : 'No account is active now'
  throw new Refusal(
    409,
    'You switched accounts in another tab',
    account
      ? apart`${now}, but this form belongs to ${account.name}. Nothing was changed.`
      : `${now}, and this form belongs to an account that you are not in. Nothing was changed.`,
    { view: 'errors/other-account', own: account ?? null, formAction: request.url, fields: request.body ?? {} },
  )
}
/** What a request gets whose right went while it was on its way; the viewer is read again before. */
export function lateAnswer(request: FastifyRequest): Error {
  return request.viewer.user ? refusal(request) : new LogInFirst(request)
}

/** A short form: forms.ts sends its visitor to log in, and what was typed is kept. A file never is. */
function mayBeKept(request: FastifyRequest): boolean {
  const { method, headers, routeOptions } = request
  const plain = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false
  const form = plain || (routeOptions.config.upload !== undefined && isMultipart(request))
  return method === 'POST' && form && !isLarge(request)
}

/** Its length is known from the header; a chunked body has none and may grow to any size. */
function isLarge({ headers, routeOptions }: FastifyRequest): boolean {
  const length = headers['content-length']
  if (length === undefined)
    return headers['transfer-encoding'] !== undefined && routeOptions.config.upload !== undefined
  return Number(length) > httpLimits.bodyLimit
}

/** What an account asks for can be given at once. */
const mayProve = ({ viewer }: FastifyRequest) =>
  viewer.unmet === 'proof' || (viewer.unmet === 'second factor' && viewer.user?.passkey === true)

const typedAlone: Proofs = { passkey: null, typed: true, provider: '', atProvider: '' }

function refusal(request: FastifyRequest, proofs: () => Proofs = () => typedAlone): Refusal {
  const { account, standings, partnerAccounts, deletedAccount } = request.viewer
  const { can: action } = request.routeOptions.config
  if (standings.includes('enrolling')) {
    return new Refusal(403, 'Set up two-factor login first', 'This installation requires it of you.', {
      view: 'errors/enrol',
    })
  }
  if (action && isOfPartnerArea(action) && account?.kind !== 'partner' && partnerAccounts.length > 0) {
    return new Refusal(
      403,
      'Which partner account?',
      'This page belongs to a partner account, and you work in several.',
      { view: 'errors/choose-partner', accounts: partnerAccounts },
    )
  }
  if (deletedAccount) {
    return new Refusal(403, apart`${deletedAccount.name} was deleted`, 'Nobody can work in it now.', {
      view: 'errors/choose-account',
    })
  }
  if (standings.includes('unattached')) {
    return new Refusal(403, 'Choose an account', 'This page belongs to an account, and none is active now.', {
      view: 'errors/choose-account',
    })
  }
  if (account?.suspension?.ofPartner) {
    return new Refusal(
      403,
      apart`${account.partnerName} is suspended`,
      apart`Its people cannot work in its customers, and so not in ${account.name}, until it is resumed.`,
      { view: 'errors/suspended' },
    )
  }
  if (standings.includes('unproven')) return unproven(request, proofs)
  if (standings.includes('suspended')) {
    return new Refusal(
      403,
      apart`${account?.name} is suspended`,
      'Its pages cannot be opened until it is resumed. Nothing was deleted.',
      { view: 'errors/suspended' },
    )
  }
  return forbidden()
}

/** The account asks for something that is not fulfilled: this says what, and leads to it. */
function unproven({ viewer, method, url, ip }: FastifyRequest, proofs: () => Proofs): Refusal {
  const name = viewer.account?.name
  if (viewer.unmet === 'address')
    return new Refusal(
      403,
      apart`${name} is closed to this address`,
      apart`${name} can be used from certain IP addresses only, and yours is ${ip}. Ask one of its admins.`,
      { view: 'errors/choose-account' },
    )
  const isFactor = viewer.unmet === 'second factor'
  if (isFactor && !viewer.user?.passkey)
    return new Refusal(
      403,
      apart`${name} asks for two-factor login`,
      'Set it up once, and you can go on working there.',
      {
        view: 'errors/enrol',
      },
    )
  const title = isFactor ? apart`${name} asks for your passkey` : 'Confirm that it is you'
  return new Refusal(403, title, apart`${name} asks for it from time to time, and after a break.`, {
    view: 'errors/confirm',
    form: { values: {}, errors: {} },
    ...proofs(),
    formAction: '/session/proof',
    fields: { next: method === 'GET' ? url : '/' },
    download: false,
  })
}
