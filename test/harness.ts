import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { eq, sql } from 'drizzle-orm'
import type { FastifyInstance, FastifyReply, FastifyRequest, LightMyRequestResponse } from 'fastify'
import { HTMLElement, type Node, parse } from 'node-html-parser'
import type { Test } from 'tap'
import { buildApp } from '../src/app.ts'
import { type Config, readConfig } from '../src/config.ts'
import { type Connection, type Db, openDatabase } from '../src/db/open.ts'
import { accounts, installation, projects, users } from '../src/db/schema.ts'
import { type CastName, cast, createCast, demoPassword } from '../src/demo.ts'
import { openInstallation } from '../src/operations/installation/open.ts'
import { cost } from '../src/people/log-in/hashing.ts'
import { hashPassword } from '../src/people/log-in/passwords.ts'
import { rememberBrowser } from '../src/people/log-in/throttle/browser.ts'
import { readAmount } from '../src/web/amounts.ts'
import type { Deadlines } from '../src/web/request/deadline.ts'

// Each test has a folder of its own, which goes at the end.
process.setMaxListeners(0)

// A panel with the demo cast for each test: a real database in a folder of its own, and clients that
// send the forms that the pages hold.

export const publicUrl = 'http://localhost:3000'

export type Panel = {
  app: FastifyInstance
  db: Connection
  dataDir: string
  /** Every page and form of the running application: operations of the API are no pages. */
  routes: { method: string; url: string; config?: { can?: string; secret?: boolean } }[]
  /** Time passes, in milliseconds. */
  pass: (time: number) => void
  /** The clock is set to another time, by milliseconds forward or back. */
  jump: (time: number) => void
  visit: () => Client
  /** Logs in one of the cast, through the form. */
  signIn: (who: CastName) => Promise<Client>
  /** Every row of every table, except when the panel was last seen: to show that nothing has changed. */
  rows: () => Record<string, unknown[]>
  close: () => Promise<void>
}

export type Start = {
  settings?: Record<string, string>
  empty?: boolean
  dataDir?: string
  times?: Deadlines
  /** How far ahead the clock is, in milliseconds. */
  ahead?: number
}

export async function startApp(
  t: Test,
  { settings = {}, empty = false, dataDir, times, ahead = 0 }: Start = {},
): Promise<Panel> {
  // Who logs in in these tests waits for no hash that is slow on purpose.
  Object.assign(cost, { memoryCost: 64, timeCost: 1 })
  const folder = dataDir ?? newFolder()
  if (!empty && !dataDir)
    for (const file of ['panel.db', 'secrets']) copyFileSync(join(await castInstallation(), file), join(folder, file))
  const config: Config = {
    ...readConfig(
      {},
      { PUBLIC_URL: publicUrl, LOG_LEVEL: 'silent', TWO_FACTOR: 'optional', PARTNER_REQUESTS: 'everyone', ...settings },
    ),
    dataDir: folder,
  }
  const database = openInstallation(folder, Date.now())
  // Nothing in this process outlives a power cut: no test waits for the disk.
  database.db.$client.pragma('synchronous = OFF')
  const app = await buildApp({
    config,
    db: database.db,
    secrets: database.secrets,
    now: () => Date.now() + ahead,
    ...(times ? { times } : {}),
  })
  let open = true
  const reader = rowsOf(join(folder, 'panel.db'))
  const close = async () => {
    if (!open) return
    open = false
    await app.close()
    reader.close()
    database.close()
  }
  t.teardown(close)
  const visit = () => new Client(app)
  return {
    app,
    db: database.db,
    dataDir: folder,
    routes: app.routeTable.filter(({ config }) => !config.api),
    pass: (time) => {
      ahead += time
      try {
        // As if it had run all the time.
        database.db
          .update(installation)
          .set({ lastSeenAt: Date.now() + ahead })
          .run()
      } catch {
        // Some tests have nothing saved.
      }
    },
    jump: (time) => {
      ahead += time
    },
    visit,
    signIn: async (who) => {
      const client = visit()
      client.remember(cast[who].email)
      const page = await client.logIn(cast[who].email)
      if (page.status !== 303) throw new Error(`${who} could not log in: ${page.status}`)
      return client
    },
    rows: reader.rows,
    close,
  }
}

