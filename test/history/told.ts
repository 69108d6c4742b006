import { firstPage } from '../../src/db/list.ts'
import { listRecords, recordList } from '../../src/history/data/records.ts'
import type { Piece } from '../../src/history/sentences/told.ts'
import { type RecordKind, recordKinds } from '../../src/records/kinds.ts'
import { accountId, type Panel } from '../harness.ts'

/** These are told in the words of their kind. */
const asTheirKind = new Set<string>([
  'import.ended',
  'import.stopped',
  'limit.requested',
  'limit.approved',
  'limit.declined',
  'limit.cancelled',
  'member.added-self',
  'member.removed-self',
  'user.passkey-added',
  'user.passkey-removed',
  'user.sso-connected',
  'user.sso-disconnected',
  'user.recovery-code-used',
  'user.recovery-codes-made',
  'user.data-downloaded',
  'installation.restored',
  'installation.secrets-rotated',
  'installation.clock-confirmed',
])

function wordsOf(pieces: Piece[]): string {
  const word = (piece: Piece) => {
    if (typeof piece === 'string') return piece
    if ('name' in piece) return piece.name
    if ('value' in piece) return piece.value
    if ('count' in piece) return `${piece.count} ${piece.one}`
    return String('time' in piece ? new Date(piece.time).toISOString() : piece.amount)
  }
  return pieces.map(word).join('')
}

/** The kinds of record that a panel has, and what is wrong with the sentences that tell of them in each history. */
export function toldIn(panel: Panel): { kinds: RecordKind[]; wrong: string[] } {
  const scopes = [
    'all',
    { accountId: accountId(panel, 'acme') },
    { fromAccountId: accountId(panel, 'cloudhaus') },
  ] as const
  const rows = scopes.flatMap((scope) => listRecords(panel.db, scope, firstPage(recordList, 200)).rows)
  const wrong = rows.flatMap(({ kind, sentence, change }) => {
    const { words, under } = sentence
    const text = [words, ...under].map(wordsOf).join(' / ')
    const inGeneral = words[0] === recordKinds[kind as RecordKind] && !asTheirKind.has(kind)
    const rawField = change.some(({ field }) => /^[a-z]+$/.test(field) && text.includes(`${field}:`))
    const raw = /undefined|null|NaN|\[object|\bto (?:admin|member|user|reader)\b/.test(text)
    const loose = /\s\s|\s$|^\s|\s[,:)]|\( /.test(wordsOf(words))
    return inGeneral || rawField || raw || loose ? [`${kind}: ${text}`] : []
  })
  return { kinds: rows.map(({ kind }) => kind as RecordKind), wrong }
}
