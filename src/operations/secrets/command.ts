import { readConfig } from '../../config.ts'
import { plural } from '../../web/format.ts'
import { rotateSecrets } from './rotate.ts'

/** Makes new secrets, while the panel is stopped. */
export async function rotate(): Promise<void> {
  const { dataDir } = readConfig()
  const { secondFactors, letters, webhooks, providers, sessions, unreadable } = rotateSecrets(dataDir, Date.now())
  if (unreadable > 0)
    console.warn(
      `${plural(unreadable, 'text')} could not be opened by any key, and ${unreadable === 1 ? 'was' : 'were'} left as before.`,
    )
  console.log(
    `The secrets are new: ${plural(secondFactors, 'second factor')}, ${plural(letters, 'e-mail')}, ${plural(webhooks, 'webhook')} and ${plural(providers, 'client secret')} sealed again, ${plural(sessions, 'session')} ended. Earlier backups keep the key that they were made with.`,
  )
}
