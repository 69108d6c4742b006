import { eq } from 'drizzle-orm'
import t from 'tap'
import { passwordResets, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { createFirstOperator } from '../../src/people/data/users.ts'
import { atCommandLine } from '../../src/records/record.ts'
import { type Page, startApp, undone } from '../harness.ts'
import { until } from '../smtp.ts'
import { formBody, holdBody, type Late, loseInside } from './held.ts'
import { acts, allSendings, apart, byVisitors, ofReset, ofUser, postsOf, sendingsOf } from './late-forms.ts'
import { anotherHash, words, wrongAnswer } from './late-ways.ts'
import { changed, makeWorld, type Rows, rowsNow, type World } from './late-world.ts'

// D-16: a right counts at the moment of the act. Every form of the running application, sent by somebody who may send it, and every way in which
// that right goes between the head of the request and its body, or between the panel's first look and the act.

t.setTimeout(600_000)

t.test('there is a case for each form of the panel, and for no other', async (t) => {
  const panel = await startApp(t)
  const forms = postsOf(panel.app)
  t.same([...Object.keys(acts), ...Object.keys(byVisitors), ...apart].sort(), forms.map(({ url }) => url).sort())
  for (const form of forms.filter(({ url }) => !apart.includes(url))) {
    const sendings = sendingsOf(form)
    t.ok(sendings.length > 0, `somebody sends ${form.url}`)
    for (const { name, losses } of sendings) t.ok(losses.length > 0, `something can be lost: ${name}`)
  }
})

t.test('a form acts while its sender may: even if its body comes late', async (t) => {
  const w = await makeWorld(t)
  for (const { name, arrange } of allSendings(w)) {
    await undone(w.db, async () => {
      const late = await arrange(w)
      const before = rowsNow(w.db)
      const page = await holdBody(w.base, late, () => {})
      t.ok(page.status < 400, `${name} answers ${page.status} ${page.text.slice(0, 300)}`)
      t.ok(changed(before, rowsNow(w.db)).length > 0, `${name} changes something`)
    })
  }
})

type Moment = 'the body is on its way' | 'the form is being handled'

/** Sends a form, and lets something happen at that moment: the answer, and all rows as they were right after that. */
const send: Record<
  Moment,
  (w: Pick<World, 'panel' | 'db' | 'base'>, late: Late, happens: () => unknown) => Promise<{ page: Page; then: Rows }>
> = {
  'the body is on its way': async (w, late, happens) => {
    let then: Rows = {}
    const page = await holdBody(w.base, late, async () => {
      await happens()
      then = rowsNow(w.db)
    })
    return { page, then }
  },
  'the form is being handled': async (w, late, happens) => {
    let then: Rows = {}
    const page = await loseInside(w.panel, late, () => {
      happens()
      then = rowsNow(w.db)
    })
    return { page, then }
  },
}

for (const moment of ['the body is on its way', 'the form is being handled'] as const) {
  t.test(`what is lost while ${moment} is not used any more: nothing changes`, async (t) => {
    const w = await makeWorld(t)
    for (const { name, arrange, losses } of allSendings(w)) {
      await undone(w.db, async () => {
        const late = await arrange(w)
        const atFirst = rowsNow(w.db)
        for (const { how, lose, slow, deserved } of losses) {
          if (slow && moment === 'the form is being handled') continue
          await undone(w.db, async () => {
            const { page, then } = await send[moment](w, late, () => lose(w, late.objects))
            const outcome = {
              lost: changed(atFirst, then).length > 0,
              changed: changed(then, rowsNow(w.db)),
              answer: wrongAnswer(page, deserved, moment !== 'the body is on its way'),
            }
            t.same(outcome, { lost: true, changed: [], answer: undefined }, `${name} – ${how}`)
          })
        }
      })
    }
  })
}

t.test('a first operator’s form that comes after another first operator’s does nothing', async (t) => {
  for (const moment of ['the body is on its way', 'the form is being handled'] as const) {
    const panel = await startApp(t, { empty: true })
    const { app, db } = panel
    const client = panel.visit()
    const base = await app.listen({ host: '127.0.0.1', port: 0 })
    const fields = { name: 'Olga', email: cast.olga.email, password: words, repeated: words }
    const late = { client, path: `/setup/${app.setupToken}`, body: await formBody(client, fields) }
    const first = { name: 'First', email: 'first@x.example', passwordHash: anotherHash, emailProved: true }
    const happens = () => createFirstOperator(db, atCommandLine(app.now()), first)
    const { page, then } = await send[moment]({ panel, db, base }, late, happens)
    t.equal(page.status, 404)
    t.same(changed(then, rowsNow(db)), [])
    t.equal(db.select().from(users).all().length, 1)
  }
})

t.test(
  'no e-mail with a link to a new password goes to a user who was disabled, deleted or got another e-mail since it was asked for',
  async (t) => {
    const w = await makeWorld(t)
    const { panel, db } = w
    const ask = async (email: string) => {
      const client = panel.visit()
      return { client, path: '/password-reset', body: await formBody(client, { email }) }
    }
    const linksOf = (name: string) =>
      db
        .select()
        .from(passwordResets)
        .where(eq(passwordResets.userId, w.userId(name)))
        .all().length
    /** Letters are written in the order in which they were asked for: when this one is, those before it are or never will be. */
    const afterAllBefore = async () => {
      const { client, path, body } = await ask(cast.dora.email)
      await client.postRaw(path, body.bytes)
      await until('the letters are written', () => linksOf('Dora') > 0)
    }
    await undone(db, async () => {
      await holdBody(w.base, await ask(cast.stella.email), () => {})
      await afterAllBefore()
      t.equal(linksOf('Stella'), 1)
    })
    const losses = {
      disabled: ofUser('Stella')['was disabled'],
      deleted: ofUser('Stella')['was deleted'],
      moved: ofReset('Stella')['has another e-mail'],
    }
    for (const [how, lose] of Object.entries(losses)) {
      for (const when of ['start', 'end'] as const) {
        await undone(db, async () => {
          const id = w.userId('Stella')
          const page = await loseInside(panel, await ask(cast.stella.email), () => lose(w), when)
          t.equal(page.location, '/login', 'and the person who asks is told nothing')
          await afterAllBefore()
          t.same(
            db.select().from(passwordResets).where(eq(passwordResets.userId, id)).all(),
            [],
            `${how} at the ${when}`,
          )
        })
      }
    }
  },
)
