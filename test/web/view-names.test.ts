import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import ts from 'typescript'
import { root } from '../../src/config.ts'
import { newEta } from '../../src/eta.ts'
import { newForm } from '../../src/web/request/forms.ts'
import { readSource, sources } from '../sources.ts'

// A page gives its view the names that the view reads: the compiler holds the pages against src/web/answer/views.ts, and this
// test holds that file against the views.

type Template = {
  /** The names that it reads of `it`. */
  reads: Set<string>
  /** Those of them that it never asks for before it uses them, as in `it.area ? … : …`. */
  needs: Set<string>
  /** The templates that it includes or is laid out by, and the names that it adds for them: undefined if that cannot be read here. */
  shows: { name: string; given: string[] | undefined }[]
}

const eta = newEta(false)
const templates = new Map<string, Template>()

function templateOf(name: string): Template {
  const known = templates.get(name)
  if (known) return known
  const source = readFileSync(join(root, 'views', `${name}.eta`), 'utf8')
  const template = parse(ts.createSourceFile(name, eta.compileToString(source), ts.ScriptTarget.Latest, true), name)
  templates.set(name, template)
  return template
}

function parse(code: ts.SourceFile, name: string): Template {
  const reads = new Set<string>()
  const asked = new Set<string>()
  const shows: Template['shows'] = []
  const isIt = (node: ts.Node | undefined) => node !== undefined && ts.isIdentifier(node) && node.text === 'it'

  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && isIt(node.expression)) {
      reads.add(node.name.text)
      if (isAsked(node)) asked.add(node.name.text)
    }
    if (ts.isVariableDeclaration(node) && isIt(node.initializer) && ts.isObjectBindingPattern(node.name))
      for (const { propertyName, name, initializer } of node.name.elements) {
        const read = (propertyName ?? name).getText()
        reads.add(read)
        if (initializer) asked.add(read)
      }
    // A name that was taken out of `it` first.
    if (ts.isIdentifier(node) && reads.has(node.text) && isAsked(node)) asked.add(node.text)
    if (ts.isCallExpression(node) && /^(include|layout)$/.test(node.expression.getText())) {
      const [path, data] = node.arguments
      if (path && ts.isStringLiteral(path))
        shows.push({
          name: path.text.startsWith('/') ? path.text.slice(1) : posix.join(posix.dirname(name), path.text),
          given: keysOf(data),
        })
    }
    ts.forEachChild(node, visit)
  }
  visit(code)
  return { reads, needs: new Set([...reads].filter((read) => !asked.has(read))), shows }
}

/** Whether the value may be missing here: a condition, or what is passed on as it is. */
function isAsked(node: ts.Expression): boolean {
  const { parent } = node
  if (ts.isIfStatement(parent) || ts.isConditionalExpression(parent))
    return node === ('expression' in parent ? parent.expression : parent.condition)
  if (ts.isPropertyAccessExpression(parent)) return parent.questionDotToken !== undefined
  if (ts.isBinaryExpression(parent)) return /^(\?\?|\|\||&&|[!=]==)$/.test(parent.operatorToken.getText())
  return ts.isPrefixUnaryExpression(parent) || ts.isSpreadAssignment(parent)
}

function keysOf(data: ts.Expression | undefined): string[] | undefined {
  if (!data) return []
  if (!ts.isObjectLiteralExpression(data) || data.properties.some(ts.isSpreadAssignment)) return undefined
  return data.properties.map(({ name }) => name?.getText() ?? '')
}

/** The names of a view that must be declared, and those that may be: with those of its layout and its partials. */
function viewNames(view: string): { must: Set<string>; may: Set<string> } {
  const must = new Set<string>()
  const may = new Set<string>()
  const follow = (name: string, given: Set<string>, mayNeed: boolean): void => {
    const { reads, needs, shows } = templateOf(name)
    const open = [...reads].filter((read) => !given.has(read))
    for (const read of open) may.add(read)
    for (const read of open) if (name === view || (mayNeed && needs.has(read))) must.add(read)
    // What it asks for first, it only passes on where it is.
    const asked = open.filter((read) => !needs.has(read))
    for (const shown of shows)
      follow(shown.name, new Set([...given, ...asked, ...(shown.given ?? [])]), mayNeed && shown.given !== undefined)
  }
  follow(view, new Set(['page', 'body', '__blocks']), true)
  return { must, may }
}

/** What src/web/answer/views.ts declares for each view. */
function declaredNames(): Map<string, string[]> {
  const file = ts.createSourceFile('views.ts', readSource('web/answer/views.ts'), ts.ScriptTarget.Latest, true)
  const views = file.statements.filter(ts.isTypeAliasDeclaration).find(({ name }) => name.text === 'Views')?.type
  const declared = new Map<string, string[]>()
  if (views && ts.isTypeLiteralNode(views))
    for (const view of views.members.filter(ts.isPropertySignature)) {
      const [name = '', ...names] = [...view.getText().matchAll(/'([^']+)'/g)].map(([, text]) => text ?? '')
      declared.set(name, names)
    }
  return declared
}

t.test('each page’s view reads the names that are declared for it, and no others', async (t) => {
  const declared = declaredNames()
  t.ok(declared.size > 60, `${declared.size} views`)
  for (const [view, names] of declared) {
    const { must, may } = viewNames(view)
    // Every page has a title, and may have a problem (PageData).
    const everyPage = ['title', 'problem']
    t.same(
      [...must].filter((name) => ![...names, ...everyPage].includes(name)),
      [],
      `${view} reads names that are not declared`,
    )
    t.same(
      names.filter((name) => !may.has(name)),
      [],
      `${view} reads no such names`,
    )
  }
})

t.test('the views of pages are those that are declared', async (t) => {
  const shown = sources.flatMap((file) =>
    [...readSource(file).matchAll(/\.page\('([^']+)'|view: '(errors\/[^']+)'/g)].map(
      ([, page, refusal]) => page ?? refusal,
    ),
  )
  t.same([...declaredNames().keys()].sort(), [...new Set(shown)].sort())
})

/** Never called: the compiler reads it. Where a wrong call compiles, the error that is expected here is missing, and that is one itself. */
function wrongPages(reply: FastifyReply): void {
  const [title, form, codes] = ['Title', newForm(), {}]
  reply.page('people/two-factor/codes', { title, codes })
  // @ts-expect-error: a view that is not there
  reply.page('people/two-factor/codez', { title, codes })
  // @ts-expect-error: a name is missing
  reply.page('people/two-factor/codes', { title })
  // @ts-expect-error: the title is missing
  reply.page('people/two-factor/codes', { codes })
  // @ts-expect-error: a name that the view does not read
  reply.page('people/two-factor/codes', { title, codes, more: [codes] })
  // @ts-expect-error: a misspelt name
  reply.page('people/two-factor/codes', { title, cods: codes })
  // @ts-expect-error: a name without a value
  reply.page('people/two-factor/codes', { title, codes: undefined })

  reply.page('people/password/index', { title, form, problem: 'Wait a minute.' })
  // @ts-expect-error: a form of another shape
  reply.page('people/password/index', { title, form: { email: '' } })
}
void wrongPages
