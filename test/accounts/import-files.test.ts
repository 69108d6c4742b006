import { deepEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { eq } from 'drizzle-orm'
import fc from 'fast-check'
import t from 'tap'
import { readCsv } from '../../src/accounts/imports/csv.ts'
import { kinds } from '../../src/accounts/imports/kinds/kinds.ts'
import { accounts, importRows, imports, records } from '../../src/db/schema.ts'
import { csvParts } from '../../src/web/lists/csv.ts'
import { type Client, type Page, type Panel, startApp } from '../harness.ts'
import { until } from '../smtp.ts'

// Files as spreadsheets and people make them. What can be read is read; what cannot be is named with its line.

const customers = '/partner/imports'
const users = '/customer/imports'

const file = (name: string) => ({ name, bytes: readFileSync(new URL(`../files/${name}`, import.meta.url)) })
const made = (content: string | Buffer) => ({ name: 'made.csv', bytes: Buffer.from(content as string) })
const check = (who: Client, sent: { name: string; bytes: Buffer }, page = customers) =>
  who.upload(page, 'Check the file', sent)

/** Each row of a checked file, as its page lists it. */
const rowsOf = (page: Page) => page.tableRows

t.test('each file that failed before is right now', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  for (const [name, rows, says] of [
    [
      '04-sep-semicolon-crlf-error-line.csv',
      [/^3 Blue Ltd \(blue-a\) to be carried out/, /^4 Bad B A D wrong This cannot be/],
    ],
    ['06-sep-quoted-by-spreadsheet.csv', [/^3 Blue Ltd \(blue-c\) to be carried out/]],
    ['07-sep-resaved-by-spreadsheet-with-empties.csv', [/^3 Blue Ltd \(blue-d\) to be/]],
    ['09-trailing-empty-header-columns.csv', [/^2 Blue Ltd \(blue-f\) to be/]],
    ['10-trailing-empty-cells-in-one-row.csv', [/^2 Blue Ltd \(blue-g\) to be/, /^3 Red Ltd \(red-g\) to be/]],
    ['11-trailing-delimiter-every-line.csv', [/^2 Blue Ltd \(blue-h\) to be/]],
    ['18-unknown-extra-column.csv', [/^2 Blue Ltd \(blue-o\) to be/], 'the panel has no such column: phone.'],
    ['21-quoted-newline-lines.csv', [/^2 Blue Ltd \(blue-r\) to be/, /^4 Bad B A D wrong/]],
    ['23-quote-in-middle.csv', [/^2 Blue "the best" Ltd \(blue-t\) to be/, /^3 Red \(red-t\) to be/]],
    ['29-zero-width-in-email.csv', [/invites ann@blue.example as/]],
    ['30-mixed-encodings.csv', [/^2 Müller \(mix-a\) to be/, /^3 Söhne \(mix-b\) to be/]],
    ['44-unclosed-quote.csv', [/^2 .* wrong A quotation mark is opened in line 2/], 'rows after it were not read'],
    [
      '50-windows-1252-apostrophe.csv',
      [
        /O’Brien Ltd \(obrien\) to be/,
        /Müller – Söhne \(ms\) to be/,
        /Škoda \(skoda\) to be/,
        /€uro GmbH \(euro\) to be/,
      ],
    ],
    [
      '6x-lo-ansi-semicolon.csv',
      [
        /^2 Müller & Söhne \(lo-a\) to be .* aenne@lo/,
        /^3 Quote "x", Ltd \(lo-b\) to be/,
        /^4 Two lines \(lo-c\) to be/,
        /^6 .* \(lo-d\) to be/,
      ],
    ],
    [
      '52-own-download-partner-imports.csv',
      [/^2 Initech \(initech\) nothing to change/, /^3 Acme \(acme\) nothing to change/],
      'the panel has all of this already',
    ],
  ] as const) {
    const page = await check(petra, file(name))
    t.equal(rowsOf(page).length, rows.length, name)
    for (const [n, row] of rows.entries()) t.match(rowsOf(page)[n], row, `${name}: row ${n + 1}`)
    if (says) t.match(page.text, says, name)
    if (!says?.includes('column')) t.notMatch(page.text, 'Left out', name)
    t.equal((await petra.press(page, 'Discard')).status, 303)
  }
  const stella = await panel.signIn('stella')
  const own = await check(stella, file('52-own-download-customer-imports.csv'), users)
  t.match(own.row('stella@acme'), 'nothing to change Nothing to change. Is a user of this account already.')
  t.match(own.row('tom@acme'), 'nothing to change')
  t.notOk(own.hasButton('Import'), 'and no button')
})

