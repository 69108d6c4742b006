import { Agent, request } from 'node:http'

// Sends requests and measures them. Times are in milliseconds, until the last byte of the answer.

/** Where to ask, for a form its fields, and for a program its headers: for the n-th time. */
export type Target = {
  url: (n: number) => string
  cookie: string
  form?: (n: number) => string
  json?: (n: number) => string
  headers?: (n: number) => Record<string, string>
  /** How browsers ask, or as it is. */
  encoding?: 'br'
}
export type Answer = { time: number; status: number; committed: number }

/** One connection for a closed loop, several for an open one. */
const agent = new Agent({ keepAlive: true, maxSockets: 32 })

/** Sends one request; `committed` is what the reference says that its transaction took. */
export function send({ url, cookie, form, json, headers, encoding }: Target, n = 0): Promise<Answer> {
  const body = (form ?? json)?.(n)
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const sent = request(
      url(n),
      {
        agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          ...(cookie ? { cookie } : {}),
          ...headers?.(n),
          'accept-encoding': encoding ?? 'identity',
          ...(body === undefined
            ? {}
            : {
                'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json',
                'content-length': Buffer.byteLength(body),
              }),
        },
      },
      (answer) => {
        answer.resume()
        answer.on('end', () =>
          resolve({
            time: performance.now() - began,
            status: answer.statusCode ?? 0,
            committed: Number(answer.headers['x-committed'] ?? 0),
          }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** The next request when the one before is answered. */
export async function closedLoop(target: Target, count: number, from: number): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let n = 0; n < count; n++) answers.push(await send(target, from + n))
  return answers
}

/** A request every `pace` milliseconds, whether or not those before are answered: times count from when it was due. */
export async function openLoop(target: Target, count: number, pace: number, from: number): Promise<number[]> {
  const began = performance.now()
  const sent: Promise<number>[] = []
  for (let n = 0; n < count; n++) {
    const due = began + n * pace
    while (performance.now() < due)
      await new Promise((resolve) => (due - performance.now() > 2 ? setTimeout(resolve, 1) : setImmediate(resolve)))
    sent.push(send(target, from + n).then(() => performance.now() - due))
  }
  return Promise.all(sent)
}

export function percentile(some: number[], part: number): number {
  const sorted = [...some].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export const median = (some: number[]) => percentile(some, 0.5)
