// npm run db:generate -- NAME: lets drizzle-kit write the next migration, then makes its new tables STRICT, which
// drizzle-kit cannot say. A migration that exists already is never touched.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const [name = '', ...more] = process.argv.slice(2)
if (!/^[a-z][a-z_]+$/.test(name) || more.length > 0) {
  console.error('Say what the migration is for: npm run db:generate -- notes_of_customers')
  process.exit(2)
}

const folder = new URL('../../migrations/', import.meta.url)
const migrations = () => readdirSync(folder).filter((file) => file.endsWith('.sql'))

const before = new Set(migrations())
execFileSync(
  'npx',
  ['drizzle-kit', 'generate', '--dialect=sqlite', '--schema=src/db/schema.ts', '--out=migrations', `--name=${name}`],
  { stdio: 'inherit', cwd: new URL('../../', import.meta.url) },
)

for (const file of migrations().filter((file) => !before.has(file))) {
  const path = new URL(file, folder)
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/^\);$/gm, ') STRICT;').replaceAll(/^\)$/gm, ') STRICT'))
}
