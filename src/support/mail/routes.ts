import type { FastifyInstance, FastifyRequest } from 'fastify'
import { apart } from '../../db/apart.ts'
import { countFailed, findLetter, letterList, listLetters } from '../../mail/listing.ts'
import { type LetterRow, openBody } from '../../mail/outbox.ts'
import { plainPart } from '../../mail/plain.ts'
import { sendAgain, sendAllFailedAgain } from '../../mail/resending.ts'
import type { Secrets } from '../../secrets.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { idFrom } from '../../web/request/address.ts'
import { supportActor } from '../../web/request/viewer.ts'

export default async function supportMailRoutes(app: FastifyInstance) {
  const { db, config, secrets } = app
  const mail = { config: { can: 'support.mail' } } as const

  app.get('/support/mail', mail, async (request, reply) => {
    const file = listDownload(request, reply, { spec: letterList, list: (query) => listLetters(db, query) })
    if (file) return file
    return reply.page('support/mail', {
      title: 'Mail',
      toServer: config.smtp !== undefined,
      failed: countFailed(db),
      list: listLetters(db, readList(request, letterList)),
    })
  })

  app.get('/support/mail/:letter', mail, async (request, reply) => {
    const letter = orNotFound(findLetter(db, letterId(request)))
    // With a mail server the letter is its reader's alone: it may carry a link that acts for them.
    const text = config.smtp ? undefined : await textOf(secrets, letter)
    return reply.page('support/letter', { title: letter.subject, letter, text: text ?? '' })
  })

  app.post('/support/mail/resending', mail, async (request, reply) => {
    const { again, withdrawn } = await sendAllFailedAgain(db, supportActor(request))
    app.wakeMail()
    const gone = withdrawn > 0 ? ` ${plural(withdrawn, 'e-mail')} no longer held true and will not be sent.` : ''
    return reply.seeOther(
      '/support/mail',
      again + withdrawn > 0
        ? `${plural(again, 'e-mail')} ${again === 1 ? 'is' : 'are'} being sent again.${gone}`
        : 'No e-mail has failed. Nothing was changed.',
    )
  })

  app.post('/support/mail/:letter/resending', mail, async (request, reply) => {
    const letter = orNotFound(findLetter(db, letterId(request)))
    const again = sendAgain(db, supportActor(request), letter.id)
    app.wakeMail()
    return reply.seeOther(
      '/support/mail',
      again === 'again'
        ? apart`The e-mail to ${letter.email} is being sent again.`
        : again === 'nothing'
          ? apart`The e-mail to ${letter.email} can no longer be sent.`
          : apart`The e-mail to ${letter.email} was not sent again: ${again.whyNot}.`,
    )
  })
}

/** Undefined if it is no longer kept, or damaged. */
async function textOf(secrets: Secrets, letter: LetterRow): Promise<string | undefined> {
  try {
    const body = openBody(secrets, letter)
    return body && (await plainPart(body.html))
  } catch {
    return undefined
  }
}

function letterId(request: FastifyRequest): number {
  return idFrom(request, 'letter')
}
