import { join } from 'node:path'
import { type Config, readConfig } from '../../config.ts'
import { isThere } from '../../db/files.ts'
import { isLocked } from '../../db/lock.ts'
import { StartError } from '../../db/start-error.ts'
import { secretsFile } from '../../secrets.ts'
import { ConfigError } from '../../settings.ts'
import { email } from '../../web/fields.ts'
import { examineCopies } from './copies.ts'
import { examineBackups, examineDatabase } from './database.ts'
import { type Finding, ok, problem, saidBy } from './finding.ts'
import { examineMail } from './mail.ts'
import { examineOutside } from './outside.ts'
import { examinePlace } from './place.ts'
import { examineReplica } from './replica.ts'
import { examineSettings } from './settings.ts'
import { examineSso } from './sso.ts'

/**
 * Examines an installation, also while the panel runs, and prints one line per finding. Exit code 1 if one is a
 * problem.
 */
export async function doctor({ send }: { send?: string }): Promise<void> {
  const address = send === undefined ? undefined : email().safeParse(send).data
  if (send !== undefined && !address) throw new StartError('--send: Enter one e-mail address.')
  const findings = await examine(address)
  for (const { level, what, todo } of findings) console.log(`${level.padEnd(7)}  ${what}${todo ? ` — ${todo}` : ''}`)
  if (findings.some(({ level }) => level === 'problem')) process.exitCode = 1
}

/** What it means that there is no database; undefined where there is one. */
function examineAbsence(dataDir: string): Finding | undefined {
  if (isThere(join(dataDir, 'panel.db'))) return undefined
  const secrets = secretsFile(dataDir)
  return isThere(secrets)
    ? problem(
        `there is no database in ${dataDir}, but ${secrets} is there`,
        'restore a backup: no start makes a new one',
      )
    : problem(`there is no database in ${dataDir}`, 'set DATA_DIR; a first start or a restore makes one')
}

async function examine(address: string | undefined): Promise<Finding[]> {
  let config: Config
  try {
    config = readConfig()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [problem(`configuration: ${saidBy(error)}`, 'set it and run doctor again')]
  }
  const { dataDir } = config
  const settings = examineSettings(config)
  try {
    const missing = examineAbsence(dataDir)
    if (missing) return [...settings, missing, ...(await examineMail(config, address))]
    const running = isLocked(dataDir)
    return [
      ...settings,
      ...examinePlace(dataDir),
      ok(running ? 'process: a panel runs on this data' : 'process: no panel runs on this data'),
      ...(await examineDatabase(config, Date.now())),
      ...examineBackups(config, Date.now()),
      ...(await examineCopies(config, Date.now())),
      ...(await examineReplica(config, running)),
      ...(await examineMail(config, address)),
      ...(await examineSso(config)),
      ...(await examineOutside(config, running, Date.now)),
    ]
  } catch (error) {
    return [...settings, problem(saidBy(error), `see that this user may read and write ${dataDir}`)]
  }
}
