import { allTopics, ruleOf, wayField, ways } from '../../records/topics.ts'
import { projectRoleNames } from '../../roles.ts'

// What somebody had typed into a form that could not be sent, for the page that offers it again: in the words of the form.

/** Fields by their names in forms, with the labels that people know. A resource is named by its key. */
const labels: Record<string, string> = {
  active: 'Switched on',
  adminEmail: 'E-mail of the first admin',
  away: 'Save it all the same',
  adminName: 'Full name of the first admin',
  clientId: 'Client ID',
  code: 'Code',
  comment: 'Comment',
  confirm: 'Typed to confirm',
  contactAddress: 'Address',
  contactEmail: 'E-mail',
  contactName: 'Contact',
  contactPhone: 'Phone',
  days: 'Works for',
  domain: 'Domain',
  earlier: 'The earlier token',
  email: 'E-mail',
  emailTrusted: 'This provider alone gives out addresses of our domains',
  events: 'Events',
  identifier: 'Identifier',
  group: 'Group',
  groupClaim: 'Claim with the groups',
  idleMinutes: 'Confirm after a break of (minutes)',
  issuer: 'Issuer',
  key: 'Key',
  kind: 'Kind',
  name: 'Name',
  newPeople: 'New people',
  networks: 'Only from these addresses',
  note: 'Note',
  numbers: 'Numbers',
  newCustomers: 'Default for new customers',
  partner: 'Identifier of the partner',
  planName: 'Name',
  project: 'Project (optional)',
  projectRole: 'Project role',
  reason: 'Reason',
  reference: 'Reference',
  remark: 'Note',
  role: 'Role',
  scopes: 'Rights',
  secondFactorFrom: 'Required from',
  serviceName: 'Name',
  sessionHours: 'Confirm who you are after (hours)',
  span: 'Failed events',
  share: 'Approved automatically up to, in per cent',
  tag: 'Tag',
  tags: 'Tags',
  text: 'Pasted lines',
  theme: 'Theme',
  timeZone: 'Time zone',
  unit: 'Unit',
  url: 'Address',
  viewName: 'Name',
  ...Object.fromEntries(allTopics.map((topic) => [wayField(topic), ruleOf(topic).title])),
}

/** Choices whose values are ours. Those of roles are an account's or a project's. */
const choices: Record<string, Record<string, string>> = {
  kind: { customer: 'Customer', partner: 'Partner' },
  newCustomers: { yes: 'Yes' },
  numbers: { point: '1.000,5', space: '1 000,5' },
  theme: { light: 'Light', dark: 'Dark' },
  active: { yes: 'Yes' },
  span: {
    hour: 'of the last hour',
    day: 'of the last 24 hours',
    week: 'of the last 7 days',
    month: 'of the last 30 days',
  },
  projectRole: projectRoleNames,
  role: { ...projectRoleNames, admin: 'Admin', member: 'User' },
  ...Object.fromEntries(allTopics.map((topic) => [wayField(topic), ways])),
}

/** Not typed: numbers of rows, and where a form leads. These forms contain no passwords. */
const hidden = [
  'version',
  'limitsVersion',
  'plan',
  'from',
  'next',
  'credential',
  'alone',
  'account',
  'people',
  'c',
  'customers',
  'invitations',
  'list',
  'until',
  'projects',
  'to',
  'keep',
  'of',
  'since',
  'page',
  'current',
  'password',
  'clientSecret',
  'repeated',
]

/** The fields that somebody filled in, as they know them: their labels, and what they hold. */
export function typedInForm(fields: Record<string, unknown>): { label: string; value: string }[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    typeof value !== 'string' || !value || name.startsWith('_') || hidden.includes(name)
      ? []
      : [{ label: labels[name] ?? resourceLabel(name), value: choices[name]?.[value] ?? value }],
  )
}

const resourceLabel = (key: string) => `${key.slice(0, 1).toUpperCase()}${key.slice(1).replaceAll('-', ' ')}`

/** Whether a field of a form has a label here, or is not shown. */
export const isKnownField = (name: string) => name in labels || hidden.includes(name)
