import manifest from '../package.json' with { type: 'json' }

/** The version of the panel, as it was released. */
export const { version } = manifest
