// Loaded before each test file. For each module Node looks whether it is there, where its links lead, and at the nearest
// package.json; Drizzle's has 180 KB, which Node parses again for each of its 150 modules. That is a third of the time
// that loading the panel takes, so this file answers at once where the answer is known.
import { registerHooks } from 'node:module'

const own = new URL('../../', import.meta.url).href
/** Where all that is imported is a module. */
const modules = /\/node_modules\/(drizzle-orm|zod|@tapjs\/[^/]+\/dist\/esm|tcompare\/dist\/esm|rimraf\/dist\/esm)\//
/** Packages as this repository's own modules find them. */
const packages = new Map()

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL = '', conditions } = context
    const isOwn = parentURL.startsWith(own) && !parentURL.includes('/node_modules/')
    const isRelative = /^\.{1,2}\//.test(specifier)
    if (isRelative && isOwn && specifier.endsWith('.ts')) return at('module-typescript')
    if (isRelative && specifier.endsWith('.js') && modules.test(parentURL) && !conditions.includes('require'))
      return at('module')
    if (isRelative || !isOwn || conditions.includes('require')) return next(specifier, context)
    const known = packages.get(specifier) ?? next(specifier, context)
    packages.set(specifier, known)
    return { ...known, shortCircuit: true }

    function at(format) {
      return { url: new URL(specifier, parentURL).href, format, shortCircuit: true }
    }
  },
})
