import type { FastifyInstance } from 'fastify'
import { dateTime } from '../../web/format.ts'
import type { ClockTrouble } from '../clock/data.ts'

/** What Support reads on every page until it is over. */
export function warningsOf({ mailTrouble, copying, replica, setAside, clock }: FastifyInstance): string[] {
  const behind = replica()?.trouble
  const mail = mailTrouble()
  const { failure, where } = copying
  return [
    ...(clock.trouble ? [`${clockWords(clock.trouble)} ${untilConfirmed}`] : []),
    ...(mail
      ? [
          `The mail server has taken no e-mail since ${dateTime(mail.since)}: ${mail.words}. All e-mails wait, and go out automatically once it does.`,
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

const untilConfirmed =
  'Nothing that was deleted is removed for good, and no old backup is removed, until the clock is set or Support confirms on Home that it is right.'

/** The words for a clock that cannot be right, and what else is known. */
export function clockWords({ kind, at, seen }: ClockTrouble): string {
  return kind === 'behind'
    ? `The server’s clock says ${dateTime(at)}, but the panel was used until ${dateTime(seen)}.`
    : `The server’s clock says ${dateTime(at)}, and the panel last ran on ${dateTime(seen)}.`
}
