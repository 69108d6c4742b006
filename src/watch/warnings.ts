import type { FastifyInstance } from 'fastify'
import { dateTime } from '../web/format.ts'

/** What Support reads on every page until it is over. */
export function warningsOf({ mailTrouble, setAside }: FastifyInstance): string[] {
  const mail = mailTrouble()
  const words = mail
    ? `The mail server has taken no e-mail since ${dateTime(mail.since)}: ${mail.words}. All e-mails wait, and go out by themselves once it does.`
    : undefined
  return [...(words ? [words] : []), ...setAside.words()]
}
