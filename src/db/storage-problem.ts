/** Why nothing can be saved. */
export type StorageProblem = 'full' | 'failing' | 'read-only' | 'locked' | 'moved' | 'damaged'

/** By the codes of SQLite (sqlite.org/rescode.html) and of the operating system. */
const codes: [RegExp, StorageProblem][] = [
  [/^(SQLITE_FULL|SQLITE_IOERR_SHMSIZE|ENOSPC|EDQUOT)$/, 'full'],
  [/^(SQLITE_READONLY(_\w+)?|EROFS)$/, 'read-only'],
  [/^DATABASE_MOVED$/, 'moved'],
  [/^(SQLITE_(CORRUPT|NOTADB)(_\w+)?|DATABASE_DAMAGED)$/, 'damaged'],
  [/^SQLITE_(BUSY|LOCKED)(_\w+)?$/, 'locked'],
  [/^(SQLITE_IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE|SHMOPEN|SHMMAP)|EIO|EFBIG)$/, 'failing'],
]

/** What an error says about the storage; undefined for an error that is about something else. */
export function storageProblem(error: unknown): StorageProblem | undefined {
  const code = codeOf(error)
  return codes.find(([pattern]) => pattern.test(code))?.[1]
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
