import type { Socket } from 'node:net'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { letters } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { newMessageId } from '../../src/mail/outbox.ts'
import { mailServer } from '../../src/mail/server.ts'
import { startMailWorker } from '../../src/mail/worker.ts'
import { ConfigError } from '../../src/settings.ts'
import { type Client, type Panel, startApp } from '../harness.ts'
import { hearPrepared, planOf, sqlite } from '../plans.ts'
import { deadAddress, type MailServer, onLines, pause, startMailServer, startOddServer, until } from '../smtp.ts'

// One e-mail never holds up the others; a server in trouble holds up all of them, and Support reads why.

const minute = 60_000

async function startWithMail(t: Test, options = '', settings = {}): Promise<Panel & { mail: MailServer }> {
  const mail = await startMailServer(t)
  return { ...(await startApp(t, { settings: { SMTP_URL: mail.url + options, ...settings } })), mail }
}

async function startWithLogIn(t: Test): Promise<Panel & { mail: MailServer }> {
  const mail = await startMailServer(t, { withLogIn: true })
  const SMTP_URL = mail.url.replace('smtp://', 'smtp://panel:secret@')
  return { ...(await startApp(t, { settings: { SMTP_URL } })), mail }
}

function invite(stella: Client, name: string) {
  return stella.submit('/customer/users', 'Invite', { name, email: `${name.toLowerCase()}@acme.example` })
}

const stateOf = ({ db }: Panel, name: string) =>
  db
    .select()
    .from(letters)
    .where(eq(letters.email, `${name.toLowerCase()}@acme.example`))
    .get()

function later(panel: Panel, time: number): void {
  panel.pass(time)
  panel.app.wakeMail()
}

t.test('an e-mail that cannot be opened is set aside with its reason, and the others go', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 451, words: 'not now' })
  const stella = await panel.signIn('stella')
  for (const name of ['Ann', 'Bob', 'Cid']) await invite(stella, name)
  await until('all were tried', () => ['Ann', 'Bob', 'Cid'].every((name) => stateOf(panel, name)?.attempts))
  // One byte of it is flipped.
  const body = Buffer.from(stateOf(panel, 'Ann')?.body ?? '', 'base64url')
  body[body.length - 20] = (body[body.length - 20] ?? 0) ^ 1
  panel.db
    .update(letters)
    .set({ body: body.toString('base64url') })
    .where(eq(letters.email, 'ann@acme.example'))
    .run()
  panel.db.update(letters).set({ body: 'sealed by nobody' }).where(eq(letters.email, 'bob@acme.example')).run()
  panel.mail.refuse(undefined)
  later(panel, 5 * minute)
  await panel.mail.letterTo('cid@acme.example')
  await until('both are set aside', () => ['Ann', 'Bob'].every((name) => stateOf(panel, name)?.state === 'failed'))
  const olga = await panel.signIn('olga')
  t.match(
    (await olga.get('/support/mail')).row('ann@acme.example'),
    'its text was sealed with another key, or was damaged',
  )
  await invite(stella, 'Dan')
  await panel.mail.letterTo('dan@acme.example')
})

