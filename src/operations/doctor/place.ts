import { existsSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readMasters, secretsFile } from '../../secrets.ts'
import { fileSize } from '../../web/format.ts'
import { type Finding, ok, problem, saidBy, warning } from './finding.ts'

const mebibyte = 1024 ** 2

/** Who may read and write DATA_DIR and its contents, and how much room there is. */
export function examinePlace(dataDir: string): Finding[] {
  return [...examineRights(dataDir), ...examineSecrets(dataDir), examineRoom(dataDir)]
}

function examineRights(dataDir: string): Finding[] {
  const { mode, uid } = statSync(dataDir)
  const findings: Finding[] = []
  if (mode & 0o022)
    findings.push(problem(`others may write to ${dataDir} (mode ${octal(mode)})`, `run chmod 700 ${dataDir}`))
  else if (mode & 0o055)
    findings.push(warning(`others may look into ${dataDir} (mode ${octal(mode)})`, `run chmod 700 ${dataDir}`))
  for (const file of ['panel.db', 'panel.db-wal', 'panel.db-shm', 'panel.lock', 'secrets'].map((name) =>
    join(dataDir, name),
  )) {
    const there = statSync(file, { throwIfNoEntry: false })
    if (!there) continue
    if (there.uid !== uid)
      findings.push(
        problem(
          `${file} belongs to another user than ${dataDir}: the panel may be unable to write it`,
          `run chown --reference=${dataDir} ${file}`,
        ),
      )
    if (there.mode & 0o077 && mode & 0o055 && !file.endsWith('.lock'))
      findings.push(problem(`others may read ${file} (mode ${octal(there.mode)})`, `run chmod 600 ${file}`))
  }
  return findings.length > 0 ? findings : [ok(`rights: only its owner reads ${dataDir}`)]
}

const octal = (mode: number) => (mode & 0o777).toString(8)

function examineSecrets(dataDir: string): Finding[] {
  const file = secretsFile(dataDir)
  if (!existsSync(file))
    return [
      problem(`${file} is missing`, 'bring it back from a backup (FILE.secrets): the panel does not start without it'),
    ]
  const { mode } = statSync(file)
  if (mode & 0o077)
    return [problem(`others may read ${file} (mode ${octal(mode)})`, `run chmod 600 ${file}, and then rotate-secrets`)]
  try {
    return readMasters(file).length > 1
      ? [warning('a rotation of the secrets was cut off', 'stop the panel and run rotate-secrets again')]
      : [ok('secrets: there, and only their owner reads them')]
  } catch (error) {
    return [problem(saidBy(error), 'bring it back from a backup (FILE.secrets)')]
  }
}

function examineRoom(dataDir: string): Finding {
  const { bavail, bsize } = statfsSync(dataDir)
  const free = bavail * bsize
  const sizes = ['panel.db', 'panel.db-wal'].map(
    (name) => statSync(join(dataDir, name), { throwIfNoEntry: false })?.size,
  )
  const size = sizes.reduce((sum: number, one) => sum + (one ?? 0), 0)
  const what = `disk: ${fileSize(free)} are free, the database has ${fileSize(size)}`
  if (free < size * 2 + 64 * mebibyte) return problem(what, 'make room: the next backup may not fit')
  if (free < Math.max(size * 10, 1024 * mebibyte)) return warning(what, 'make room before it becomes scarce')
  return ok(what)
}
