import { inOneLine } from '../../db/failure.ts'

/** What the doctor found, and what to do about it if it is a problem. */
export type Finding = { level: 'ok' | 'warning' | 'problem'; what: string; todo?: string }

export const ok = (what: string): Finding => ({ level: 'ok', what })
export const warning = (what: string, todo: string): Finding => ({ level: 'warning', what, todo })
export const problem = (what: string, todo: string): Finding => ({ level: 'problem', what, todo })

/** What an error says, without the full stop that a finding sets itself. */
export function saidBy(error: unknown): string {
  return (inOneLine(error) ?? (error as Error).message).replace(/\.$/, '')
}
