import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'

export type MailServer = {
  url: string
  /** What has arrived, in order. */
  letters: ParsedMail[]
  /** Waits until a letter to this address has arrived that `after` have come before. */
  letterTo: (email: string, after?: number) => Promise<ParsedMail>
  close: () => Promise<void>
}

/** A real SMTP server on loopback. */
export async function startMailServer(t: Test, options: SMTPServerOptions = {}, port = 0): Promise<MailServer> {
  const letters: ParsedMail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, _session, done) {
      simpleParser(stream).then((letter) => {
        letters.push(letter)
        done()
      }, done)
    },
    ...options,
  })
  // A client that goes away is no error of the test’s.
  server.on('error', () => {})
  const listener = server.listen(port, '127.0.0.1')
  await once(listener, 'listening')
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  t.teardown(close)
  return {
    url: `smtp://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    letters,
    letterTo: async (email, after = 0) => {
      for (let tries = 0; tries < 200; tries++) {
        const letter = letters.filter(({ to }) => [to].flat().some((address) => address?.text.toLowerCase().includes(email.toLowerCase())))[after]
        if (letter) return letter
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
      throw new Error(`no letter to ${email} has come; there are ${letters.length}`)
    },
    close,
  }
}

/** The panel’s link in a letter, as a path. */
export function linkIn(letter: ParsedMail): string {
  const [link = ''] = /https?:\/\/\S+/.exec(letter.text ?? '') ?? []
  return link.replace(/^https?:\/\/[^/]+/, '')
}
