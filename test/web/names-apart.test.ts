import { type HTMLElement, type Node, NodeType, parse } from 'node-html-parser'
import t from 'tap'
import { letters } from '../../src/db/schema.ts'
import type { CastName } from '../../src/demo.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { addressOf, lettersKept, prepare } from '../matrix/objects.ts'
import { sqlite } from '../plans.ts'

// A name that is written from right to left would reorder the words and figures around it: each has a <bdi> of its own.

t.setTimeout(600_000)

const hebrew = 'שלום'

/** Plain text is all there can be, or the words come as one piece: a title, what a button says, what just happened. */
const whole = {
  tags: ['BDI', 'TITLE', 'OPTION', 'TEXTAREA', 'H1', 'BUTTON', 'STYLE'],
  classes: ['notice', 'problem', 'error', 'button', 'away', 'av'],
}

function bareNames(node: Node): string[] {
  if (node.nodeType === NodeType.TEXT_NODE) return node.text.includes(hebrew) ? [node.text.trim()] : []
  const { tagName, classList } = node as HTMLElement
  if (whole.tags.includes(tagName) || whole.classes.some((name) => classList?.contains(name))) return []
  return node.childNodes.flatMap(bareNames)
}

t.test('every name on a page or in an e-mail stands apart from the words around it', async (t) => {
  const { panel, acme } = await prepare(t)
  const { app, db } = panel
  for (const table of ['users', 'accounts', 'projects', 'plans', 'invitations'])
    sqlite(panel).exec(`UPDATE ${table} SET name = '${hebrew} ' || name`)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: `${hebrew} Guest`, email: 'other@acme.example' })
  const pages = panel.routes.filter(({ method, config }) => method === 'GET' && config?.can && !config.secret)
  let named = 0
  for (const who of ['stella', 'tom', 'petra', 'olga'] satisfies CastName[]) {
    const person = await panel.signIn(who)
    for (const { url } of pages) {
      const page = await person.open(addressOf(url, acme))
      if (!`${page.response.headers['content-type']}`.startsWith('text/html')) continue
      if (page.body.includes(hebrew)) named++
      t.same(bareNames(page.root), [], `${who}: ${url}`)
    }
  }
  t.ok(named > 100, `${named} pages have such a name`)

  await lettersKept(panel)
  const bodies = db
    .select()
    .from(letters)
    .all()
    .map((letter) => ({ letter, html: openBody(app.secrets, letter)?.html ?? '' }))
    .filter(({ html }) => html.includes(hebrew))
  t.ok(bodies.length > 0, 'e-mails have such names')
  for (const { letter, html } of bodies) t.same(bareNames(parse(html)), [], letter.subject)
})
