/** Said of an identifier that was given out before: one is never given out again (rule 1). */
export const takenWords = (identifier: string, where = '') => `“${identifier}” is taken${where}, or was once.`

export const inThisAccount = ' in this account'

export const freeWords = (identifier: string) => `“${identifier}” is free.`
