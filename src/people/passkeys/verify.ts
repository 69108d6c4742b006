import type { FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { NewPasskey, Passkey, PasskeyUse } from './data.ts'
import { algorithms } from './options.ts'

/** It is large, and few requests need it. */
const library = () => import('@simplewebauthn/server')

const base64 = z.string().regex(/^[\w-]+$/)
const credential = {
  id: base64.max(1_400),
  rawId: base64,
  type: z.literal('public-key'),
  clientExtensionResults: z.object({}).transform(() => ({})),
}
const answer = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: base64,
    authenticatorData: base64,
    signature: base64,
    // Keys that keep nothing name no user.
    userHandle: base64.nullish().transform((handle) => handle ?? ''),
  }),
})
const registration = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: base64,
    attestationObject: base64,
    transports: z
      .array(z.string().regex(/^[a-z-]{1,20}$/))
      .max(8)
      .default([]),
  }),
})

/** What a browser’s script put into the form. */
export type PasskeyAnswer = z.output<typeof answer>

export const readAnswer = (text: string): PasskeyAnswer | undefined => readJson(answer, text)

function readJson<Output>(schema: z.ZodType<Output>, text: string): Output | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

type Expected = { challenge: string; verifies: boolean }

function expectations({ server }: FastifyRequest, { challenge, verifies }: Expected) {
  return {
    expectedChallenge: challenge,
    expectedOrigin: server.config.origin,
    expectedRPID: server.config.passkeyHost,
    requireUserVerification: verifies,
  }
}

/** Checks what a new authenticator says. Undefined where anything is wrong. */
export async function verifyNew(
  request: FastifyRequest,
  text: string,
  expected: Expected,
): Promise<NewPasskey | undefined> {
  const response = readJson(registration, text)
  if (!response) return undefined
  const { transports } = response.response
  return attempt(request, async () => {
    const { verifyRegistrationResponse } = await library()
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      ...expectations(request, expected),
      // The library names transports; new ones are passed on as they are.
      response: { ...response, response: { ...response.response, transports: [] } },
      supportedAlgorithmIDs: algorithms,
    })
    if (!verified) return undefined
    const { credential, credentialDeviceType, credentialBackedUp, userVerified } = registrationInfo
    return {
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey),
      counter: credential.counter,
      transports: transports.join(' '),
      deviceType: credentialDeviceType,
      backedUp: credentialBackedUp,
      verifies: expected.verifies && userVerified,
    }
  })
}

/** Checks an answer against the key. The counter is compared where its use is noted (data.ts). */
export async function verifyAnswer(
  request: FastifyRequest,
  { credentialId, publicKey }: Passkey,
  { answer, ...expected }: Expected & { answer: PasskeyAnswer },
): Promise<PasskeyUse | undefined> {
  return attempt(request, async () => {
    const { verifyAuthenticationResponse } = await library()
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      ...expectations(request, expected),
      response: answer,
      credential: { id: credentialId, publicKey: new Uint8Array(publicKey), counter: 0 },
    })
    return verified
      ? { counter: authenticationInfo.newCounter, backedUp: authenticationInfo.credentialBackedUp }
      : undefined
  })
}

/** The library throws for all that is wrong. What it says helps whoever runs the panel, and nobody else. */
async function attempt<Result>({ log }: FastifyRequest, act: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await act()
  } catch (error) {
    log.info({ reason: (error as Error).message }, 'a passkey was refused')
    return undefined
  }
}
