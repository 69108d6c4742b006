import { request } from 'node:http'
import { pause } from '../smtp.ts'
import type { Stage } from './stage.ts'

/** Rows that are imported, to be more than a moment's work. */
const imported = 20_000

/** Rows a second: of an import while it is checked and while it is carried out, and of an export. */
export async function bulk({ panel, clients: { partner } }: Stage) {
  const lines = Array.from({ length: imported }, (_, n) => `Imported ${n},imported-${n}`)
  const file = { name: 'customers.csv', bytes: Buffer.from(`name,identifier\n${lines.join('\n')}\n`) }
  const checking = performance.now()
  const ready = await partner.upload('/partner/imports', 'Check the file', file)
  const checkedIn = performance.now() - checking

  const carrying = performance.now()
  await partner.press(ready, `Import ${imported.toLocaleString('en')} customers`)
  // While the import runs, the page says that it follows by itself.
  while ((await partner.open(ready.path)).root.querySelector('meta[http-equiv="refresh"]')) await pause(100)
  const carriedIn = performance.now() - carrying

  const exporting = performance.now()
  const cookie = [...partner.cookies].map((pair) => pair.join('=')).join('; ')
  const exportedRows = (await countLines(`${panel.url}/partner/customers?download=csv`, cookie)) - 1
  const exportedIn = performance.now() - exporting
  return {
    checked: imported / (checkedIn / 1000),
    imported: imported / (carriedIn / 1000),
    exported: exportedRows / (exportedIn / 1000),
    exportedRows,
  }
}

function countLines(url: string, cookie: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers: { cookie } }, (answer) => {
      let lines = 0
      answer.on('data', (part: Buffer) => {
        for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, at + 1)) lines++
      })
      answer.on('end', () => resolve(lines))
    })
    sent.on('error', reject)
    sent.end()
  })
}
