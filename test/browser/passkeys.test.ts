import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CDPSession } from 'playwright-core'
import t, { type Test } from 'tap'
import { passkeys, sessions } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { Client, there } from '../harness.ts'
import { codeOf, enrol } from '../two-factor.ts'
import { type LivePanel, launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'

// Passkeys by Chromium and its virtual authenticator, which nobody here wrote.

needsChromium()
const chromium = launchBrowser(t)

const platform = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true } as const
const usbKey = { protocol: 'u2f', transport: 'usb' } as const

type Device = { cdp: CDPSession; authenticatorId: string }

/** Gives a page a device that answers at once, its user recognised. */
async function plugIn(person: Person, kind: typeof platform | typeof usbKey = platform): Promise<Device> {
  const cdp = await person.context.newCDPSession(person.page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...kind, isUserVerified: kind === platform, automaticPresenceSimulation: true },
  })
  return { cdp, authenticatorId }
}

const keyOn = async ({ cdp, authenticatorId }: Device) =>
  there((await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials[0])

/** Only the button asks for a passkey. */
const withoutConditional = (person: Person) =>
  person.page.addInitScript(() => {
    PublicKeyCredential.isConditionalMediationAvailable = async () => false
  })

async function addAs(person: Person, name: string, button = 'Add a passkey'): Promise<void> {
  await person.goto('/profile/passkeys')
  await person.press(button)
  await person.page.waitForURL('**/profile/passkeys/new*')
  await person.fill({ Name: name })
  await person.page.getByRole('button', { name: 'Continue' }).click()
}

/** Tom with a passkey on his device, logged out. */
async function tomWithPasskey(t: Test): Promise<{ panel: LivePanel; tom: Person; device: Device }> {
  const panel = await startLivePanel(t)
  const tom = await Person.loggedIn(await chromium, panel, 'tom')
  t.teardown(() => tom.context.close())
  const device = await plugIn(tom)
  await addAs(tom, 'Laptop')
  await tom.page.getByText('The passkey Laptop was added.').waitFor()
  await tom.context.clearCookies()
  return { panel, tom, device }
}

const loggedOut = (person: Person) => person.context.clearCookies()
const failed = (person: Person) => person.page.locator('[data-failed]:visible').first()

t.test('added, and from then on the address field alone logs in', async (t) => {
  const { panel, tom, device } = await tomWithPasskey(t)
  const key = await keyOn(device)
  t.equal(key.isResidentCredential, true)
  t.equal(key.rpId, 'localhost')
  t.equal(Buffer.from(there(key.userHandle), 'base64').length, 32)
  await tom.goto('/login?next=/profile/passkeys')
  await tom.page.waitForURL((url) => url.pathname === '/profile/passkeys')
  t.match(await tom.row('Laptop'), 'On one device or key')
  t.equal(panel.db.select().from(sessions).all().at(-1)?.secondFactor, true)
  t.same(tom.complaints, [])
})

t.test('by the button; not by a user who is not recognised', async (t) => {
  const { tom, device } = await tomWithPasskey(t)
  await withoutConditional(tom)
  const { cdp, authenticatorId } = device
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
  await tom.goto('/login')
  await tom.page.getByRole('button', { name: 'Log in with a passkey' }).click()
  await failed(tom).waitFor()
  t.match(await failed(tom).innerText(), 'That did not work')
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })
  await tom.page.getByRole('button', { name: 'Log in with a passkey' }).click()
  await tom.page.waitForURL((url) => url.pathname !== '/login')
  t.not(tom.path, '/login')
  t.same(tom.complaints, [])
})

t.test('a device is added once', async (t) => {
  const { panel, tom } = await tomWithPasskey(t)
  await tom.goto('/login?next=/profile')
  await tom.page.waitForURL((url) => url.pathname === '/profile')
  await addAs(tom, 'Laptop again')
  await failed(tom).waitFor()
  t.match(await failed(tom).innerText(), 'has a passkey of yours already')
  t.equal(panel.db.select().from(passkeys).all().length, 1)
})

