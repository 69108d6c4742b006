import t from 'tap'
import { startApp } from '../harness.ts'

// In sentences, what there is none of is said in words: “no passkeys”. Figures beside their unit keep the 0: “0 MiB allocated”.

const figures = /\b0 (?:means|allocated|available|in use|shared|unlimited|of |MiB|GB|MB|more possible|\/)/

t.test('no sentence counts to 0', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts', 'Create account', {
    name: 'Solo',
    identifier: 'solo',
    kind: 'partner',
    adminName: '',
    email: '',
  })
  const clients = await Promise.all(
    (['petra', 'riva', 'stella', 'dora', 'tom', 'nils', 'olga'] as const).map((who) => panel.signIn(who)),
  )
  let pages = 0
  for (const client of clients)
    for (const { method, url } of panel.routes) {
      if (method !== 'GET' || /^\/(assets|api)|\.csv|\/data$|export|health|metrics/.test(url)) continue
      const identifier = url.startsWith('/support') ? 'cloudhaus' : 'initech'
      const path = url
        .replace(':customer', 'initech')
        .replace(':identifier', identifier)
        .replace(':project', 'shop')
        .replace(':user', '1')
      const page = await client.get(path)
      if (page.status !== 200 || !page.root) continue
      pages++
      const main = page.root.querySelector('main')
      for (const aside of main?.querySelectorAll('td, .tally, .scale, .away, select, option, code') ?? [])
        aside.remove()
      const text = main?.text.replaceAll(/\s+/g, ' ') ?? ''
      const zeros = [...text.matchAll(/.{0,40}(?<![\d.,:+–-])\b0 (?=[a-z]).{0,30}/g)].map(([words]) => words)
      t.same(
        zeros.filter((words) => !figures.test(words)),
        [],
        path,
      )
    }
  t.ok(pages > 150, `${pages} pages`)
})
