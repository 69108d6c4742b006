import type { AccountId, UserId } from '../../db/ids.ts'
import { readJson } from '../../db/json.ts'
import type { Db } from '../../db/open.ts'
import { type Placeholders, prepared } from '../../db/prepared.ts'
import { personalChanges, resources } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'
import type { AccountKind, ProjectRole, Role } from '../../policy.ts'
import { type RecordKind, recordKinds } from '../../records/kinds.ts'
import type { Change } from '../../records/record.ts'
import { projectRoleNames, roleName } from '../../roles.ts'
import { accountRenames, type Named, nameAt, type Rename, userRenames } from '../names/data.ts'
import { sentenceOf } from '../sentences/sentence.ts'
import { type Sentence, unreadableChange } from '../sentences/told.ts'
import { linksOf } from './links.ts'
import type { RawRecord, Side } from './records.ts'
import { isAboutCustomer, isFromPartner, isOfAccount, isOfPartner, type Scope } from './scope.ts'

/** Records with what they tell of in words, and with names as they were then and are now. */
export function inFull(db: Db, scope: Scope, partnerId: AccountId | undefined, rows: RawRecord[]) {
  const personal = listPersonalChanges(
    db,
    rows.map(({ id }) => id),
  )
  const renames = renamesOf(db, rows)
  const personAt = (id: UserId | null, name: string | null, recordId: number) =>
    id === null || name === null ? null : nameAt(name, recordId, renames.users.get(id))
  /**
   * Purged accounts have lost their name, and the current name of a customer that left is not for its former partner:
   * both are shown by identifier.
   */
  const placeAt = <Id>(row: Place<Id> | null, isOwn: boolean, recordId: number, of: Map<Id, Rename[]>) =>
    row && (isOwn && row.name ? nameAt(row.name, recordId, of.get(row.id)) : { name: row.identifier, now: null })

  const resource = resourcesOf(db)
  return rows.map((row) => {
    const { id, kind, subjectId, actorId } = row
    const isOwn = !isFromPartner(scope) || row.account?.partnerId === scope.fromAccountId
    const links = linksOf(scope, row)
    const account = linked(placeAt(row.account, isOwn, id, renames.accounts), links.account)
    const ofOthers = isOfAccount(scope) && row.accountId !== scope.accountId
    const elsewhere = ofOthers && row.accountId !== null
    const side = sideOf(scope, partnerId, row)
    const subject = subjectId === actorId ? null : linked(personAt(subjectId, row.subject, id), links.subject)
    const project = linked(placeAt(row.project, isOwn, id, renames.projects), links.project)
    const change = changeOf(row, personal)
    return {
      id,
      kind,
      /** What happened in a sentence that goes on after who did it. A file does not need it. */
      get sentence(): Sentence {
        return sentenceOf({
          kind: kind as RecordKind,
          account,
          shown: !isOfAccount(scope) && !isAboutCustomer(scope),
          elsewhere,
          subject,
          project,
          invited: row.invited,
          letter: row.letter === null ? null : { subject: row.letter, to: row.letterTo ?? '' },
          change,
          resource,
        })
      },
      at: row.at,
      bySupport: row.bySupport,
      words: recordKinds[kind as RecordKind] ?? kind,
      // Who renamed another’s account, and from where any rename was made, is that account’s and person’s own.
      actor: elsewhere ? null : linked(personAt(actorId, row.actor, id), links.actor),
      ip: ofOthers || isOfPartner(scope) ? null : row.ip,
      /** The API token that it was done with, by its last characters; those of a purged account are gone. */
      token: ofOthers || row.tokenId === null ? null : `…${row.tokenEnd ?? ''}`,
      /** A program did it, and no person. */
      byService: !elsewhere && row.actorIsService === true,
      /** The record of another account or of a person alone, which affects this history. */
      ofOthers,
      side,
      from: elsewhere || showsFrom(scope, side, row) ? placeAt(row.actorAccount, true, id, renames.accounts) : null,
      /** The account itself, or that of the partner whose history it is: a page need not say so. */
      fromOwn: isFromPartner(scope) || (!elsewhere && row.actorAccount?.id === row.accountId),
      account,
      change: Object.entries(change).map(([field, [before, after]]) => ({ field, before, after })),
      // The person or thing it was done to, unless people did it to themselves.
      on: [
        elsewhere ? account : null,
        subject,
        project,
        ...[row.invited, row.letter, row.letterTo].map((name) => (name === null ? null : { name, now: null })),
      ].filter((named) => named !== null),
    }
  })
}

