import { text } from 'node:stream/consumers'
import { readConfig } from '../../config.ts'
import { StartError } from '../../db/start-error.ts'
import { joinInstallation } from '../../operations/installation/open.ts'
import { atCommandLine } from '../../records/record.ts'
import { email, personName } from '../../web/fields.ts'
import { reserveNamesOf } from '../../web/reserved-names.ts'
import { createUser } from '../data/users.ts'
import { whyGuessable } from '../log-in/guessable.ts'
import { hashPassword, newPassword } from '../log-in/passwords.ts'

/** Creates an operator, also while the panel runs. The password is read from standard input. */
export async function createOperator(given: { email: string; name: string }): Promise<void> {
  if (process.stdin.isTTY) console.error('Type the password, then Enter and Ctrl-D:')
  const typed = (await text(process.stdin)).replace(/\r?\n$/, '')

  const config = readConfig()
  reserveNamesOf(config.panelName)
  const owner = {
    email: valid('--email', email().safeParse(given.email)),
    name: valid('--name', personName().safeParse(given.name)),
  }
  const password = valid('The password', newPassword().safeParse(typed))
  const guessable = await whyGuessable(password, { ...owner, accounts: [] }, config.panelName)
  if (guessable) throw new StartError(`The password: ${guessable}`)

  const { db, close } = joinInstallation(config.dataDir, Date.now())
  const passwordHash = await hashPassword(password)
  const user = db.transaction(
    (tx) => createUser(tx, atCommandLine(Date.now()), { ...owner, passwordHash, operator: true, emailProved: true }),
    {
      behavior: 'immediate',
    },
  )
  close()
  if (user === 'taken') throw new StartError(`--email: ${owner.email} belongs to a user already.`)
  console.log(`${user.name} (${user.email}) is of Support now.`)
}

function valid<Value>(
  what: string,
  parsed: { success: true; data: Value } | { success: false; error: { issues: { message: string }[] } },
): Value {
  if (parsed.success) return parsed.data
  throw new StartError(`${what}: ${parsed.error.issues[0]?.message}`)
}