/** A folder that goes with the process. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'meshpanel-test-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What must be there, such as a row. */
export function there<Value>(value: Value | 'taken' | 'too-many' | null | undefined): Value {
  if (value === null || value === undefined || value === 'taken' || value === 'too-many')
    throw new Error('It is not there.')
  return value
}

export const accountId = ({ db }: { db: Db }, identifier: string) =>
  there(db.select().from(accounts).where(eq(accounts.identifier, identifier)).get()).id

export const projectId = ({ db }: { db: Db }, identifier: string) =>
  there(db.select().from(projects).where(eq(projects.identifier, identifier)).get()).id

/** One of the cast, or who has this e-mail. */
export const userId = ({ db }: { db: Db }, who: string) =>
  there(
    db
      .select()
      .from(users)
      .where(eq(users.email, isCast(who) ? cast[who].email : who))
      .get(),
  ).id

const isCast = (who: string): who is CastName => Object.hasOwn(cast, who)

/** Runs something and takes all of it back, as if it had never happened. */
export async function undone<Result>(db: Db, act: () => Promise<Result>): Promise<Result> {
  db.run(sql`savepoint taken_back`)
  try {
    return await act()
  } finally {
    db.run(sql`rollback to taken_back`)
    db.run(sql`release taken_back`)
  }
}

let made: Promise<string> | undefined

/** A database file with the cast. It is made once a process; each test gets a copy. */
export function castDatabase(): Promise<string> {
  made ??= (async () => {
    const folder = newFolder()
    const { db, close } = openDatabase(folder)
    createCast(db, Date.now(), await hashPassword(demoPassword))
    close()
    return join(folder, 'panel.db')
  })()
  return made
}

let installed: Promise<string> | undefined

/** A data folder with that database and its secrets, which is copied, too. */
function castInstallation(): Promise<string> {
  installed ??= (async () => {
    const folder = newFolder()
    copyFileSync(await castDatabase(), join(folder, 'panel.db'))
    openInstallation(folder, Date.now()).close()
    return folder
  })()
  return installed
}

/** Reads all rows of a database. The answer is the same object until somebody has written something. */
function rowsOf(file: string): { rows: Panel['rows']; close: () => void } {
  let sqlite: Database.Database | undefined
  let version: string | undefined
  let rows: Record<string, unknown[]> = {}
  const close = () => {
    sqlite?.close()
    sqlite = undefined
    version = undefined
  }
  return {
    rows: () => {
      const { ino } = statSync(file)
      // A test may have put another file into its place.
      if (!version?.startsWith(`${ino} `)) close()
      sqlite ??= new Database(file, { readonly: true })
      const now = `${ino} ${sqlite.pragma('data_version', { simple: true })}`
      if (now !== version) rows = readRows(sqlite)
      version = now
      return rows
    },
    close,
  }
}

function readRows(sqlite: Database.Database): Record<string, unknown[]> {
  const tables = sqlite
    .prepare(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'installation'",
    )
    .pluck()
    .all() as string[]
  return Object.fromEntries(
    tables.map((table) => [table, sqlite.prepare(`SELECT * FROM "${table}" ORDER BY 1, 2`).all()]),
  )
}

/** What answers a client: the application itself, or one at an address (overHttp). */
export type Server = { inject: (request: ServerRequest) => Promise<Answer> }
export type ServerRequest = {
  method: 'GET' | 'POST'
  url: string
  payload?: string | Buffer
  headers: Record<string, string>
}
export type Answer = Pick<LightMyRequestResponse, 'statusCode' | 'headers' | 'body' | 'cookies'>

export type Fields = Record<string, string | string[]>

/** A browser without JavaScript: it keeps cookies, reads pages and sends their forms. */
export class Client {
  readonly cookies = new Map<string, string>()
  readonly #server: Server
  readonly #origin: string

  constructor(server: Server, origin = publicUrl) {
    this.#server = server
    this.#origin = origin
  }

  /** As if this user had logged in with this browser before: then nobody is told that it is new. */
  remember(email: string, server = this.#server as FastifyInstance): void {
    const user = server.db.select().from(users).where(eq(users.email, email)).get()
    const setCookie = (name: string, value: string) => this.cookies.set(name, value)
    if (user) rememberBrowser({ server, cookies: {} } as FastifyRequest, { setCookie } as unknown as FastifyReply, user)
  }

  logIn(email: string, password = demoPassword, next = '/'): Promise<Page> {
    return this.submit(`/login?other=yes&next=${encodeURIComponent(next)}`, 'Log in', { email, password })
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.#request({ method: 'GET', url: path, headers })
  }

