// node test/proofs/stalls.ts [CUSTOMERS=1000000] [MOST=20] [PATTERN]
// How long one request holds up all others: the longest turn of a running panel's event loop, in milliseconds of its own
// processor time, so that a busy machine changes nothing. Asked are the pages, searches and sorts that read most, of a
// partner with a tenth of all customers, of one whose customers lie among those of others, and of Support; downloads, an
// export, an import and its deletion. Fails when one of them takes more than MOST. Only what matches PATTERN is asked.
// STALLS_DATA=FOLDER keeps the data there for the next run, which takes what is there.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { memberList } from '../../src/accounts/members/data.ts'
import type { ListSpec } from '../../src/db/list.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { recordList } from '../../src/history/data/records.ts'
import { letterList } from '../../src/mail/listing.ts'
import { customerList } from '../../src/partners/customers/data/listing.ts'
import { accountList } from '../../src/support/accounts/data.ts'
import { userList } from '../../src/support/users/data.ts'
import { makeData } from '../bench/data.ts'
import type { Client, Page } from '../harness.ts'
import { launch, startProcess } from '../process.ts'

const [customers = 1_000_000, most = 20] = process.argv.slice(2, 4).map(Number)
const asked = new RegExp(process.argv[4] ?? '')
const { STALLS_DATA: keptDir } = process.env
if (keptDir && !existsSync(join(keptDir, 'panel.db'))) {
  mkdirSync(keptDir, { recursive: true })
  renameSync(join(await makeData(customers), 'panel.db'), join(keptDir, 'panel.db'))
}
const dataDir = keptDir ?? (await makeData(customers))
const answer = join(dataDir, 'turns')

/** Runs inside the panel: adds up what its main thread does between two turns of the loop. */
const watch = `
  import { writeFileSync } from 'node:fs'
  let [last, longest] = [process.threadCpuUsage(), 0]
  const turn = () => {
    const now = process.threadCpuUsage()
    longest = Math.max(longest, now.user + now.system - last.user - last.system)
    last = now
    setImmediate(turn)
  }
  process.on('SIGUSR2', () => { writeFileSync(${JSON.stringify(answer)}, String(longest)); longest = 0 })
  turn()`
