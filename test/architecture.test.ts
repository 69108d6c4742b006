import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { root } from '../src/config.ts'
import { sources as files, isData, readSource as read, src } from './sources.ts'

// Imports point one way: from a higher layer to a lower one, or within a layer.
const entry = new Set(['main.ts', 'server.ts', 'demo.ts'])
const ground = /^(db|records|mail|operations\/elsewhere)\/|^(config|settings|version|secrets|eta)\.ts$/

function layer(file: string): number {
  if (entry.has(file)) return 5
  if (['app.ts', 'pages.ts', 'rooms.ts'].includes(file)) return 4
  if (file.startsWith('web/')) return 2
  if (['policy.ts', 'roles.ts'].includes(file)) return 1
  return ground.test(file) ? 0 : 3
}

function imports(file: string): string[] {
  return [...read(file).matchAll(/^(?:import|export) (?!type )[^'"]*? from '(\.[^']+)'/gms)].map(([, path]) =>
    relative(src, join(src, dirname(file), path ?? '')),
  )
}

t.test('imports point one way', async (t) => {
  for (const file of files) {
    for (const imported of imports(file).filter((path) => path.endsWith('.ts'))) {
      t.ok(layer(imported) <= layer(file), `${file} may import ${imported}`)
    }
  }
})

const wingOf = (file: string) => (file.includes('/') ? (file.split('/')[0] ?? '') : '')

/** The wings that each wing uses, beside db, records, mail and web, which all may use. A new edge is decided here. */
const edges: Record<string, string[]> = {
  accounts: ['history', 'operations', 'partners', 'people', 'projects', 'quotas', 'webhooks'],
  api: ['accounts', 'history', 'partners', 'people', 'projects', 'quotas', 'support', 'webhooks'],
  history: [],
  home: ['accounts', 'history', 'operations', 'partners', 'people', 'projects', 'quotas', 'support'],
  operations: ['accounts', 'people'],
  partners: ['accounts', 'history', 'people', 'projects', 'quotas'],
  people: ['accounts', 'operations'],
  projects: ['accounts', 'quotas'],
  quotas: ['accounts', 'history', 'partners', 'projects'],
  support: ['accounts', 'partners', 'people'],
  webhooks: [],
}

t.test('a wing uses the wings that are listed for it, and each of them', async (t) => {
  const found = Object.fromEntries(
    Object.keys(edges).map((wing) => {
      const used = files.filter((file) => wingOf(file) === wing).flatMap((file) => imports(file).map(wingOf))
      return [wing, [...new Set(used)].filter((other) => other !== wing && other in edges).sort()]
    }),
  )
  t.same(found, edges)
})

/** The folder of a file; a room and its data/ are one. */
const roomOf = (file: string) => dirname(file).replace(/\/data$/, '')

/** The ways from each name that lead back to it. */
function rings(names: Iterable<string>, next: (name: string) => string[]): string[][] {
  return [...names].flatMap((start) => {
    const ways = next(start).map((name) => [start, name])
    const reached = new Set<string>()
    for (const way of ways) {
      const last = way.at(-1) ?? ''
      if (last === start) return [way]
      if (reached.has(last)) continue
      reached.add(last)
      ways.push(...next(last).map((name) => [...way, name]))
    }
    return []
  })
}

t.test('files import in no ring, and neither do rooms: their data, and what stands on it', async (t) => {
  // Tables name one another, as their keys do.
  const apart = files.filter((file) => !file.startsWith('db/schema/'))
  t.same(rings(apart, imports), [])

  const inWings = apart.filter((file) => wingOf(file) in edges)
  for (const side of [inWings.filter(isData), inWings.filter((file) => !isData(file))]) {
    const used = new Map<string, Set<string>>(side.map((file) => [roomOf(file), new Set()]))
    for (const file of side)
      for (const other of imports(file))
        if (side.includes(other) && roomOf(other) !== roomOf(file)) used.get(roomOf(file))?.add(roomOf(other))
    t.same(
      rings(used.keys(), (room) => [...(used.get(room) ?? [])]),
      [],
    )
  }
  t.match(
    rings(['a'], (name) => (name === 'a' ? ['b'] : ['a'])),
    [['a', 'b', 'a']],
    'a ring is found',
  )
})

t.test('data knows nothing of requests', async (t) => {
  for (const file of files.filter((file) => isData(file) && !file.startsWith('web/')))
    for (const used of imports(file).filter((path) => path.endsWith('.ts')))
      t.notMatch(read(used), /from 'fastify'/, `${file} may import ${used}`)
})

t.test('a feature uses another’s data, never its routes', async (t) => {
  for (const file of files.filter((file) => layer(file) === 3)) {
    t.notOk(
      imports(file).some((imported) => imported.endsWith('routes.ts')),
      `${file} imports no routes`,
    )
  }
})

t.test('SQL lives in data.ts, data/, db/, mail/, the history’s record and the session store', async (t) => {
  const home = /^db\/|^mail\/|^web\/request\/session\.ts$|^records\/record\.ts$/
  for (const file of files.filter((file) => !home.test(file) && !isData(file))) {
    t.notMatch(
      read(file),
      /from 'drizzle-orm|from '[./]+db\/schema\b[^']*'(?<!import type[^\n]*)/,
      `${file} holds no SQL`,
    )
  }
})

/** Where each of these may stand, and why. What is found must be just that. */
const unasked: Record<string, { pattern: RegExp; where: Record<string, string> }> = {
  'a write outside of a transaction': {
    // Statements that are prepared run where they are called.
    pattern: /(?<!prepared\(\(db, [^)]*\) =>\s*)\bdb\s*\.(insert|update|delete|run)\(/,
    where: {
      'db/prepared.ts': 'an insert that is prepared runs where it is called',
      'db/cleaning.ts': 'rewrites pages of the file after an erasure',
      'mail/sending.ts': 'the delivery of an e-mail is nobody’s act',
      'web/request/session.ts': 'a session’s own row: its use, its end, its proof',
      'api/data.ts': 'a token’s own row: its use',
    },
  },
  'a write that asks for nobody’s right': {
    pattern: /\bwriteUnchecked\(/,
    where: {
      'people/tokens/replays/data.ts': 'forgets answers that were kept for a day',
      'operations/clock/data.ts': 'notes that the panel runs',
      'db/open.ts': 'defines it, and write asks first',
      'db/merging.ts': 'merges search indexes, between requests',
      'db/storage.ts': 'tries whether anything can be saved, and takes it back',
      'demo.ts': 'makes the cast in an empty database',
      'accounts/imports/ending/data.ts': 'forgets old imports',
      'operations/installation/data.ts': 'ties a database to its secrets, at a start',
      'people/data/users.ts': 'makes new keys of addresses at a start',
      'operations/replica/data.ts': 'which start of which machine may write to the replica',
      'people/log-in/throttle/data.ts': 'counts tries',
      'people/passkeys/data.ts': 'uses up a challenge, whoever answers it',
      'operations/troubles/data.ts': 'a failure is nobody’s act',
      'web/lists/data.ts': 'how somebody’s own list looks',
      'webhooks/data/outcomes.ts': 'what became of a delivery is nobody’s act',
      'webhooks/data/sending.ts': 'a delivery is nobody’s act',
      'web/request/session.ts': 'a log-in: it asks itself for the password that was proved',
    },
  },
  'an actor whose right is not asked for': {
    pattern: /stillMay: null/,
    where: {
      'records/record.ts': 'the panel itself, and the command line',
      'web/request/viewer.ts': 'a visitor: a token decides',
    },
  },
  'an act of a visitor': {
    pattern: /\bvisitingActor\(/,
    where: {
      'people/first-run/routes.ts': 'there must be no operator yet',
      'accounts/invitations/offer/routes.ts': 'the invitation must be open',
      'people/password/routes.ts': 'the link must be open, and its user enabled',
      'people/two-factor/log-in/routes.ts': 'asks whether the first step still counts',
      'people/passkeys/log-in/routes.ts':
        'the passkey must be there, its user enabled, and the first step count where there is one',
      'people/sso/arriving.ts': 'the provider has said who it is',
      'web/request/viewer.ts': 'defines it',
    },
  },
  'an act of the panel itself': {
    pattern: /\bbyItself\(/,
    where: {
      'records/record.ts': 'the command line is one',
      'accounts/imports/check.ts': 'takes back what was read of a file',
      'accounts/imports/running/batch.ts': 'asks for its importer in the batch',
      'accounts/deletion/purge/data.ts': 'nobody asks for it: it was due',
      'accounts/sso/data/mapping.ts': 'the groups of the account’s provider decide',
      'accounts/sso/worker.ts': 'the name server has said it',
      'home/notifications/data/mailing.ts': 'nobody asks for it: it was due',
      'mail/sending.ts': 'withdraws what is no longer true',
      'people/tokens/data.ts': 'nobody asks for it: it was due',
      'people/sso/log-out/context.ts': 'the provider’s signature decides',
      'webhooks/data/outcomes.ts': 'switches off what has failed for days',
      'quotas/data/marks.ts': 'follows from an act, which was asked for',
    },
  },
}

const parsed = new Map(files.map((file) => [file, ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)]))

const views = readdirSync(join(root, 'views'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.eta'))
  .map((file) => ({ file, text: readFileSync(join(root, 'views', file), 'utf8') }))

const mostLines = { file: 250, function: 80 }
const longestLine = 140

function longFunctions(file: string): string[] {
  const source = parsed.get(file)
  const long: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const [first, last] = [node.getStart(), node.end].map((at) => source?.getLineAndCharacterOfPosition(at).line ?? 0)
      const lines = (last ?? 0) - (first ?? 0) + 1
      if (lines > mostLines.function) long.push(`${file} ${node.name?.getText() ?? 'without a name'}`)
    }
    ts.forEachChild(node, visit)
  }
  if (source) visit(source)
  return long
}

t.test('a file has at most 250 lines and a function 80', async (t) => {
  for (const file of files) {
    const lines = read(file).split('\n').length - 1
    t.ok(lines <= mostLines.file, `${file} has ${lines} lines`)
  }
  t.same(files.flatMap(longFunctions), [])
})

t.test('views are formatted: lines of at most 140 characters, no tab, no space at a line’s end', async (t) => {
  for (const { file, text } of views)
    t.same(
      text.split('\n').filter((line) => line.length > longestLine || /\t|\s$/.test(line)),
      [],
      file,
    )
})

/** Names that two files export, and why. */
const sharedNames: Record<string, string> = {
  isoTime: 'of a time in views, and of one that may be missing in lists',
  users: 'the table, and what an import of users is called beside that of customers',
}

const statementsOf = (file: string): ts.Statement[] => [...(parsed.get(file)?.statements ?? [])]

function exportedNames(file: string): string[] {
  return statementsOf(file).flatMap((one) => {
    const kinds = ts.canHaveModifiers(one) ? (ts.getModifiers(one) ?? []).map(({ kind }) => kind) : []
    // The default of a file with routes has no other use than to be registered.
    if (!kinds.includes(ts.SyntaxKind.ExportKeyword) || kinds.includes(ts.SyntaxKind.DefaultKeyword)) return []
    if (ts.isVariableStatement(one)) return one.declarationList.declarations.map(({ name }) => name.getText())
    const { name } = one as ts.DeclarationStatement
    return name ? [name.getText()] : []
  })
}

/** Words that say nothing of what they stand for. Of a property, its object says it: `quota.own`. */
const emptyNames = ['own', 'found', 'seen', 'kept', 'some', 'few']

t.test('variables, parameters and functions have names that say what they are', async (t) => {
  for (const file of files) {
    const empty: string[] = []
    const visit = (node: ts.Node): void => {
      const isNamed =
        ts.isVariableDeclaration(node) ||
        ts.isParameter(node) ||
        ts.isFunctionDeclaration(node) ||
        // What is taken out of an object keeps the name that it has there.
        (ts.isBindingElement(node) && (node.propertyName || node.dotDotDotToken))
      if (isNamed && node.name && emptyNames.includes(node.name.getText())) empty.push(node.name.getText())
      ts.forEachChild(node, visit)
    }
    for (const statement of statementsOf(file)) visit(statement)
    t.same(empty, [], file)
  }
})

t.test('an exported name is exported by one file', async (t) => {
  const homes = new Map<string, string[]>()
  for (const file of files)
    for (const name of new Set(exportedNames(file))) homes.set(name, [...(homes.get(name) ?? []), file])
  const shared = [...homes].filter(([name, { length }]) => length > 1 && !(name in sharedNames))
  t.same(shared, [])
})

t.test('each write asks for its actor’s right, except those with a reason', async (t) => {
  for (const [what, { pattern, where }] of Object.entries(unasked)) {
    const found = files.filter((file) => pattern.test(read(file)))
    t.same(found.sort(), Object.keys(where).sort(), what)
  }
})

/** The words with which acts of data functions end. What people read instead is said by routes and views. */
const outcomes = {
  done: ['saved', 'applied', 'approved', 'deleted', 'made', 'moved', 'restored', 'without-admin'],
  'nothing to do': ['unchanged'],
  'somebody was faster': ['stale', 'ended', 'open-already', 'pending'],
  'there is no room': ['full', 'limit', 'too-many'],
  'somebody has it': ['taken', 'member', 'has-admin'],
  'something else stands in the way': [
    ...['customers', 'projects', 'needed', 'last-admin', 'last-operator', 'last-way-in', 'self'],
    ...['no-partner', 'suspended-partner', 'inactive', 'unproved', 'log-in', 'counter-fell'],
  ],
}

t.test('a data function that acts says how that ended in one way (D-31)', async (t) => {
  const known = Object.values(outcomes).flat()
  const used = new Set<string>()
  const data = files.filter(isData)
  const types = new Map(
    data.flatMap((file) =>
      statementsOf(file)
        .filter(ts.isTypeAliasDeclaration)
        .map(({ name, type }) => [name.text, type]),
    ),
  )
  /** The members of a union, also of one that has a name of its own. */
  const membersOf = (type: ts.TypeNode): ts.TypeNode[] => {
    if (ts.isUnionTypeNode(type)) return type.types.flatMap(membersOf)
    const named = ts.isTypeReferenceNode(type) ? types.get(type.typeName.getText()) : undefined
    return named && ts.isUnionTypeNode(named) ? membersOf(named) : [type]
  }
  for (const file of data)
    for (const act of statementsOf(file).filter(ts.isFunctionDeclaration)) {
      if (!act.parameters.some(({ type }) => /^(Actor|Person)$/.test(type?.getText() ?? ''))) continue
      if (!act.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue
      const name = `${file} ${act.name?.text}`
      t.ok(act.type, `${name} says its type`)
      const members = act.type ? membersOf(act.type) : []
      const words = members.flatMap((type) => /^'(.*)'$/.exec(type.getText())?.[1] ?? [])
      for (const word of words) used.add(word)
      t.same(
        words.filter((word) => !known.includes(word)),
        [],
        `${name} uses known words`,
      )
      const more = members.map((type) => type.getText()).filter((text) => text === 'null' || text.endsWith('[]'))
      t.same(more, [], `${name} names what it lists, and says undefined where nothing is there`)
    }
  t.same(
    known.filter((word) => !used.has(word)),
    [],
    'every word is used',
  )
})

t.test(
  'only policy.ts and roles.ts ask about roles, only config.ts reads the environment, no raw SQL or placeholder is outside of db/',
  async (t) => {
    for (const file of files) {
      const text = read(file)
      if (!['policy.ts', 'roles.ts'].includes(file)) {
        t.notMatch(text, /\brole\s*[!=]==?\s*'/, `${file} compares no role`)
      }
      if (file !== 'config.ts') t.notMatch(text, /process\.env/, `${file} reads no environment`)
      t.notMatch(text, /sql\.raw/, `${file} writes no raw SQL`)
      // A placeholder of db/prepared.ts knows the type of its value.
      if (!file.startsWith('db/'))
        t.notMatch(text, /sql\.placeholder|\.prepare\(\)\.(all|get|run)/, `${file} makes no placeholder`)
    }
  },
)

t.test('views print only what is escaped, except other views and what tools.table writes', async (t) => {
  for (const { file, text } of views) {
    t.notMatch(
      text,
      /<%~(?! (?:include\(|it\.body|(?:\w+\.)?td\('[a-z -]+'\) %>(?:>|<% if)))/,
      `${file} prints nothing unescaped`,
    )
    if (!file.startsWith('mail/'))
      t.notMatch(text, /\sstyle="|<script>|\son[a-z]+="/, `${file} has no inline style or script`)
  }
})

t.test('every path that the documents name is there', async (t) => {
  for (const name of ['README.md', 'ARCHITECTURE.md', 'SECURITY.md']) {
    const text = readFileSync(join(root, name), 'utf8')
    // Words in capitals stand for names.
    const paths = [...text.matchAll(/(?<![\w/])(?:src|views|test|migrations|public)\/[\w./-]*\w/g)]
      .map(([path]) => path)
      .filter((path) => !/[A-Z]{3}/.test(path))
    for (const path of paths) t.ok(existsSync(join(root, path)), `${name}: ${path}`)
  }
})

t.test('the top level holds what the design names, and nothing more', async (t) => {
  const named = ['package.json', 'package-lock.json', 'tsconfig.json', 'src', 'views', 'migrations', 'public', 'test']
  const told = ['README.md', 'ARCHITECTURE.md', 'SECURITY.md', 'CHANGELOG.md', 'LICENSE']
  const made = ['node_modules', 'dist', 'data']
  const there = readdirSync(root).filter((name) => !name.startsWith('.'))
  t.same(
    there.filter((name) => ![...named, ...told, ...made].includes(name)),
    [],
  )
})
