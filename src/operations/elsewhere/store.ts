import { folderStore } from './folder.ts'
import type { Place } from './place.ts'
import { s3Store } from './s3.ts'
import { sftpStore } from './sftp.ts'

/** The files of a place: only in its own folder, not in folders inside it. A file is either complete or not there. */
export type Store = {
  /** The names and their sizes in bytes. */
  list: () => Promise<Map<string, number>>
  /** Writes a file under a name, over one that is there. */
  put: (name: string, file: string) => Promise<void>
  /** The text of a small file; undefined if there is none. */
  read: (name: string) => Promise<string | undefined>
  /** Writes a small file, over one that is there. */
  write: (name: string, text: string) => Promise<void>
  /** Removes a file, if it is there. */
  remove: (name: string) => Promise<void>
}

/** Opens a place; nothing is asked of it yet. What goes wrong is a Failure whose words hold nothing secret. */
export function openStore(place: Place, signal?: AbortSignal): Store {
  if (place.kind === 'folder') return folderStore(place, signal)
  return place.kind === 'sftp' ? sftpStore(place, signal) : s3Store(place, signal)
}
