import { domainToASCII } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { notFound } from '../../web/answer/errors.ts'

const day = 86_400_000

/** Addresses that programs look for on every site (RFC 8615). */
export default async function wellKnownRoutes(app: FastifyInstance) {
  const { supportEmail, publicUrl, https } = app.config

  /** RFC 9116. The file needs a contact, so an installation without one does not have it. */
  app.get(
    '/.well-known/security.txt',
    { config: { can: 'security-contact.see', sessionless: true } },
    async (_request, reply) => {
      if (!supportEmail) throw notFound()
      const lines = [
        `Contact: ${mailto(supportEmail)}`,
        `Expires: ${expiry(app.now())}`,
        // This field allows only https addresses (section 2.5.2).
        ...(https ? [`Canonical: ${publicUrl}/.well-known/security.txt`] : []),
        'Preferred-Languages: en',
      ]
      return reply.type('text/plain; charset=utf-8').send(`${lines.join('\n')}\n`)
    },
  )

  /** Where password managers send people (w3.org/TR/change-password-url). The guard has visitors log in first. */
  app.get('/.well-known/change-password', { config: { can: 'profile.see' } }, async (_request, reply) =>
    reply.seeOther('/profile#password-title'),
  )
}

/** RFC 6068: what means something in an address, such as % or ?, is escaped. */
function mailto(email: string): string {
  const at = email.lastIndexOf('@')
  const domain = email.slice(at + 1)
  return `mailto:${encodeURIComponent(email.slice(0, at))}@${domainToASCII(domain) || domain}`
}

/** Less than a year ahead, as section 2.5.5 recommends, and the same all day. */
function expiry(now: number): string {
  return new Date(Math.floor(now / day) * day + 180 * day).toISOString().replace('.000', '')
}
