import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { desc, eq } from 'drizzle-orm'
import { simpleParser } from 'mailparser'
import t, { type Test } from 'tap'
import { letters, records } from '../../src/db/schema.ts'
import { type Client, type Page, type Panel, publicUrl, startApp } from '../harness.ts'
import {
  deadAddress,
  linkIn,
  type MailServer,
  onLines,
  pause,
  startMailServer,
  startOddServer,
  until,
} from '../smtp.ts'

const minute = 60_000
const hour = 60 * minute
const email = 'greta@acme.example'

async function startWithMail(t: Test): Promise<Panel & { mail: MailServer }> {
  const mail = await startMailServer(t)
  return { ...(await startApp(t, { settings: { SMTP_URL: mail.url } })), mail }
}

/** Stella invites somebody to Acme. */
async function invite(panel: Panel, to = email): Promise<Page> {
  const stella = await panel.signIn('stella')
  return stella.submitAndFollow('/customer/users', 'Invite', { name: 'Greta', email: to, role: 'member' })
}

function letterTo({ db }: Panel, to = email) {
  return db.select().from(letters).where(eq(letters.email, to)).orderBy(desc(letters.id)).get()
}

/** Waits until the newest letter to somebody is in this state. */
function letterIs(panel: Panel, state: string, to = email) {
  return until(`the letter to ${to} is ${state}`, () => {
    const letter = letterTo(panel, to)
    return letter?.state === state && letter
  })
}

/** Waits until the worker has tried to send the newest letter so many times. */
function tried(panel: Panel, times: number, to = email) {
  return until(`${times} tries of the letter to ${to}`, () => {
    const letter = letterTo(panel, to)
    return letter && letter.attempts >= times && letter
  })
}

/** What Support reads of a letter in the list. */
async function mailRow(olga: Client, to = email): Promise<string> {
  return (await olga.get('/support/mail')).row(to)
}

/** Moves the clock and lets the worker look for letters that are due. */
function later(panel: Panel, time: number): void {
  panel.pass(time)
  panel.app.wakeMail()
}

/** How long the slowest of the panel’s pages takes to answer, in milliseconds. */
async function slowest(work: (() => Promise<unknown>)[]): Promise<number> {
  let longest = 0
  for (const act of work) {
    const start = performance.now()
    await act()
    longest = Math.max(longest, performance.now() - start)
  }
  return longest
}

t.test('a letter that was sent shows as sent, and what it says is not shown', async (t) => {
  const panel = await startWithMail(t)
  await invite(panel)
  const { mail } = await panel.mail.letterTo(email)
  await letterIs(panel, 'sent')
  const olga = await panel.signIn('olga')
  const list = await olga.get('/support/mail')
  t.match(list.row(email), /Stella invites you to Acme.*Greta.*sent/)
  t.notOk(list.hasButton('Send again'))

  const page = await olga.get(list.link('Stella invites you to Acme') ?? '')
  t.match(page.text, email)
  t.notMatch(page.body, linkIn(mail.text, publicUrl), 'the link is its reader’s alone')
  t.notMatch(page.body, '/invitations/')
})

t.test('a letter that waits is not shown either, when there is a mail server', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 451, words: 'try later' })
  await invite(panel)
  await tried(panel, 1)
  const olga = await panel.signIn('olga')
  const list = await olga.get('/support/mail')
  t.match(list.row(email), 'waiting')
  t.match(list.row(email), 'try later', 'and why')
  const page = await olga.get(list.link('Stella invites you to Acme') ?? '')
  t.equal(page.status, 200)
  t.notMatch(page.body, '/invitations/')
})

t.test('a temporary refusal is tried again later, as the same letter', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 451, words: 'greylisted' })
  await invite(panel)
  const waiting = await tried(panel, 1)
  t.equal(waiting.state, 'waiting')
  t.match(waiting.error, 'greylisted')

  panel.app.wakeMail()
  await pause(50)
  t.equal(panel.mail.refused.length, 1, 'not at once')

  later(panel, 2 * minute)
  await tried(panel, 2)
  panel.mail.refuse(undefined)
  later(panel, 7 * hour)
  const { mail } = await panel.mail.letterTo(email)
  await letterIs(panel, 'sent')
  t.same(
    panel.mail.refused.map(({ mail }) => mail.messageId),
    [mail.messageId, mail.messageId],
  )
  t.match(mail.messageId, /^<.+@.+>$/)
  const [first] = panel.mail.refused
  t.equal(first?.mail.text, mail.text, 'with the same link')
  t.same(first?.mail.date, mail.date)
})

