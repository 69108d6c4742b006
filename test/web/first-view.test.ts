import t from 'tap'
import { Client, startApp } from '../harness.ts'
import { fillLists } from './full-lists.ts'

// What a phone with an empty cache waits for before it sees a page over slow 4G (150 ms there and back, 1.6 Mbit/s down), by
// count: round trips and bytes. test/bench/first-view.ts measures it in Chromium.

const roundTrip = 150
const bytesInMillisecond = 1_600 / 8
const goal = 1_500

t.test('the first view of a page takes few round trips and bytes', async (t) => {
  const panel = await startApp(t)
  fillLists(panel)
  const weigh = async (url: string, cookie = '') => {
    const answer = await panel.app.inject({ url, headers: { cookie, 'accept-encoding': 'br, gzip' } })
    t.equal(answer.statusCode, 200, url)
    return answer.rawPayload.length
  }
  for (const [who, path] of [
    [undefined, '/login'],
    ['petra', '/'],
    ['petra', '/partner/customers?size=50'],
    ['stella', '/projects'],
  ] as const) {
    const client = who ? await panel.signIn(who) : new Client(panel.app)
    const page = await client.get(path)
    const cookie = [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const links = (selector: string, attribute: string) =>
      page.root.querySelectorAll(selector).map((element) => element.getAttribute(attribute) ?? '')

    const blocking = [...links('link[rel="stylesheet"]', 'href'), ...links('script:not([type="module"])', 'src')]
    t.ok(blocking.length > 0 && blocking.length <= 2, `${path} waits for ${blocking.join(', ')}`)
    const others = [
      ...links('link[rel="preload"]', 'href'),
      ...links('script[type="module"]', 'src'),
      ...links('img', 'src'),
    ]
    for (const address of [...blocking, ...others]) t.match(address, /^\/assets\//, 'from the panel, cached for ever')
    const sheets = await Promise.all(blocking.map((address) => weigh(address)))
    t.notMatch((await panel.app.inject(blocking[0] ?? '')).body, '@import', 'no style sheet waits for another')

    // The rest competes for the line, and may come before the style sheets.
    const bytes = [
      await weigh(path, cookie),
      ...sheets,
      ...(await Promise.all(others.map((address) => weigh(address)))),
    ]
    const all = bytes.reduce((sum, n) => sum + n, 0)
    // DNS, TCP and TLS; the page; what it waits for; and once more, while the connection becomes fast.
    const time = (3 + 1 + 1 + 1) * roundTrip + all / bytesInMillisecond
    t.ok(time <= goal, `${path}: ${all} bytes, ${Math.round(time)} ms`)
  }
})
