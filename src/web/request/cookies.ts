import type { Config } from '../../config.ts'

/**
 * A cookie's name, with the prefix that makes browsers keep others from setting it (RFC 6265bis, 4.1.3): `__Host-` only
 * goes with the path /, and where the panel shares its host, the other programs there must not get its cookies.
 */
export function cookieName({ https, base }: Config, name: string): string {
  if (!https) return name
  return base ? `__Secure-${name}` : `__Host-${name}`
}

/** The path becomes that of PUBLIC_URL when the cookie goes out (base.ts). */
export function cookieOptions({ https }: Config) {
  return { path: '/', httpOnly: true, sameSite: 'lax', secure: https } as const
}
