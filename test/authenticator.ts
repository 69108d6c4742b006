import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { UserId } from '../src/db/ids.ts'
import { type Client, type Page, publicUrl, there } from './harness.ts'

// An authenticator and the browser before it, in a few lines: it makes keys of ES256, and answers what a page asks. What
// it sends can be wrong on purpose.

/** What a page asks the browser for, or gets from it. */
type Asked = {
  create?: { challenge: string; rp: { id: string }; user: { id: string }; excludeCredentials: { id: string }[] }
  get?: { challenge: string; rpId: string; allowCredentials: { id: string }[]; userVerification: string }
}

/** A passkey that nobody holds. */
export const passkeyOf = (userId: UserId, name = 'Phone') => ({
  credentialId: randomBytes(32).toString('base64url'),
  userId,
  host: 'localhost',
  publicKey: Buffer.from('no key'),
  counter: 0,
  transports: 'internal',
  deviceType: 'singleDevice' as const,
  backedUp: false,
  verifies: true,
  name,
  createdAt: 1,
})

type Key = { id: string; privateKey: KeyObject; publicKey: KeyObject; user: string; counter: number }

/** How an answer differs from what an honest browser and authenticator send. */
export type Lie = Partial<{
  challenge: string
  origin: string
  host: string
  counter: number
  /** Without the mark that the user was recognised. */
  unverified: boolean
  /** Signed by another key. */
  forged: boolean
  userHandle: string
  id: string
}>

export const askedOn = (page: Page, action: string): Asked => {
  const form = page.root.querySelector(`form[data-passkey][action="${action}"]`)
  return JSON.parse(there(form?.getAttribute('data-passkey')))
}

const base64 = (bytes: Buffer) => bytes.toString('base64url')
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest()

export class Authenticator {
  readonly keys: Key[] = []
  /** 0: it does not count. */
  counts = true

  /** The form’s field after a registration. */
  create({ create }: Asked, lie: Lie = {}): string {
    const { challenge, rp, user } = there(create)
    const id = randomBytes(32)
    const key = {
      ...generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
      id: base64(id),
      user: user.id,
      counter: this.counts ? 1 : 0,
    }
    this.keys.push(key)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(id.length)
    const attested = Buffer.concat([Buffer.alloc(16), length, id, coseOf(key.publicKey)])
    const authData = Buffer.concat([head(rp.id, key.counter, 0x41, lie), attested])
    // {fmt: "none", attStmt: {}, authData: …}
    const attestation = Buffer.concat([
      Buffer.from('a363666d74646e6f6e656761747453746d74a068617574684461746159', 'hex'),
      Buffer.from([authData.length >> 8, authData.length & 255]),
      authData,
    ])
    return answerOf(key.id, {
      clientDataJSON: base64(clientData('webauthn.create', challenge, lie)),
      attestationObject: base64(attestation),
      transports: ['internal'],
    })
  }

  /** The form’s field after a key was used: the one of those allowed, or the last one. */
  get({ get }: Asked, lie: Lie = {}): string {
    const { challenge, rpId, allowCredentials } = there(get)
    const allowed = allowCredentials.map(({ id }) => id)
    const key = there(this.keys.findLast(({ id }) => allowed.length === 0 || allowed.includes(id) || lie.id === id))
    if (this.counts) key.counter++
    const authData = head(rpId, key.counter, 0x01, lie)
    const data = clientData('webauthn.get', challenge, lie)
    const { privateKey } = lie.forged ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) : key
    return answerOf(lie.id ?? key.id, {
      clientDataJSON: base64(data),
      authenticatorData: base64(authData),
      signature: base64(sign('sha256', Buffer.concat([authData, sha256(data)]), privateKey)),
      userHandle: lie.userHandle ?? key.user,
    })
  }

  /** Adds a passkey at the profile. */
  async addTo(client: Client, name = 'Phone', alone = 'yes'): Promise<Page> {
    const page = await client.open(`/profile/passkeys/new${alone === 'no' ? '?alone=no' : ''}`)
    const asked = askedOn(page, '/profile/passkeys')
    const credential = this.create(asked, alone === 'no' ? { unverified: true } : {})
    return client.press(page, 'Continue', { name, credential })
  }

  /** Confirms on a page that asks for it who its user is; `action` is where its form leads. */
  async prove(client: Client, page: Page, action: string): Promise<Page> {
    return client.press(page, 'Confirm with a passkey', { _credential: this.get(askedOn(page, action)) })
  }

  /** Logs in by a passkey alone. */
  async logIn(client: Client, lie: Lie = {}, next = '/'): Promise<Page> {
    const page = await client.get(`/login?next=${encodeURIComponent(next)}`)
    const credential = this.get(askedOn(page, '/login/passkey'), lie)
    return client.press(page, 'Log in with a passkey', { credential })
  }
}

function answerOf(id: string, response: object): string {
  return JSON.stringify({ id, rawId: id, type: 'public-key', response, clientExtensionResults: {} })
}

function clientData(type: string, challenge: string, lie: Lie): Buffer {
  return Buffer.from(
    JSON.stringify({
      type,
      challenge: lie.challenge ?? challenge,
      origin: lie.origin ?? publicUrl,
      crossOrigin: false,
    }),
  )
}

/** Host, flags (present, and verified where it does not lie) and counter. */
function head(host: string, counter: number, flags: number, lie: Lie): Buffer {
  const number = Buffer.alloc(4)
  number.writeUInt32BE(lie.counter ?? counter)
  return Buffer.concat([sha256(lie.host ?? host), Buffer.from([flags | (lie.unverified ? 0 : 0x04)]), number])
}

/** {1: 2, 3: -7, -1: 1, -2: x, -3: y} */
function coseOf(publicKey: KeyObject): Buffer {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return Buffer.concat([
    Buffer.from('a5010203262001215820', 'hex'),
    Buffer.from(x, 'base64url'),
    Buffer.from('225820', 'hex'),
    Buffer.from(y, 'base64url'),
  ])
}
