import type { Config } from '../../config.ts'
import type { Db } from '../../db/open.ts'
import { plural } from '../../web/format.ts'
import { countEndedPasskeys } from './data.ts'

/** What a changed PUBLIC_URL did to passkeys, and what to do about it. Undefined where none has ended. */
export function endedPasskeys(
  db: Db,
  { publicUrl, passkeyHost }: Pick<Config, 'publicUrl' | 'passkeyHost'>,
): { what: string; todo: string } | undefined {
  const ended = countEndedPasskeys(db, passkeyHost)
  if (ended === 0) return undefined
  return {
    what: `${plural(ended, 'passkey')} belong to another address than PUBLIC_URL ${publicUrl}, and do not work`,
    todo: 'set PUBLIC_URL back, or tell people to log in by password and add new ones',
  }
}
