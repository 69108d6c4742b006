import t, { type Test } from 'tap'
import { exampleBody } from '../../src/api/example.ts'
import { operations } from '../../src/api/operations.ts'
import { type Action, scopeOf } from '../../src/policy.ts'
import { type Client, type Panel, startApp, there, undone } from '../harness.ts'
import { addressOf, formFor, missing, type Objects, prepare } from '../matrix/objects.ts'
import { program, tokenOf } from './program.ts'

// For each action that has both, pages and operations give the same people the same yes or no: whoever a page refuses gets 403 from
// every operation of the action, also with all scopes, and the other way round.

type Person = { client: Client; token: string; account: string | null; objects: Objects }
type Cast = Parameters<typeof tokenOf>[1]

const actions = (Object.keys(scopeOf) as Action[]).filter((action) => scopeOf[action] !== null)

/** Works through others, and names no operation of its own. */
const without: Action[] = ['project.see-all']

const isSupports = (action: Action) => action.startsWith('support.')

const pagesOf = ({ routes }: Panel, action: Action) =>
  routes.filter(({ method, config }) => config?.can === action && ['GET', 'POST'].includes(method))

async function personOf(panel: Panel, who: Cast, account: string | null, objects: Objects): Promise<Person> {
  return { client: await panel.signIn(who), token: tokenOf(panel, who, account), account, objects }
}

/** What each page and each operation of an action says; more than one word in it is a difference. */
async function verdicts(panel: Panel, action: Action, { client, token, account, objects }: Person) {
  const said = new Map<string, string[]>()
  const note = (refused: boolean, what: string) => {
    const word = refused ? 'no' : 'yes'
    said.set(word, [...(said.get(word) ?? []), what])
  }
  for (const { method, url } of pagesOf(panel, action)) {
    const path = addressOf(url, objects)
    const page = await undone(panel.db, () =>
      method === 'GET' ? client.get(path) : client.post(path, formFor(url, objects)),
    )
    note(page.status === 403 || page.location === '/profile/two-factor', `${method} ${url}: ${page.status}`)
  }
  const ask = program(panel.app, token)
  for (const operation of operations.filter(({ can }) => can === action)) {
    panel.pass(1_000)
    const named: Record<string, string> = {
      ...objects,
      account: account ?? 'acme',
      invitation: objects.id,
      from: 'initech',
    }
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => there(named[name]))
    const { status } = await undone(panel.db, () => ask(operation.method, path, exampleBody(operation)))
    note(status === 403, `${operation.method} ${operation.path}: ${status}`)
  }
  return said
}

async function agree(t: Test, panel: Panel, person: Person, name: string): Promise<Map<Action, string>> {
  const words = new Map<Action, string>()
  for (const action of actions) {
    if (without.includes(action) || (person.account === null && !isSupports(action))) continue
    const said = await verdicts(panel, action, person)
    t.equal(said.size, 1, `${name}: ${action}${said.size > 1 ? ` ${JSON.stringify([...said])}` : ''}`)
    words.set(action, [...said.keys()].join(' and '))
  }
  return words
}

t.test('every action for programs has a page and an operation', async (t) => {
  const panel = await startApp(t)
  for (const action of actions.filter((one) => !without.includes(one))) {
    t.ok(pagesOf(panel, action).length > 0, `${action} has a page`)
    t.ok(
      operations.some(({ can }) => can === action),
      `${action} has an operation`,
    )
  }
})

t.test('in each role, a page and an operation agree', async (t) => {
  const { panel, acme, umbrella } = await prepare(t)
  const yes = new Map<string, number>()
  for (const [who, account, objects] of [
    ['petra', 'cloudhaus', acme],
    ['max', 'cloudhaus', acme],
    ['riva', 'rival', umbrella],
    ['stella', 'acme', acme],
    ['tom', 'acme', acme],
    ['uma', 'umbrella', umbrella],
    ['dora', 'direct', acme],
    // Of an account that Support looks after: what a partner does is not Support’s to do.
    ['olga', null, { ...acme, identifier: 'direct' }],
  ] as const) {
    const words = await agree(t, panel, await personOf(panel, who, account, objects), who)
    yes.set(who, [...words.values()].filter((word) => word === 'yes').length)
  }
  const count = (who: string) => yes.get(who) ?? 0
  t.ok(count('petra') > count('max') && count('stella') > count('tom') && count('tom') > 0, 'they are not all alike')
  t.equal(count('olga'), actions.filter(isSupports).length)
})

t.test('in a suspended account both refuse everything', async (t) => {
  const { panel, acme } = await prepare(t)
  const stella = await personOf(panel, 'stella', 'acme', acme)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Not paid' })
  const words = await agree(t, panel, stella, 'stella, suspended')
  t.same([...new Set(words.values())], ['no'])
})

t.test('both refuse everything until two factors are set up that the installation asks for', async (t) => {
  const panel = await startApp(t, { settings: { TWO_FACTOR: 'partners' } })
  const words = await agree(t, panel, await personOf(panel, 'petra', 'cloudhaus', missing), 'petra, without')
  t.same([...new Set(words.values())], ['no'])
})
