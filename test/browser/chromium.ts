import { existsSync } from 'node:fs'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type CDPSession,
  chromium,
  type Page,
} from 'playwright-core'
import t, { type Test } from 'tap'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { Client, type Panel, startApp } from '../harness.ts'
import { freePort } from '../process.ts'
import { linkIn, startMailServer } from '../smtp.ts'
import { startDiscovery } from './provider.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
/**
 * Each window draws two pages of its own below its address bar, and a process waits for the next page: half of the time that the
 * tests take. Chromium reads this switch once, so what Playwright switches off stands here, too.
 */
const without =
  'WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,SpareRendererForSitePerProcess,' +
  'AimEnabled,AvoidUnnecessaryBeforeUnloadCheckSync,HttpsFirstBalancedModeAutoEnable,HttpsUpgrades,OptimizationHints,PaintHolding'

/** Ends a test file where there is no Chromium: with one clear line, or as a failure in CI. */
export function needsChromium(): void {
  if (existsSync(executablePath)) return
  const reason = `${executablePath} is missing: install Debian’s package chromium, or set CHROMIUM`
  if (process.env.CI === 'true') {
    t.fail(reason)
    process.exit(1)
  }
  t.plan(0, `browser tests are skipped: ${reason}`)
  process.exit(0)
}

/** Starts a browser with a new profile. */
export function launchBrowser(t: Test): Promise<Browser> {
  const browser = chromium.launch({ executablePath, args: [...flags.split(' '), `--disable-features=${without}`] })
  t.teardown(async () => (await browser).close())
  return browser
}

export type LivePanel = Panel & {
  url: string
  /** The link in the first letter to an address, as a path; it begins with `path`, by default that of invitations. */
  linkTo: (email: string, path?: string) => Promise<string>
}

/** A panel that listens on loopback, with the cast and a real mail server. */
export async function startLivePanel(t: Test, empty = false): Promise<LivePanel> {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const mail = await startMailServer(t)
  const sso = {
    OIDC_ISSUER: await startDiscovery(t),
    OIDC_CLIENT_ID: 'panel',
    OIDC_CLIENT_SECRET: 'secret',
    OIDC_NAME: 'Example ID',
  }
  const panel = await startApp(t, {
    empty,
    settings: { PUBLIC_URL: url, PORT: String(port), SMTP_URL: mail.url, ...sso },
  })
  await panel.app.listen({ host: 'localhost', port })
  return { ...panel, url, linkTo: async (email, path) => linkIn((await mail.letterTo(email)).mail.text, url, path) }
}

/** Somebody of the cast who has logged in, without a browser. */
export async function clientOf(panel: LivePanel, who: CastName): Promise<Client> {
  const client = new Client(panel.app, panel.url)
  client.remember(cast[who].email)
  const { status } = await client.logIn(cast[who].email)
  if (status !== 303) throw new Error(`${who} could not log in: ${status}`)
  return client
}

/** A person at a browser. What the console or the network complains about ends up in `complaints`. */
export class Person {
  readonly page: Page
  readonly context: BrowserContext
  readonly complaints: string[] = []
  readonly #url: string
  #devTools: Promise<CDPSession> | undefined

  private constructor(context: BrowserContext, page: Page, url: string) {
    this.context = context
    this.page = page
    this.#url = url
    page.on('pageerror', (error) => this.complaints.push(`${page.url()}: ${error.message}`))
    page.on('console', (message) => {
      // Chromium logs each 4xx answer that a test asks for, and that nothing can be saved.
      if (message.type() === 'error' && !/status of (4\d\d|503)/.test(message.text()))
        this.complaints.push(`${page.url()}: ${message.text()}`)
    })
  }

  static async open(browser: Browser, panel: LivePanel, options: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
    context.setDefaultTimeout(30_000)
    return new Person(context, await context.newPage(), panel.url)
  }

  /** Somebody of the cast who has logged in already. */
  static async loggedIn(browser: Browser, panel: LivePanel, who: CastName): Promise<Person> {
    return Person.of(browser, panel, await clientOf(panel, who))
  }

  /** Whoever was active without a browser goes on in one. */
  static async of(browser: Browser, panel: LivePanel, client: Client): Promise<Person> {
    const person = await Person.open(browser, panel)
    await person.context.addCookies([...client.cookies].map(([name, value]) => ({ name, value, url: panel.url })))
    return person
  }

  /** What the tools for developers can do with the page. */
  get devTools(): Promise<CDPSession> {
    this.#devTools ??= this.context.newCDPSession(this.page)
    return this.#devTools
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.#url + path)
  }

  get path(): string {
    const { pathname, search } = new URL(this.page.url())
    return pathname + search
  }

  async logIn(who: CastName): Promise<void> {
    await this.goto('/login')
    await this.fillLogIn(who)
  }

  async fillLogIn(who: CastName): Promise<void> {
    await this.page.getByLabel('E-mail').fill(cast[who].email)
    await this.page.getByLabel('Password', { exact: true }).fill(demoPassword)
    await this.press('Log in')
  }

  /** Presses the button with this name, in the table row, card or list item that holds the text `within`. */
  async press(name: string, within?: string): Promise<void> {
    await this.#click('button', name, within)
  }

  async follow(name: string, within?: string): Promise<void> {
    await this.#click('link', name, within)
  }

  async fill(fields: Record<string, string>): Promise<void> {
    for (const [label, value] of Object.entries(fields)) {
      const field = this.page.getByLabel(label, { exact: true }).first()
      // What few need waits behind “Add a limit”.
      await field.evaluate((element) => {
        const closed = element.closest('details:not(.menu)')
        if (closed instanceof HTMLDetailsElement) closed.open = true
      })
      await field.fill(value)
    }
  }

  /** Opens the Settings menu at the top right and follows an entry. */
  async settings(entry: string): Promise<void> {
    await this.page.locator('.settings > summary').click()
    await this.follow(entry)
  }

  /** Chooses an account in the switcher at the top left. */
  async changeInto(name: string): Promise<void> {
    await this.page.locator('.switcher > summary').click()
    await this.page.locator('.switcher').getByRole('button', { name }).click()
    await this.page.waitForLoadState('load')
  }

  activeAccount(): Promise<string> {
    return this.page.locator('.switcher .menu-label').innerText()
  }

  text(): Promise<string> {
    return this.page.locator('main').innerText()
  }

  row(containing: string): Promise<string> {
    return this.page.locator('main tr, main li, main .card').filter({ hasText: containing }).first().innerText()
  }

  /** Opens the menu that holds it, as a person does. */
  async #click(role: 'button' | 'link', name: string, within?: string): Promise<void> {
    const visible = this.#place(within).getByRole(role, { name, exact: true })
    const any = this.#place(within).getByRole(role, { name, exact: true, includeHidden: true })
    await any.first().waitFor({ state: 'attached' })
    if ((await visible.count()) === 0) await any.first().locator('xpath=ancestor::details').locator('summary').click()
    await visible.first().click()
    await this.page.waitForLoadState('load')
  }

  #place(within?: string) {
    return within ? this.page.locator('main tr, main li, main .card').filter({ hasText: within }) : this.page
  }
}
