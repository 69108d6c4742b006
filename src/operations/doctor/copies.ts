import { statSync } from 'node:fs'
import type { Config } from '../../config.ts'
import { duration } from '../../web/format.ts'
import { listCopies } from '../backups/copying.ts'
import { isTooOld, newestGood } from '../backups/folder.ts'
import { type Place, placeWords } from '../elsewhere/place.ts'
import { openStore } from '../elsewhere/store.ts'
import { type Finding, ok, problem, saidBy, warning } from './finding.ts'

/** Whether BACKUP_TO can be reached, is another disk, and how old the newest copy there is. */
export async function examineCopies({ backupTo, backupEveryHours, dataDir }: Config, at: number): Promise<Finding[]> {
  if (!backupTo)
    return [warning('copies: backups stay on this machine, whose disk may fail', 'set BACKUP_TO to another machine')]
  try {
    const newest = newestGood(await listCopies(openStore(backupTo)), at)
    const age = newest && at - newest.at
    const what = `copies: the newest in ${placeWords(backupTo)} is ${duration(age ?? 0)} old`
    return [
      ...onSameDisk('copies', backupTo, dataDir),
      age === undefined
        ? warning(`copies: there is none yet in ${placeWords(backupTo)}`, 'see that the panel runs, and make a backup')
        : isTooOld(age, backupEveryHours)
          ? problem(what, 'look for “backups could not be copied” in the log')
          : ok(what),
    ]
  } catch (error) {
    return [problem(`copies: ${saidBy(error)}`, 'look at BACKUP_TO, and whether it can be reached from here')]
  }
}

/** A folder that nothing is mounted on fails together with the data. */
export function onSameDisk(what: string, place: Place, dataDir: string): Finding[] {
  if (place.kind !== 'folder' || statSync(place.path).dev !== statSync(dataDir).dev) return []
  return [
    warning(`${what}: ${place.path} is on the same disk as DATA_DIR`, 'see that the other machine is mounted there'),
  ]
}
