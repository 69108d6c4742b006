// node test/proofs/mutants.ts [PATTERN] [FROM=0]
// Removes each guard, each tenant condition and each check that a right still holds once, in a scratch copy, and runs the
// matrix or the rule's own test: it must turn red every time. It takes over an hour; FROM goes on with a run that was ended;
// PATTERN, a regular expression, takes the mutants with such names.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { is } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { root } from '../../src/config.ts'
import * as schema from '../../src/db/schema.ts'
import { isData, readSource, sources } from '../sources.ts'

type Mutant = { name: string; file: string; text: string; test?: string }

/** Lines that carry a rule, what is left without it, and the test that must notice. */
const rules: { file: RegExp; line: RegExp; by: string; test: string }[] = [
  { file: /^db\/open\.ts$/, line: /stillMay\?\.\(tx\)/g, by: '', test: 'late' },
  {
    file: /^accounts\/endings\/data\/ending\.ts$/,
    line: /^ {2}(?:for .*\n {4}|for .*\) )?(?:endInvitationsTo|endSent|endRequestsOf|endMembership|cancelInvitations|withdrawLettersTo)\(.*\)$/gm,
    by: '',
    test: 'endings',
  },
  {
    file: /^mail\/reasons\.ts$/,
    line: /(?<=return |[:?] )(?:'(?:its|the|a) [^']+'|expired|sleeps)/g,
    by: 'undefined',
    test: 'reasons',
  },
  {
    file: /^(?!mail\/allowance).*\.ts$/,
    line: /^ +(?:allow[A-Z]\w+|mayTryIdentifier|if \(!created\) noteTaken)\(.*\)$/gm,
    by: '',
    test: 'allowances',
  },
  {
    file: /^accounts\/invitations\/data\/accepting\.ts$/,
    line: / \|\| \(way !== 'copied' && user\.emailProvedAt === null\)|link === 'copied' \|\| /g,
    by: '',
    test: 'addresses',
  },
  {
    file: /^accounts\/invitations\/data\/accepting\.ts$/,
    line: /^ +isNull\(senderAsleep\),$/gm,
    by: '',
    test: 'suspension',
  },
  { file: /^people\/data\/users\.ts$/, line: /^ {2}endSent\(.*\)$/gm, by: '', test: 'addresses' },
  {
    file: /^accounts\/invitations\/offer\/routes\.ts$/,
    line: / && !user\.emailProved(?= )/g,
    by: ' && false',
    test: 'addresses',
  },
  { file: /^people\/email\/data\.ts$/, line: /^ {4}if \(!emailProved && .*$/gm, by: '', test: 'addresses' },
]

for (const { file, line } of rules) {
  const there = sources.filter((one) => file.test(one)).some((one) => readSource(one).match(line))
  if (!there) throw new Error(`No source has what this rule looks for: ${file} ${line}`)
}

const testFiles = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })

/** Actions that are everybody's: there is no guard to remove. */
const open =
  /^((asset|health|metrics|security-contact)\.see|session\.(start|end)|password\.reset|operator\.first|invitation\.(see|accept))$/

/** Every table of the schema. */
const tables = Object.entries(schema)
  .flatMap(([name, table]) => (is(table, SQLiteTable) ? [name] : []))
  .join('|')
const columns = 'accountId|partnerId|userId|actorAccountId|emailKey'
/** A condition that ties a row to a tenant or a person, by what the caller gives. A join compares columns, and is none. */
const tenantCondition = new RegExp(
  `eq\\((?:${tables})\\.(?:${columns}), (?:accountId|account\\.id|partnerId|userId|looker\\.userId|actor\\.userId|user\\.id|scope\\.\\w+|emailKey\\([\\w.]+\\))\\)|equals\\((?:${tables})\\.(?:${columns}), (?:placeholdersOf\\(\\w+\\)\\.\\w+|[\\w.]+)\\)`,
  'g',
)

function mutants(): Mutant[] {
  return sources.flatMap((file) => [...withoutRules(file), ...ofTenants(file)])
}

function withoutRules(file: string): Mutant[] {
  const text = readSource(file)
  return rules
    .filter((rule) => rule.file.test(file))
    .flatMap(({ line, by, test }) =>
      [...text.matchAll(line)].map((match) => ({
        ...replaced(file, text, { match, by, name: `without the rule ${match[0].trim().replaceAll(/\s+/g, ' ')}` }),
        test,
      })),
    )
}

function ofTenants(file: string): Mutant[] {
  const text = readSource(file)
  if (file === 'policy.ts') return widened(file, text)
  if (file === 'web/request/guard.ts') return withoutGuards(file, text)
  if (file.endsWith('routes.ts')) return [...unguarded(file, text), ...withoutProjectRights(file, text)]
  // Support sees all accounts; a deletion and a download of data are their user's alone, without a tenant.
  return isData(file) && !/^(support|people\/leaving)\//.test(file) ? unbound(file, text) : []
}

