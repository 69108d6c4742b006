import { z } from 'zod'
import { findAccount } from '../accounts/data.ts'
import { createCustomer, isOwnIdentifier, noteTaken } from '../customers/data.ts'
import { allOrNothing, type Db } from '../db/open.ts'
import type { Person } from '../history/record.ts'
import { invite, type Sender, whyNotInvited } from '../invitations/data.ts'
import { mayInvite } from '../mail/allowance.ts'
import { type Action, type ProjectRole, type Role, roleName } from '../policy.ts'
import { findProject } from '../projects/data.ts'
import { changeLimits, NotEnough } from '../quotas/data.ts'
import { countedResource, findResource } from '../resources/data.ts'
import { accountName, amount, email, emailKey, identifier, personName, withIdentifier } from '../web/fields.ts'
import type { ImportKind } from './data.ts'

// What can be brought in, and what becomes of a row: checked when the file is read, and once more when
// it is carried out, since the world moves on meanwhile.

/** Why a row cannot be carried out. */
export class RowFailed extends Error {}

class Taken extends RowFailed {
  readonly identifier: string
  constructor(identifier: string) {
    super(taken(identifier))
    this.identifier = identifier
  }
}

export type Checked = { subject: string; input: object; words: string } | { subject: string; wrong: string }

/** What the rows of a file have used up so far: identifiers and e-mails, with their lines. */
export type Seen = Map<string, number>

export type Kind = {
  action: Action
  /** Of one and of several rows. */
  words: [string, string]
  columns: { known: readonly string[]; required: readonly string[] }
  /** The column with somebody’s e-mail. */
  emailColumn: string
  example: string
  check: (db: Db, accountId: number, values: Record<string, string>, line: number, seen: Seen, at: number) => Checked
  /** Throws a RowFailed, or a TooMany where it can be done later, and leaves nothing of the row then. */
  carryOut: (tx: Db, actor: Person, sender: Sender, accountId: number, input: object) => string
}

const optional = <Input extends z.ZodType>(schema: Input) =>
  z.union([z.literal('').transform(() => undefined), schema]).optional()

const role = z
  .string()
  .transform((text) => text.toLowerCase().replace(/^customer |^partner /, ''))
  .pipe(
    z
      .enum(['', 'admin', 'member', 'user'], { error: 'The role is admin or user.' })
      .transform((text): Role | undefined => (text === '' ? undefined : text === 'admin' ? 'admin' : 'member')),
  )

const customerRow = z
  .object({
    name: accountName('The name is missing.'),
    identifier: identifier(),
    'admin name': optional(personName()),
    'admin e-mail': optional(email()),
    role,
    'project limit': amount('leave it empty for no limit'),
  })
  .transform(withIdentifier)
  .refine((row) => !row['admin e-mail'] || row['admin name'], { error: 'The admin’s name is missing.' })
  .refine((row) => row['admin e-mail'] || !row['admin name'], { error: 'The admin’s e-mail is missing.' })

type CustomerInput = {
  name: string
  identifier: string
  admin: { name: string; email: string; role: Role } | undefined
  limit: number | null
}

const customers: Kind = {
  action: 'customer.import',
  words: ['customer', 'customers'],
  columns: {
    known: ['name', 'identifier', 'admin name', 'admin e-mail', 'role', 'project limit'],
    required: ['name'],
  },
  emailColumn: 'admin e-mail',
  example:
    'name,identifier,admin name,admin e-mail,role,project limit\nBlue Ltd,blue,Ann Blue,ann@blue.example,admin,5',

  check(db, accountId, values, line, seen) {
    const row = customerRow.safeParse(withEvery(customers, values))
    const subject = `${values.name ?? ''} ${values.identifier ?? ''}`.trim()
    if (!row.success) return { subject, wrong: wordsOf(row.error) }
    const { name, identifier, role = 'admin' } = row.data
    const own = `${name} (${identifier})`
    const earlier = seenBefore(seen, identifier, line)
    if (earlier) return { subject: own, wrong: `“${identifier}” stands in line ${earlier} already.` }
    // Whether another partner has it is said only when it is created: a file could ask for 50,000 at once.
    if (isOwnIdentifier(db, accountId, identifier)) return { subject: own, wrong: taken(identifier) }
    const { 'admin name': adminName, 'admin e-mail': adminEmail, 'project limit': limit } = row.data
    const admin = adminName && adminEmail ? { name: adminName, email: adminEmail, role } : undefined
    const will = ['creates the customer']
    if (limit !== null) will.push(`limits it to ${limit} projects`)
    if (admin) will.push(`invites ${admin.email} as ${roleName('customer', role)}`)
    return { subject: own, input: { name, identifier, admin, limit } satisfies CustomerInput, words: will.join(', ') }
  },

  carryOut(tx, actor, sender, accountId, input) {
    const { limit, admin } = input as CustomerInput
    if (admin) mayInvite(tx, actor, emailKey(admin.email))
    const create = (inner: Db) => createWithAll(inner, actor, sender, accountId, input as CustomerInput)
    // A limit may turn out to be more than the pool has: a transaction of its own undoes the customer. It takes a while.
    if (limit === null) create(tx)
    else
      try {
        allOrNothing(tx, create)
      } catch (error) {
        // The note of it was undone as well.
        if (error instanceof Taken) noteTaken(tx, actor, accountId, error.identifier)
        throw error
      }
    return 'created'
  },
}

