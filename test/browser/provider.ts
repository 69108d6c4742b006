import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { seal } from '../../src/secrets.ts'
import { emailKey } from '../../src/web/fields.ts'
import { Client } from '../harness.ts'
import type { LivePanel } from './chromium.ts'

/** A provider of single sign-on that only says of itself what pages need to know. Its issuer. */
export async function startDiscovery(t: Test): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        end_session_endpoint: `${issuer}/end`,
        jwks_uri: `${issuer}/jwks`,
      }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return issuer
}

/** Comes back from the provider, where they have this address, and has yet to say which user is theirs. */
export function comeBackAs(panel: LivePanel, email: string, client = new Client(panel.app, panel.url)): Client {
  const { secrets, now, config } = panel.app
  const waiting = {
    issuer: config.sso?.issuer,
    subject: 'number-9',
    email,
    emailKey: emailKey(email),
    provider: config.sso?.name,
    accountId: null,
  }
  client.cookies.set('meshpanel-sso-waiting', seal(secrets, JSON.stringify(['sso-waiting', waiting, now()])))
  return client
}
