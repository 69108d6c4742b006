import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import type { Test } from 'tap'
import { publicUrl } from './harness.ts'

// Glewlwyd, a provider of OpenID Connect that is written in C: Debian's package, installed, or unpacked into the folder that
// GLEWLWYD names (dpkg-deb -x, with the libraries that it needs).

const root = process.env.GLEWLWYD ?? '/'
const program = join(root, 'usr/bin/glewlwyd')
const libraries = join(root, 'usr/lib')
const initial = join(root, 'usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz')

/** Why it cannot be tested with; undefined where it can. */
export const withoutGlewlwyd = [program, initial].every((file) => existsSync(file))
  ? undefined
  : 'Debian’s package glewlwyd is not here (install it, or unpack it and name the folder in GLEWLWYD)'

// Without signs: the panel percent-encodes them in the header (RFC 6749, 2.3.1), and Glewlwyd does not decode them.
const clientSecret = 'aSecretOfThePanelAlone'
const password = 'aPasswordOfTests'

const configOf = (folder: string, port: number) => `
port=${port}
external_url="http://localhost:${port}"
login_url="login.html"
static_files_path="${join(root, 'usr/share/glewlwyd/webapp/')}"
api_prefix="api"
log_mode="console"
log_level="WARNING"
cookie_domain="localhost"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="${libraries}/glewlwyd/user"
client_module_path="${libraries}/glewlwyd/client"
user_auth_scheme_module_path="${libraries}/glewlwyd/scheme"
plugin_module_path="${libraries}/glewlwyd/plugin"
use_secure_connection=false
secure_connection_key_file="none"
secure_connection_pem_file="none"
hash_algorithm="SHA512"
database = { type = "sqlite3"; path = "${folder}/glewlwyd.db"; };
`

/** What the plugin for OpenID Connect does. `name` is its part of the addresses. */
const pluginOf = (issuer: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return {
    module: 'oidc',
    name: 'oidc',
    display_name: 'OpenID Connect',
    parameters: {
      iss: issuer,
      'jwt-type': 'rsa',
      'jwt-key-size': '256',
      key: privateKey,
      cert: publicKey,
      'jwks-show': true,
      'access-token-duration': 3_600,
      'refresh-token-duration': 3_600,
      'code-duration': 600,
      'refresh-token-rolling': true,
      'auth-type-code-enabled': true,
      'auth-type-code-revoke-replayed': true,
      'auth-type-refresh-enabled': true,
      'oauth-as-iss-id': true,
      'subject-type': 'public',
      'allowed-scope': ['openid', 'email', 'profile'],
      'name-claim': 'mandatory',
      'email-claim': 'mandatory',
      'pkce-allowed': true,
      'pkce-required': true,
      'session-management-allowed': true,
      'session-cookie-name': 'GLEWLWYD2_OIDC_SID',
      'session-cookie-expiration': 3_600,
      'back-channel-logout-allowed': true,
    },
  }
}

export type Glewlwyd = {
  issuer: string
  /** Settings of a panel that knows it. */
  settings: Record<string, string>
  /** Adds a person who can log in there. */
  add: (username: string, name: string, email: string) => Promise<void>
  /** Follows the panel’s link, logs in, and returns the address that the browser is sent back to. */
  visit: (start: string | undefined, username: string) => Promise<string>
  /** Ends one of its sessions there. */
  logOut: (sid: string, username: string) => Promise<void>
  /** What it answers to the panel’s link to its log-out. */
  logOutPage: (address: string) => Promise<string>
}

