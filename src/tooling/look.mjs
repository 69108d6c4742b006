// node src/tooling/look.mjs: writes what public/ takes from npm packages: the font, and the icons as one style sheet.
// test/web/look.test.ts says when a file is not what the installed packages make of it.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './contents.mjs'

const packages = join(root, 'node_modules')

/** The packages whose files public/ holds; their licences go with the panel. */
export const inPublic = ['@fontsource-variable/inter', 'lucide-static']

/** Files of the font in public/, and where the package has them. */
export const fonts = {
  'inter-latin.woff2': join(packages, '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2'),
  'inter-latin-ext.woff2': join(packages, '@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2'),
}

/** The icons that the views use, by the names that they have there, and Lucide’s names. */
const icons = {
  account: 'building-2',
  backup: 'archive',
  bell: 'bell',
  check: 'check',
  circle: 'circle',
  customers: 'users',
  dashboard: 'layout-grid',
  deleted: 'trash-2',
  device: 'monitor',
  display: 'sliders-horizontal',
  down: 'chevron-down',
  download: 'download',
  filter: 'list-filter',
  history: 'clock',
  home: 'house',
  key: 'key-round',
  mail: 'mail',
  more: 'ellipsis',
  out: 'log-out',
  password: 'lock',
  phone: 'smartphone',
  plus: 'plus',
  people: 'user-round',
  program: 'bot',
  project: 'folder',
  quotas: 'gauge',
  resources: 'layers',
  search: 'search',
  security: 'shield-check',
  sso: 'link',
  switch: 'chevrons-up-down',
  token: 'code',
  upload: 'upload',
  webhook: 'webhook',
}

/** The icons as masks: a page names each by a word of a class, and the text’s colour shows through. */
export function iconSheet() {
  const rules = Object.entries(icons).map(([name, lucide]) => {
    const source = readFileSync(join(packages, 'lucide-static/icons', `${lucide}.svg`), 'utf8')
    const shapes = source.slice(source.indexOf('>', source.indexOf('<svg')) + 1, source.indexOf('</svg>'))
    const drawn = shapes.trim().replaceAll(/>\s+</g, '><').replaceAll(' />', '/>').replaceAll('"', "'")
    const picture = `${opening}${drawn}</svg>`.replaceAll('<', '%3C').replaceAll('>', '%3E')
    return `.i-${name} {\n  --icon: url("data:image/svg+xml,${picture}");\n}`
  })
  return `/* Lucide, ISC License: see LICENCES.txt */\n${rules.join('\n')}\n`
}

const opening =
  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23000' stroke-width='2.2' stroke-linecap='round' stroke-linejoin='round'>"

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, from] of Object.entries(fonts)) copyFileSync(from, join(root, 'public', name))
  writeFileSync(join(root, 'public/icons.css'), iconSheet())
}
