import type { RecordKind } from '../../records/kinds.ts'

/** What happened to the reader’s own login. */
export const loginNews = {
  'user.password-changed': () => ['Your password was changed'],
  'user.two-factor-on': () => ['Two-factor login was switched on'],
  'user.two-factor-off': () => ['Two-factor login was switched off'],
  'user.passkey-added': () => ['A passkey was added to your login'],
  'user.passkey-removed': () => ['A passkey of your login was removed'],
  'user.sso-connected': () => ['Single sign-on was connected with your login'],
  'user.sso-disconnected': () => ['Single sign-on was disconnected from your login'],
  'user.recovery-codes-made': () => ['New recovery codes were made for your login'],
  'user.recovery-code-used': () => ['A recovery code was used to log in as you'],
  'user.address-claimed': () => ['You confirmed your e-mail, and what was set up before has ended'],
  'user.email-change-asked': () => ['A change of your e-mail was requested'],
  'user.email-changed': () => ['Your e-mail was changed'],
  'user.data-downloaded': () => ['Your data was downloaded'],
} satisfies Partial<Record<RecordKind, () => string[]>>
