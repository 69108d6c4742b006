import { type HTMLElement, type Node, NodeType, parse } from 'node-html-parser'
import { letters } from '../../src/db/schema.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { plainPart } from '../../src/mail/plain.ts'
import type { Panel } from '../harness.ts'
import { sqlite } from '../plans.ts'

// Names that are written from right to left, and where they stand in the middle of other words.

export const hebrew = 'שלום'

const named = ['users', 'accounts', 'projects', 'plans', 'invitations', 'resources']

/** Gives everything and everybody such a name. */
export function writeFromRightToLeft(panel: Panel): void {
  for (const table of named) sqlite(panel).exec(`UPDATE ${table} SET name = '${hebrew} ' || name`)
}

/** A name that is all there is needs nothing around it. */
const isAlone = (panel: Panel, text: string) =>
  named.some((table) => sqlite(panel).prepare(`SELECT 1 FROM ${table} WHERE name = ?`).get(text.trim()))

/** Text in which such a name stands among other words, and not between the characters that set it apart. */
function reordered(panel: Panel, text: string): boolean {
  const around = text.replaceAll(/\u2068[^\u2069]*\u2069/g, '')
  return around.includes(hebrew) && !isAlone(panel, text)
}

/** The texts of a page that such a name would reorder. */
export function bareNames(panel: Panel, node: Node): string[] {
  if (node.nodeType === NodeType.TEXT_NODE) return reordered(panel, node.text) ? [node.text.trim()] : []
  const { tagName } = node as HTMLElement
  if (['BDI', 'TEXTAREA', 'STYLE'].includes(tagName)) return []
  // No element can be in these: the characters do it.
  const [isolates, plain] = [/[\u2066-\u2069]/, ['TITLE', 'OPTION'].includes(tagName)]
  if (!plain && node.childNodes.some((child) => child.nodeType === NodeType.TEXT_NODE && isolates.test(child.text)))
    return [`no <bdi> in: ${node.text.trim()}`]
  return node.childNodes.flatMap((child) => bareNames(panel, child))
}

/** The same of the subjects and both parts of all e-mails; `some` is how many have such a name. */
export async function bareNamesOfLetters(panel: Panel): Promise<{ bare: string[]; some: number }> {
  const bodies = panel.db
    .select()
    .from(letters)
    .all()
    .flatMap((letter) => ({ ...letter, ...openBody(panel.app.secrets, letter) }))
    .filter(({ html }) => html?.includes(hebrew))
  const bare = bodies.map(async ({ subject, html = '' }) => [
    ...bareNames(panel, parse(html)),
    ...[subject, ...(await plainPart(html)).split('\n')].filter((line) =>
      reordered(panel, line.replace(/^Hello |,$/g, '')),
    ),
  ])
  return { bare: (await Promise.all(bare)).flat(), some: bodies.length }
}
