import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type CastName, cast } from '../../src/demo.ts'
import { Client, castDatabase, newFolder, type Page, type Panel, type Server, startApp } from '../harness.ts'
import { freePort, launch, overHttp, startProcess } from '../process.ts'
import { until } from '../smtp.ts'

// PUBLIC_URL may have a path: the panel then shares its host with other programs, and stays below that path.

const base = '/panel'
const settings = { PUBLIC_URL: `http://localhost:3000${base}` }

/** Ways in which a reverse proxy passes addresses on. */
const proxies: Record<string, (url: string) => string> = {
  'keeps the path': (url) => url,
  'takes the path off': (url) => url.replace(base, '') || '/',
}

/** A browser that knows only addresses below the base; what is typed without it gets it. */
function behind(panel: Panel, passOn: (url: string) => string): Client {
  const server: Server = {
    inject: (request) => {
      const url = isBelow(request.url) ? request.url : base + request.url
      return panel.app.inject({ ...request, url: passOn(url) })
    },
  }
  return new Client(server)
}

const isBelow = (url: string) => /^\/panel([/?#]|$)/.test(url)

/** Every address on a page that a browser would follow, load or send a form to. */
function addresses(page: Page): string[] {
  const found = ['href', 'src', 'action', 'formaction'].flatMap((name) =>
    page.root.querySelectorAll(`[${name}]`).map((element) => element.getAttribute(name) ?? ''),
  )
  return [...found, ...(page.location ? [page.location] : [])]
}

const links = (page: Page) => [
  ...page.root.querySelectorAll('a').map((link) => page.address(link.getAttribute('href'))),
  page.location ?? '',
]

for (const [what, passOn] of Object.entries(proxies)) {
  t.test(`below a path, behind a proxy that ${what}, no link, form, script or redirect leaves it`, async (t) => {
    const panel = await startApp(t, { settings })
    const opened = new Set<string>()
    for (const who of ['olga', 'petra', 'stella', 'nils'] as CastName[]) {
      const client = behind(panel, passOn)
      const first = await client.logIn(cast[who].email)
      t.equal(first.status, 303)
      t.ok(isBelow(first.location ?? ''), 'log-in leads below it')
      const waiting = [`${base}/`]
      const seen = new Set(waiting)
      for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
        const page = await client.get(url)
        if (page.status >= 400) t.fail(`${who} opens ${url}: ${page.status}`)
        opened.add(url.split('?')[0] ?? url)
        for (const address of addresses(page))
          if (address.startsWith('/') && !isBelow(address)) t.fail(`${url} leads out, to ${address}`)
        for (const address of links(page)) {
          const next = address.split('#')[0] ?? ''
          const follow = isBelow(next) && !/[?]|\/assets\/|\/download|\/export/.test(next)
          const shape = next.replaceAll(/\d+/g, 'N')
          if (follow && !seen.has(shape)) waiting.push(next)
          if (follow) seen.add(shape)
        }
      }
    }
    t.ok(opened.size > 40, `${opened.size} pages were opened`)
  })
}

t.test('forms, switcher, assets, probes, e-mails and cookies stay below the path', async (t) => {
  const panel = await startApp(t, { settings })
  const stella = behind(panel, (url) => url)
  stella.remember(cast.stella.email, panel.app)
  const logIn = await stella.logIn(cast.stella.email)
  const cookies = [logIn.response.headers['set-cookie']].flat().map(String)
  t.ok(cookies.length > 0 && cookies.every((cookie) => /; Path=\/panel(;|$)/.test(cookie)), cookies.join('\n'))
  t.match(await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' }), {
    status: 303,
    location: `${base}/customer/users`,
  })
  const olga = behind(panel, (url) => url)
  olga.remember(cast.olga.email, panel.app)
  await olga.logIn(cast.olga.email)
  const page = await olga.open('/support/mail')
  const script = page.root.querySelector('script')?.getAttribute('src') ?? ''
  t.equal((await olga.get(script)).status, 200)
  const letter = page.root.querySelector('main a[href*="/support/mail/"]')?.getAttribute('href') ?? ''
  t.match((await olga.get(letter)).body, /http:\/\/localhost:3000\/panel\/invitations\/[\w-]{43}/)
  t.equal((await olga.get('/health/ready')).status, 200)
  t.equal((await panel.visit().get('/health/ready')).status, 200, 'also for what asks the process itself')
  t.match((await panel.visit().get(`${base}x/login`)).status, 404, 'another path only begins alike')
  t.match(await stella.get('/projects/?q=a'), { status: 308, location: `${base}/projects?q=a` })
  t.match((await behind(panel, (url) => url).get('/projects')).location, `${base}/login?next=%2Fprojects`)
  t.equal((await stella.open('/?account=acme')).status, 200)

  const elsewhere = await stella.post('/projects', { name: 'A', identifier: 'a' }, { origin: 'http://localhost:3001' })
  t.equal(elsewhere.status, 403, 'another origin is refused as ever')
  const filtered = { referer: `http://localhost:3000${base}/customer/users?q=tom` }
  const form = await stella.get('/customer/users')
  const { form: switcher } = form.form('Invite')
  t.ok(switcher)
  t.match((await stella.post('/customer/users', {}, filtered)).body, /value="tom"/, 'lists stay as they were filtered')
})

