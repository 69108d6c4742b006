import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { readConfig } from '../../config.ts'
import { createPrivate, isThere, moveIntoPlace, withPartial } from '../../db/files.ts'
import { write } from '../../db/open.ts'
import { StartError } from '../../db/start-error.ts'
import { joinInstallation } from '../../operations/installation/open.ts'
import { atCommandLine, record } from '../../records/record.ts'
import { findAccountByIdentifier } from '../data/account.ts'
import { archiveName, exportAccount } from './archive.ts'

/**
 * Writes the archive of an account, also while the panel runs: by default as IDENTIFIER-DAY.zip in this
 * folder. The file is complete or not there, readable only by its owner, and never overwrites another.
 */
export async function exportToFile(identifier: string, { to }: { to?: string }): Promise<void> {
  const { db, close } = joinInstallation(readConfig().dataDir, Date.now())
  try {
    const at = Date.now()
    const file = resolve(to ?? archiveName(identifier, at))
    const refuseToOverwrite = () => {
      if (isThere(file)) throw new StartError(`${file} is there already. Name another file with --to.`)
    }
    const account = findAccountByIdentifier(db, identifier)
    const archive = account && exportAccount(db, account.id, at)
    if (!archive) throw new StartError(`There is no account “${identifier}”.`)
    refuseToOverwrite()

    await withPartial(file, async (partial) => {
      createPrivate(partial)
      await pipeline(archive, createWriteStream(partial))
      refuseToOverwrite()
      // Its history says so before anybody has the file.
      const by = atCommandLine(at)
      write(db, by, (tx) => record(tx, by, { kind: 'account.exported', accountId: account.id }))
      moveIntoPlace(partial, file)
    })
    console.log(`The data of ${account.name} is in ${file}.`)
  } finally {
    close()
  }
}
