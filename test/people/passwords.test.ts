import { eq } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '../../src/db/open.ts'
import { letters, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { type Client, newFolder, publicUrl, startApp } from '../harness.ts'
import { runCommand } from '../process.ts'
import { linkIn, until } from '../smtp.ts'

const owner = { email: 'greta.garbo@acme.example', name: 'Greta Garbowskaja' }

/** What the set-up form says about a password; it is never repeated right, so that nobody is created. */
async function judge(visitor: Client, path: string, password: string): Promise<string> {
  const page = await visitor.submit(path, 'Create operator', { ...owner, password, repeated: `${password}?` })
  if (page.status !== 422) throw new Error(`${page.status} for ${password}`)
  return page.error('password')
}

const guessable = [
  'Welcome12345',
  'iloveyou1234',
  '1234567890123',
  'password1234',
  'P@ssw0rd!2026',
  'Passw0rd1234',
  '1q2w3e4r5t6y',
  'qwertyuiop123',
  'abcdefghijklm',
  'drowssap4321',
  'Summer2026!!',
  'December2026!',
  'пароль123456',
  'ｐａｓｓｗｏｒｄ１２３４',
  'aaaaaaaaaaaaaaaa',
  'äöüäöüäöüäöü',
  'trustno1trustno1',
  'Garbowskaja2026',
  'greta-garbowskaja',
  'Greta.Acme.2026!',
  'Cloud Panel 2026!',
  'Meshpanel 2026!',
  'Januar2026Januar',
  'Donnerstag2026!',
  'Décembre-2026',
  'fevrier2026fevrier',
  'ноябрь2026!!',
  'ichliebedich1',
  'Ich liebe dich 1',
  'JeTAime20262026',
  'teamoteamo12',
  // Only the beginning is judged: a long password must not keep the panel busy for seconds.
  `${'P4$$w0rd'.repeat(6)}zwölf Boxkämpfer jagen Viktor`,
]

const hard = [
  'correct horse battery staple',
  'purple elephants dance',
  'zwölf Boxkämpfer jagen',
  'мой дядя самых честных правил',
  'می‌خواهم به خانه بروم',
  '床前明月光疑是地上霜举头',
  'ひらがなのとてもながいことば',
  '나는너를정말사랑해요오래',
  'บ้านของฉันสวยมาก',
  'Xk9$mPq2vLw8',
  'brtzglmphqwd',
  'Greta’s correct horse staple',
  `zwölf Boxkämpfer ${'y'.repeat(237)}`,
]

t.test('a password that is easy to guess is refused, in any script; words and random letters are not', async (t) => {
  const panel = await startApp(t, { empty: true, settings: { PANEL_NAME: 'Cloud Panel' } })
  const visitor = panel.visit()
  const path = `/setup/${panel.app.setupToken}`
  for (const password of guessable)
    t.match(await judge(visitor, path, password), /easy to guess\. Use four|your own name or e-mail.*Choose/, password)
  for (const password of hard) t.equal(await judge(visitor, path, password), '', password)
})

t.test('the name of an account is refused as a password in it', async (t) => {
  const panel = await startApp(t)
  const [max, stella] = [await panel.signIn('max'), await panel.signIn('stella')]
  const change = async (password: string) =>
    (
      await max.submit('/profile', 'Change password', { current: 'demo-demo-demo', password, repeated: `${password}?` })
    ).error('password')
  t.match(await change('Cloudhaus2026!'), 'the name of your account')
  t.equal(await change('correct horse battery staple'), '')

  await panel.visit().submit('/password-reset', 'Send link', { email: cast.max.email })
  const ofReset = await until('the link is written', () => {
    const letter = panel.db.select().from(letters).where(eq(letters.email, cast.max.email)).get()
    return letter && openBody(panel.app.secrets, letter)?.html
  })
  const reset = await panel.visit().submit(linkIn(ofReset, publicUrl, '/password-reset/'), 'Change password', {
    password: 'Cloudhaus2026!',
    repeated: 'Cloudhaus2026!',
  })
  t.match(reset.error('password'), 'the name of your account')

  await stella.submit('/customer/account', 'Save name', { name: 'Zebrafish GmbH' })
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@garden.example' })
  const copied = await stella.submit('/customer/users', 'Copy link', {}, 'greta@garden.example')
  const link = linkIn(copied.root.querySelector('#link')?.getAttribute('value') ?? '', publicUrl)
  const joining = await panel.visit().submit(link, 'Accept invitation', {
    name: 'Greta',
    password: 'Zebrafish2026!',
    repeated: 'Zebrafish2026!',
  })
  t.match(joining.error('password'), 'the name of your account')
})

t.test('the command line judges by the same rule, and hashes as slowly as OWASP asks', async (t) => {
  const dataDir = newFolder()
  const create = (password: string) =>
    runCommand(['create-operator', '--email', owner.email, '--name', owner.name], dataDir, password).done
  for (const password of ['Welcome12345', 'Garbowskaja2026'])
    t.match(await create(password), { code: 2, err: /^The password: / }, password)
  t.match(await create('correct horse battery staple'), { code: 0 })
  const { db, close } = openDatabase(dataDir)
  t.match(db.select().from(users).get()?.passwordHash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  close()
})
