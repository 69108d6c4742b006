import type { FastifyReply, FastifyRequest } from 'fastify'
import { ownPath } from '../../../web/answer/redirects.ts'
import type { Form } from '../../../web/request/forms.ts'
import { findUser } from '../../data/users.ts'
import { offerSecondStep } from '../../passkeys/options.ts'

/** Asks somebody who has given the password for a code, or for a passkey. */
export function showSecondStep(request: FastifyRequest, reply: FastifyReply, { values, errors }: Form, problem = '') {
  const half = request.viewer.halfSignedIn
  const user = half && findUser(request.server.db, half.id)
  return reply.page('people/two-factor/log-in', {
    title: 'Second step',
    form: { values: { ...values, next: ownPath(values.next) }, errors },
    problem,
    code: user?.totpSecret != null,
    passkey: user ? offerSecondStep(request, reply, user) : null,
  })
}