t.test('a row that cannot be used fails, and the rest of the file continues', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const page = await check(
    petra,
    made(
      Buffer.concat([
        Buffer.from('Customer Name;IDENTIFIER;admin-email;Admin  Name\r\nOne;ONE;;\r\nÄrger;two;;;;too much\r\nStray '),
        Buffer.from([0x81]),
        Buffer.from(
          `;three;;\r\nNull\0;four;;\r\n${'x'.repeat(70_000)};five;;\r\n"Six";six;;;;\r\n\r\n;;;\r\nSeven;seven;;\r\n`,
        ),
      ]),
    ),
  )
  for (const [n, row] of [
    /^2 One \(one\) to be carried out/,
    /^3 Ärger wrong This row holds 6 cells, but the first line names 4 columns/,
    /^4 Stray.* wrong Line 4 holds a byte that is no character/,
    /^5 Null.* wrong Line 5 holds a byte that is no character/,
    /^6 .* wrong This row is longer than 64 KiB/,
    /^7 Six \(six\) to be/,
    /^10 Seven \(seven\) to be/,
  ].entries())
    t.match(rowsOf(page)[n], row)
  for (const magic of ['504b0304140006', 'd0cf11e0a1b11ae1']) {
    const book = await check(petra, made(Buffer.from(`${magic}00000000`, 'hex')))
    t.equal(book.status, 422)
    t.match(book.error('file'), 'Save it as CSV')
  }
})

t.test('UTF-16 is read with and without its mark, and half a character is named', async (t) => {
  const lines = 'name,identifier\r\nZoë,zoe\r\nHalf \ud800,half\r\n'
  const big = (text: string) => Buffer.from(text, 'utf16le').swap16()
  for (const bytes of [
    Buffer.from(lines, 'utf16le'),
    Buffer.from(`\ufeff${lines}`, 'utf16le'),
    big(lines),
    big(`\ufeff${lines}`),
  ]) {
    const rows = [...readCsv(bytes, kinds.customers.columns).rows].filter((row) => row !== undefined)
    t.equal(rows[0]?.values.name, 'Zoë')
    t.equal(rows[0]?.problem, undefined)
    t.match(rows[1]?.problem, 'Line 3 holds a byte that is no character')
  }
})

t.test('a line of UTF-8 with a damaged byte is named, where the file is UTF-8', async (t) => {
  const bytes = Buffer.concat([
    Buffer.from('name,identifier\nMüller,one\nSöh'),
    Buffer.from([0xc3]),
    Buffer.from('ne ü,two\n'),
  ])
  const rows = [...readCsv(bytes, kinds.customers.columns).rows].filter((row) => row !== undefined)
  t.equal(rows[0]?.values.name, 'Müller')
  t.match(rows[1]?.problem, 'Line 3')
})

/** Text of a cell that stays whole in a table: what people type, with all that CSV and spreadsheets treat specially. */
const cell = fc
  .array(fc.constantFrom(...'ab üΩ"\',;|\t=+-@＝＋－＠\n\r’–€'.split('')), { maxLength: 12 })
  .map((parts) => parts.join('').trim())

t.test('what the panel writes it reads again, byte for byte, with the lines of the file', async () => {
  const columns = { known: ['one', 'two', 'three'], required: ['one'], also: {}, own: [] }
  const row = fc.tuple(cell, cell, cell).filter((cells) => cells.some(Boolean))
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
      const text = [...csvParts(columns.known, rows)].join('')
      const read = [...readCsv(Buffer.from(text), columns).rows].filter((one) => one !== undefined)
      let line = 2
      const wanted = rows.map((cells) => {
        const own = { line, cells: cells.map((one) => one.replaceAll(/\r\n|\r/g, '\n')) }
        line += 1 + cells.map((one) => one.split(/\r\n|\n|\r/).length - 1).reduce((all, one) => all + one)
        return own
      })
      deepEqual(
        read.map(({ line, cells }) => ({ line, cells: [...cells, '', '', ''].slice(0, 3) })),
        wanted,
      )
    }),
    { numRuns: 300 },
  )
})

t.test('lines are those of the file, however they end and whatever cells contain', async () => {
  const columns = { known: ['one', 'two'], required: ['one'], also: {}, own: [] }
  const ends = fc.constantFrom('\n', '\r\n', '\r')
  const pieces = fc.constantFrom('x,y', '"a""b",c', 'q "in" it,z', '', ',', '"two@lines",t', '"three@@lines",u')
  fc.assert(
    fc.property(
      ends,
      fc.array(pieces, { minLength: 1, maxLength: 20 }),
      fc.constantFrom('', 'sep=,@'),
      (end, rows, sep) => {
        const text = `${sep}one,two@${rows.join('@')}@x,last`.replaceAll('@', end)
        const wanted: number[] = []
        let line = sep ? 3 : 2
        for (const row of [...rows, 'x,last']) {
          if (row.replaceAll(',', '')) wanted.push(line)
          line += row.split('@').length
        }
        const read = [...readCsv(Buffer.from(text), columns).rows].filter((one) => one !== undefined)
        deepEqual(
          read.map((row) => row.line),
          wanted,
        )
      },
    ),
    { numRuns: 300 },
  )
})

