import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { eq, isNotNull, sql } from 'drizzle-orm'
import t from 'tap'
import { suspendAccount } from '../../src/accounts/suspension/data.ts'
import { importRows, imports, quotaRequests, users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { createFirstOperator } from '../../src/people/data/users.ts'
import { atCommandLine } from '../../src/records/record.ts'
import { type Client, type Panel, startApp, undone } from '../harness.ts'
import { until } from '../smtp.ts'
import { fileBody, formBody, holdBody, type Late, windowOf } from './held.ts'
import { allSendings } from './late-forms.ts'
import { anotherHash, lossesOf, setUpTwoFactor, words, wrongAnswer } from './late-ways.ts'
import { changed, makeWorld, type Rows, rowsNow, type Who, type World } from './late-world.ts'

// What a request or a worker finds out is old when the work after it was slow: a hash, a file, an import. Rights that go
// in the middle of that are not used any more.

t.setTimeout(600_000)

/**
 * Lets something happen at the nth message of a channel from now on, of those that count. Returns what ends that, and says how
 * many came.
 */
function atMessage(channel: string, nth: number, happens: () => void, counts = () => true): () => number {
  let came = 0
  const listener = () => {
    if (!counts()) return
    came += 1
    if (came === nth) happens()
  }
  subscribe(channel, listener)
  return () => {
    unsubscribe(channel, listener)
    return came
  }
}

/** Published when a hash begins, and when a write has ended. */
const [hash, written] = ['meshpanel:hash', 'meshpanel:write']

/** Sends a form in a window of its own. */
function sendForm(panel: Panel, { client, path, body }: Late) {
  return windowOf(panel, client).postRaw(path, body.bytes, { 'content-type': body.type })
}

t.test('a right that is lost while a password is hashed is not used: nothing changes', async (t) => {
  const w = await makeWorld(t)
  const hashing: string[] = []
  for (const { name, arrange, losses } of allSendings(w)) {
    await undone(w.db, async () => {
      const late = await arrange(w)
      const times = await undone(w.db, async () => {
        const stop = atMessage(hash, 0, () => {})
        await sendForm(w.panel, late)
        return stop()
      })
      if (times === 0) return
      hashing.push(name)
      for (let nth = 1; nth <= times; nth++) {
        for (const { how, lose, slow, deserved } of losses) {
          if (slow) continue
          await undone(w.db, async () => {
            let then: Rows = {}
            const stop = atMessage(hash, nth, () => {
              lose(w, late.objects)
              then = rowsNow(w.db)
            })
            const page = await sendForm(w.panel, late)
            stop()
            const outcome = { changed: changed(then, rowsNow(w.db)), answer: wrongAnswer(page, deserved, true) }
            t.same(outcome, { changed: [], answer: undefined }, `${name} – ${how}, during hash ${nth}`)
          })
        }
      }
    })
  }
  for (const url of ['/login', '/profile/password', '/password-reset/:token', '/invitations/:token/user'])
    t.ok(
      hashing.some((name) => name.endsWith(url)),
      url,
    )
  t.ok(hashing.filter((name) => name.endsWith('with a proof')).length > 5, 'proofs by password')
})

t.test('a log-in whose password was right before two-factor log-in was set up still needs the code', async (t) => {
  const w = await makeWorld(t)
  const client = w.panel.visit()
  const page = await client.open('/login')
  const stop = atMessage(hash, 1, () => setUpTwoFactor(w, 'Tom'))
  await client.press(page, 'Log in', { email: cast.tom.email, password: demoPassword })
  stop()
  t.match((await client.get('/profile')).location, /^\/login\/second-factor/)
})

t.test('of two people who set up the first operator at once, one is it', async (t) => {
  const { app, db, visit } = await startApp(t, { empty: true })
  const client = visit()
  const fields = { name: 'Olga', email: cast.olga.email, password: words, repeated: words }
  const { type, bytes } = await formBody(client, fields)
  const stop = atMessage(hash, 1, () => {
    createFirstOperator(db, atCommandLine(1), {
      name: 'First',
      email: 'first@x.example',
      passwordHash: anotherHash,
      emailProved: true,
    })
  })
  t.equal((await client.postRaw(`/setup/${app.setupToken}`, bytes, { 'content-type': type })).status, 404)
  stop()
  t.same(
    db
      .select()
      .from(users)
      .all()
      .map(({ name }) => name),
    ['First'],
  )
})

t.test('two operators who disable each other at the same moment leave one', async (t) => {
  const w = await makeWorld(t)
  const otto = w.panel.visit()
  await otto.logIn('otto@meshpanel.example')
  const disabling = async (client: Client, name: string): Promise<Late> => ({
    client,
    path: `/support/users/${w.userId(name)}/disabling`,
    body: await formBody(client, {}),
  })
  const [byOlga, byOtto] = [await disabling(w.clients.Olga, 'Otto'), await disabling(otto, 'Olga')]
  const second = await holdBody(w.base, byOlga, async () => {
    t.equal((await holdBody(w.base, byOtto, () => {})).status, 303)
  })
  t.match(second.location, /^\/login/)
  const operators = w.db.select().from(users).where(eq(users.operator, true)).all()
  t.same(
    operators.filter(({ disabledAt }) => disabledAt === null).map(({ name }) => name),
    ['Otto'],
  )
})

const guests = (n: number) => `name,e-mail\n${lines(n, (of) => `Guest ${of},guest${of}@many.example`)}`
const customers = (n: number) => `name\n${lines(n, (of) => `Many ${of}`)}`
const lines = (n: number, line: (of: number) => string) => Array.from({ length: n }, (_, of) => line(of)).join('\n')

const places = [
  { base: '/customer/imports', action: 'member.import', who: ['Stella', 'Petra in Acme'], file: guests },
  { base: '/partner/imports', action: 'customer.import', who: ['Petra'], file: customers },
] as const

const eachImporter = places.flatMap(({ who, ...place }) =>
  who.map((one: Who) => ({ ...place, who: one, losses: lossesOf(place.base, place.action, one) })),
)

/** These rows, except imports that were not there at first: a deletion changes those that were. */
function withoutNewImports(rows: Rows, atFirst: Rows): Rows {
  const list = (of: Rows, table: string) => JSON.parse(of[table] ?? '[]') as Record<string, unknown>[]
  const known = new Set(list(atFirst, 'imports').map(({ id }) => id))
  const kept = (table: string, id: string) => JSON.stringify(list(rows, table).filter((row) => known.has(row[id])))
  return { ...rows, imports: kept('imports', 'id'), import_rows: kept('import_rows', 'import_id') }
}

t.test('a file whose sender loses the right while its rows are checked leaves nothing behind', async (t) => {
  const w = await makeWorld(t)
  for (const { base, who, losses, file } of eachImporter) {
    const late = {
      client: w.clients[who],
      path: base,
      body: await fileBody(w.clients[who], { name: 'many.csv', content: file(450) }),
    }
    const atFirst = rowsNow(w.db)
    for (const { how, lose, slow, deserved } of losses) {
      if (slow) continue
      await undone(w.db, async () => {
        let [checked, then]: [number, Rows] = [0, {}]
        // Its first rows: the panel may write something else before.
        const begun = () => w.db.select().from(imports).where(eq(imports.fileName, 'many.csv')).get()
        const hasRows = () => {
          const id = begun()?.id ?? 0
          return w.db.select().from(importRows).where(eq(importRows.importId, id)).get() !== undefined
        }
        const stop = atMessage(
          written,
          1,
          () => {
            checked = begun() ? 1 : 0
            lose(w, w.objects)
            then = rowsNow(w.db)
          },
          hasRows,
        )
        const page = await sendForm(w.panel, late)
        stop()
        await until(
          'it is deleted',
          () => w.db.select().from(imports).where(isNotNull(imports.discardedAt)).all().length === 0,
        )
        const outcome = {
          checked,
          changed: changed(withoutNewImports(then, atFirst), rowsNow(w.db)),
          answer: wrongAnswer(page, deserved, false),
        }
        t.same(outcome, { checked: 1, changed: [], answer: undefined }, `${who}: ${base} – ${how}`)
      })
    }
  }
})

/** An import works on while nobody is logged in: what ends a session alone does not stop it, nor does where its importer is. */
const sessionsEnd = ['session', 'logged out', 'log-in', 'logs out', 'password', 'this address']

t.test('an import stops when its importer loses the right to it, and continues when they only log out', async (t) => {
  const w = await makeWorld(t)
  // A batch is a row: each time that the worker asks for, a second has gone by.
  let seconds = 0
  const tick = () => {
    seconds += 1
    return seconds * 1_000
  }
  t.intercept(performance, 'now', { value: tick })
  for (const { base, who, losses, file } of eachImporter) {
    const begin = async (meanwhile: () => void) => {
      const client = windowOf(w.panel, w.clients[who])
      const { type, bytes } = await fileBody(client, { name: 'many.csv', content: file(90) })
      const checked = await client.postRaw(base, bytes, { 'content-type': type })
      const form = await formBody(client, {})
      let stop = () => 0
      const isDone = () =>
        ['done', 'stopped'].includes(importIn(w)?.state ?? '') && w.db.select().from(imports).all().length > 0
      // The write that starts it comes first, then the worker's.
      stop = atMessage(written, 2, meanwhile)
      await client.postRaw(`${checked.location}/start`, form.bytes, { 'content-type': form.type })
      await until('the import has ended', isDone)
      stop()
    }
    for (const loss of losses.filter(({ slow }) => !slow)) {
      await undone(w.db, async () => {
        let then = { created: 0, open: 0 }
        await begin(() => {
          loss.lose(w, w.objects)
          then = countImported(w)
        })
        const goesOn = sessionsEnd.some((words) => loss.how.includes(words))
        t.equal(importIn(w)?.state, goesOn ? 'done' : 'stopped', `${who}: ${base} – ${loss.how}`)
        t.ok(then.open > 0, 'in the middle of it')
        if (!goesOn) t.same(countImported(w), then, 'and nothing is created any more')
      })
    }
  }
})

function importIn({ db }: World) {
  return db.select().from(imports).where(eq(imports.fileName, 'many.csv')).get()
}

/** What imports have created, and what they have still to create. */
function countImported(w: World): { created: number; open: number } {
  const rows = rowsNow(w.db)
  const count = (table: string, words: string) => (rows[table] ?? '').split(words).length - 1
  return {
    created: count('invitations', '@many.example"') + count('accounts', '"name":"Many '),
    open: count('import_rows', '"ready"'),
  }
}

t.test('a partner’s rule approves nothing while the partner is suspended', async (t) => {
  const w = await makeWorld(t)
  const { Petra: petra, Stella: stella } = w.clients
  await stella.submit('/customer/quotas', 'Cancel request')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '10' })
  await petra.submit('/partner/quotas', 'Save', { share: '50' })
  const ask = async () => {
    await stella.submit('/customer/quotas', 'Send request', { cores: '12', reason: 'By the rule' })
    return w.db.select().from(quotaRequests).where(eq(quotaRequests.reason, 'By the rule')).get()?.state
  }
  t.equal(await undone(w.db, ask), 'approved')
  suspendAccount(
    w.db,
    w.support,
    { accountId: w.accountId('cloudhaus'), reason: 'The contract ended.' },
    w.panel.app.mailContext,
  )
  t.equal(await ask(), 'open')
})

t.test('a log-out while nothing can be saved stays in force once things can be saved again', async (t) => {
  const w = await makeWorld(t)
  const stella = w.clients.Stella
  const late = {
    client: stella,
    path: '/customer/account/name',
    body: await formBody(stella, { name: 'Changed', version: '1' }),
  }
  const leaving = windowOf(w.panel, stella)
  const { bytes } = await formBody(leaving, {})
  const before = rowsNow(w.db)
  const page = await holdBody(w.base, late, async () => {
    w.db.run(sql`pragma query_only = on`)
    t.equal((await leaving.postRaw('/session/removal', bytes)).location, '/login')
    w.db.run(sql`pragma query_only = off`)
    t.same(changed(before, rowsNow(w.db)), [], 'the session is still there')
  })
  t.match(page.location, /^\/login/)
  t.same(changed(before, rowsNow(w.db)), [])
})
