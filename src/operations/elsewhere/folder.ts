import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Failure, inOneLine } from '../../db/failure.ts'
import type { Place } from './place.ts'
import type { Store } from './store.ts'

type Bytes = AsyncIterable<Buffer> | Iterable<Buffer>

/** A folder of another machine, or of another disk, that is mounted here. */
export function folderStore({ path }: Extract<Place, { kind: 'folder' }>, signal?: AbortSignal): Store {
  const at = (name: string) => join(path, name)

  async function write(name: string, bytes: Bytes): Promise<void> {
    // It is not made: where the mount is missing, copies would fill this machine's own disk.
    if (!(await stat(path).catch(() => undefined))?.isDirectory())
      throw new Failure(`There is no folder ${path}. See that it is mounted.`)
    const partial = at(`${name}.partial`)
    try {
      const hash = createHash('sha256')
      const file = await open(partial, 'w', 0o600)
      try {
        for await (const piece of bytes) {
          signal?.throwIfAborted()
          hash.update(piece)
          await file.write(piece)
        }
        await file.sync()
      } finally {
        await file.close()
      }
      if ((await sumOf(partial)) !== hash.digest('hex'))
        throw new Failure(`${at(name)} does not hold what was written there. Look at the disk.`)
      await rename(partial, at(name))
      await sync(path)
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {})
      throw error
    }
  }

  return {
    list: () =>
      inWords(path, async () => {
        const entries = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isFile())
        return new Map(
          await Promise.all(entries.map(async ({ name }) => [name, (await stat(at(name))).size] as [string, number])),
        )
      }),
    put: (name, file) => inWords(path, () => write(name, createReadStream(file, { highWaterMark: 1024 * 1024 }))),
    read: (name) => inWords(path, () => readFile(at(name), 'utf8').catch(undefinedIfMissing)),
    write: (name, text) => inWords(path, () => write(name, [Buffer.from(text)])),
    remove: (name) => inWords(path, () => rm(at(name), { force: true })),
  }
}

async function sumOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of Readable.from(createReadStream(file))) hash.update(piece)
  return hash.digest('hex')
}

/** Some file systems of a network cannot wait for a folder. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().catch(() => {})
  await handle.close()
}

function undefinedIfMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function inWords<Value>(path: string, act: () => Promise<Value>): Promise<Value> {
  try {
    return await act()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new Failure(`There is no folder ${path}. See that it is mounted.`)
    const words = code === undefined ? undefined : inOneLine(error)
    throw words === undefined ? error : new Failure(words)
  }
}
