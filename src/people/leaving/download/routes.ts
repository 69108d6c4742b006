import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { write } from '../../../db/open.ts'
import { record } from '../../../records/record.ts'
import { sendFile } from '../../../web/answer/downloads.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { isoTime } from '../../../web/format.ts'
import { actor } from '../../../web/request/viewer.ts'
import { collectPersonalData } from './data/collecting.ts'
import type { Section } from './data/section.ts'

export default async function personalDataRoutes(app: FastifyInstance) {
  const { db } = app

  // Its form is on that page.
  app.get('/profile/data', { config: { can: 'profile.see' } }, async (_request, reply) => reply.seeOther('/profile'))

  // This is all the data about a person at once: a stolen session alone must not get it, and each download leaves a
  // record.
  app.post('/profile/data', { config: { can: 'profile.see', confirm: 'download' } }, async (request, reply) => {
    const { id } = request.signedIn
    return sendFile(reply, 'my-data.json', 'application/json; charset=utf-8', () => {
      const sections = orNotFound(collectPersonalData(db, id))
      const by = actor(request)
      write(db, by, (tx) => record(tx, by, { kind: 'user.data-downloaded', userId: id }))
      return Readable.from(jsonParts(sections), { objectMode: false })
    })
  })
}

/** One JSON object with a list for each section, some rows at a time, so that other requests come between. */
function* jsonParts(sections: Section[]): Generator<string> {
  const text = (value: unknown) => JSON.stringify(value, withReadableTimes)
  let before = '{'
  for (const section of sections) {
    yield `${before}\n  ${text(section.name)}: `
    before = ','
    if ('row' in section) yield text(section.row)
    else yield* listParts(section.rows(), text)
  }
  yield '\n}\n'
}

const rowsAtOnce = 100

function* listParts(rows: Iterable<unknown>, text: (row: unknown) => string): Generator<string> {
  let part: string[] = []
  let before = '['
  for (const row of rows) {
    part.push(`\n    ${text(row)}`)
    if (part.length < rowsAtOnce) continue
    yield `${before}${part.join(',')}`
    before = ','
    part = []
  }
  yield part.length > 0 ? `${before}${part.join(',')}\n  ]` : before === '[' ? '[]' : '\n  ]'
}

/** Times are milliseconds in the database, and ISO 8601 in the file. */
function withReadableTimes(key: string, value: unknown): unknown {
  return typeof value === 'number' && /(^at|At|^since)$/.test(key) ? isoTime(value) : value
}
