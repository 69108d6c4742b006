import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { openFile } from '../../db/open.ts'
import { placeWords } from '../elsewhere/place.ts'
import { readHeld, refuseNewer } from '../replica/claim.ts'
import { type Claim, readClaim } from '../replica/data.ts'
import { findLitestream, replicaLag } from '../replica/litestream.ts'
import { onSameDisk } from './copies.ts'
import { type Finding, ok, problem, saidBy } from './finding.ts'

/** Whether Litestream is there, the replica can be reached, is this machine's, and how far it is behind. */
export async function examineReplica(config: Config, running: boolean): Promise<Finding[]> {
  const { replicateTo, dataDir } = config
  if (!replicateTo) return []
  try {
    const { version } = await findLitestream()
    const held = await readHeld(replicateTo)
    refuseNewer(replicateTo, held, claimOf(dataDir))
    const what = `replica: Litestream ${version} writes to ${placeWords(replicateTo)} (epoch ${held?.epoch ?? 0})`
    const lag = running ? await replicaLag(config, replicateTo) : undefined
    return [
      ...onSameDisk('replica', replicateTo, dataDir),
      running && lag === undefined
        ? problem(`${what}, but nothing is there`, 'look for “replica” in the log')
        : ok(lag === undefined ? what : `${what}, ${lag} behind`),
    ]
  } catch (error) {
    return [problem(`replica: ${saidBy(error)}`, 'see “Another machine” in the README')]
  }
}

function claimOf(dataDir: string): Claim {
  const { db, close } = openFile(join(dataDir, 'panel.db'))
  try {
    return readClaim(db)
  } finally {
    close()
  }
}