t.test('another challenge, another origin, and a counter that went back', async (t) => {
  const { panel, tom, device } = await tomWithPasskey(t)
  const { cdp, authenticatorId } = device
  await withoutConditional(tom)
  await tom.goto('/login')
  await tom.page.locator('form[data-passkey]').evaluate((form: HTMLElement) => {
    form.dataset.passkey = form.dataset.passkey?.replace(/"challenge":"[^"]+"/, '"challenge":"AAAAAAAAAAAAAAAAAAAAAA"')
  })
  await tom.page.getByRole('button', { name: 'Log in with a passkey' }).click()
  await tom.page.getByText('This passkey was not accepted').waitFor()

  const other = createServer((_request, response) => response.end('<!doctype html><title>Elsewhere</title>'))
  await new Promise<void>((done) => other.listen(0, 'localhost', done))
  t.teardown(() => other.close())
  await tom.goto('/login')
  const form = tom.page.locator('form[data-passkey]')
  const options = JSON.parse(there(await form.getAttribute('data-passkey'))).get
  const csrf = there(await form.locator('input[name="_csrf"]').getAttribute('value'))
  await tom.page.goto(`http://localhost:${(other.address() as AddressInfo).port}/`)
  const credential = await tom.page.evaluate(async (publicKey) => {
    const parsed = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey)
    return JSON.stringify(await navigator.credentials.get({ publicKey: parsed }))
  }, options)
  const answer = await tom.context.request.post(`${panel.url}/login/passkey`, {
    form: { _csrf: csrf, credential, next: '/' },
    headers: { origin: panel.url },
    maxRedirects: 0,
  })
  t.equal(answer.status(), 422, 'what it signed for another origin')
  t.match(await answer.text(), 'This passkey was not accepted')

  const key = await keyOn(device)
  await cdp.send('WebAuthn.removeCredential', { authenticatorId, credentialId: key.credentialId })
  panel.db.update(passkeys).set({ counter: 50 }).run()
  await cdp.send('WebAuthn.addCredential', { authenticatorId, credential: { ...key, signCount: 10 } })
  await tom.goto('/login')
  await tom.page.getByRole('button', { name: 'Log in with a passkey' }).click()
  await tom.page.getByText('This passkey was not accepted').waitFor()
  const subjects = panel.rows().letters?.map((letter) => (letter as { subject: string }).subject)
  t.equal(subjects?.at(-1), 'A passkey of yours was refused')
})

t.test('a key without PIN (U2F) stands in for the code, and proves who somebody is', async (t) => {
  const panel = await startLivePanel(t)
  const client = new Client(panel.app, panel.url)
  await client.logIn(cast.tom.email)
  const { secret } = await enrol(panel, client)
  const tom = await Person.open(await chromium, panel)
  t.teardown(() => tom.context.close())
  await tom.context.addCookies([...client.cookies].map(([name, value]) => ({ name, value, url: panel.url })))
  await plugIn(tom, usbKey)
  await addAs(tom, 'Key', 'Add a security key')
  await tom.page.getByText('The passkey Key was added.').waitFor()
  t.match(await tom.row('Key'), 'second step only')

  await loggedOut(tom)
  await tom.logIn('tom')
  t.match(tom.path, '/login/second-factor')
  await tom.page.getByRole('button', { name: 'Use a passkey' }).click()
  await tom.page.waitForURL((url) => !url.pathname.startsWith('/login'))

  panel.pass(11 * 60_000)
  await tom.goto('/profile/passkeys')
  await tom.press('Add a security key')
  t.match(await tom.text(), 'Confirm that it is you')
  await tom.page.getByRole('button', { name: 'Confirm with a passkey' }).click()
  // The page that asks for the proof has the same address.
  await tom.page.getByRole('button', { name: 'Confirm with a passkey' }).waitFor({ state: 'detached' })
  await tom.page.waitForLoadState('load')
  t.match(tom.path, '/profile/passkeys/new')
  t.same(tom.complaints, [])

  await loggedOut(tom)
  await tom.logIn('tom')
  await tom.fill({ Code: codeOf(panel, secret) })
  await tom.press('Log in')
  t.not(tom.path.startsWith('/login'), true, 'the code works as ever')
})

t.test('without JavaScript nothing of it shows, and the password logs in', async (t) => {
  const { panel } = await tomWithPasskey(t)
  const tom = await Person.open(await chromium, panel, { javaScriptEnabled: false })
  t.teardown(() => tom.context.close())
  await tom.goto('/login')
  t.notMatch(await tom.text(), /passkey/i)
  t.equal(await tom.page.getByRole('button').count(), 1)
  await tom.page.getByLabel('E-mail').fill(cast.tom.email)
  await tom.page.getByLabel('Password', { exact: true }).fill(demoPassword)
  await tom.press('Log in')
  await tom.goto('/profile/passkeys')
  t.match(await tom.row('Laptop'), 'Change')
  t.equal(await tom.page.getByRole('button', { name: 'Add a passkey' }).count(), 0)
})