t.test('a recipient that is refused for the moment is tried again too', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'recipient', code: 450, words: 'mailbox busy' })
  await invite(panel)
  await tried(panel, 1)
  panel.mail.refuse(undefined)
  later(panel, 7 * hour)
  t.same((await panel.mail.letterTo(email)).recipients, [email])
})

t.test('the pauses between tries grow, up to six hours, for three days', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 451, words: 'not today' })
  await invite(panel)
  const pauses: number[] = []
  let passed = 0
  for (let tries = 1; ; tries++) {
    const letter = await tried(panel, tries)
    if (letter.state !== 'waiting') break
    // What is left until the next try, by the panel's own clock.
    const left = letter.dueAt - panel.app.now()
    pauses.push(left)
    passed += left + 1
    later(panel, left + 1)
    if (tries > 100) break
  }
  t.ok(
    pauses.every((pause, n) => pause >= (pauses[n - 1] ?? 0) - minute),
    'none is shorter than the one before',
  )
  t.ok(Math.max(...pauses) <= 6 * hour, 'none is longer than six hours')
  t.ok((pauses[0] ?? hour) <= 10 * minute, 'the first is short')
  t.ok(passed >= 66 * hour && passed <= 80 * hour, `${passed / hour} hours`)

  const letter = await letterIs(panel, 'failed')
  t.match(letter.error, 'not today')
  const olga = await panel.signIn('olga')
  t.match(await mailRow(olga), /failed.*not today.*/)
  t.match(await mailRow(olga), 'Send again')
})

for (const at of ['data', 'recipient'] as const) {
  t.test(`a permanent refusal (${at}) shows as failed and why, and can be sent again`, async (t) => {
    const panel = await startWithMail(t)
    panel.mail.refuse({ at, code: 550, words: 'no such user here' })
    await invite(panel)
    await letterIs(panel, 'failed')
    const olga = await panel.signIn('olga')
    t.match(await mailRow(olga), /failed.*no such user here/)
    const stella = await panel.signIn('stella')
    t.match((await stella.get('/customer/users')).row(email), /failed.*no such user here/, 'who invites sees it too')

    later(panel, 7 * hour)
    await pause(50)
    t.equal((await letterIs(panel, 'failed')).attempts, 1, 'it is not retried automatically')

    panel.mail.refuse(undefined)
    const again = await panel.signIn('olga')
    const page = await again.submitAndFollow('/support/mail', 'Send again', {}, email)
    t.match(page.notice, email)
    const { mail } = await panel.mail.letterTo(email)
    await letterIs(panel, 'sent')
    t.match(await mailRow(again), 'sent')
    t.ok((await panel.visit().get(linkIn(mail.text, publicUrl))).hasButton('Accept invitation'), 'its link works')
    for (const refused of panel.mail.refused) t.equal(mail.messageId, refused.mail.messageId)
    t.ok(
      panel.db
        .select()
        .from(records)
        .all()
        .some(({ kind, actorId }) => kind.startsWith('letter.') && actorId !== null),
      'and it is recorded who had it sent',
    )
  })
}

t.test('the failed letter of a cancelled invitation is not sent again', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'data', code: 550, words: 'no' })
  await invite(panel)
  const { id } = await letterIs(panel, 'failed')
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Cancel', {}, email)
  panel.mail.refuse(undefined)
  const olga = await panel.signIn('olga')
  t.notOk((await olga.get('/support/mail')).hasButton('Send again'))
  await olga.post(`/support/mail/${id}/resending`)
  await invite(panel, 'other@acme.example')
  await panel.mail.letterTo('other@acme.example')
  t.equal(panel.mail.taken.length, 1)
})

t.test('one letter that is refused holds up no other', async (t) => {
  const panel = await startWithMail(t)
  panel.mail.refuse({ at: 'recipient', code: 450, words: 'busy' }, email)
  await invite(panel)
  await invite(panel, 'other@acme.example')
  await panel.mail.letterTo('other@acme.example')
  t.equal((await tried(panel, 1)).state, 'waiting')
})

const troubles: [string, (t: Test) => Promise<{ url: string; hangUp?: () => void }>][] = [
  ['is not there', async () => ({ url: await deadAddress() })],
  ['never says a word', (t) => startOddServer(t, () => {})],
  ['hangs up at once', (t) => startOddServer(t, (socket) => socket.destroy())],
  [
    'speaks one byte a second',
    (t) =>
      startOddServer(t, (socket) => {
        const words = [...'220 mail.example ESMTP']
        const timer = setInterval(() => socket.write(words.shift() ?? '.'), 1000)
        socket.on('close', () => clearInterval(timer))
      }),
  ],
  [
    'stalls in the middle of a letter',
    (t) =>
      startOddServer(
        t,
        speakUntil('DATA', (socket) => socket.write('354 go on\r\n')),
      ),
  ],
]

