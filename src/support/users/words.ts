/** Why a user was not disabled. */
export const notDisabledWords = {
  self: 'You cannot disable yourself. Ask another Support user to do it.',
  'last-operator': 'At least one Support user must be able to log in.',
}
