import { type Erasure, freeText, identifies, never, stays } from './fates.ts'

// What the deletion of a user does to every text that the database keeps. A new text column does not compile
// until it is named here, and test/people/erasure.test.ts holds the list against the live database and the deletion.

const rowGoes = 'the row is deleted'
const oneOfAList = never('one of a fixed list of words')
const hashOfRandom = never('the hash of a random token')
const identifier = stays(
  'an identifier never changes and is never given out again (rule 1); people are warned at the form',
)
const tenantName = stays(
  'the name of an account, project or service user is its tenant’s, who can rename it; it goes with the purge',
)
const planName = stays('the name of a plan is its partner’s, who can rename it; it goes with the purge')
const secret = { not: 'a secret of the log-in, of no use outside of it' }
const whySuspended = freeText('the account’s members must know why they cannot work', { not: 'it is the account’s' })
const partners = { not: 'it is the partner’s' }
const again = { not: 'the name and e-mail again, folded for comparison' }

export const erasure: Erasure = {
  users: {
    email: identifies('becomes deleted-ID@deleted.invalid', 'user.email'),
    emailKey: identifies('becomes deleted-ID@deleted.invalid', again),
    name: identifies('becomes “Deleted user”', 'user.name'),
    search: identifies('is emptied', again),
    sortKey: identifies('is emptied', again),
    passwordHash: identifies('is emptied', secret),
    totpSecret: identifies('is emptied', secret),
    passkeyHandle: identifies('is emptied', { not: 'a random number that authenticators know the user by' }),
    theme: oneOfAList,
    timeZone: oneOfAList,
    numbers: oneOfAList,
  },
  accounts: {
    kind: oneOfAList,
    name: tenantName,
    identifier,
    search: tenantName,
    sortKey: tenantName,
    partnerKind: oneOfAList,
    suspendedReason: whySuspended,
    supportSuspendedReason: whySuspended,
  },
  accountSecurity: { networks: stays('ranges of addresses that the account is used from, and nobody’s own') },
  accountProviders: {
    issuer: stays('an address of a machine, which its account’s admins can change; it goes with the account'),
    clientId: never('what a provider calls the panel'),
    clientSecret: never('a secret of the panel at the provider, sealed'),
    newPeople: oneOfAList,
    groupClaim: never('what a provider calls its groups'),
  },
  accountDomains: {
    domain: stays('a domain of the account, which its admins can remove; it goes with the account'),
    token: never('a random number that is public in DNS'),
  },
  providerGroups: {
    value: stays(
      'the name of a group at the account’s provider, which its admins can remove; it goes with the account',
    ),
    role: oneOfAList,
    projectRole: oneOfAList,
  },
  memberships: { role: oneOfAList, search: identifies(rowGoes, again), sortKey: identifies(rowGoes, again) },
  serviceUsers: { role: oneOfAList, search: tenantName, sortKey: tenantName },
  projects: { name: tenantName, identifier, search: tenantName, sortKey: tenantName },
  projectAccess: { role: oneOfAList, search: identifies(rowGoes, again), sortKey: identifies(rowGoes, again) },
  keptAccess: { role: oneOfAList },
  invitations: {
    email: identifies('becomes deleted-ID@deleted.invalid', 'invitations.email'),
    emailKey: identifies('becomes deleted-ID@deleted.invalid', again),
    name: identifies('becomes “Deleted user”', 'invitations.name'),
    search: identifies('is emptied', again),
    role: oneOfAList,
    state: oneOfAList,
  },
  invitationTokens: { hash: hashOfRandom, kind: oneOfAList },
  invitationProjects: { role: oneOfAList },
  resources: {
    key: never('Support’s catalogue of what can be limited'),
    name: never('Support’s catalogue of what can be limited'),
    unit: never('Support’s catalogue of what can be limited'),
  },
  limits: {
    level: oneOfAList,
    remark: freeText('it says why a limit is what it is, also after its author has gone', 'limits.remark'),
  },
  plans: { name: planName, nameKey: planName },
  quotaRequests: {
    reason: freeText('it says why an account has what it has', 'quotaRequests.reason'),
    state: oneOfAList,
    comment: freeText('it says why a request was decided as it was', 'quotaRequests.comment'),
  },
  partnerRequests: { state: oneOfAList },
  passwordResets: { hash: hashOfRandom },
  emailChanges: {
    hash: hashOfRandom,
    email: identifies(rowGoes, {
      not: 'a wished address: whether it is there tells whether somebody else logs in with it; a done change is in changesOfMyName',
    }),
  },
  sessions: {
    hash: hashOfRandom,
    ip: identifies(rowGoes, 'sessions.ip'),
    browser: identifies(rowGoes, 'sessions.browser'),
    ssoSid: identifies(rowGoes, { not: 'a number of the provider’s own session' }),
  },
  apiTokens: {
    hash: hashOfRandom,
    lastFour: never('the end of a random token'),
    name: identifies('is emptied', 'apiTokens.name'),
    scopes: oneOfAList,
    networks: identifies('is emptied', 'apiTokens.networks'),
    lastUsedIp: identifies('is emptied', 'apiTokens.lastUsedIp'),
  },
  apiReplays: {
    keyHash: never('a hash of a name that a program chose'),
    requestHash: never('a hash'),
    answer: identifies('is emptied where it names the person, and gone a day later', {
      not: 'it is what a program got, which has it',
    }),
  },
  recoveryCodes: { hash: hashOfRandom },
  passkeys: {
    credentialId: identifies(rowGoes, secret),
    publicKey: identifies(rowGoes, secret),
    host: never('the panel’s own host'),
    transports: oneOfAList,
    deviceType: oneOfAList,
    name: identifies(rowGoes, 'passkeys.name'),
  },
  identities: { issuer: never('a setting'), subject: identifies(rowGoes, 'identities.subject') },
  usedChallenges: { hash: hashOfRandom },
  listChoices: {
    list: oneOfAList,
    query: never('names and values of sorts and filters, nothing that was typed: in Download my data all the same'),
  },
  savedViews: {
    list: oneOfAList,
    name: freeText('its user finds a list by it', 'savedViews.name'),
    search: freeText('it is what its user looks for', 'savedViews.search'),
    query: never('names and values of sorts and filters: in Download my data all the same'),
  },
  throttles: {
    key: identifies('the row of the e-mail is deleted; those of network addresses name nobody and go after a day', {
      not: 'a hash of the e-mail that is gone a day later',
    }),
  },
  troubles: { kind: oneOfAList },
  replication: { claim: never('a random number') },
  letters: {
    messageId: never('a random number at the panel’s own host'),
    email: identifies('becomes deleted@deleted.invalid', 'emails.email'),
    name: identifies('becomes “Deleted user”', 'emails.name'),
    subject: identifies('is replaced, also of e-mails to others that name the person', 'emails.subject'),
    search: identifies('is made of what is left', again),
    body: identifies('goes with its .eml file, also of e-mails to others that name the person', {
      not: 'its reader has it; it carries links that act for their reader',
    }),
    reason: oneOfAList,
    tokenHash: hashOfRandom,
    state: oneOfAList,
    error: identifies('is emptied: mail servers repeat the address', 'emails.error'),
  },
  imports: {
    kind: oneOfAList,
    fileName: freeText('its account knows the import by it, for 30 days', 'imports.file'),
    state: oneOfAList,
    ip: identifies('is emptied where the person brought the file in', 'imports.ip'),
    requestId: never('a random number'),
    header: freeText('its account sees its own file by it, for 30 days', {
      not: 'names of columns; what is about somebody is in the rows',
    }),
    leftOut: freeText('as header', { not: 'names of columns; what is about somebody is in the rows' }),
  },
  importRows: {
    input: identifies('is emptied', 'importRows.input'),
    subject: identifies('becomes “Deleted user”', 'importRows.subject'),
    emailKey: identifies('is emptied', again),
    state: oneOfAList,
    words: identifies('is replaced', 'importRows.words'),
    cells: identifies('are emptied, also of rows about others that name the person', 'importRows.cells'),
    search: identifies('is made of what is left', again),
  },
  records: {
    kind: oneOfAList,
    change: never('names of accounts, projects and plans, roles and numbers: what people typed is in personal_changes'),
    ip: stays(
      'records are never edited (rule 10): from where an act came is what an account has against a stolen log-in',
    ),
    requestId: never('a random number'),
    hash: never('a hash of what the record says, names and typed words not among it'),
  },
  personalChanges: {
    field: oneOfAList,
    before: identifies(
      'names and e-mails: the row is deleted; what people typed: as free text',
      'changesOfMyName.before',
    ),
    after: identifies(
      'names and e-mails: the row is deleted; what people typed: as free text',
      'changesOfMyName.after',
    ),
  },
  webhooks: {
    url: stays('an address of a machine, which its account’s admins can change; it goes with the account'),
    events: oneOfAList,
    secret: never('random bytes, sealed'),
    earlierSecret: never('random bytes, sealed'),
    offBecause: oneOfAList,
  },
  deliveries: {
    messageId: never('a random number'),
    type: oneOfAList,
    body: never('numbers, identifiers and roles: no names, no e-mails, nothing that people typed'),
    state: oneOfAList,
    error: never('the panel’s words about an address of a machine'),
  },
  notifications: { audience: oneOfAList, topic: oneOfAList, mail: oneOfAList },
  notificationChoices: { topic: oneOfAList, way: oneOfAList },
  ties: {
    contactName: freeText('the partner’s own notes about a customer', partners),
    contactEmail: freeText('the partner’s own notes about a customer', partners),
    contactPhone: never('a number of a company, at its partner’s'),
    contactAddress: freeText('the partner’s own notes about a customer', partners),
    reference: never('the partner’s own number of a customer'),
    referenceKey: never('the partner’s own number of a customer'),
    note: freeText('the partner’s own notes about a customer', partners),
    search: freeText('what is left of the contact, folded', partners),
  },
  tieTags: { tag: never('a word by which a partner groups customers'), tagKey: never('the tag, folded') },
  installation: { keyCheck: never('a known text, sealed with the installation’s key') },
}
