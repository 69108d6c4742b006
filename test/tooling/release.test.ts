import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { root } from '../../src/config.ts'
import { newFolder } from '../harness.ts'

const script = join(root, 'src/tooling/release/release.mjs')

/** A repository with the three files that a release changes. */
function repository(t: Test) {
  const folder = newFolder()
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Petra', '-c', 'user.email=petra@cloudhaus.example', ...args], {
      cwd: folder,
      encoding: 'utf8',
    })
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  git('init', '--quiet', '--initial-branch=main')
  writeFileSync(join(folder, 'package.json'), '{\n  "name": "meshpanel",\n  "version": "1.1.0"\n}\n')
  writeFileSync(
    join(folder, 'package-lock.json'),
    '{\n  "version": "1.1.0",\n  "packages": {\n    "": {\n      "version": "1.1.0"\n    }\n  }\n}\n',
  )
  writeFileSync(
    join(folder, 'CHANGELOG.md'),
    '# Changes\n\n## 1.2.0 · unreleased\n\n- More.\n\n## 1.1.0 · 2026-01-01\n',
  )
  git('add', '.')
  git('commit', '--quiet', '--message', 'Begin')
  const release = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: 'utf8' })
    return { status, stderr: stderr.trim() }
  }
  t.equal(git('status', '--porcelain'), '')
  return { folder, git, read, release }
}

t.test('a release writes version and day, and nothing else', async (t) => {
  const { git, read, release } = repository(t)
  t.same(release('1.2.0', '--files'), { status: 0, stderr: '' })
  const today = new Date().toISOString().slice(0, 10)
  t.match(read('CHANGELOG.md'), `\n## 1.2.0 · ${today}\n\n- More.\n\n## 1.1.0 · 2026-01-01\n`)
  t.equal(read('package.json'), '{\n  "name": "meshpanel",\n  "version": "1.2.0"\n}\n')
  t.equal(read('package-lock.json').match(/1\.2\.0/g)?.length, 2)
  t.equal(git('diff', '--stat').trim().split('\n').at(-1)?.trim(), '3 files changed, 4 insertions(+), 4 deletions(-)')
})

t.test('a release that cannot be made says why in one line, and changes nothing', async (t) => {
  const { folder, git, release } = repository(t)
  const refused = (words: RegExp, ...args: string[]) => {
    const { status, stderr } = release(...args)
    t.equal(status, 2)
    t.match(stderr, words)
    t.equal(stderr.split('\n').length, 1)
  }
  refused(/Name the version/)
  refused(/Name the version/, 'v1.2.0')
  refused(/no heading “## 1\.3\.0 · unreleased”/, '1.3.0')
  git('tag', 'v1.2.0')
  refused(/a tag v1\.2\.0 already/, '1.2.0')
  git('tag', '--delete', 'v1.2.0')
  mkdirSync(join(folder, 'test/releases'), { recursive: true })
  writeFileSync(join(folder, 'test/releases/1.2.0.db.gz'), '')
  refused(/not committed/, '1.2.0')
  git('add', '.')
  git('commit', '--quiet', '--message', 'More')
  refused(/was released/, '1.2.0')
  git('switch', '--quiet', '--create', 'idea')
  refused(/made from main/, '1.2.0')
  t.equal(git('status', '--porcelain'), '')
})
