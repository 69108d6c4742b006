import { createServer, type Socket } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'
import type { Test } from 'tap'

// Mail servers for tests: a real one, which takes letters or refuses them, and ones that misbehave.

export type Delivery = { recipients: string[]; mail: ParsedMail; raw: string }

export type Refusal = { at: 'greeting' | 'auth' | 'sender' | 'recipient' | 'data'; code: number; words: string }

export type MailServer = {
  /** For SMTP_URL. */
  url: string
  /** What was taken. */
  taken: Delivery[]
  /** What was refused after its text had been read. */
  refused: Delivery[]
  /** Refuses all letters from now on, or those to one address; undefined: takes them again. */
  refuse: (how: Refusal | undefined, only?: string) => void
  /** What it refuses now, and whose letters alone. */
  refusing: { how?: Refusal | undefined; only?: string | undefined }
  /** The letter to this address, when it has come: the `nth` one. */
  letterTo: (email: string, nth?: number) => Promise<Delivery>
  /** The user and password of the last log-in. */
  loggedInAs: string | undefined
  /** How the last client introduced itself. */
  greetedAs: string | undefined
  /** How many connections there were so far. */
  connections: number
  /** How often a client asked to send: kept connections are asked over more than once. */
  asked: number
}

export async function startMailServer(t: Test, { withLogIn = false, delay = 0 } = {}): Promise<MailServer> {
  const answer = (at: Refusal['at'], recipients: string[]) => {
    const { how, only } = mailServer.refusing
    if (how?.at !== at || (only && !recipients.includes(only))) return undefined
    return Object.assign(new Error(how.words), { responseCode: how.code })
  }
  const later = (act: () => void) => (delay > 0 ? setTimeout(act, delay) : act())
  const server = new SMTPServer({
    logger: false,
    authOptional: !withLogIn,
    allowInsecureAuth: true,
    disabledCommands: withLogIn ? ['STARTTLS'] : ['STARTTLS', 'AUTH'],
    onAuth(auth, _session, callback) {
      mailServer.loggedInAs = `${auth.username}:${auth.password}`
      mailServer.asked++
      const error = answer('auth', [])
      if (error) callback(error)
      else callback(null, { user: auth.username ?? '' })
    },
    onConnect(_session, callback) {
      mailServer.connections++
      mailServer.asked++
      later(() => callback(answer('greeting', [])))
    },
    onMailFrom(_address, session, callback) {
      mailServer.asked++
      mailServer.greetedAs = session.hostNameAppearsAs || undefined
      later(() => callback(answer('sender', [])))
    },
    onRcptTo(address, _session, callback) {
      later(() => callback(answer('recipient', [address.address])))
    },
    onData(stream, session, callback) {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', async () => {
        const raw = Buffer.concat(parts)
        const recipients = session.envelope.rcptTo.map(({ address }) => address)
        const delivery = { recipients, mail: await simpleParser(raw), raw: raw.toString() }
        const error = answer('data', recipients)
        if (error) mailServer.refused.push(delivery)
        else mailServer.taken.push(delivery)
        later(() => callback(error))
      })
    },
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise<void>((resolve) => server.close(resolve)))

  const mailServer: MailServer = {
    url: `smtp://127.0.0.1:${portOf(server.server.address())}`,
    taken: [],
    refused: [],
    refuse: (how, only) => {
      mailServer.refusing = { how, only }
    },
    refusing: {},
    letterTo: (email, nth = 1) =>
      until(
        `letter ${nth} to ${email}`,
        () => mailServer.taken.filter(({ recipients }) => recipients.includes(email))[nth - 1],
      ),
    loggedInAs: undefined,
    greetedAs: undefined,
    connections: 0,
    asked: 0,
  }
  return mailServer
}

/** A server that speaks, or not, as `talk` says. `hangUp` ends all its connections. */
export async function startOddServer(
  t: Test,
  talk: (socket: Socket) => void,
): Promise<{ url: string; connections: () => number; hangUp: () => void }> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    talk(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  t.teardown(hangUp)
  return { url: `smtp://127.0.0.1:${portOf(server.address())}`, connections: () => connections, hangUp }
}

/** Hears what a client says, line by line. */
export function onLines(socket: Socket, hear: (line: string) => void): void {
  let said = ''
  socket.on('data', (part) => {
    said += part.toString()
    for (let end = said.indexOf('\r\n'); end >= 0; end = said.indexOf('\r\n')) {
      const line = said.slice(0, end)
      said = said.slice(end + 2)
      hear(line)
    }
  })
}

/** An address where nobody listens. */
export async function deadAddress(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = portOf(server.address())
  await new Promise((resolve) => server.close(resolve))
  return `smtp://127.0.0.1:${port}`
}

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return address.port
}

/** Waits for what happens apart from all requests, two minutes at most. */
export async function until<Result>(
  what: string,
  look: () => Result | undefined | false | Promise<Result | undefined | false>,
): Promise<Result> {
  for (let tries = 0; tries < 12_000; tries++) {
    const seen = await look()
    if (seen) return seen
    await pause(10)
  }
  throw new Error(`Timed out waiting for ${what}`)
}

export function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time))
}

/** The path of the link in a letter, which must be one of the panel’s own. */
export function linkIn(text: string | undefined, publicUrl: string, path = '/invitations/'): string {
  const link = text?.match(/https?:\/\/[^\s"<>]+/g)?.find((found) => found.startsWith(`${publicUrl}${path}`))
  if (!link) throw new Error(`no link to ${publicUrl}${path} in: ${text}`)
  return link.slice(publicUrl.length)
}
