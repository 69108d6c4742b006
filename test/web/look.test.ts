import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import t from 'tap'
import { root } from '../../src/config.ts'
import { newEta } from '../../src/eta.ts'
import { fonts, iconSheet } from '../../src/tooling/look.mjs'
import { hue, initials } from '../../src/web/format.ts'

const file = (name: string) => readFileSync(join(root, 'public', name))

t.test('the font and the icons are those of the packages', async (t) => {
  for (const [name, from] of Object.entries(fonts)) t.ok(file(name).equals(readFileSync(from)), name)
  t.equal(file('icons.css').toString(), iconSheet(), 'or run: node src/tooling/look.mjs')
})

t.test('what a page loads is at most 150 kB', async (t) => {
  const packed = ['app.css', 'app.js', 'identifier.js', 'icons.css'].map(
    (name) => brotliCompressSync(file(name)).length,
  )
  const sizes = [...packed, ...Object.keys(fonts).map((name) => file(name).length)]
  const total = sizes.reduce((sum, size) => sum + size, 0)
  t.ok(total <= 150_000, `${total} bytes`)
})

t.test('the style sheet depends on no word of a page and holds no colour outside its tokens', async (t) => {
  const css = file('app.css').toString()
  t.notMatch(css, /\[data-label[*^$~|]?=/)
  t.notMatch(css, /^ {2}[^-]*:\s*#[0-9a-f]{3,8}\b/m)
})

t.test('every icon that a view names has its picture', async (t) => {
  const names = new Set([...iconSheet().matchAll(/^\.i-(\w+)/gm)].map(([, name]) => name))
  const used = new Set<string>()
  const views = newEta(false).config.views ?? ''
  for (const view of readdirSync(views, { recursive: true })
    .map(String)
    .filter((one) => one.endsWith('.eta'))) {
    const source = readFileSync(join(views, view), 'utf8')
    for (const [, name] of source.matchAll(/\['[\w-]+-title', '[^']+', '(\w+)'\]/g)) used.add(name ?? '')
    for (const [, name] of source.matchAll(/(?:partials\/icon', \{ name: |icon: )'([^']+)'/g)) used.add(name ?? '')
  }
  t.same(
    [...used].filter((name) => !names.has(name)),
    [],
  )
})

t.test('initials are of the first two words, in any script, and a hue is one of ten', async (t) => {
  for (const [name, letters] of [
    ['Autohaus Schäfer AG', 'AS'],
    ['acme', 'A'],
    ['  Öztürk-Łukasz ', 'ÖŁ'],
    ['شركة النور', 'شا'],
    ['3 Ringe', '3R'],
    ['!?', ''],
  ] as const)
    t.equal(initials(name), letters, name)
  for (const key of ['acme', '', 17]) t.ok(hue(key) >= 0 && hue(key) <= 9)
})