/** `told`: where it tells the panel of log-outs. */
export async function startGlewlwyd(t: Test, told: string): Promise<Glewlwyd> {
  const folder = mkdtempSync(join(tmpdir(), 'meshpanel-glewlwyd-'))
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const issuer = `${origin}/api/oidc`
  const database = new Database(join(folder, 'glewlwyd.db'))
  database.exec(gunzipSync(readFileSync(initial)).toString())
  database.close()
  writeFileSync(join(folder, 'glewlwyd.conf'), configOf(folder, port))
  const child = spawn(program, [`--config-file=${folder}/glewlwyd.conf`], {
    env: { ...process.env, LD_LIBRARY_PATH: libraryPath() },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => said.push(String(part)))
  t.teardown(async () => {
    await stop(child)
    rmSync(folder, { recursive: true, force: true })
  })
  await answers(`${origin}/config`, () => said.join(''))

  const admin = browser(origin)
  await admin.json('POST', '/api/auth', { username: 'admin', password: 'password' })
  await admin.json('POST', '/api/mod/plugin', pluginOf(issuer))
  for (const name of ['email', 'profile'])
    await admin.json('POST', '/api/scope', {
      name,
      display_name: name,
      password_required: true,
      password_max_age: 0,
      scheme: {},
    })
  await admin.json('POST', '/api/client', {
    client_id: 'panel',
    name: 'Meshpanel',
    confidential: true,
    enabled: true,
    client_secret: clientSecret,
    token_endpoint_auth_method: ['client_secret_basic'],
    redirect_uri: [`${publicUrl}/login/sso/callback`],
    authorization_type: ['code', 'refresh_token'],
    post_logout_redirect_uri: `${publicUrl}/login`,
    backchannel_logout_uri: told,
    backchannel_logout_session_required: 'true',
    scope: [],
  })

  const people = new Map<string, ReturnType<typeof browser>>()
  return {
    issuer,
    settings: {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: 'panel',
      OIDC_CLIENT_SECRET: clientSecret,
      OIDC_NAME: 'Glewlwyd',
    },
    add: async (username, name, email) => {
      const scope = ['openid', 'email', 'profile', 'g_profile']
      await admin.json('POST', '/api/user', { username, password, name, email, scope, enabled: true })
    },
    visit: async (start, username) => {
      const person = people.get(username) ?? browser(origin)
      people.set(username, person)
      const asked = await person.follow(start ?? '')
      if (asked.startsWith(publicUrl)) return asked.slice(publicUrl.length)
      await person.json('POST', '/api/auth', { username, password })
      await person.json('PUT', '/api/auth/grant/panel', { scope: 'openid email profile' })
      const callback = new URL(asked).searchParams.get('callback_url') ?? ''
      const back = await person.follow(`${callback}&g_continue`)
      if (!back.startsWith(publicUrl)) throw new Error(`It led to ${back}`)
      return back.slice(publicUrl.length)
    },
    logOut: async (sid, username) => {
      const person = people.get(username) ?? browser(origin)
      await person.json('DELETE', `/api/oidc/session/${encodeURIComponent(sid)}/`)
    },
    logOutPage: async (address) => (await fetch(address, { redirect: 'manual' })).text(),
  }
}

function libraryPath(): string {
  return readdirSync(libraries)
    .filter((name) => name.endsWith('-linux-gnu'))
    .map((name) => join(libraries, name))
    .join(':')
}

/** What a browser keeps of it. */
function browser(origin: string) {
  const jar = new Map<string, string>()
  const send = async (url: string, init: RequestInit = {}) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      jar.set(name, value)
    }
    return answer
  }
  const json = async (method: string, path: string, body?: object) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await send(origin + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  /** Where redirects lead, up to a page of its own for people, or out of it. */
  const follow = async (start: string) => {
    let url = start
    for (let hops = 0; hops < 8; hops++) {
      if (!url.startsWith(`${origin}/api/`)) return url
      const to = (await send(url)).headers.get('location')
      if (!to) throw new Error(`${url} led nowhere.`)
      url = new URL(to, url).href
    }
    throw new Error('It led in a ring.')
  }
  return { json, follow }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

async function answers(url: string, log: () => string): Promise<void> {
  for (let n = 0; n < 100; n++) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Glewlwyd does not answer: ${log()}`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}
