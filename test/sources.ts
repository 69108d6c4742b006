import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../src/config.ts'

// The panel's own sources, for tests that read them.

export const src = join(root, 'src')

/** By their paths in src/. */
export const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

export const readSource = (file: string) => readFileSync(join(src, file), 'utf8')

/** What a room asks of the database: its data.ts or, where that would be too long, the files of its folder data/. */
export const isData = (file: string) => /(^|\/)data(\.ts$|\/)/.test(file)
