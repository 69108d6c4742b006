import { createWriteStream } from 'node:fs'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { archiveName, exportAccount } from './account-export/archive.ts'
import { ConfigError, readConfig } from './config.ts'
import { joinDatabase, StartError } from './db/open.ts'
import { demo } from './demo.ts'
import { createUser } from './login/data.ts'
import { hashPassword, newPassword, tooClose } from './login/passwords.ts'
import { serve } from './server.ts'
import { findAccountByIdentifier } from './support/data.ts'
import { email, personName } from './web/fields.ts'

const usage = `Usage: npm run panel -- COMMAND

  start                                    run the panel (npm start)
  demo                                     run it on a throw-away database with a demo cast (npm run demo)
  create-operator --email E --name N       create a user of Support; the password is read from standard input
  export-account IDENTIFIER [--to FILE]    write an account's data into an archive (by itself IDENTIFIER-DAY.zip)

The settings are environment variables; the README lists them.`

const commands: Record<string, (args: string[]) => Promise<unknown>> = {
  start: () => serve(readConfig()),
  demo,
  'create-operator': createOperator,
  'export-account': exportToFile,
}

/** Creates an operator, beside a running panel too. */
async function createOperator(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { email: { type: 'string' }, name: { type: 'string' } } })
  if (process.stdin.isTTY) console.error('Type the password, then Enter and Ctrl-D:')
  const typed = (await text(process.stdin)).replace(/\r?\n$/, '')

  const owner = {
    email: valid('--email', email().safeParse(values.email)),
    name: valid('--name', personName().safeParse(values.name)),
  }
  const password = valid('The password', newPassword().safeParse(typed))
  const config = readConfig()
  const close = tooClose(password, owner, config.panelName)
  if (close) throw new StartError(`The password: ${close}`)

  const { db, close: closeDatabase } = joinDatabase(config.dataDir)
  const actor = { userId: null, accountId: null, bySupport: true, at: Date.now(), ip: null, requestId: null }
  const passwordHash = await hashPassword(password)
  const user = db.transaction((tx) => createUser(tx, actor, { ...owner, passwordHash, operator: true }), {
    behavior: 'immediate',
  })
  closeDatabase()
  if (!user) throw new StartError(`--email: ${owner.email} belongs to a user already.`)
  console.log(`${user.name} (${user.email}) is of Support now.`)
}

/** Writes an account's export beside a running panel too. It never overwrites a file. */
async function exportToFile(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, options: { to: { type: 'string' } }, allowPositionals: true })
  const [identifier] = positionals
  if (!identifier || positionals.length > 1) throw new StartError('Name one account: export-account IDENTIFIER')
  const { db, close } = joinDatabase(readConfig().dataDir)
  const at = Date.now()
  const account = findAccountByIdentifier(db, identifier)
  const archive = account && exportAccount(db, account.id, at)
  const to = values.to ?? archiveName(identifier, at)
  try {
    if (!archive) throw new StartError(`There is no account “${identifier}”.`)
    await pipeline(archive, createWriteStream(to, { flags: 'wx', mode: 0o600 }))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new StartError(`${to} exists already. Name another file with --to.`)
    if (code?.startsWith('E')) throw new StartError(`${to} cannot be written: ${message}`)
    throw error
  } finally {
    close()
  }
  console.log(`The data of ${account?.name} is in ${to}.`)
}

function valid<Value>(
  what: string,
  parsed: { success: true; data: Value } | { success: false; error: { issues: { message: string }[] } },
): Value {
  if (parsed.success) return parsed.data
  throw new StartError(`${what}: ${parsed.error.issues[0]?.message}`)
}

const [name = '--help', ...args] = process.argv.slice(2)
const command = commands[name]

if (!command) {
  const help = name === '--help' || name === '-h'
  console[help ? 'log' : 'error'](help ? usage : `There is no command “${name}”.\n\n${usage}`)
  process.exitCode = help ? 0 : 2
} else {
  command(args).catch((error: Error & { code?: string }) => {
    const expected =
      error instanceof ConfigError || error instanceof StartError || error.code?.startsWith('ERR_PARSE_ARGS')
    console.error(expected ? error.message : error)
    process.exitCode = expected ? 2 : 1
  })
}