  /** Follows redirects, as a browser does. */
  async open(path: string): Promise<Page> {
    let page = await this.get(path)
    for (let hops = 0; page.location && hops < 5; hops++) page = await this.get(page.location)
    return page
  }

  /**
   * Opens a page, fills in the form that has this button, and sends it. `within` is text of the table
   * row, list item or section that the button stands in, where there are several.
   */
  async submit(path: string, button: string, fields: Fields = {}, within?: string): Promise<Page> {
    return this.press(await this.open(path), button, fields, within)
  }

  /** Sends a form of a page that was opened before. */
  async press(page: Page, button: string, fields: Fields = {}, within?: string): Promise<Page> {
    // Without scripts, a role in a list is a link to the page that changes it.
    const role = within && !page.hasButton(button, within) ? page.roleLink(within) : undefined
    if (role) return this.press(await this.get(role, { referer: this.#origin + page.url }), button, fields)
    const { form, pressed, to } = page.form(button, within)
    const all = { ...formFields(form), ...pressed, ...fields }
    if (form.getAttribute('method') !== 'post') return this.get(`${to}?${encode(all)}`)
    const headers = { referer: this.#origin + page.url }
    if (form.getAttribute('enctype') !== 'multipart/form-data') return this.#post(to, all, headers)
    return this.postRaw(to, encodeParts(all), { ...headers, 'content-type': multipart })
  }

  /** Presses a button and opens the page that it leads to. */
  async submitAndFollow(path: string, button: string, fields: Fields = {}, within?: string): Promise<Page> {
    const answer = await this.submit(path, button, fields, within)
    return answer.location ? this.open(answer.location) : answer
  }

  /** Sends a form that no page of this client’s offers, with a valid token: what a forger in the own session can do. */
  async post(path: string, fields: Fields = {}, headers: Record<string, string> = {}): Promise<Page> {
    const page = await this.open('/')
    const input = (name: string) => page.root.querySelector(`input[name="${name}"]`)?.getAttribute('value')
    const account = input('_account')
    return this.#post(
      path,
      { _csrf: input('_csrf') ?? '', ...(account ? { _account: account } : {}), ...fields },
      headers,
    )
  }

  /** Sends a body as it is. */
  async postRaw(path: string, payload: string | Buffer, headers: Record<string, string> = {}): Promise<Page> {
    return this.#request({
      method: 'POST',
      url: path,
      payload,
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: this.#origin, ...headers },
    })
  }

  /** Fills in the form that has this button with a file, and sends it as browsers send files. */
  async upload(path: string, button: string, file: { name: string; bytes: Buffer }, field = 'file'): Promise<Page> {
    const page = await this.open(path)
    const { form, to } = page.form(button)
    const fields = Object.entries(formFields(form)).filter(([name]) => name !== field)
    const answer = await this.postRaw(to, encodeParts(Object.fromEntries(fields), { ...file, field }), {
      'content-type': multipart,
    })
    return answer.location ? this.open(answer.location) : answer
  }

  /** Changes the active account with the switcher. */
  async switchTo(identifier: string): Promise<Page> {
    return this.post('/active-account', { account: identifier })
  }

  #post(path: string, fields: Fields, headers: Record<string, string> = {}): Promise<Page> {
    return this.postRaw(path, encode(fields), headers)
  }

  async #request(options: ServerRequest): Promise<Page> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.#server.inject({
      ...options,
      headers: { ...options.headers, ...(cookie ? { cookie } : {}) },
    })
    for (const { name, value, maxAge } of response.cookies) {
      if (maxAge === 0 || value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return new Page(options.url, response)
  }
}

function encode(fields: Fields): string {
  const pairs = Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one] as [string, string]),
  )
  return new URLSearchParams(pairs).toString()
}

const boundary = 'x'.repeat(30)
export const multipart = `multipart/form-data; boundary=${boundary}`

/** As browsers send files: a form without one has an empty file field. */
export function encodeParts(fields: Fields, file?: { name: string; bytes: Buffer; field: string }): Buffer {
  const part = (head: string, bytes: string | Buffer) =>
    Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
      Buffer.from(bytes),
      Buffer.from('\r\n'),
    ])
  return Buffer.concat([
    ...Object.entries(fields).flatMap(([name, value]) =>
      [value].flat().map((one) => part(`name="${name}"`, one.replaceAll(/\r?\n/g, '\r\n'))),
    ),
    ...(file ? [part(`name="${file.field}"; filename="${file.name}"\r\nContent-Type: text/csv`, file.bytes)] : []),
    Buffer.from(`--${boundary}--\r\n`),
  ])
}

