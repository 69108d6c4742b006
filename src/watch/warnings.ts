import type { FastifyInstance } from 'fastify'
import { dateTime } from '../web/format.ts'

/** What Support reads on every page until it is over. */
export function warningsOf({ mailTrouble, copying, replica, setAside }: FastifyInstance): string[] {
  const behind = replica()?.trouble
  const mail = mailTrouble()
  const { failure, where } = copying
  return [
    ...(mail
      ? [
          `The mail server has taken no e-mail since ${dateTime(mail.since)}: ${mail.words}. All e-mails wait, and go out by themselves once it does.`,
        ]
      : []),
    ...(failure
      ? [
          `Backups have not been copied to ${where} since ${dateTime(failure.since)}: ${failure.words} The next try is within an hour.`,
        ]
      : []),
    ...(behind ? [`The replica has not been kept up to date since ${dateTime(behind.since)}: ${behind.words}`] : []),
    ...setAside.words(),
  ]
}
