import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { mayInvite } from '../../../mail/allowance.ts'
import type { ProjectRole, Role } from '../../../policy.ts'
import { everything, findProject } from '../../../projects/data.ts'
import { roleName } from '../../../roles.ts'
import { email, emailKey, personName } from '../../../web/fields.ts'
import { findAccount } from '../../data/account.ts'
import { findMemberByEmail, invite, whyNotInvited } from '../../invitations/data/sending.ts'
import { type Checked, type Kind, RowFailed, role, usedBefore, withEvery, wordsOf } from './kind.ts'

const address = z.object({ 'e-mail': email(), role })
const userRow = z.object({ name: personName(), 'e-mail': email(), role, projects: z.string() })

type UserInput = { name: string; email: string; role: Role; projects: { id: ProjectId; role: ProjectRole }[] }

export const users: Kind = {
  action: 'member.import',
  words: ['user', 'users'],
  columns: {
    known: ['name', 'e-mail', 'role', 'projects'],
    required: ['name', 'e-mail'],
    also: {
      name: ['full name'],
      'e-mail': ['e-mail address', 'mail', 'mail address'],
      role: ['user role'],
      projects: ['project', 'project access'],
    },
    own: ['last seen', 'last log-in', 'joined', 'sent', 'expires', 'letter'],
  },
  emailColumn: 'e-mail',
  example: 'name,e-mail,role,projects\nAnn Blue,ann@blue.example,user,intranet:user archive:reader',

  check(db, { accountId, values, line, used }, at) {
    const every = withEvery(users, values)
    const subject = `${values.name ?? ''} ${values['e-mail'] ?? ''}`.trim()
    const known = checkKnown(db, accountId, every, at)
    if (known) return { subject, ...known }
    const row = userRow.safeParse(every)
    if (!row.success) return { subject, wrong: wordsOf(row.error) }
    const { name, 'e-mail': email, role = 'member' } = row.data
    const earlier = usedBefore(used, emailKey(email), line)
    if (earlier) return { subject, wrong: apart`${email} stands in line ${earlier} already.` }
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

  carryOut(tx, actor, sender, { accountId, input }) {
    const user = input as UserInput
    const account = findAccount(tx, accountId)
    if (!account) throw new RowFailed('The account is gone.')
    mayInvite(tx, actor, emailKey(user.email))
    const invited = invite(tx, actor, sender, { account, input: user })
    if (typeof invited === 'string') throw new RowFailed(refusalWords[invited])
    return { words: 'invited', invitationId: invited.id }
  },
}

const refusalWords = { member: 'Is a user of this account already.', pending: 'Already invited.' }

/** Existing users and invited people stay as they are: people choose their own name, and an import changes no role. */
function checkKnown(db: Db, accountId: AccountId, every: Record<string, string>, at: number) {
  const row = address.safeParse(every)
  const known = row.success && whyNotInvited(db, accountId, row.data['e-mail'], at)
  if (!known) return undefined
  const member = findMemberByEmail(db, accountId, row.data['e-mail'])
  const words = ['Nothing to change.', refusalWords[known]]
  if (member && row.data.role && member.role !== row.data.role) {
    const kind = findAccount(db, accountId)?.kind ?? 'customer'
    words.push(`The role stays ${roleName(kind, member.role)}: change it under Users.`)
  }
  return { unchanged: words.join(' ') } satisfies Omit<Checked, 'subject'>
}

/** “website:user shop” → the account's own living projects, with roles. What is wrong, in words. */
function readProjects(db: Db, accountId: AccountId, text: string) {
  const roles: Record<string, ProjectRole> = { admin: 'admin', user: 'user', reader: 'reader' }
  const projects: { id: ProjectId; role: ProjectRole; words: string }[] = []
  for (const part of text
    .toLowerCase()
    .split(/[\s,;|]+/)
    .filter(Boolean)) {
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
