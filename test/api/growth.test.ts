import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { apiDocument } from '../../src/api/document.ts'
import { apiOfRelease, releases } from '../releases/releases.ts'
import { brokenPromises, promisedBy } from './growth.ts'

// /api/v1 only grows: what a released version offered is there in every later one.

type Document = Record<string, unknown>

const today = () => structuredClone(apiDocument('https://panel.meshpanel.test')) as Document

t.test('nothing goes that a released version offered, and nothing more has to be sent', async (t) => {
  for (const version of releases) {
    const file = apiOfRelease(version)
    // 0.1.0 and 0.2.0 had no API.
    if (!existsSync(file)) t.match(version, /^0\.[12]\./, `${version} has kept its document`)
    else t.same(brokenPromises(JSON.parse(gunzipSync(readFileSync(file)).toString()), today()), [], version)
  }
})

t.test('the comparison sees what a program would miss', async (t) => {
  const { offered, demanded } = promisedBy(today())
  t.ok(offered.has('GET /accounts/{account}'))
  t.ok(offered.has('GET /accounts/{account} 200.identifier'), 'fields of answers')
  t.ok(demanded.has('POST /accounts/{account}/customers body name'), 'and of bodies')
  t.same(brokenPromises(today(), today()), [])

  const paths = Object.keys(today().paths as Document)
  for (const path of paths) {
    const later = today()
    delete (later.paths as Document)[path]
    t.ok(brokenPromises(today(), later).length > 0, `without ${path}`)
    t.same(brokenPromises(later, today()), [], `${path} may come`)
  }
})

t.test('a field that goes, or has to be sent, is seen', async (t) => {
  const later = JSON.parse(JSON.stringify(today()).replaceAll('"identifier":', '"handle":'))
  t.ok(brokenPromises(today(), later).includes('gone: GET /accounts/{account} 200.identifier'))
  const stricter = today()
  const post = (stricter.paths as Record<string, { post: Document }>)['/accounts/{account}/customers']?.post
  if (!post) throw new Error('There is no such operation.')
  post.parameters = [...((post.parameters as Document[]) ?? []), { in: 'query', name: 'colour', required: true }]
  t.same(brokenPromises(today(), stricter), ['asked for now: POST /accounts/{account}/customers query colour'])
})
