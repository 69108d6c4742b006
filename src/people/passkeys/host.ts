import { isIP } from 'node:net'
import type { Config } from '../../config.ts'

/** The host that passkeys belong to (the RP ID); empty where browsers offer none: at a number, and over plain http. */
export function passkeyHost({ publicUrl }: Pick<Config, 'publicUrl'>): string {
  const { hostname, protocol } = new URL(publicUrl)
  if (isIP(hostname) > 0 || hostname.startsWith('[')) return ''
  return protocol === 'https:' || hostname === 'localhost' || hostname.endsWith('.localhost') ? hostname : ''
}
