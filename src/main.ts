import { Command, CommanderError } from 'commander'
import { exportToFile } from './accounts/export/command.ts'
import { misspeltSettings, readConfig } from './config.ts'
import { exitCodeOf, inOneLine } from './db/failure.ts'
import { demo } from './demo.ts'
import { backUp, restore, verify } from './operations/backups/commands.ts'
import { doctor } from './operations/doctor/command.ts'
import { printHistory, verifyHistory } from './operations/history/command.ts'
import { migrate } from './operations/migration/command.ts'
import { rotate } from './operations/secrets/command.ts'
import { createOperator } from './people/first-run/command.ts'
import { serve } from './server.ts'
import { ConfigError } from './settings.ts'
import { version } from './version.ts'

const program = new Command('npm run panel --')
  .description('A panel in which partners create and look after their customers’ accounts.')
  .version(version)
  .exitOverride()
  .addHelpText(
    'after',
    `
The settings are environment variables; the README lists them. Exit codes: 0 done, 1 something failed or was
found to be wrong, 2 not possible (wrong use, a running panel, a place that is not empty); nothing was changed then.`,
  )

type Action = Parameters<Command['action']>[0]
type Line = [usage: string, words: string, action: Action, ...options: [flags: string, words: string][]]

const needed = 'needed'
const key: [string, string] = ['--secrets <file>', 'the backup’s key, unless it is next to it as FILE.secrets']

// biome-ignore format: a line a command
const commands: Line[] = [
  ['start', 'run the panel (npm start)', async () => void await serve(readConfig())],
  ['demo', 'run it on a throw-away database with a demo cast (npm run demo)', demo, ['--reload', 'read views and public/ again for each page, to work on them']],
  ['create-operator', 'create a user of Support; the password is read from standard input', createOperator, ['--email <e-mail>', needed], ['--name <name>', needed]],
  ['backup [file]', 'copy database and key, also while the panel runs, and check the copy', backUp],
  ['restore [file]', 'bring a backup, or a replica, into an empty DATA_DIR; sessions and links end', restore, key, ['--from <place>', 'the replica to bring: what REPLICATE_TO says'], ['--at <time>', 'as the replica was at that time']],
  ['verify <file>', 'check a backup and say what is in it', verify, key],
  ['history', 'print the history as JSON Lines, also while the panel runs', printHistory, ['--after <number>', 'only records with a higher number'], ['--follow', 'go on with what is recorded later']],
  ['verify-history [file]', 'say whether the history, or that of a backup, is as it was written', verifyHistory, ['--against <backup>', 'also compare it with where this backup says that it ended']],
  ['migrate', 'bring the database to this version, and end', migrate, ['--recount', 'also count pools anew, and make search indexes anew']],
  ['doctor', 'examine the installation and say what to do; exit code 1 for a problem', doctor, ['--send <e-mail>', 'send an e-mail there, to try the mail server']],
  ['export-account <identifier>', 'write the data of an account into an archive (IDENTIFIER-DAY.zip)', exportToFile, ['--to <file>', 'write it there']],
  ['rotate-secrets', 'make new keys while the panel is stopped; all sessions end', rotate],
]

for (const [usage, words, action, ...options] of commands) {
  const command = program.command(usage).description(words).action(action)
  for (const [flags, about] of options)
    if (about === needed) command.requiredOption(flags, about)
    else command.option(flags, about)
}

// Whatever becomes of the command, and whatever is logged.
program.hook('preAction', () => {
  for (const [name, meant] of misspeltSettings())
    console.warn(`${name} is set, but there is no such setting. Did you mean ${meant}?`)
})

program.parseAsync().catch((error: Error) => {
  // Commander has said it already.
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2
    return
  }
  const line = error instanceof ConfigError ? error.message : inOneLine(error)
  console.error(line ?? error)
  process.exitCode = error instanceof ConfigError ? 2 : exitCodeOf(error)
})
