import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { examineSso } from '../../src/operations/doctor/sso.ts'
import { startOidc } from '../oidc.ts'

t.test('the doctor asks the provider of single sign-on, and says why it cannot', async (t) => {
  const oidc = await startOidc(t)
  const examined = (settings: Record<string, string>) => examineSso(readConfig({}, { ...oidc.settings, ...settings }))
  t.match(await examined({}), [
    { level: 'ok', what: `${oidc.issuer}/ answers; it must know http://localhost:3000/login` },
  ])
  t.match(await examined({ OIDC_ISSUER: `${oidc.issuer}/other` }), [{ level: 'problem' }])
  t.match(await examined({ OIDC_ISSUER: 'http://127.0.0.1:1' }), [{ what: 'The connection was refused' }])
  t.match(await examined({ OIDC_ISSUER: 'https://10.0.0.1' }), [{ what: '10.0.0.1 is no public address' }])
  t.same(await examineSso(readConfig({}, {})), [])
})

t.test('single sign-on is set as a whole', (t) => {
  const needsAll = { message: /^Single sign-on needs OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET/ }
  const whole = { OIDC_ISSUER: 'https://id.example', OIDC_CLIENT_ID: 'panel', OIDC_CLIENT_SECRET: 'secret' }
  t.match(readConfig({}, whole).sso, {
    issuer: 'https://id.example/',
    name: 'id.example',
    only: false,
    secondFactor: 'no',
  })
  for (const name of Object.keys(whole)) t.throws(() => readConfig({}, { ...whole, [name]: '' }), needsAll, name)
  t.throws(() => readConfig({}, { OIDC_ONLY: 'yes' }), needsAll)
  t.equal(readConfig({}, {}).sso, undefined)
  t.end()
})