const panel = await startProcess(dataDir, {
  settings: { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent', BACKUP_EVERY_HOURS: '0' },
  program: [process.execPath, '--import', `data:text/javascript,${encodeURIComponent(watch)}`, launch],
})

process.on('exit', () => {
  try {
    process.kill(panel.pid)
  } catch {
    // It has been stopped.
  }
})

async function longestTurn(): Promise<number> {
  writeFileSync(answer, '')
  process.kill(panel.pid, 'SIGUSR2')
  for (;;) {
    const text = readFileSync(answer, 'utf8')
    if (text) return Number(text) / 1_000
    await pause(2)
  }
}

async function logIn(email: string, account?: string): Promise<Client> {
  const client = panel.visit()
  await client.logIn(email, demoPassword)
  if (account) await client.switchTo(account)
  return client
}

const rows: { what: string; longest: number }[] = []

/**
 * What is asked first compiles code and fills caches, so it does not count. What takes too long is asked again, up to
 * twice, and the shortest counts: garbage is collected, and the machine may be busy.
 */
async function measure(what: string, ask: () => Promise<unknown>, times = 8): Promise<void> {
  if (!asked.test(what)) return
  if (times > 1) for (let n = 0; n < 3; n++) await ask()
  let longest = Number.POSITIVE_INFINITY
  for (let round = 0; round < 3 && longest > most; round++) {
    await longestTurn()
    for (let n = 0; n < times; n++) await ask()
    longest = Math.min(longest, await longestTurn())
  }
  rows.push({ what, longest })
  console.log(`${longest.toFixed(1).padStart(8)} ms  ${what}`)
}

async function page(client: Client, path: string): Promise<void> {
  const { status } = await client.get(path)
  if (status !== 200) throw new Error(`${path} answers ${status}`)
}

const viewers = {
  partner: await logIn('admin-0@bench.example', 'bench-partner-0'),
  scattered: await logIn('admin-5@bench.example', 'bench-partner-5'),
  support: await logIn(cast.olga.email),
  customer: await logIn('user-0-0@bench.example'),
}

const words = {
  frequent: 'haus',
  'everybody’s': 'bench',
  rare: `bench-${Math.floor(customers / 10) - 1}`,
  short: 'ha',
  'one letter': 'h',
  missing: 'qqqqqq',
  'two words': 'haus blue',
}

/** A list in all its sorts, filters and searches, and its last page. */
async function measureList(
  who: string,
  client: Client,
  path: string,
  spec: Pick<ListSpec<never>, 'sorts' | 'filters'>,
) {
  const ask = (what: string, query: Record<string, string> = {}) =>
    measure(`${who}: ${path}, ${what}`, () => page(client, `${path}?${new URLSearchParams(query)}`))
  await ask('first page')
  for (const [kind, q] of Object.entries(words)) await ask(`${kind} word`, { q })
  for (const sort of Object.keys(spec.sorts)) {
    await ask(`by ${sort}`, { sort })
    await ask(`by ${sort}, a frequent word`, { sort, q: words.frequent })
  }
  for (const [name, filter] of Object.entries(spec.filters))
    for (const value of typeof filter === 'object' ? Object.keys(filter) : [])
      await ask(`${name} ${value}`, { [name]: value })
}

for (const [who, client] of Object.entries(viewers)) {
  await measure(`${who}: Home`, () => page(client, '/'))
  await measure(`${who}: notifications`, () => page(client, '/notifications'))
  await measure(`${who}: account switcher`, () => page(client, '/active-account'))
  for (const [kind, q] of Object.entries(words))
    await measure(`${who}: search, ${kind} word`, () => page(client, `/search?${new URLSearchParams({ q })}`))
}
const { partner, scattered, support, customer } = viewers
for (const [who, client] of Object.entries({ partner, scattered })) {
  await measureList(who, client, '/partner/customers', customerList)
  await measureList(who, client, '/partner/history', recordList)
  await measure(`${who}: pool`, () => page(client, '/partner/quotas'))
  await measure(`${who}: deleted customers`, () => page(client, '/partner/deleted-customers'))
  await measure(`${who}: all customers as a file`, () => page(client, '/partner/customers?download=csv'), 1)
  await measure(`${who}: quotas of all customers as a file`, () => page(client, '/partner/quotas.csv'), 1)
}
await measureList('Support', support, '/support/accounts', accountList)
await measureList('Support', support, '/support/users', userList)
await measureList('Support', support, '/support/mail', letterList)
await measureList('Support', support, '/support/history', recordList)
await measure('Support: quotas', () => page(support, '/support/quotas'))
await measure('Support: health', () => page(support, '/support/backups'))
await measure('Support: all accounts as a file', () => page(support, '/support/accounts?download=csv'), 1)
await measure('metrics', () => page(panel.visit(), '/metrics'))
await measureList('customer', customer, '/customer/users', memberList)

const run = Date.now().toString(36)
let files = 0
/** A file of customers that nobody has yet. */
function newFile() {
  files++
  const lines = Array.from({ length: 20_000 }, (_, n) => `Imported ${n},imported-${run}-${files}-${n}`)
  return { name: 'customers.csv', bytes: Buffer.from(`name,identifier\n${lines.join('\n')}\n`) }
}
let checked: Page | undefined
await measure(
  'a file of 20,000 customers is checked',
  async () => {
    checked = await partner.upload('/partner/imports', 'Check the file', newFile())
  },
  1,
)
await measure(
  'and imported',
  async () => {
    checked ??= await partner.upload('/partner/imports', 'Check the file', newFile())
    await partner.press(checked, 'Import 20,000 customers')
    while ((await partner.open(checked.path)).root.querySelector('meta[http-equiv="refresh"]')) await pause(200)
    checked = undefined
  },
  1,
)
let created = 0
await measure('a customer is created', async () => {
  created++
  await partner.submit('/partner/customers', 'Create customer', {
    name: `Late ${created}`,
    identifier: `late-${run}-${created}`,
  })
})

// What is proved again before it: whoever logs in has done so.
const [deleting, erasing] = [await logIn('admin-0@bench.example', 'bench-partner-0'), await logIn(cast.olga.email)]
const identifier = 'bench-7'
async function deleteCustomer(): Promise<void> {
  const removal = await deleting.get(`/partner/customers/${identifier}/removal`)
  const projects = removal.root.querySelector('input[name=projects]')?.getAttribute('value')
  await deleting.press(removal, 'Delete customer', { identifier, ...(projects ? { projects } : {}) })
}
const restoreCustomer = () => deleting.post(`/partner/deleted-customers/${identifier}/restoration`)
await measure('a customer is deleted, and restored', async () => {
  await deleteCustomer()
  if ((await restoreCustomer()).status !== 303) throw new Error('It was not restored.')
})
await measure('a user is deleted', async () => {
  const email = `user-${Math.floor(Math.random() * customers)}-1@bench.example`
  const link = (await erasing.get(`/support/users?${new URLSearchParams({ q: email })}`)).body.match(
    /<a href="?(\d+)\b/,
  )
  const removal = await erasing.get(`/support/users/${link?.[1]}/removal`)
  const button = removal.root.querySelector('button.danger')?.text.trim() ?? ''
  if ((await erasing.press(removal, button, { email })).status !== 303) throw new Error(`${email} was not deleted.`)
})
await measure('an account is exported', async () =>
  customer.press(await customer.get('/customer/account'), 'Download everything (ZIP)'),
)

await panel.stop()
if (!keptDir) rmSync(dataDir, { recursive: true })
const long = rows.filter(({ longest }) => longest > most).sort((first, second) => second.longest - first.longest)
console.log(`\n${rows.length} asked; ${long.length} took longer than ${most} ms`)
for (const { what, longest } of long) console.log(`${longest.toFixed(1).padStart(8)} ms  ${what}`)
process.exitCode = long.length > 0 ? 1 : 0
