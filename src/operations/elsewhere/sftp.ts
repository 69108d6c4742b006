import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { environmentOf } from '../../config.ts'
import { Failure } from '../../db/failure.ts'
import { type Place, placeWords } from './place.ts'
import type { Store } from './store.ts'

type SftpPlace = Extract<Place, { kind: 'sftp' }>

/**
 * A folder of another machine, by the sftp of OpenSSH: it logs in with a key, and only to a host whose key it knows.
 * https://man.openbsd.org/sftp
 */
export function sftpStore(place: SftpPlace, signal?: AbortSignal): Store {
  const at = (name: string) => quoted(`${place.path}/${name}`)
  const run = (...commands: string[]) => runSftp(place, commands, signal)
  // Each folder from the root on: those that are there fail, and may.
  const parts = place.path.split('/').filter(Boolean)
  const makeFolder = parts.map((_, n) => `-mkdir ${quoted(`/${parts.slice(0, n + 1).join('/')}`)}`)

  async function list(): Promise<Map<string, number>> {
    return new Map((await run(...makeFolder, `ls -ln ${quoted(place.path)}`)).split('\n').flatMap(readLine))
  }

  async function put(name: string, file: string): Promise<void> {
    const partial = at(`${name}.partial`)
    const upload = [...makeFolder, `put -f ${quoted(file)} ${partial}`, `chmod 600 ${partial}`]
    // Not every server renames over a file that is there.
    await run(...upload, `rename ${partial} ${at(name)}`).catch(async (error) => {
      if (!(await list()).has(name)) throw error
      await run(...upload, `rm ${at(name)}`, `rename ${partial} ${at(name)}`)
    })
    const [size, { size: written }] = [(await list()).get(name), await stat(file)]
    if (size !== written)
      throw new Failure(`${placeWords(place)}/${name} has ${size ?? 'no'} bytes there, not the ${written} of here.`)
  }

  return {
    list,
    put,
    read: async (name) =>
      (await list()).has(name)
        ? inPassing(async (file) => {
            await run(`get ${at(name)} ${quoted(file)}`)
            return readFile(file, 'utf8')
          })
        : undefined,
    write: (name, text) =>
      inPassing(async (file) => {
        await writeFile(file, text, { mode: 0o600 })
        await put(name, file)
      }),
    remove: async (name) => void (await run(`-rm ${at(name)}`)),
  }
}

/** Between quotes sftp takes * ? [ for themselves. */
const quoted = (path: string) => `"${path.replaceAll(/["\\]/g, '\\$&')}"`

/** A line of `ls -ln` of a file: mode, links, owner, group, size, three parts of a date, name. */
function readLine(line: string): [name: string, size: number][] {
  const [, size, path] = /^-\S+\s+\S+\s+\S+\s+\S+\s+(\d+)\s+\S+\s+\S+\s+\S+\s+(.+?)\r?$/.exec(line) ?? []
  return path === undefined ? [] : [[basename(path), Number(size)]]
}

async function inPassing<Value>(act: (file: string) => Promise<Value>): Promise<Value> {
  const folder = await mkdtemp(join(tmpdir(), 'meshpanel-sftp-'))
  try {
    return await act(join(folder, 'file'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs commands of sftp up to the first that fails; one that begins with a hyphen may. Returns what it printed. */
async function runSftp(place: SftpPlace, commands: string[], signal: AbortSignal | undefined): Promise<string> {
  const { user, host, port, keyFile, knownHostsFile } = place
  const options = [
    ...['BatchMode=yes', 'StrictHostKeyChecking=yes', 'PasswordAuthentication=no'],
    ...['ConnectTimeout=20', 'ServerAliveInterval=15', 'ServerAliveCountMax=4'],
    ...(keyFile ? ['IdentitiesOnly=yes', `IdentityFile="${keyFile}"`] : []),
    ...(knownHostsFile ? [`UserKnownHostsFile="${knownHostsFile}"`] : []),
  ].flatMap((option) => ['-o', option])
  const target = `${user}@${host.includes(':') ? `[${host}]` : host}`
  const child = spawn('sftp', ['-b', '-', ...options, '-P', String(port), target], {
    env: { ...environmentOf('PATH', 'HOME', 'SSH_AUTH_SOCK'), LC_ALL: 'C' },
    ...(signal ? { signal } : {}),
  })
  child.stdin.on('error', () => {})
  child.stdin.end(`${commands.join('\n')}\n`)
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  try {
    const [out, said, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    if (code === 0) return out
    throw new Failure(`${placeWords(place)}: ${inWords(said)}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Failure('sftp is not installed: install OpenSSH’s client (openssh-client).')
    throw error
  }
}

/** The last that was said is why it ended. */
function inWords(said: string): string {
  const lines = said.split('\n').map((line) => line.trim())
  const known = lines.find((line) => /host key verification failed|permission denied \(/i.test(line))
  if (/host key verification failed/i.test(known ?? ''))
    return 'its host key is not known. Put it into known_hosts, or into the file that SFTP_KNOWN_HOSTS_FILE names.'
  if (known) return 'it does not accept the key. Set SFTP_KEY_FILE.'
  return `${lines.filter((line) => line && !/^(Connection closed|Connected to|Disconnected from|Received disconnect)/.test(line)).at(-1) ?? 'sftp failed'}.`.replace(
    /\.+$/,
    '.',
  )
}