/** What a text area holds: browsers leave out the first line break. */
const typedIn = (area: HTMLElement) => area.textContent.replace(/^\n/, '')

/** The elements in a form, and those elsewhere on its page that name it. */
function elementsOf(form: HTMLElement, kind: string): HTMLElement[] {
  let page = form
  while (page.parentNode) page = page.parentNode
  return [...form.querySelectorAll(kind), ...(form.id ? page.querySelectorAll(`${kind}[form="${form.id}"]`) : [])]
}

/** What a browser would send of a form as it stands. */
export function formFields(form: HTMLElement): Fields {
  const fields: Fields = {}
  const add = (name: string | undefined, value: string) => {
    if (!name) return
    const before = fields[name]
    fields[name] = before === undefined ? value : [before, value].flat()
  }
  for (const input of elementsOf(form, 'input')) {
    if (input.getAttribute('type') === 'checkbox' && !input.hasAttribute('checked')) continue
    add(input.getAttribute('name'), input.getAttribute('value') ?? '')
  }
  for (const area of form.querySelectorAll('textarea')) add(area.getAttribute('name'), typedIn(area))
  for (const select of elementsOf(form, 'select')) {
    const options = select.querySelectorAll('option')
    const chosen = options.find((option) => option.hasAttribute('selected')) ?? options[0]
    if (chosen) add(select.getAttribute('name'), chosen.getAttribute('value') ?? chosen.text.trim())
  }
  return fields
}

/** The form that a button sends, what the button adds to it, and where to. */
type SentForm = { form: HTMLElement; pressed: Fields; to: string }

/** The parser does not know that an option ends where the next one begins. */
export const withOptionsEnded = (body: string): string =>
  body.replaceAll(/(<option\b[^>]*>[^<]*)(?=\s*<(?!\/option))/g, '$1</option>')

/** An answer, read as its reader would. */
export class Page {
  /** With its query. */
  readonly url: string
  readonly path: string
  readonly response: Answer
  readonly status: number
  readonly location: string | undefined
  readonly body: string
  #root: HTMLElement | undefined

  constructor(path: string, response: Answer) {
    this.url = path
    this.path = path.split('?', 1)[0] ?? path
    this.response = response
    this.status = response.statusCode
    this.location = response.headers.location?.toString()
    this.body = response.body
  }