const linked = (named: Named | null, href: string | undefined) => (named && href ? { ...named, href } : named)

const catalogue = prepared((db) =>
  db.select({ key: resources.key, name: resources.name, unit: resources.unit }).from(resources).prepare(),
)

/** The words for a resource, by its key; the catalogue is read when one is asked for. */
function resourcesOf(db: Db) {
  let all: Map<string, ReturnType<ReturnType<typeof catalogue>['all']>[number]> | undefined
  return (key: string) => {
    all ??= new Map(
      catalogue(db)
        .all()
        .map((resource) => [resource.key, resource]),
    )
    return all.get(key)
  }
}

type Place<Id> = { id: Id; name: string; identifier: string }

/** The account that somebody acted from is shown if it is the account itself or its partner; Support sees all. */
function showsFrom(scope: Scope, side: Side | null, { actorAccount, accountId, bySupport }: RawRecord): boolean {
  return !bySupport && (side === 'partner' || scope === 'all' || isFromPartner(scope) || actorAccount?.id === accountId)
}

/** The renames of everybody and everything that these records name. */
function renamesOf(db: Db, rows: RawRecord[]) {
  const renamed = rows.flatMap(({ account, actorAccount, project, accountId }) => [
    ...[account, actorAccount].flatMap((one) => (one && one.version > 1 ? [one.id] : [])),
    ...(project && project.version > 1 && accountId !== null ? [accountId] : []),
  ])
  const people = rows.flatMap(({ actorId, subjectId }) => [actorId, subjectId].filter((id) => id !== null))
  return { users: userRenames(db, people), ...accountRenames(db, renamed) }
}

/** People act on their own membership as themselves, except for acts that only a partner’s people can do. */
const partnersOwn = ['member.added-self', 'member.removed-self']

/** Whether somebody acted as Support, or from the partner’s account: by the record’s columns, whatever they are called. */
function sideOf(scope: Scope, partnerId: AccountId | undefined, row: RawRecord): Side | null {
  if (row.bySupport) return 'support'
  const { kind, actorAccount, accountId, actorId, subjectId } = row
  if (isOfAccount(scope) && accountId === null) {
    if (row.actorIsOperator) return 'support'
    return actorAccount && actorAccount.id === partnerId ? 'partner' : null
  }
  if (isOfAccount(scope) && accountId !== scope.accountId) return 'partner'
  if (isFromPartner(scope) || !actorAccount || accountId === null || actorAccount.id === accountId) return null
  return actorId === subjectId && !partnersOwn.includes(kind) ? null : 'partner'
}

const personalChangesOf = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
  db
    .select({
      recordId: personalChanges.recordId,
      field: personalChanges.field,
      before: personalChanges.before,
      after: personalChanges.after,
    })
    .from(personalChanges)
    .where(isOneOf(personalChanges.recordId, ids))
    .prepare(),
)

function listPersonalChanges(db: Db, recordIds: number[]) {
  return personalChangesOf(db).all({ ids: JSON.stringify(recordIds) })
}

/** What a record says of before and after, with the words that are kept beside it. */
function changeOf(row: RawRecord, personal: ReturnType<typeof listPersonalChanges>): Change {
  const read = readJson<Change>(row.change, unreadableChange)
  const beside = personal.filter(({ recordId }) => recordId === row.id)
  if (read === unreadableChange && beside.length === 0) return read
  return Object.fromEntries([
    ...Object.entries(read).map(([field, [before, after]]) => [
      field,
      [inWords(field, row, before), inWords(field, row, after)],
    ]),
    ...beside.map(({ field, before, after }) => [field, [before, after]]),
  ])
}

/** Roles are shown in the product's words. */
function inWords(
  field: string,
  { kind, accountKind }: { kind: string; accountKind: AccountKind | null },
  value: string | number | null,
) {
  if (field !== 'role' || typeof value !== 'string') return value
  if (kind.startsWith('access.')) return projectRoleNames[value as ProjectRole]
  return roleName(accountKind ?? 'customer', value as Role)
}