t.test('what a list downloads is imported again: names and limits change, roles never', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await petra.submit('/partner/customers', 'Create customer', { name: '=Sum of "all"; more', identifier: 'sum' })
  await petra.submit('/partner/customers', 'Create customer', { name: "'+Plus", identifier: 'plus' })
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { projects: '20' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '7' })

  const download = (await petra.get('/partner/customers?download=csv')).body
  t.match(download, /Acme,acme,.*,7\r\n/)
  const same = await check(petra, made(download))
  t.equal(rowsOf(same).length, 4)
  for (const row of rowsOf(same)) t.match(row, 'nothing to change')

  const edited = download
    .replace('Acme,acme', 'Acme & Sons,ACME')
    .replace(/(Initech,initech,.*),unlimited/, '$1,3')
    .replace(/(plus,.*),unlimited/, '$1,11')
  const checked = await check(petra, made(edited))
  t.match(checked.row('(acme)'), 'renames it to Acme & Sons.')
  t.match(checked.row('(plus)'), 'limits it to 11 projects')
  t.match(checked.row('(initech)'), 'The pool has 2 projects available', 'in the order of the file')
  t.match(checked.row('(sum)'), 'nothing to change')
  await petra.press(checked, 'Import 2 customers')
  await until('the import is done', () =>
    panel.db
      .select()
      .from(imports)
      .all()
      .every(({ state }) => state !== 'running'),
  )
  t.match((await petra.open(checked.path)).text, '2 done, 1 wrong and left out, 1 with nothing to change')
  t.match((await petra.open('/partner/customers')).row('acme'), 'Acme & Sons')
  t.match((await petra.open('/partner/customers')).row('plus'), '/ 11')
  t.match((await stella.open('/customer/history')).text, 'renamed the account')
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()
  const renamed = panel.db.select().from(records).where(eq(records.kind, 'account.renamed')).all()
  t.same(
    renamed.map(({ accountId, change }) => [accountId, change]),
    [[acme?.id, JSON.stringify({ name: ['Acme', 'Acme & Sons'] })]],
  )

  const people = (await stella.get('/customer/users?download=csv')).body
  const before = panel.rows().memberships
  const own = await check(stella, made(people.replace('Stella,', 'Nobody,').replace('member', 'admin')), users)
  t.match(own.row('stella@'), 'nothing to change')
  t.match(own.row('tom@'), 'The role stays Customer User: change it under Users.')
  t.notOk(own.hasButton('Import'))
  t.strictSame(panel.rows().memberships, before)
})

t.test('the dry run counts the pool as the act does, row by row', async (t) => {
  const panel = await startApp(t)
  const [petra, olga] = [await panel.signIn('petra'), await panel.signIn('olga')]
  const identifiers = ['acme', 'initech', ...Array.from({ length: 12 }, (_, n) => `shop-${n}`)]
  let seed = 7
  /** Each customer's limit, and its projects. */
  const limits = new Map<string, number | null>([
    ['acme', null],
    ['initech', null],
  ])
  const projects = (one: string) => (one === 'acme' ? 2 : 0)
  const takes = (one: string, limit = limits.get(one) ?? null) => Math.max(limit ?? 0, projects(one))
  const random = (most: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % most
  }
  for (let round = 0; round < 12; round++) {
    // Now and then more is allocated than the pool has.
    const pool = random(4) === 0 ? '' : String(random(25))
    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { projects: pool })
    const lines = identifiers
      .filter(() => random(3) > 0)
      .map((one) => `${one.toUpperCase()},${one},${['', 'unlimited', '0', String(random(9))][random(4)]}`)
    let left = pool === '' ? Number.POSITIVE_INFINITY : Number(pool)
    for (const one of limits.keys()) left -= takes(one)
    const refused = lines.flatMap((row) => {
      const [, one = '', said = ''] = row.split(',')
      const limit = said === '' ? (limits.get(one) ?? null) : said === 'unlimited' ? null : Number(said)
      const more = takes(one, limit) - takes(one)
      if (more > 0 && more > left) return [one]
      left -= more
      limits.set(one, limit)
      return []
    })

    const checked = await check(petra, made(`name,identifier,project limit\n${lines.join('\n')}`))
    const wrong = states(panel).filter(({ state }) => state === 'wrong')
    t.same(
      wrong.map(({ subject }) => /\((.*)\)/.exec(subject)?.[1]),
      refused,
      `round ${round}: those that the pool cannot give`,
    )
    for (const { words } of wrong) t.match(words, /The pool has \d+ projects available/)
    const button = checked.root.querySelectorAll('button').find((one) => /^Import \d/.test(one.text.trim()))
    if (button) await petra.press(checked, button.text.trim())
    await until('the import is done', () => states(panel).every(({ state }) => state !== 'ready'))
    t.same(
      states(panel).filter(({ state }) => state === 'failed'),
      [],
      `round ${round}: what the dry run let through goes`,
    )
  }
  const list = await petra.get('/partner/customers?download=csv')
  for (const [one, limit] of limits) t.match(list.body, new RegExp(`,${one},.*,${limit ?? 'unlimited'}\r`), one)
})

/** The rows of the last import. */
function states({ db }: Panel) {
  const last = db.select().from(imports).all().at(-1)?.id ?? 0
  return db.select().from(importRows).where(eq(importRows.importId, last)).all()
}