t.test('under https the cookies are of this path alone, and a path of the panel’s own pages is refused', async (t) => {
  const panel = await startApp(t, { settings: { PUBLIC_URL: 'https://x.example/panel', TRUST_PROXY: '127.0.0.1' } })
  const { headers } = await panel.app.inject({ url: '/panel/login', headers: { 'x-forwarded-proto': 'https' } })
  const cookies = [headers['set-cookie'] ?? []].flat()
  t.equal(cookies.length, 2, 'of the form, and of its passkey')
  for (const cookie of cookies) t.match(cookie, /^__Secure-meshpanel-(form|log-in)=.*; Path=\/panel; .*Secure/)
  for (const path of ['/partner', '/support/accounts', '/assets', '/health'])
    await t.rejects(startApp(t, { settings: { PUBLIC_URL: `http://localhost${path}` } }), { message: /^PUBLIC_URL: / })
})

t.test(
  'behind nginx, below two paths, over TCP and over a Unix socket, people work and keep their address',
  async (t) => {
    if (spawnSync('nginx', ['-v']).status !== 0) {
      t.comment('nginx is not installed')
      return t.pass('skipped: there is no nginx')
    }
    const port = await freePort()
    const origin = `http://localhost:${port}`
    const socket = join(newFolder(), 'panel.sock')
    const kept = await startProcess(await dataFolder(), {
      settings: { PUBLIC_URL: `${origin}/kept`, TRUST_PROXY: '127.0.0.1, ::1', TWO_FACTOR: 'optional' },
    })
    t.teardown(kept.kill)
    const stripped = spawn(process.execPath, [launch, 'start'], {
      env: {
        PATH: process.env.PATH,
        DATA_DIR: await dataFolder(),
        HOST: `unix:${socket}`,
        PUBLIC_URL: `${origin}/stripped`,
        TRUST_PROXY: '127.0.0.1',
        TWO_FACTOR: 'optional',
        LOG_LEVEL: 'warn',
      },
      stdio: 'inherit',
    })
    t.teardown(() => stripped.kill('SIGKILL'))
    await startNginx(
      t,
      port,
      `
    location /kept/ { proxy_pass ${kept.url}; }
    location /stripped/ { proxy_pass http://unix:${socket}:/; }`,
    )

    for (const path of ['/kept', '/stripped']) {
      const visitor = new Client(overHttp(origin), origin)
      await until(`${path} answers`, () =>
        visitor.get(`${path}/login`).then(
          ({ status }) => status === 200,
          () => false,
        ),
      )
      const page = await visitor.press(await visitor.get(`${path}/login`), 'Log in', {
        email: cast.stella.email,
        password: 'demo-demo-demo',
      })
      t.equal(page.location, `${path}/`)
      const made = await visitor.press(await visitor.get(`${path}/projects`), 'Create project', {
        name: 'Behind',
        identifier: 'behind',
      })
      t.equal(made.location?.split('?')[0], `${path}/projects/behind`)
      t.match((await visitor.get(made.location ?? '')).text, 'Behind')
      t.match((await visitor.get(`${path}/profile`)).text, '198.51.100.7', 'the address of the client comes through')
      const script = (await visitor.get(`${path}/`)).root.querySelector('script')?.getAttribute('src') ?? ''
      t.equal((await visitor.get(script)).status, 200)
    }
  },
)

async function dataFolder(): Promise<string> {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  return dataDir
}

async function startNginx(t: Test, port: number, locations: string): Promise<void> {
  const folder = newFolder()
  mkdirSync(join(folder, 'logs'))
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {}
    http {
      access_log off;
      ${paths.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For 198.51.100.7;
      proxy_set_header X-Forwarded-Proto $scheme;
      server { listen 127.0.0.1:${port}; ${locations} }
    }`,
  )
  const nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'inherit' })
  t.teardown(async () => {
    nginx.kill('SIGTERM')
    await once(nginx, 'exit')
  })
}
