import { there } from '../harness.ts'
import { lettersKept, type Prepared } from '../matrix/objects.ts'
import { program, tokenOf } from './program.ts'

/**
 * What Support looks after: a new account whose admin it has invited, a deleted one, a request of an account without a partner, and a resource that
 * nobody uses. Returns the objects for an operation.
 */
export async function prepareForSupport({ panel, acme }: Pick<Prepared, 'panel' | 'acme'>) {
  const olga = program(panel.app, tokenOf(panel, 'olga', null))
  const dora = program(panel.app, tokenOf(panel, 'dora', 'direct'))
  const admin = { name: 'Karla Fischer', email: 'karla@kent.example' }
  await olga('POST', '/support/accounts', { name: 'Kent', kind: 'customer', admin })
  const gone = { name: 'Gone', email: 'gone@gone.example' }
  await olga('POST', '/support/accounts', { name: 'Gone', kind: 'customer', admin: gone })
  await olga('POST', '/support/resources', { key: 'unused', name: 'Unused' })
  await olga('PUT', '/support/accounts/direct/quotas', { limits: { projects: 5 } })
  const asked = await dora('POST', '/accounts/direct/quota-requests', { amounts: { projects: 20 }, reason: 'Growth' })
  const [invited] = (await olga('GET', '/support/accounts/kent/invitations')).body.data
  await lettersKept(panel)
  await olga('DELETE', '/support/accounts/gone')
  // Nothing is sent twice in a few minutes.
  panel.pass(10 * 60_000)
  const objects: Record<string, string> = {
    ...acme,
    identifier: 'kent',
    key: 'unused',
    request: String(there(asked.body.id)),
    invitation: String(there(invited).id),
  }
  return ({ path }: { path: string }) => {
    if (path.endsWith('/pool')) return { ...objects, identifier: 'cloudhaus' }
    return /{identifier}\/restore$|\/deleted-/.test(path) ? { ...objects, identifier: 'gone' } : objects
  }
}
