import type { RecordKind } from '../../records/kinds.ts'
import {
  counted,
  inside,
  Missing,
  now,
  only,
  type Sentence,
  say,
  side,
  type Told,
  toldProject,
  typed,
  was,
  whom,
} from './told.ts'

type Others = Extract<RecordKind, `${'project' | 'access' | 'letter' | 'webhook' | 'installation'}.${string}`>

const events = (it: Told) => typed(it, 'events', 'Events')
const state = (it: Told) => typed(it, 'status', 'Now')

const peopleThen = (does: string) => ({ one: 'person', many: 'people', does })

/** Acts on projects and on access to them, on e-mails, on webhooks and on the installation. */
export const ofOthers: Record<Others, (told: Told) => Sentence> = {
  'project.created': (it) => only(say`created the project ${toldProject(it)} (${now(it, 'identifier')})${inside(it)}`),
  'project.renamed': (it) => only(say`renamed the project ${was(it, 'name')} to ${now(it, 'name')}${inside(it)}`),
  'project.deleted': (it) =>
    only(
      say`deleted the project ${toldProject(it)}${inside(it)}`,
      counted(it, 'people', 'before', peopleThen('lost access')),
    ),
  'project.restored': (it) =>
    only(
      say`restored the project ${toldProject(it)}${inside(it)}`,
      counted(it, 'people', 'after', peopleThen('got access again')),
    ),
  'project.purged': (it) => only(say`removed the project ${toldProject(it)}${inside(it)} for good`),

  'access.given': (it) => only(say`gave ${whom(it)} access to ${toldProject(it)}${inside(it)} as ${now(it, 'role')}`),
  'access.role-changed': (it) =>
    only(
      say`changed ${it.subject ? say`the role of ${it.subject}` : 'their role'} in ${toldProject(it)}${inside(it)} to ${now(it, 'role')} (was ${was(it, 'role')})`,
    ),
  'access.removed': (it) =>
    only(say`removed ${whom(it)} from ${toldProject(it)}${inside(it)} (was ${was(it, 'role')})`),

  'letter.sent-again': ({ letter }) => {
    if (!letter) throw new Missing()
    return only(say`sent the e-mail “${{ name: letter.subject, now: null }}” to ${{ value: letter.to }} again`)
  },

  'webhook.created': (it) => only(say`added the webhook ${now(it, 'host')}${inside(it)}`, events(it)),
  'webhook.changed': (it) => only(say`changed the webhook ${now(it, 'host')}${inside(it)}`, events(it), state(it)),
  'webhook.secret-rotated': (it) => only(say`made a new secret for the webhook ${now(it, 'host')}${inside(it)}`),
  'webhook.tested': (it) => only(say`sent a test to the webhook ${now(it, 'host')}${inside(it)}`),
  'webhook.retried': (it) => only(say`sent events to the webhook ${now(it, 'host')}${inside(it)} again`),
  'webhook.switched-off': (it) =>
    only(
      say`switched off the webhook ${now(it, 'host')}${inside(it)}`,
      say`Why: it ${side(it, 'status', 'after') === 'gone' ? 'answered that it no longer exists' : 'failed for more than three days'}`,
    ),
  'webhook.removed': (it) => only(say`removed the webhook ${was(it, 'host')}${inside(it)}`),

  'installation.backed-up': (it) => only(say`made a backup`, say`File: ${now(it, 'backup')}`),
  'installation.restored': (it) => {
    const time = Date.parse(String(side(it, 'backup', 'after')))
    return only(say`restored the panel from a backup`, Number.isNaN(time) ? null : say`Made: ${{ time }}`)
  },
  'installation.secrets-rotated': (it) =>
    only(say`made new secrets`, counted(it, 'sessions', 'before', { one: 'session', does: 'ended' })),
  'installation.clock-confirmed': (it) => {
    const [before, after] = (['before', 'after'] as const).map((which) => Date.parse(String(side(it, 'clock', which))))
    return only(
      say`said that the clock is right`,
      before && after ? say`It showed ${{ time: after }}; the panel had last run at ${{ time: before }}` : null,
    )
  },
}