for (const [what, at, code] of [
  ['us by its greeting, for good', 'greeting', 554],
  ['us by its greeting, for the moment', 'greeting', 421],
  ['the log-in, for good', 'auth', 535],
  ['the log-in, for the moment', 'auth', 454],
  ['the sender, for good', 'sender', 550],
  ['the sender, for the moment', 'sender', 451],
] as const)
  t.test(`a server that rejects ${what}, makes all wait, and Support reads so on every page`, async (t) => {
    const panel = await (at === 'auth' ? startWithLogIn(t) : startWithMail(t))
    panel.mail.refuse({ at, code, words: 'go away' })
    const [stella, olga] = [await panel.signIn('stella'), await panel.signIn('olga')]
    for (const name of ['Ann', 'Bob', 'Cid']) await invite(stella, name)
    await until('the server was tried', () => panel.app.mailTrouble())
    const warning = /The mail server has taken no e-mail since .*go away/
    for (const page of ['/', '/support/accounts', '/support/mail']) t.match((await olga.get(page)).text, warning)
    t.notMatch((await stella.get('/')).text, 'mail server')
    t.match((await panel.visit().get('/health/ready')).body, 'ready, but the mail server takes no e-mails')
    t.match((await panel.visit().get('/metrics')).body, 'meshpanel_mail_server_working 0')

    // Once the first have landed, one at a time finds out how things are, and later and later.
    await until('none is under way', () => panel.mail.connections > 0)
    await pause(100)
    for (const name of ['Ann', 'Bob', 'Cid'])
      t.match(stateOf(panel, name), { state: 'waiting', attempts: 0 }, `${name} has lost none of its tries`)
    const before = panel.mail.asked
    // What found out how the server is comes again after a minute.
    later(panel, minute)
    await until('it is tried again', () => panel.mail.asked > before)

    panel.mail.refuse(undefined)
    // A request that was under way may still bring the earlier answer.
    await until('all are taken', async () => {
      later(panel, 10 * minute)
      await pause(100)
      return panel.mail.taken.length >= 3
    })
    for (const name of ['Ann', 'Bob', 'Cid']) await panel.mail.letterTo(`${name.toLowerCase()}@acme.example`)
    await until('it works again', () => !panel.app.mailTrouble())
    t.notMatch((await olga.get('/')).text, 'mail server')
    t.match((await panel.visit().get('/metrics')).body, 'meshpanel_mail_server_working 1')
  })

/**
 * A server that takes every e-mail and says which recipients it got. What a client says outside of an e-mail goes to
 * `except` first, which returns true for what it has answered itself.
 */
async function startTakingServer(t: Test, except: (line: string, socket: Socket) => boolean) {
  const got: string[] = []
  const { url } = await startOddServer(t, (socket) => {
    socket.write('220 mail.example ESMTP\r\n')
    let data = false
    onLines(socket, (line) => {
      if (data && line !== '.') return
      if (!data && except(line, socket)) return
      if (!data && /^RCPT TO:/i.test(line)) got.push(line)
      data = !data && line === 'DATA'
      socket.write(data ? '354 go on\r\n' : '250 fine\r\n')
    })
  })
  return { url: `${url}?maxConnections=1`, got }
}

t.test('an e-mail that breaks the connection each time does not stop the others', async (t) => {
  const { url, got } = await startTakingServer(t, (line, socket) => {
    const breaks = /^RCPT TO:<ann@/i.test(line)
    if (breaks) socket.destroy()
    return breaks
  })
  const panel = await startApp(t, { settings: { SMTP_URL: url } })
  const stella = await panel.signIn('stella')
  for (const name of ['Ann', 'Bob', 'Cid']) await invite(stella, name)
  await until('two are taken', async () => {
    later(panel, minute)
    await pause(50)
    return got.length >= 2
  })
  t.equal(got.length, 2)
  t.match(stateOf(panel, 'Ann'), { state: 'waiting' })
  t.ok((stateOf(panel, 'Ann')?.attempts ?? 0) > 0, 'and waits longer and longer')
})

t.test('what somebody waits for goes first, then what one person sent, then what a file brought', async (t) => {
  const panel = await startApp(t, { settings: { SMTP_URL: await deadAddress() } })
  const stella = await panel.signIn('stella')
  const checked = await stella.submitAndFollow('/customer/imports', 'Check the file', {
    text: 'name,e-mail\nIda,ida@acme.example\nIke,ike@acme.example',
  })
  await stella.press(checked, 'Import 2 users')
  await until('the file is done', () => stateOf(panel, 'Ike'))
  await invite(stella, 'Ann')
  await panel.visit().submit('/password-reset', 'Send link', { email: cast.tom.email })
  await until('the reset waits', () => panel.db.select().from(letters).where(eq(letters.email, cast.tom.email)).get())
  await panel.close()

  const mail = await startMailServer(t)
  const again = await startApp(t, { settings: { SMTP_URL: `${mail.url}?maxConnections=1` }, dataDir: panel.dataDir })
  later(again, 20 * minute)
  await until('all are there', () => mail.taken.length === 4)
  t.same(
    mail.taken.flatMap(({ recipients }) => recipients),
    [cast.tom.email, 'ann@acme.example', 'ida@acme.example', 'ike@acme.example'],
  )
  t.equal(mail.greetedAs, 'localhost', 'as the host of PUBLIC_URL')
})