/** Answers 250 to everything until `last` comes; then `then` answers, and nothing more is said. */
function speakUntil(last: string, then: (socket: Socket) => void) {
  return (socket: Socket) => {
    socket.write('220 mail.example ESMTP\r\n')
    let silent = false
    onLines(socket, (line) => {
      if (silent) return
      silent = line.toUpperCase().startsWith(last)
      if (silent) then(socket)
      else socket.write('250 fine\r\n')
    })
  }
}

for (const [trouble, start] of troubles) {
  t.test(`pages answer at once while the mail server ${trouble}, and no letter is lost`, async (t) => {
    const odd = await start(t)
    const panel = await startApp(t, { settings: { SMTP_URL: odd.url } })
    const stella = await panel.signIn('stella')
    const form = await stella.get('/customer/users')
    const guests = Array.from({ length: 10 }, (_, n) => `guest-${n}@acme.example`)
    const time = await slowest([
      ...guests.map((guest) => async () => {
        const page = await stella.press(form, 'Invite', { name: 'Guest', email: guest })
        t.equal(page.status, 303)
      }),
      () => stella.get('/customer/users'),
      () => panel.visit().get('/login'),
    ])
    // A page that waited for the mail server would wait for its ten seconds at the least.
    t.ok(time < 10_000, `the slowest took ${time} ms`)
    t.match((await stella.get('/customer/users')).text, '10 pending invitations')
    odd.hangUp?.()
    await panel.close()

    // The panel starts again with a server that works.
    const mail = await startMailServer(t)
    const again = await startApp(t, { settings: { SMTP_URL: mail.url }, dataDir: panel.dataDir })
    later(again, 7 * hour)
    for (const guest of guests) t.ok(linkIn((await mail.letterTo(guest)).mail.text, publicUrl))
    t.equal(mail.taken.length, guests.length, 'each comes once')
  })
}

t.test('a letter whose server vanished after taking it goes again under its Message-ID', async (t) => {
  const got: string[] = []
  const odd = await startOddServer(
    t,
    speakUntil('DATA', (socket) => {
      socket.write('354 go on\r\n')
      let text = ''
      socket.on('data', (data) => {
        text += data.toString()
        if (!text.endsWith('\r\n.\r\n')) return
        got.push(text)
        socket.destroy()
      })
    }),
  )
  const panel = await startApp(t, { settings: { SMTP_URL: odd.url } })
  await invite(panel)
  const letter = await tried(panel, 1)
  t.equal(letter.state, 'waiting')
  later(panel, 7 * hour)
  await tried(panel, 2)
  t.equal(got.length, 2)
  const ids = await Promise.all(got.map(async (text) => (await simpleParser(text)).messageId))
  t.ok(ids[0])
  t.equal(ids[0], ids[1])
})

t.test('invitation and letter are one: what is refused leaves neither', async (t) => {
  const panel = await startWithMail(t)
  const page = await invite(panel, 'not an address')
  t.equal(page.status, 422)
  t.same(panel.db.select().from(letters).all(), [])
})

t.test('user and password of SMTP_URL are used', async (t) => {
  const mail = await startMailServer(t, { withLogIn: true })
  const url = mail.url.replace('smtp://', 'smtp://panel%40acme.example:p%3Ass%2Fw%C3%B6rd@')
  const panel = await startApp(t, { settings: { SMTP_URL: url } })
  await invite(panel)
  await mail.letterTo(email)
  t.equal(mail.loggedInAs, 'panel@acme.example:p:ss/wörd')
})

t.test('the password of SMTP_URL is on no page, however the server fails', async (t) => {
  const odd = await startOddServer(t, (socket) => socket.end('554 go away\r\n'))
  const panel = await startApp(t, { settings: { SMTP_URL: odd.url.replace('smtp://', 'smtp://panel:hush-hush@') } })
  await invite(panel)
  await until('a try', () => letterTo(panel)?.error)
  const olga = await panel.signIn('olga')
  t.notMatch((await olga.get('/support/mail')).body, 'hush-hush')
  t.match(await mailRow(olga), 'go away', 'but what the server said')
})