/** Every row of the policy tables, opened to everybody. */
function widened(file: string, text: string): Mutant[] {
  const inProject = text.indexOf('const projectPolicy')
  return [...text.matchAll(/^ {2}'([a-z-]+\.[a-z-]+)': (\[[^\]]*\]|\w+),/gm)]
    .filter(([, action = '', who]) => !open.test(action) && who !== 'anyone')
    .map((match) => {
      const everybody = (match.index ?? 0) > inProject ? "['admin', 'user', 'reader']" : 'anyone'
      return replaced(file, text, { match, by: `  '${match[1]}': ${everybody},`, name: `everybody may ${match[1]}` })
    })
}

/** Every route, under an action that is everybody's. */
function unguarded(file: string, text: string): Mutant[] {
  return [...text.matchAll(/can: '([\w.-]+)'/g)]
    .filter(([, action = '']) => !open.test(action))
    .map((match) => replaced(file, text, { match, by: "can: 'asset.see'", name: `a route without ${match[1]}` }))
}

function withoutProjectRights(file: string, text: string): Mutant[] {
  return [...text.matchAll(/projectOf\(request, '[\w.-]+'\)/g)].map((match) =>
    replaced(file, text, { match, by: 'projectOf(request)', name: `without the project right ${match[0]}` }),
  )
}

function withoutGuards(file: string, text: string): Mutant[] {
  const lines = [
    'if (!can(request.viewer.standings, action)) throw refusal(request)',
    'if (inAccount && account !== undefined) sameAccount(request, account, options)',
  ]
  return lines.map((line) => {
    const index = text.indexOf(line)
    if (index < 0) throw new Error(`guard.ts has no line: ${line}`)
    return { name: `${file}: without ${line}`, file, text: text.slice(0, index) + text.slice(index + line.length) }
  })
}

function unbound(file: string, text: string): Mutant[] {
  const without = (condition: RegExp, by: string) =>
    [...text.matchAll(condition)].map((match) => replaced(file, text, { match, by, name: `without ${match[0]}` }))
  return [...without(tenantCondition, 'undefined'), ...without(/\$\{accounts\.partnerId\} = \$\{partnerId\} and /g, '')]
}

function replaced(
  file: string,
  text: string,
  { match, by, name }: { match: RegExpMatchArray; by: string; name: string },
): Mutant {
  const index = match.index ?? 0
  const line = text.slice(0, index).split('\n').length
  return {
    name: `${file}:${line}: ${name}`,
    file,
    text: text.slice(0, index) + by + text.slice(index + match[0].length),
  }
}

/** The parts of the matrix that ask data functions directly, and take a fifth of its time. */
const shortMatrix = '/^(?!what |no page|a visitor|an invitee|a removed|a form|lists)/'

/** Whether the mutant’s test is green on a copy of the sources with this mutant in it. */
async function survives(copy: string, mutant: Mutant | undefined): Promise<boolean> {
  cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true })
  if (mutant) writeFileSync(join(copy, 'src', mutant.file), mutant.text)
  if (mutant?.test) return isGreen(copy, fileOf(mutant.test))
  const matrix = fileOf('matrix')
  if (!mutant || !isData(mutant.file)) return isGreen(copy, matrix)
  if (!(await isGreen(copy, matrix, { TAP_GREP: shortMatrix })) || !(await isGreen(copy, matrix))) return false
  for (const test of ofWing(mutant.file)) if (!(await isGreen(copy, test))) return false
  return true
}

/** The tests beside a data file: the matrix does not see what an act does to other rows. */
function ofWing(file: string): string[] {
  const wing = `${file.split('/')[0]}/`
  return testFiles
    .filter((test) => test.startsWith(wing) && test.endsWith('.test.ts'))
    .map((test) => join('test', test))
}

const fileOf = (test: string) => join('test', testFiles.find((file) => basename(file) === `${test}.test.ts`) ?? test)

async function isGreen(copy: string, test: string, only = {}): Promise<boolean> {
  const child = spawn(process.execPath, [test], {
    cwd: copy,
    stdio: 'ignore',
    env: { ...process.env, TAP_BAIL: '1', TAP_TIMEOUT: '600', ...only },
  })
  const [code] = await once(child, 'exit')
  return code === 0
}

/** Inside the project, so that its packages are found. */
function newCopy(): string {
  mkdirSync(join(root, 'dist'), { recursive: true })
  const copy = mkdtempSync(join(root, 'dist', 'mutants-'))
  for (const part of ['test', 'views', 'public', 'migrations', 'package.json', 'tsconfig.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  return copy
}

const [wanted = '', from = '0'] = process.argv.slice(2)
const all = mutants()
  .filter(({ name }) => new RegExp(wanted).test(name))
  .slice(Number(from))
const copies = [newCopy(), newCopy()]
if (from === '0' && !(await survives(copies[0] ?? '', undefined)))
  throw new Error('The matrix is red without a mutant.')
const survivors: string[] = []
const queue = [...all]
await Promise.all(
  copies.map(async (copy) => {
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const survived = await survives(copy, mutant)
      if (survived) survivors.push(mutant.name)
      console.log(`${survived ? 'SURVIVED' : 'died'} ${mutant.name}`)
    }
  }),
)
for (const copy of copies) rmSync(copy, { recursive: true, force: true })
console.log(`${all.length - survivors.length} of ${all.length} mutants died`)
process.exit(survivors.length > 0 ? 1 : 0)
