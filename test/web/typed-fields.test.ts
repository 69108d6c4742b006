import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../../src/config.ts'
import { isKnownField } from '../../src/web/answer/typed-fields.ts'
import { startApp } from '../harness.ts'

t.test('a form that came too late shows what was typed in the words of the form', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  const form = await petra.get('/customer/users')
  await petra.switchTo('cloudhaus')
  const late = await petra.press(form, 'Invite', { name: 'Nora', email: 'nora@acme.example', role: 'member' })
  t.equal(late.status, 409)
  const shown = late.root.querySelectorAll('main dl.facts > *').map((one) => one.textContent.trim())
  t.same(shown.slice(0, 6), ['Name', 'Nora', 'E-mail', 'nora@acme.example', 'Role', 'User'])
  t.notOk(
    shown.some((words) => /^[a-z]+[A-Z]|^(role|name|email|projectRole|reader)$/.test(words)),
    'no name of ours',
  )
})

t.test('every field of a form has a label for that page, or is left out', async (t) => {
  const views = readdirSync(join(root, 'views'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /^(?!partials|stories).*\.eta$/.test(file),
  )
  const names = views.flatMap((view) =>
    [
      ...readFileSync(join(root, 'views', view), 'utf8').matchAll(
        /\{[^{}]*\bname: '([a-zA-Z]+)'[^{}]*\blabel: |<(?:input|select|textarea)(?![^>]*type="(?:hidden|search|file)")[^>]* name="([a-zA-Z]+)"/g,
      ),
    ].map(([, one, other]) => ({ view, name: one ?? other ?? '' })),
  )
  t.ok(names.length > 40, `${names.length} fields`)
  for (const { view, name } of names) t.ok(isKnownField(name), `${view}: ${name}`)
})
