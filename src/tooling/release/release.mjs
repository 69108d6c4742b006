// npm run release -- VERSION: makes a release from main, and stops before anything leaves this machine.
//   1. It checks that the tree is clean, that main is checked out, and that CHANGELOG.md has “## VERSION · unreleased”.
//   2. It writes the version and the day into package.json, package-lock.json and CHANGELOG.md.
//   3. It runs the whole gate, and makes what later versions are held to (test/releases): a database to migrate, and the API’s document.
//   4. It commits, and tags with what CHANGELOG.md says of the version.
//   5. It builds the artifacts with their sums (package.mjs --release); SIGNING_KEY signs the sums.
// With --files it stops after step 2, so that you can look at the changes; `git checkout .` takes them back.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({ options: { files: { type: 'boolean' } }, allowPositionals: true })
const [version = '', ...more] = positionals
const here = process.cwd()
const changelog = join(here, 'CHANGELOG.md')
const database = join('test', 'releases', `${version}.db.gz`)
const api = join('test', 'releases', `${version}.openapi.json.gz`)

const problem = whatIsWrong()
if (problem) {
  console.error(problem)
  process.exit(2)
}
writeVersion()
if (!values.files) release()

/** Why nothing can be released, in one line. */
function whatIsWrong() {
  if (!/^\d+\.\d+\.\d+$/.test(version) || more.length > 0) return 'Name the version: npm run release -- 1.2.3'
  if (git('status', '--porcelain')) return 'There are changes that are not committed.'
  if (git('branch', '--show-current') !== 'main') return 'Releases are made from main.'
  if (git('tag', '--list', `v${version}`)) return `There is a tag v${version} already.`
  if (existsSync(join(here, database))) return `${version} was released: ${database} is there.`
  if (!readFileSync(changelog, 'utf8').includes(unreleased())) return `CHANGELOG.md has no heading “${unreleased()}”.`
}

function unreleased() {
  return `## ${version} · unreleased`
}

function writeVersion() {
  const day = new Date().toISOString().slice(0, 10)
  const text = readFileSync(changelog, 'utf8')
  writeFileSync(changelog, text.replace(unreleased(), `## ${version} · ${day}`))
  for (const name of ['package.json', 'package-lock.json']) {
    const content = JSON.parse(readFileSync(join(here, name), 'utf8'))
    content.version = version
    if (content.packages) content.packages[''].version = version
    writeFileSync(join(here, name), `${JSON.stringify(content, null, 2)}\n`)
  }
}

function release() {
  run('npm', 'test')
  run(process.execPath, 'test/releases/make.ts')
  git('add', 'CHANGELOG.md', 'package.json', 'package-lock.json', database, api)
  git('commit', '--message', `Release ${version}`)
  git('tag', '--annotate', `v${version}`, '--cleanup=whitespace', '--message', notes())
  run(process.execPath, 'src/tooling/package.mjs', '--release')
  console.log(`
${version} is committed and tagged. To publish it:
  git push origin main v${version}
  npm publish dist/meshpanel-${version}.tgz
and attach what dist/SHA256SUMS names, with SHA256SUMS and SHA256SUMS.sig, to the release.`)
}

/** What CHANGELOG.md says of this version. */
function notes() {
  const [, section = ''] = readFileSync(changelog, 'utf8').split(`\n## ${version} · `)
  return `${version} · ${section.split('\n## ')[0].trim()}\n`
}

function git(...args) {
  return execFileSync('git', args, { cwd: here, encoding: 'utf8' }).trim()
}

function run(program, ...args) {
  execFileSync(program, args, { cwd: here, stdio: 'inherit' })
}
