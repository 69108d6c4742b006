// Loaded before each test file. Node looks at the nearest package.json for each module, and Drizzle's has 180 KB, which
// it parses anew for each of its 150 modules: a third of what it takes to load the panel.
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, next) {
    const isOfDrizzle = /^\.{1,2}\//.test(specifier) && /\/node_modules\/drizzle-orm\/.*\.js$/.test(context.parentURL)
    if (!isOfDrizzle) return next(specifier, context)
    return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true }
  },
})
