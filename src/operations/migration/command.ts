import { join } from 'node:path'
import { readConfig } from '../../config.ts'
import { countApplied } from '../../db/check.ts'
import { isThere } from '../../db/files.ts'
import { recount } from '../../db/recounting.ts'
import { StartError } from '../../db/start-error.ts'
import { plural } from '../../web/format.ts'
import { openInstallation } from '../installation/open.ts'

/** Brings the database to this version and ends; counts anew what is kept as a figure, if that is asked for. Throws a StartError when there is none, or a panel runs on it. */
export async function migrate(options: { recount?: boolean }): Promise<void> {
  const { dataDir } = readConfig()
  const file = join(dataDir, 'panel.db')
  if (!isThere(file)) throw new StartError(`There is no database in ${dataDir}. Set DATA_DIR.`)
  const before = countApplied(file)
  const { db, close } = openInstallation(dataDir, Date.now())
  try {
    if (options.recount) recount(db.$client)
  } finally {
    close()
  }
  const made = countApplied(file) - before
  console.log(
    made === 0
      ? `${file} is up to date: ${options.recount ? 'pools, names in lists and search indexes were made anew' : 'nothing was changed'}.`
      : `${file} is up to date: ${plural(made, 'migration')} applied. A copy from before the migration is in ${join(dataDir, 'backups')}.`,
  )
}
