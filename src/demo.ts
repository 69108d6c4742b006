import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, createAccount } from './accounts/data/account.ts'
import { addMember } from './accounts/members/data.ts'
import { readConfig } from './config.ts'
import { type Db, writeUnchecked } from './db/open.ts'
import { createCustomer } from './partners/customers/data/customers.ts'
import { createUser, type User } from './people/data/users.ts'
import { hashPassword } from './people/log-in/passwords.ts'
import type { Role } from './policy.ts'
import { giveAccess } from './projects/access/data/giving.ts'
import { createProject } from './projects/data.ts'
import { forgetNotificationsOf } from './records/data/forgetting.ts'
import { atCommandLine, type Person } from './records/record.ts'
import { serve } from './server.ts'

export const demoPassword = 'demo-demo-demo'

/** The demo cast: also the tests’ cast. */
export const cast = {
  olga: { name: 'Olga', email: 'olga@meshpanel.example', is: 'Support' },
  petra: { name: 'Petra', email: 'petra@cloudhaus.example', is: 'Partner Admin of Cloudhaus' },
  max: { name: 'Max', email: 'max@cloudhaus.example', is: 'Partner User of Cloudhaus' },
  stella: { name: 'Stella', email: 'stella@acme.example', is: 'Customer Admin of Acme, a customer of Cloudhaus' },
  tom: { name: 'Tom', email: 'tom@acme.example', is: 'Customer User of Acme, Project User of its project Website' },
  ines: { name: 'Ines', email: 'ines@initech.example', is: 'Customer Admin of Initech, a customer of Cloudhaus' },
  riva: { name: 'Riva', email: 'riva@rival.example', is: 'Partner Admin of Rival' },
  uma: { name: 'Uma', email: 'uma@umbrella.example', is: 'Customer Admin of Umbrella, a customer of Rival' },
  dora: { name: 'Dora', email: 'dora@direct.example', is: 'Customer Admin of Direct, which has no partner' },
  nils: { name: 'Nils', email: 'nils@nowhere.example', is: 'in no account' },
} as const

export type CastName = keyof typeof cast

/** Runs the panel on a throw-away database with the demo cast, and prints the logins. */
export async function demo({ reload = false }: { reload?: boolean } = {}): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'meshpanel-demo-'))
  const config = { ...readConfig({ LOG_LEVEL: 'warn', TWO_FACTOR: 'optional' }), dataDir, reload }
  const app = await serve(config, async ({ db, now }) => createCast(db, now(), await hashPassword(demoPassword)))
  process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }))

  const rows = Object.values(cast).map(({ name, email, is }) => `  ${name.padEnd(8)}${email.padEnd(28)}${is}`)
  console.log(
    `This is a demo: everything in it is gone when it stops. Log in as\n\n${rows.join('\n')}\n\nEvery password is ${demoPassword}\n`,
  )
  if (!app.config.smtp)
    console.log(
      `No mail is sent: Olga reads the e-mails in the Support Area → Mail, and they are kept in ${join(dataDir, 'mail')}\n`,
    )
}

/** Creates the cast in an empty database, everyone with the same password hash. */
export function createCast(db: Db, at: number, passwordHash: string): void {
  const setUp = atCommandLine(at)

  writeUnchecked(db, (tx) => {
    const users = Object.fromEntries(
      Object.entries(cast).map(([key, { name, email }]) => [
        key,
        made(createUser(tx, setUp, { name, email, passwordHash, operator: key === 'olga', emailProved: true })),
      ]),
    ) as Record<CastName, User>

    const account = (kind: Account['kind'], name: string) =>
      made(createAccount(tx, setUp, { kind, name, identifier: name.toLowerCase(), partnerId: null }))
    const customer = (partner: Account, by: User, name: string) =>
      made(createCustomer(tx, acting(by, partner), partner.id, { name, identifier: name.toLowerCase() }))
    const join = (to: Account, user: User, role: Role) =>
      addMember(tx, setUp, { accountId: to.id, userId: user.id, role }, 'member.joined')
    const acting = (user: User, from: Account): Person => ({
      ...setUp,
      userId: user.id,
      accountId: from.id,
      bySupport: false,
    })

    const { petra, max, stella, tom, ines, riva, uma, dora } = users
    const cloudhaus = account('partner', 'Cloudhaus')
    const rival = account('partner', 'Rival')
    const direct = account('customer', 'Direct')
    const acme = customer(cloudhaus, petra, 'Acme')
    const initech = customer(cloudhaus, petra, 'Initech')
    const umbrella = customer(rival, riva, 'Umbrella')

    join(cloudhaus, petra, 'admin')
    join(cloudhaus, max, 'member')
    join(acme, stella, 'admin')
    join(acme, tom, 'member')
    join(initech, ines, 'admin')
    join(rival, riva, 'admin')
    join(umbrella, uma, 'admin')
    join(direct, dora, 'admin')

    const website = made(
      createProject(
        tx,
        acting(stella, acme),
        { accountId: acme.id, userId: stella.id },
        { name: 'Website', identifier: 'website' },
      ),
    )
    made(
      createProject(
        tx,
        acting(stella, acme),
        { accountId: acme.id, userId: stella.id },
        { name: 'Shop', identifier: 'shop' },
      ),
    )
    giveAccess(
      tx,
      acting(stella, acme),
      { accountId: acme.id, projectId: website.id },
      { userIds: [tom.id], role: 'user' },
    )
    // The cast begins without news.
    forgetNotificationsOf(tx, tom.id)
  })
}

function made<Row>(row: Row | 'taken' | 'limit'): Row {
  if (row === 'taken' || row === 'limit') throw new Error('The demo cast goes into an empty database only.')
  return row
}