t.test('the next e-mail is found by an index, however many wait', async (t) => {
  const panel = await startWithMail(t)
  const queries = hearPrepared(panel)
  const { config, secrets, storage, now, log } = panel.app
  await startMailWorker({ db: drizzle(sqlite(panel)), config, secrets, storage, now, log }).stop()
  const looking = [...queries].filter((query) => /"letters"\."state" = 'waiting'.* order by/.test(query))
  t.equal(looking.length, 2, 'the next one, and when one is due')
  for (const query of looking) {
    const plan = planOf(panel, query)
    t.match(plan, /USING (COVERING )?INDEX letters_due/, query)
    t.notMatch(plan, /TEMP B-TREE/, 'they are read in their order')
  }
})

t.test('connections are kept for the next e-mails', async (t) => {
  const panel = await startWithMail(t, '?maxConnections=2')
  const stella = await panel.signIn('stella')
  for (let n = 0; n < 10; n++) await invite(stella, `Guest${n}`)
  await until('all are there', () => panel.mail.taken.length === 10)
  t.ok(panel.mail.connections <= 2, `${panel.mail.connections} connections`)
})

t.test('Support sends all that failed again, except what no longer applies', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'recipient', code: 550, words: 'no such user' })
  const [stella, olga] = [await panel.signIn('stella'), await panel.signIn('olga')]
  t.notOk((await olga.get('/support/mail')).hasButton('Send all failed again'))
  t.match((await olga.open((await olga.post('/support/mail/resending')).location ?? '')).notice, 'No e-mail has failed')
  for (const name of ['Ann', 'Bob', 'Cid']) await invite(stella, name)
  await until('all failed', () => ['Ann', 'Bob', 'Cid'].every((name) => stateOf(panel, name)?.state === 'failed'))
  // A newer link has replaced the one in it.
  panel.db.update(letters).set({ tokenHash: 'replaced' }).where(eq(letters.email, 'cid@acme.example')).run()
  panel.mail.refuse(undefined)
  const page = await olga.open('/support/mail')
  t.match(page.text, '3 e-mails failed')
  const done = await olga.press(page, 'Send all failed again')
  t.match(
    (await olga.open(done.location ?? '')).notice,
    '2 e-mails are being sent again. 1 e-mail no longer held true and will not be sent.',
  )
  for (const name of ['ann', 'bob']) await panel.mail.letterTo(`${name}@acme.example`)
  t.match(stateOf(panel, 'Cid'), { state: 'withdrawn' })
})

t.test('answers go to SUPPORT_EMAIL, and brackets in names stay', async (t) => {
  const panel = await startWithMail(t, '', {
    SUPPORT_EMAIL: 'help@panel.example',
    MAIL_FROM: 'Cloud (Panel) [Nürnberg] <panel@panel.example>',
  })
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Ann (Sales) <North>', email: 'ann@acme.example' })
  const { mail, raw } = await panel.mail.letterTo('ann@acme.example')
  t.equal(mail.replyTo?.text, 'help@panel.example')
  t.equal(mail.from?.value[0]?.name, 'Cloud (Panel) [Nürnberg]')
  t.equal([mail.to ?? []].flat()[0]?.value[0]?.name, 'Ann (Sales) <North>')
  t.match(raw, /^Message-ID: <[^>]+@localhost>/im)
})