t.test('without a mail server letters are kept, and Support follows their links', async (t) => {
  const panel = await startApp(t)
  await invite(panel)
  await letterIs(panel, 'kept')
  const olga = await panel.signIn('olga')
  const list = await olga.get('/support/mail')
  t.match(list.row(email), 'Greta')
  t.match(list.text, 'SMTP_URL', 'the page says what is missing')

  const page = await olga.get(list.link('Stella invites you to Acme') ?? '')
  t.match(page.text, /Stella invites you to the account Acme/)
  t.match(page.text, 'Customer User')
  const link = page.root
    .querySelectorAll('main a')
    .map((a) => a.getAttribute('href') ?? '')
    .find((href) => href.startsWith(`${publicUrl}/invitations/`))
  t.ok(link, 'the link can be followed')
  const greta = panel.visit()
  const words = 'correct horse battery staple'
  const accepted = await greta.submit((link ?? '').slice(publicUrl.length), 'Accept invitation', {
    password: words,
    repeated: words,
  })
  t.equal(accepted.status, 303)
  t.equal((await greta.open('/')).activeAccount, 'Acme')
})

t.test('without a mail server letters lie in the data folder as .eml files too', async (t) => {
  const panel = await startApp(t)
  await invite(panel)
  await letterIs(panel, 'kept')
  const folder = join(panel.dataDir, 'mail')
  const files = readdirSync(folder)
  t.equal(files.length, 1)
  const file = join(folder, files[0] ?? '')
  t.match(file, /\.eml$/)
  t.equal(statSync(file).mode & 0o077, 0, 'for the panel’s own eyes')
  const mail = await simpleParser(readFileSync(file))
  t.same(
    [mail.to ?? []]
      .flat()
      .flatMap(({ value }) => value)
      .map(({ address }) => address),
    [email],
  )
  t.match(mail.subject, 'Stella invites you to Acme')
  for (const part of [mail.text, mail.html || '']) t.match(part, `${publicUrl}/invitations/`)
})

t.test('letters that were kept are sent once there is a mail server, if Support says so', async (t) => {
  const panel = await startApp(t)
  await invite(panel)
  await letterIs(panel, 'kept')
  await panel.close()

  const mail = await startMailServer(t)
  const again = await startApp(t, { settings: { SMTP_URL: mail.url }, dataDir: panel.dataDir })
  const olga = await again.signIn('olga')
  const list = await olga.get('/support/mail')
  const page = await olga.get(list.link('Stella invites you to Acme') ?? '')
  t.notMatch(page.body, '/invitations/', 'and from now on what it says is not shown')
  await olga.submit('/support/mail', 'Send again', {}, email)
  t.ok(linkIn((await mail.letterTo(email)).mail.text, publicUrl))
})

t.test('the list of letters pages, counts and searches', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const form = await stella.get('/customer/users')
  for (let n = 1; n <= 30; n++)
    await stella.press(form, 'Invite', { name: `Gäst ${n}`, email: `guest-${n}@acme.example` })
  const olga = await panel.signIn('olga')
  const list = await olga.get('/support/mail')
  t.match(list.text, '30 e-mails')
  const next = await olga.get(list.link('Next') ?? '')
  t.equal(new Set([...list.tableRows, ...next.tableRows]).size, 30)
  t.equal((await olga.get('/support/mail?q=UEST-17')).tableRows.length, 1)
  t.ok((await olga.get(`/support/mail?q=${encodeURIComponent('GÄST')}`)).tableRows.length > 0)
})

t.test('letters are nobody’s but Support’s', async (t) => {
  const panel = await startApp(t)
  await invite(panel)
  const { id } = await letterIs(panel, 'kept')
  for (const who of ['stella', 'petra', 'tom', 'nils'] as const) {
    const client = await panel.signIn(who)
    for (const path of ['/support/mail', `/support/mail/${id}`, '/support/mail/99999']) {
      const page = await client.get(path)
      t.equal(page.status, 403, `${who} ${path}`)
      t.notMatch(page.body, email)
    }
    t.equal((await client.post(`/support/mail/${id}/resending`)).status, 403)
  }
})

t.test('a password is not sent to a server that offers no TLS where TLS is required', async (t) => {
  const mail = await startMailServer(t, { withLogIn: true })
  const { host } = new URL(mail.url)
  const panel = await startApp(t, { settings: { SMTP_URL: `smtp://panel:secret@${host}?requireTLS=true` } })
  await panel.visit().submit('/password-reset', 'Send link', { email: 'tom@acme.example' })
  await until('trouble', () => panel.app.mailTrouble() !== undefined)
  t.equal(mail.loggedInAs, undefined)
  t.equal(mail.taken.length, 0)
})
