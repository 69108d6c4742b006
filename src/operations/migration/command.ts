import { join } from 'node:path'
import { readConfig } from '../../config.ts'
import { countApplied } from '../../db/check.ts'
import { isThere } from '../../db/files.ts'
import { StartError } from '../../db/start-error.ts'
import { plural } from '../../web/format.ts'
import { openInstallation } from '../installation/open.ts'

/** Brings the database to this version and ends. Throws a StartError when there is none, or a panel runs on it. */
export async function migrate(): Promise<void> {
  const { dataDir } = readConfig()
  const file = join(dataDir, 'panel.db')
  if (!isThere(file)) throw new StartError(`There is no database in ${dataDir}. Set DATA_DIR.`)
  const before = countApplied(file)
  openInstallation(dataDir, Date.now()).close()
  const made = countApplied(file) - before
  console.log(
    made === 0
      ? `${file} is up to date: nothing was changed.`
      : `${file} is up to date: ${plural(made, 'migration')} applied. A copy from before the migration is in ${join(dataDir, 'backups')}.`,
  )
}