t.test('options of SMTP_URL are read, unknown ones and a stray % are refused in one line', async (t) => {
  const read = (url: string) => readConfig({}, { SMTP_URL: url }).smtp
  t.match(read('smtp://u:p@mail.example:587'), { requireTLS: true, secure: false, port: 587 })
  t.match(read('smtps://u:p@mail.example'), { secure: true, port: 465 })
  t.equal(read('smtps://u:p@mail.example')?.requireTLS, undefined)
  for (const url of ['smtp://u:p@127.0.0.1', 'smtp://u:p@localhost:25', 'smtp://u:p@[::1]:25', 'smtp://mail.example'])
    t.equal(read(url)?.requireTLS, undefined, url)
  t.match(read('smtp://u:p@mail.example?requireTLS=false&maxConnections=3&tls.rejectUnauthorized=false'), {
    requireTLS: false,
    maxConnections: 3,
    tls: { rejectUnauthorized: false },
  })
  const wrong: [string, RegExp][] = [
    ['smtp://u:p@mail.example?requireTSL=true', /unknown option requireTSL. Known are requireTLS/],
    ['smtp://u:p@mail.example?requireTLS=yes', /requireTLS=yes; it must be true or false/],
    ['smtp://u:p@mail.example?maxConnections=0', /maxConnections=0; it must be a whole number/],
    ['smtp://u:100%secret@mail.example', /a “%” in its user or password that stands for nothing: write it as %25/],
    ['http://mail.example', /must be smtp:/],
  ]
  for (const [url, words] of wrong) {
    let error: unknown
    try {
      read(url)
    } catch (thrown) {
      error = thrown
    }
    t.ok(error instanceof ConfigError, url)
    t.match((error as Error).message, words)
    t.notMatch((error as Error).message, 'secret')
  }
})

t.test('an e-mail for which alone the server rejects the sender does not stop the others', async (t) => {
  // As a server does that cannot take addresses beyond ASCII.
  const { url, got } = await startTakingServer(t, (line, socket) => {
    const answer = /^EHLO/i.test(line)
      ? '250-mail.example\r\n250 SMTPUTF8\r\n'
      : /SMTPUTF8/i.test(line) && '550 no such sender here\r\n'
    if (answer) socket.write(answer)
    return answer !== false
  })
  const panel = await startApp(t, { settings: { SMTP_URL: url } })
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Jörg', email: 'jörg@acme.example' })
  await until('it was tried', () => panel.app.mailTrouble())
  for (const name of ['Ann', 'Bob']) await invite(stella, name)
  await until('two are taken', async () => {
    later(panel, minute)
    await pause(50)
    return got.length >= 2
  })
  t.equal(got.length, 2)
})

t.test('the panel introduces itself, and names its e-mails, by the host of PUBLIC_URL', async (t) => {
  const PUBLIC_URL = 'https://panel.example.com/below'
  const mail = await startMailServer(t)
  const config = readConfig({}, { PUBLIC_URL, SMTP_URL: mail.url })
  if (!config.smtp) throw new Error('SMTP_URL is not read.')
  const server = mailServer(config.smtp, config)
  await server.sendMail({ from: config.mailFrom, to: 'ann@acme.example', subject: 'x', text: 'x' })
  server.close()
  t.equal(mail.greetedAs, 'panel.example.com')
  t.match(newMessageId(PUBLIC_URL), /^<[0-9a-f-]{36}@panel\.example\.com>$/)
})

t.test('a server that says nothing makes all wait, and Support reads so', async (t) => {
  const odd = await startOddServer(t, () => {})
  const panel = await startApp(t, { settings: { SMTP_URL: `${odd.url}?greetingTimeout=300` } })
  for (const name of ['Ann', 'Bob']) await invite(await panel.signIn('stella'), name)
  await until('the server was tried', () => panel.app.mailTrouble())
  t.match((await (await panel.signIn('olga')).get('/')).text, 'The mail server has taken no e-mail since')
  for (const name of ['Ann', 'Bob']) t.match(stateOf(panel, name), { state: 'waiting' })
})
