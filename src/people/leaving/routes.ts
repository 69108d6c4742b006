import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { foreseeEndOfAll } from '../../accounts/endings/data/foreseeing.ts'
import { write } from '../../db/open.ts'
import { removeStaleFiles } from '../../mail/files.ts'
import { record } from '../../records/record.ts'
import { sendFile } from '../../web/answer/downloads.ts'
import { found } from '../../web/answer/errors.ts'
import { emailKey, readId } from '../../web/fields.ts'
import { isoTime } from '../../web/format.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor, supportActor } from '../../web/request/viewer.ts'
import type { User } from '../data/users.ts'
import { findUser } from '../data/users.ts'
import { deleteUser, foreseeDeletion } from './data.ts'
import { collectPersonalData } from './download/data/collecting.ts'
import type { Section } from './download/data/section.ts'

const typed = z.strictObject({ email: z.string().trim().default('') })

const refusals = {
  needed: 'Accounts would be left with users but without an admin. Make somebody else an admin there first.',
  'last-operator': 'The panel keeps at least one user of Support.',
}

export default async function personalDataRoutes(app: FastifyInstance) {
  const { db, config } = app
  const own = { can: 'profile.change', confirm: true } as const
  const bySupport = { can: 'support.user', confirm: true } as const

  // Its form stands there.
  app.get('/profile/data', { config: { can: 'profile.see' } }, async (_request, reply) => reply.seeOther('/profile'))

  // All that is held about somebody at once: a stolen session alone must not get it, nor without a trace.
  app.post('/profile/data', { config: { can: 'profile.see', confirm: 'download' } }, async (request, reply) => {
    const { id } = request.signedIn
    return sendFile(reply, 'my-data.json', 'application/json; charset=utf-8', () => {
      const sections = found(collectPersonalData(db, id))
      const by = actor(request)
      write(db, by, (tx) => record(tx, by, { kind: 'user.data-downloaded', userId: id }))
      return Readable.from(jsonParts(sections), { objectMode: false })
    })
  })

  app.get('/profile/removal', { config: own }, async (request, reply) =>
    show(request, reply, ownUser(request), newForm()),
  )

  app.post('/profile/removal', { config: own }, async (request, reply) => {
    const user = ownUser(request)
    if (!(await remove(request, reply, user))) return reply
    await request.session.destroy()
    return reply.seeOther('/login', 'Your user was deleted.')
  })

  app.get('/support/users/:user/removal', { config: bySupport }, async (request, reply) =>
    show(request, reply, userOf(request), newForm()),
  )

  app.post('/support/users/:user/removal', { config: bySupport }, async (request, reply) => {
    const user = userOf(request)
    if (!(await remove(request, reply, user))) return reply
    return reply.seeOther('/support/users', `${user.name} was deleted.`)
  })

  /** Deletes whom the form names; otherwise sends the page that says what stands in the way. */
  async function remove(request: FastifyRequest, reply: FastifyReply, user: User): Promise<boolean> {
    const form = readForm(typed, request.body)
    if (!form.input || emailKey(form.input.email) !== user.emailKey) {
      form.errors.email = `Type ${user.email} to delete the user.`
      await show(request, reply.code(422), user, form)
      return false
    }
    const by = isOwn(request, user) ? actor(request) : supportActor(request)
    const done = deleteUser(db, by, user.id, {
      secrets: app.secrets,
      removeFiles: () => removeStaleFiles(db, config.dataDir),
      eraseTraces: app.eraseTraces,
    })
    if (done !== 'deleted') {
      await show(request, reply.code(422), user, form, refusals[done])
      return false
    }
    return true
  }

  function isOwn(request: FastifyRequest, user: User): boolean {
    return user.id === request.signedIn.id
  }

  function ownUser(request: FastifyRequest): User {
    return found(findUser(db, request.signedIn.id))
  }

  function userOf(request: FastifyRequest): User {
    const user = found(findUser(db, found(readId((request.params as { user: string }).user))))
    return found(user.deletedAt === null ? user : undefined)
  }

  function show(request: FastifyRequest, reply: FastifyReply, user: User, form: Form, problem = '') {
    const own = request.url.startsWith('/profile/')
    return reply.page('people/leaving/removal', {
      title: own ? 'Delete my user' : `Delete ${user.name}`,
      person: user,
      own,
      ...foreseeDeletion(db, user.id),
      ends: foreseeEndOfAll(db, user.id),
      formAction: own ? '/profile/removal' : `/support/users/${user.id}/removal`,
      back: own ? '/profile' : '/support/users',
      form,
      problem,
    })
  }
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
