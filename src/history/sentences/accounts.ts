import type { RecordKind } from '../../records/kinds.ts'
import {
  counted,
  inside,
  now,
  only,
  type Piece,
  place,
  type Sentence,
  say,
  side,
  type Told,
  typed,
  was,
} from './told.ts'

type OfAccounts = Extract<RecordKind, `${'account' | 'partner' | 'import'}.${string}`>

/** What each setting became. Times are in milliseconds. */
const securityWords: Record<
  'networks' | 'secondFactorFrom' | 'sessionTime' | 'idleTime',
  (now?: string | number) => Piece[]
> = {
  networks: (now) => (now ? say`Allowed IP addresses: ${{ value: String(now) }}` : say`All IP addresses are allowed`),
  secondFactorFrom: (now) =>
    now ? say`Two-factor login is required from ${{ time: Number(now) }} on` : say`Two-factor login is not required`,
  sessionTime: (now) => (now ? say`Confirm after ${hours(now)}` : say`Nothing to confirm after some hours`),
  idleTime: (now) => (now ? say`Confirm after a break of ${minutes(now)}` : say`Nothing to confirm after a break`),
}
const hours = (time: string | number): Piece => ({ count: Number(time) / 3_600_000, one: 'hour' })
const minutes = (time: string | number): Piece => ({ count: Number(time) / 60_000, one: 'minute' })

const usersThen = (does: string) => ({ one: 'user', does })

/** Acts on accounts, becoming a partner, and imports. */
export const ofAccounts: Record<OfAccounts, (told: Told) => Sentence> = {
  'account.created': (it) => only(say`created ${place(it)} (${now(it, 'identifier')})`),
  'account.identifier-taken': (it) =>
    only(say`tried the identifier ${now(it, 'identifier')}, which is taken${inside(it, 'from')}`),
  'account.renamed': (it) =>
    it.elsewhere
      ? only(say`changed its name from ${was(it, 'name')} to ${now(it, 'name')}`)
      : only(
          it.shown
            ? say`renamed ${was(it, 'name')} to ${now(it, 'name')}`
            : say`renamed the account to ${now(it, 'name')} (was ${was(it, 'name')})`,
        ),
  'account.suspended': (it) => only(say`suspended ${place(it)}`, typed(it, 'reason', 'Reason')),
  'account.resumed': (it) => only(say`resumed ${place(it)}`, typed(it, 'reason', 'Was suspended because', 'before')),
  'account.became-partner': (it) =>
    only(
      say`made ${place(it, 'this account')} a partner account`,
      side(it, 'partner', 'before') === undefined ? null : say`It is no longer a customer of ${was(it, 'partner')}`,
    ),
  'account.became-customer': (it) => only(say`made ${place(it, 'this account')} a customer account`),
  'account.security-changed': (it) =>
    only(
      say`changed the security settings of ${place(it)}`,
      ...(Object.keys(securityWords) as (keyof typeof securityWords)[])
        .filter((field) => field in it.change)
        .map((field) => securityWords[field](side(it, field, 'after'))),
    ),
  'account.exported': (it) => only(say`exported the data of ${place(it)}`),
  'account.deleted': (it) => only(say`deleted ${place(it)}`, counted(it, 'users', 'before', usersThen('lost access'))),
  'account.restored': (it) =>
    only(say`restored ${place(it)}`, counted(it, 'users', 'after', usersThen('got access again'))),
  'account.purged': (it) =>
    only(
      say`removed ${place(it)} for good`,
      counted(it, 'users', 'before', { one: 'membership', does: 'could no longer be restored' }),
    ),
  'account.moved': (it) => {
    const [from, to] = [side(it, 'partner', 'before'), side(it, 'partner', 'after')]
    if (to === undefined)
      return only(say`ended the tie of ${place(it)} to ${was(it, 'partner')}`, say`Support looks after it now`)
    return only(
      say`moved ${place(it)} ${from === undefined ? [] : say`from ${was(it, 'partner')} `}to ${now(it, 'partner')}`,
    )
  },
  'account.customer-came': (it) => only(say`gave the customer ${now(it, 'customer')} to ${place(it, 'this partner')}`),
  'account.customer-left': (it) =>
    only(say`took the customer ${was(it, 'customer')} from ${place(it, 'this partner')}`),
  'account.customer-described': (it) =>
    only(
      say`changed the details of the customer ${now(it, 'customer')}${inside(it)}`,
      say`Changed: ${now(it, 'changed')}`,
    ),

  'partner.requested': (it) => only(say`asked for ${place(it, 'this account')} to become a partner`),
  'partner.cancelled': (it) => only(say`cancelled the request of ${place(it, 'this account')} to become a partner`),
  'partner.declined': (it) => only(say`declined the request of ${place(it, 'this account')} to become a partner`),

  'import.started': (it) =>
    only(
      say`started to import a file${inside(it)}`,
      counted(it, 'rows', 'after', { one: 'row', does: 'to import' }),
      counted(it, 'wrong', 'after', { one: 'row', does: 'left out because of errors' }),
    ),
  'import.ended': (it) => only(say`finished importing a file${inside(it)}`, ...importedRows(it)),
  'import.stopped': (it) => only(say`stopped importing a file${inside(it)}`, ...importedRows(it)),
}

function importedRows(it: Told) {
  return [
    counted(it, 'done', 'after', { one: 'row', does: 'imported' }),
    counted(it, 'failed', 'after', { one: 'row', does: 'failed' }),
    counted(it, 'left', 'after', { one: 'row', does: 'not imported' }),
  ]
}