function createWithAll(tx: Db, actor: Person, sender: Sender, partnerId: number, customer: CustomerInput): void {
  const { name, identifier, admin, limit } = customer
  const created = createCustomer(tx, actor, partnerId, { name, identifier })
  if (!created) throw new Taken(identifier)
  const projects = limit === null ? undefined : findResource(tx, countedResource)
  if (projects) {
    try {
      changeLimits(tx, actor, { level: 'account', accountId: created.id }, new Map([[projects.id, limit]]), '')
    } catch (error) {
      if (!(error instanceof NotEnough)) throw error
      const [short] = error.shortages
      throw new RowFailed(`The pool has ${short?.left ?? 0} projects left.`)
    }
  }
  if (admin) invite(tx, actor, sender, created, { ...admin, projects: [] })
}

const userRow = z.object({ name: personName(), 'e-mail': email(), role, projects: z.string() })

type UserInput = { name: string; email: string; role: Role; projects: { id: number; role: ProjectRole }[] }

const users: Kind = {
  action: 'member.import',
  words: ['user', 'users'],
  columns: { known: ['name', 'e-mail', 'role', 'projects'], required: ['name', 'e-mail'] },
  emailColumn: 'e-mail',
  example: 'name,e-mail,role,projects\nAnn Blue,ann@blue.example,user,intranet:user archive:reader',

  check(db, accountId, values, line, seen, at) {
    const row = userRow.safeParse(withEvery(users, values))
    const subject = `${values.name ?? ''} ${values['e-mail'] ?? ''}`.trim()
    if (!row.success) return { subject, wrong: wordsOf(row.error) }
    const { name, 'e-mail': email, role = 'member' } = row.data
    const earlier = seenBefore(seen, emailKey(email), line)
    if (earlier) return { subject, wrong: `${email} stands in line ${earlier} already.` }
    const refused = whyNotInvited(db, accountId, email, at)
    if (refused) return { subject, wrong: refusalWords[refused] }
    const projects = readProjects(db, accountId, row.data.projects)
    if (typeof projects === 'string') return { subject, wrong: projects }
    const kind = findAccount(db, accountId)?.kind ?? 'customer'
    const will = [`invites as ${roleName(kind, role)}`]
    if (projects.length > 0) will.push(`gives access to ${projects.map(({ words }) => words).join(', ')}`)
    return {
      subject,
      input: { name, email, role, projects: projects.map(({ id, role }) => ({ id, role })) } satisfies UserInput,
      words: will.join(', '),
    }
  },

  carryOut(tx, actor, sender, accountId, input) {
    const user = input as UserInput
    const account = findAccount(tx, accountId)
    if (!account) throw new RowFailed('The account is gone.')
    mayInvite(tx, actor, emailKey(user.email))
    const invited = invite(tx, actor, sender, account, user)
    if (typeof invited === 'string') throw new RowFailed(refusalWords[invited])
    return 'invited'
  },
}

export const kinds: Record<ImportKind, Kind> = { customers, users }

const refusalWords = { member: 'Is a user of this account already.', pending: 'Is invited already.' }

const taken = (identifier: string) => `The identifier “${identifier}” is taken, or was once.`

/** Whoever imports users is an admin, who sees all projects. */
const everything = { userId: 0, seesAll: true }

/** “website:user shop” → the account's own living projects, with roles. What is wrong, in words. */
function readProjects(db: Db, accountId: number, text: string) {
  const roles: Record<string, ProjectRole> = { admin: 'admin', user: 'user', reader: 'reader' }
  const projects: { id: number; role: ProjectRole; words: string }[] = []
  for (const part of text.split(/[\s,;|]+/).filter(Boolean)) {
    const [identifier = '', roleWord = 'user'] = part.split(':')
    const role = Object.hasOwn(roles, roleWord) ? roles[roleWord] : undefined
    if (!role) return `“${roleWord.slice(0, 40)}” is no project role: it is admin, user or reader.`
    const project = findProject(db, accountId, everything, identifier)
    if (!project) return `This account has no project “${identifier.slice(0, 40)}”.`
    if (projects.some(({ id }) => id === project.id)) return `“${identifier}” stands here twice.`
    projects.push({ id: project.id, role, words: `${project.name} (${role})` })
  }
  return projects
}

const withEvery = ({ columns }: Kind, values: Record<string, string>) =>
  Object.fromEntries(columns.known.map((name) => [name, values[name] ?? '']))

const wordsOf = (error: z.ZodError) => [...new Set(error.issues.map(({ message }) => message))].join(' ')

function seenBefore(seen: Seen, key: string, line: number): number | undefined {
  const earlier = seen.get(key)
  if (earlier === undefined) seen.set(key, line)
  return earlier
}
