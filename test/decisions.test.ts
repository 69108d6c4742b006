import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../src/config.ts'

// Decisions are read for years: they keep their ids, and one that no longer holds says what replaced it.

const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
const section = text.slice(text.indexOf('\n## Decisions\n'))
const wings = section.split(/^## Decisions: /m).slice(1)
const index = [...section.matchAll(/^\| ([A-Z]) \| \[[^\]]+\]\(#decisions-([\w-]+)\)/gm)]

type Decision = { id: string; wing: string; number: number; date: string; replacedBy: string | undefined }

const form =
  /^(?<wing>[A-Z])-(?<number>\d\d+) · \S[^\n]+\n\n(?<date>\d{4}-\d\d-\d\d) · (?:in force|replaced by (?<replacedBy>[A-Z]-\d\d+))\n\n\S/

const decisions = wings.map((wing) =>
  wing
    .split(/^### /m)
    .slice(1)
    .map((decision): Decision => {
      const found = form.exec(decision)?.groups
      if (!found) throw new Error(`No id, topic, date, status and text: ${decision.slice(0, 100)}`)
      const { wing = '', number = '', date = '', replacedBy } = found
      return { id: `${wing}-${number}`, wing, number: Number(number), date, replacedBy }
    }),
)
const all = new Map(decisions.flat().map((decision) => [decision.id, decision]))

t.test('every decision has an id of its own, a topic, a date and a status', async (t) => {
  t.ok(all.size > 200, 'they were found')
  t.equal(all.size, decisions.flat().length, 'no id stands twice')
})

t.test('decisions stand in their wing, the newest first, and no number is left out', async (t) => {
  const headings = wings.map((wing) => wing.slice(0, wing.indexOf('\n')).toLowerCase().replaceAll(' ', '-'))
  t.same(
    index.map(([, , heading]) => heading),
    headings,
    'the table names every wing',
  )
  for (const [at, own] of decisions.entries()) {
    const [, letter] = index[at] ?? []
    t.same(
      own.map(({ id }) => id),
      own.map((_, n) => `${letter}-${String(own.length - n).padStart(2, '0')}`),
      `${letter}: numbers`,
    )
    const dates = own.map(({ date }) => date)
    t.same(dates, dates.toSorted().reverse(), `${letter}: dates`)
  }
})

t.test('what replaced a decision is a decision of the same day or later', async (t) => {
  const replaced = [...all.values()].filter(({ replacedBy }) => replacedBy)
  for (const { id, date, replacedBy = '' } of replaced) {
    const newer = all.get(replacedBy)
    t.ok(newer && newer.id !== id && newer.date >= date, `${id} is replaced by ${replacedBy}`)
  }
})

t.test('a decision that a text refers to is there', async (t) => {
  const documents = readdirSync(root).filter((name) => name.endsWith('.md'))
  const code = ['src', 'views', 'test', '.github'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mjs|cjs|eta|md)$/.test(name))
      .map((name) => join(folder, name)),
  )
  const letters = index.map(([, letter]) => letter).join('')
  for (const name of [...documents, ...code]) {
    const references = readFileSync(join(root, name), 'utf8').matchAll(
      new RegExp(`(?<![\\w-])[${letters}]-\\d\\d+(?![\\w-])`, 'g'),
    )
    for (const [id] of references) t.ok(all.has(id), `${name}: ${id}`)
  }
})
