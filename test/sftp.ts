// biome-ignore-all lint/suspicious/noExplicitAny: ssh2 comes without types.
import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import type { Test } from 'tap'
import { newFolder } from './harness.ts'

// An SSH server with SFTP for tests, which lets one key in and shows one folder as its root.

const { STATUS_CODE, OPEN_MODE, flagsToString } = ssh2.utils.sftp

export type SftpServer = { folder: string; port: number; keyFile: string; knownHostsFile: string; stop: () => void }

/** ssh2 now and then writes a key that it cannot read. */
function newKey() {
  for (;;) {
    const key = ssh2.utils.generateKeyPairSync('ed25519')
    if (!(ssh2.utils.parseKey(key.private) instanceof Error)) return key
  }
}

export async function startSftp(t: Test): Promise<SftpServer> {
  const folder = newFolder()
  const keys = newFolder()
  const [host, user] = [newKey(), newKey()]
  const allowed = ssh2.utils.parseKey(user.public)
  const server = new ssh2.Server({ hostKeys: [host.private] }, (client: any) => {
    client.on('error', () => {})
    client.on('authentication', (attempt: any) => {
      const known =
        attempt.method === 'publickey' &&
        attempt.username === 'panel' &&
        attempt.key.data.equals(allowed.getPublicSSH())
      const proved =
        known && (!attempt.signature || allowed.verify(attempt.blob, attempt.signature, attempt.hashAlgo) === true)
      if (proved) attempt.accept()
      else attempt.reject(['publickey'])
    })
    client.on('ready', () =>
      client.on('session', (accept: any) =>
        accept().on('sftp', (accept: any) => serve(accept(), folder, () => client.end())),
      ),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address()
  const [keyFile, knownHostsFile] = [join(keys, 'key'), join(keys, 'known_hosts')]
  await fs.writeFile(keyFile, user.private, { mode: 0o600 })
  await fs.writeFile(knownHostsFile, `[127.0.0.1]:${port} ${host.public}\n`)
  return { folder, port, keyFile, knownHostsFile, stop: () => server.close() }
}

function serve(sftp: any, folder: string, end: () => void): void {
  // The client waits for it when it has said all.
  sftp.on('end', end)
  const handles = new Map<number, { file?: FileHandle; names?: string[]; at?: string }>()
  let count = 0
  const open = (handle: { file?: FileHandle; names?: string[]; at?: string }) => {
    handles.set(++count, handle)
    const id = Buffer.alloc(4)
    id.writeUInt32BE(count)
    return id
  }
  const of = (id: Buffer) => handles.get(id.readUInt32BE()) ?? {}
  const at = (path: string) => join(folder, join('/', path))
  const on = (event: string, act: (id: number, ...args: any[]) => Promise<void>) =>
    sftp.on(event, (id: number, ...args: any[]) =>
      act(id, ...args).catch(({ code }) =>
        sftp.status(id, code === 'ENOENT' ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE),
      ),
    )
  const done = (id: number) => sftp.status(id, STATUS_CODE.OK)
  const attributes = ({ mode, size, uid, gid, atimeMs, mtimeMs }: Awaited<ReturnType<typeof fs.stat>>) => ({
    ...{ mode, size, uid, gid },
    atime: Math.floor(Number(atimeMs) / 1_000),
    mtime: Math.floor(Number(mtimeMs) / 1_000),
  })

  on('OPEN', async (id, path, flags) => {
    const text = flags & OPEN_MODE.WRITE && !(flags & OPEN_MODE.READ) ? 'w' : (flagsToString(flags) ?? 'r')
    sftp.handle(id, open({ file: await fs.open(at(path), text) }))
  })
  on('READ', async (id, handle, offset, length) => {
    const found = await of(handle).file?.read(Buffer.alloc(length), 0, length, offset)
    if (found?.bytesRead) sftp.data(id, found.buffer.subarray(0, found.bytesRead))
    else sftp.status(id, STATUS_CODE.EOF)
  })
  on('WRITE', async (id, handle, offset, data) => {
    await of(handle).file?.write(data, 0, data.length, offset)
    done(id)
  })
  on('CLOSE', async (id, handle) => {
    await of(handle).file?.close()
    done(id)
  })
  on('OPENDIR', async (id, path) => sftp.handle(id, open({ names: await fs.readdir(at(path)), at: at(path) })))
  on('READDIR', async (id, handle) => {
    const { names, at: place = '' } = of(handle)
    const some = names?.splice(0) ?? []
    if (some.length === 0) return void sftp.status(id, STATUS_CODE.EOF)
    const entries = some.map(async (filename) => {
      const attrs = attributes(await fs.stat(join(place, filename)))
      const kind = (await fs.stat(join(place, filename))).isDirectory() ? 'd' : '-'
      return { filename, longname: `${kind}rw------- 1 0 0 ${attrs.size} Nov 27 10:00 ${filename}`, attrs }
    })
    sftp.name(id, await Promise.all(entries))
  })
  for (const event of ['STAT', 'LSTAT'])
    on(event, async (id, path) => sftp.attrs(id, attributes(await fs.stat(at(path)))))
  on('FSTAT', async (id, handle) => {
    const found = await of(handle).file?.stat()
    if (found) sftp.attrs(id, attributes(found))
  })
  on('REALPATH', async (id, path) => sftp.name(id, [{ filename: join('/', path), longname: path, attrs: {} }]))
  for (const event of ['SETSTAT', 'FSETSTAT']) on(event, async (id) => done(id))
  on('MKDIR', async (id, path) => {
    await fs.mkdir(at(path))
    done(id)
  })
  on('REMOVE', async (id, path) => {
    await fs.rm(at(path))
    done(id)
  })
  on('RENAME', async (id, from, to) => {
    // As the protocol has it, not over another file.
    if (await fs.stat(at(to)).catch(() => undefined)) return void sftp.status(id, STATUS_CODE.FAILURE)
    await fs.rename(at(from), at(to))
    done(id)
  })
}
