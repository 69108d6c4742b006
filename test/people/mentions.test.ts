import { eq } from 'drizzle-orm'
import t from 'tap'
import { letterPeople, letters, limits, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { mentionsOf } from '../../src/people/leaving/mentions.ts'
import { seal } from '../../src/secrets.ts'
import { accountId, startApp, userId } from '../harness.ts'
import { lettersKept } from '../matrix/objects.ts'

const spaces = [' ', '  ', '\u00a0', ' \u00a0', '\n']

t.test('a name is recognised whatever spaces are between its words', (t) => {
  for (const one of spaces)
    for (const other of spaces) {
      const mentions = mentionsOf({ names: [`Quixwen${one}M.${one}Zbvnmt`], emails: [] })
      const text = `Ask quixwen${other}m.${other}zbvnmt, please`
      t.ok(mentions.in(text))
      t.equal(mentions.replaced(text), 'Ask a deleted user, please')
      t.notOk(mentions.in(`Quixwen${other}Mr${other}Zbvnmt`), 'a dot is a dot')
      t.notOk(mentions.in('QuixwenM. Zbvnmt'), 'without a space it is another name')
    }
  t.end()
})

for (const name of ['Quixwen  Zbvnmt', 'Quixwen\u00a0Zbvnmt'])
  t.test(`texts that have ${JSON.stringify(name)} with other spaces forget the name`, async (t) => {
    const panel = await startApp(t)
    const { db, app } = panel
    const [tom, petra] = [await panel.signIn('tom'), await panel.signIn('petra')]
    await tom.submit('/profile', 'Save name', { name })
    const tomId = userId(panel, 'tom')
    t.equal(db.select().from(users).where(eq(users.id, tomId)).get()?.name, name)
    const remark = 'As Quixwen Zbvnmt wished'
    await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '7', remark })
    await lettersKept(panel)
    // Nothing but the text says whom these name.
    db.delete(letterPeople).run()
    const shared = {
      email: cast.stella.email,
      name: 'Stella',
      accountId: accountId(panel, 'acme'),
      state: 'kept' as const,
      ...{ createdAt: 1, dueAt: 1, giveUpAt: 1 },
    }
    db.insert(letters)
      .values([
        {
          ...shared,
          messageId: 'in its body',
          subject: 'A project',
          search: '',
          body: seal(app.secrets, JSON.stringify({ html: `<body><p>By <b>${name}</b></p>` })),
        },
        {
          ...shared,
          messageId: 'in its subject',
          subject: 'Quixwen Zbvnmt left',
          search: 'quixwen zbvnmt left',
          body: null,
        },
      ])
      .run()
    await tom.submit('/profile/removal', 'Delete my user', { email: cast.tom.email })

    for (const which of ['in its body', 'in its subject'])
      t.match(
        db.select().from(letters).where(eq(letters.messageId, which)).get(),
        { subject: 'An e-mail that named a deleted user', body: null },
        which,
      )
    const remarks = db.select({ remark: limits.remark }).from(limits).all()
    t.ok(remarks.some((one) => one.remark === 'As a deleted user wished'))
    t.notMatch(JSON.stringify(panel.rows()), /quixwen/i)
  })
