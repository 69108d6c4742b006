// npm run db:generate: lets drizzle-kit write the next migration, then makes its new tables STRICT,
// which drizzle-kit cannot say. A migration that exists already is never touched.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = new URL('../../migrations/', import.meta.url)
const migrations = () => readdirSync(folder).filter((file) => file.endsWith('.sql'))

const before = new Set(migrations())
execFileSync(
  'npx',
  [
    'drizzle-kit',
    'generate',
    '--dialect=sqlite',
    '--schema=src/db/schema.ts',
    '--out=migrations',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', cwd: new URL('../../', import.meta.url) },
)

for (const file of migrations().filter((file) => !before.has(file))) {
  const path = new URL(file, folder)
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/^\);$/gm, ') STRICT;').replaceAll(/^\)$/gm, ') STRICT'))
}
