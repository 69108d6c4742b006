import { Secret, TOTP } from 'otpauth'
import type { Client, Panel } from './harness.ts'

/** What the app of somebody with this secret shows now. */
export function codeOf(panel: Panel, secret: string): string {
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: panel.app.now() })
}

/** Switches two-factor login on; returns the secret and the recovery codes. */
export async function enrol(panel: Panel, client: Client) {
  const page = await client.open('/profile/two-factor')
  const secret = page.root.querySelector('main code')?.textContent.replaceAll(' ', '') ?? ''
  const done = await client.press(page, 'Switch on', { code: codeOf(panel, secret) })
  const codes = done.root.querySelectorAll('.codes code').map((code) => code.textContent)
  return { secret, codes, done }
}