  get root(): HTMLElement {
    // By itself the parser takes what is in a <pre> for text.
    if (!this.#root) {
      this.#root = parse(withOptionsEnded(this.body), { blockTextElements: { script: true, style: true } })
      // They are for scripts.
      for (const template of this.#root.querySelectorAll('template')) template.remove()
    }
    return this.#root
  }

  get title(): string {
    return clean(this.root.querySelector('h1'))
  }

  /** The page as it was sent, without the tokens of its forms, which differ on every page. */
  get withoutTokens(): string {
    return this.body.replace(/(name=_(?:csrf|once) value="|challenge&quot;:&quot;)[\w-.]*/g, '$1')
  }

  /** The page’s text, white space folded, the top bar left out. */
  get text(): string {
    return clean(this.root.querySelector('main'))
  }

  get notice(): string {
    return clean(this.root.querySelector('.notice'))
  }

  get problem(): string {
    return clean(this.root.querySelector('.problem'))
  }

  /** The error at a field, by the field’s name. */
  error(name: string): string {
    const input = this.root.querySelector(`main [name="${name}"][aria-invalid]`)
    const ids = input?.getAttribute('aria-describedby')?.split(' ') ?? []
    return ids
      .filter((id) => id.endsWith('-error'))
      .map((id) => clean(this.root.querySelector(`#${id}`)))
      .join(' ')
  }

  /** What a field holds. */
  value(name: string): string | undefined {
    const field = this.root.querySelector(`main input[name="${name}"], main textarea[name="${name}"]`)
    return field?.tagName === 'TEXTAREA' ? typedIn(field) : field?.getAttribute('value')
  }

  /** The amount that a field holds, in whole units of its resource: 32768 where it shows “32 GB”, and undefined where it is empty. */
  amount(name: string): number | undefined {
    const units: Record<string, string> = { ram: 'MiB', gigabytes: 'GB' }
    return readAmount(this.value(name) ?? '', units[name] ?? '')
  }

  /** The texts of a table’s rows, or of a history’s lines. */
  get tableRows(): string[] {
    return this.root.querySelectorAll('main tbody tr, main .log > li').map(clean)
  }

  row(containing: string): string {
    return this.tableRows.find((row) => row.includes(containing)) ?? ''
  }

  link(label: string, within?: string): string | undefined {
    const places = within ? this.#places(within) : [this.root]
    const link = places.flatMap((place) => place.querySelectorAll('a')).find((a) => clean(a) === label)
    return link && this.address(link.getAttribute('href'))
  }

  /** Where an address on this page leads to; one that is relative begins in its folder, or at its base. */
  address(written = ''): string {
    const base = this.root.querySelector('base')?.getAttribute('href') ?? this.path
    if (!/^(?:\w[^:]*|\.\.\/.*)$/.test(written)) return written
    const { pathname, search } = new URL(written, `http://x${base}`)
    return pathname + search
  }

  /** The cells of a table’s rows in the column of names, or of what stands for one. */
  get nameCells(): HTMLElement[] {
    return this.root.querySelectorAll('main table').flatMap((table) => {
      const heads = table.querySelectorAll('th')
      const [who, main] = ['who', 'main'].map((look) => heads.findIndex((head) => head.classList.contains(look)))
      const column = (who === -1 ? main : who) ?? -1
      return table.querySelectorAll('tbody tr').flatMap((row) => row.querySelectorAll('td')[column] ?? [])
    })
  }

  hasButton(label: string, within?: string): boolean {
    const places = within ? this.#places(within) : [this.root]
    return places.flatMap((place) => this.#buttons(place)).some((button) => label === nameOf(button))
  }

  /** Where the role in a row is changed. */
  roleLink(within: string): string | undefined {
    const [link] = this.#places(within).flatMap((place) => place.querySelectorAll('a[data-v]'))
    return link && this.address(link.getAttribute('href'))
  }

  /** The names of the accounts in the switcher, in its order. */
  get switcher(): string[] {
    return this.root.querySelectorAll('.switcher li bdi').map(clean)
  }

  get activeAccount(): string {
    return clean(this.root.querySelector('.switcher .menu-label'))
  }

  get settingsMenu(): string[] {
    return this.root.querySelectorAll('.settings li > *').map(clean)
  }

  get areaMenu(): string[] {
    return this.root.querySelectorAll('nav.area a').map(clean)
  }

  form(button: string, within?: string): SentForm {
    const places = within ? this.#places(within) : [this.root]
    const found = places.flatMap((place) => this.#buttons(place)).find((candidate) => nameOf(candidate) === button)
    const id = found?.getAttribute('form')
    const form = id ? this.root.querySelector(`form#${id}`) : found?.closest('form')
    if (!found || !form)
      throw new Error(
        `${this.path} (${this.status}) has no button “${button}”${within ? ` at “${within}”` : ''}:\n${this.text}`,
      )
    const name = found.getAttribute('name')
    return {
      form,
      pressed: name ? { [name]: found.getAttribute('value') ?? '' } : {},
      to: this.address(found.getAttribute('formaction') ?? form.getAttribute('action') ?? this.path),
    }
  }

  #places(within: string): HTMLElement[] {
    return ['tr', 'li', 'section']
      .flatMap((kind) => this.root.querySelectorAll(kind))
      .filter((place) => clean(place).includes(within))
  }

  #buttons(place: HTMLElement): HTMLElement[] {
    return place.querySelectorAll('button')
  }
}

function nameOf(button: HTMLElement): string {
  return button.getAttribute('aria-label') ?? clean(button)
}

/** Elements that stand in one line with their neighbours. */
const inline = new Set('a abbr b bdi code em i kbd label mark s span strong sub sup svg time u wbr'.split(' '))

/** The text of an element, white space folded. Words of neighbouring blocks stay apart, as on the screen. */
function clean(element: HTMLElement | null): string {
  return element ? words(element).replace(/\s+/g, ' ').trim() : ''
}

function words(node: Node): string {
  if (!(node instanceof HTMLElement)) return node.textContent
  const text = node.childNodes.map(words).join('')
  return inline.has(node.localName) ? text : ` ${text} `
}
