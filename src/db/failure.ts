import { StartError } from './start-error.ts'

/** What a command tried and could not do, or found to be wrong: one line without a stack, and exit code 1. */
export class Failure extends Error {}

/** What operating system and SQLite say when a disk or a right is missing, in the operator’s words. */
const words: Record<string, string> = {
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  SQLITE_CANTOPEN: 'the file cannot be opened: look at its rights, and those of its folder',
  SQLITE_READONLY: 'this user may not write there',
  ENOSPC: 'the disk is full',
  SQLITE_FULL: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would become larger than is allowed',
  EROFS: 'the disk is read-only',
  EIO: 'the disk does not work',
  SQLITE_IOERR: 'the disk does not take or give what it should',
  SQLITE_CORRUPT: 'the database is damaged',
  SQLITE_NOTADB: 'it is no database',
  SQLITE_BUSY: 'the database is locked by another process',
}

type Coded = Error & { code?: string; path?: string; syscall?: string }

/** What an operator can mend, in one line; undefined for what only a developer can. */
export function inOneLine(error: unknown): string | undefined {
  if (error instanceof Failure || error instanceof StartError) return error.message
  const { code = '', path, syscall, message } = error as Coded
  const known = Object.keys(words).find((name) => code === name || code.startsWith(`${name}_`))
  if (known) return `${path ? `${path}: ` : ''}${words[known]} (${code}).`
  return syscall ? `${message}.` : undefined
}

/** 2 for what was not possible from the beginning, 1 for what failed on the way or was found to be wrong. */
export function exitCodeOf(error: unknown): 1 | 2 {
  const { code = '' } = error as Coded
  return error instanceof StartError || ['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'EEXIST', 'EISDIR'].includes(code)
    ? 2
    : 1
}
