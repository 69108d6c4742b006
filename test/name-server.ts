import { createSocket } from 'node:dgram'
import type { Test } from 'tap'

// A name server on this machine that knows the TXT records that a test gives it (RFC 1035).

const noSuchName = 3
const text = 16

export type NameServer = {
  /** Settings of a panel that asks it. */
  settings: Record<string, string>
  /** By name. */
  records: Map<string, string>
  /** It receives questions, and says nothing. */
  silent: boolean
  asked: string[]
}

export async function startNameServer(t: Test): Promise<NameServer> {
  const socket = createSocket('udp4')
  const server: NameServer = { settings: {}, records: new Map(), silent: false, asked: [] }
  socket.on('message', (question, from) => {
    const { name, end } = readName(question)
    server.asked.push(name)
    if (server.silent) return
    const record = server.records.get(name)
    const header = Buffer.from(question.subarray(0, 12))
    header.writeUInt16BE(0x8580 | (record === undefined ? noSuchName : 0), 2)
    header.writeUInt16BE(record === undefined ? 0 : 1, 6)
    header.writeUInt32BE(0, 8)
    const answer = record === undefined ? Buffer.alloc(0) : answerOf(record)
    socket.send(Buffer.concat([header, question.subarray(12, end + 4), answer]), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.teardown(() => void socket.close())
  server.settings = { DNS_SERVERS: `127.0.0.1:${socket.address().port}` }
  return server
}

/** The name that is asked for, and where it ends. */
function readName(question: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('ascii', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

/** One TXT record, whose name is that of the question. */
function answerOf(record: string): Buffer {
  const data = Buffer.concat([Buffer.from([record.length]), Buffer.from(record)])
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(text, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(0, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}
