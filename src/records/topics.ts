/** How somebody is told by e-mail: at once, with the daily summary, or not at all. */
export const ways = { now: 'At once', daily: 'Daily summary', off: 'Off' } as const

export type MailWay = keyof typeof ways

type TopicRule = {
  title: string
  about: string
  /** What happens until somebody chooses. */
  usual: MailWay
  /** Why nobody can choose. */
  fixed?: string
}

/** What people choose e-mails by, in the order in which they do. */
export const topics = {
  security: {
    title: 'Security of your login',
    about:
      'Your password, e-mail, passkeys, single sign-on or two-factor login changed, somebody reset it, or an API token of yours, or of a service user that you manage, was created, replaced or expires soon.',
    usual: 'now',
    fixed: 'You need to know at once if somebody else did this.',
  },
  access: {
    title: 'Your accounts and roles',
    about: 'You were invited to an account or removed from it, or your role changed.',
    usual: 'now',
    fixed: 'It changes what you can open, so you always get an e-mail.',
  },
  projects: {
    title: 'Your projects',
    about: 'Somebody gave you access to a project, changed your project role, or removed you.',
    usual: 'now',
  },
  answers: {
    title: 'Answers to your requests',
    about: 'Your request for more quota, or to become a partner, was decided.',
    usual: 'now',
  },
  invitations: {
    title: 'Invitations you sent',
    about: 'Somebody accepted your invitation, somebody else cancelled it, or it expired.',
    usual: 'daily',
  },
  requests: {
    title: 'Requests that you decide',
    about: 'A customer asks for more quota, or to become a partner.',
    usual: 'now',
  },
  usage: {
    title: 'Limits that are nearly used up',
    about: 'An account that you manage, or one of your customers, has 80 % or 100 % of a limit in use.',
    usual: 'now',
  },
  limits: {
    title: 'Changed limits',
    about: 'Somebody else changed the limits of an account that you manage, or your pool.',
    usual: 'now',
  },
  accounts: {
    title: 'Suspended, moved or deleted accounts',
    about: 'An account that you manage, or one of your customers, was suspended, resumed, moved, deleted or restored.',
    usual: 'now',
  },
  help: {
    title: 'What your partner does in your account',
    about: 'One of your partner’s people joined your account, or helped one of its users to log in.',
    usual: 'now',
  },
  webhooks: {
    title: 'Webhooks that fail',
    about: 'A webhook of an account that you manage was switched off, because it failed for days or no longer exists.',
    usual: 'now',
  },
  people: {
    title: 'Users who leave',
    about: 'Somebody left an account that you manage.',
    usual: 'daily',
  },
} as const satisfies Record<string, TopicRule>

export type Topic = keyof typeof topics

export const allTopics = Object.keys(topics) as Topic[]

/** The field of a form that chooses how somebody is told of a topic. */
export function wayField(topic: Topic): string {
  return `mail-${topic}`
}

export const ruleOf = (topic: Topic): TopicRule => topics[topic]

/** Nobody can choose how they are told of it: it is always e-mailed at once. */
export const isFixed = (topic: Topic): boolean => ruleOf(topic).fixed !== undefined

export const fixedTopics = allTopics.filter(isFixed)

/** How somebody is told of a topic who has chosen this, or nothing. What cannot be chosen stays as it is. */
export function wayOf(topic: Topic, chosen: MailWay | undefined): MailWay {
  const { fixed, usual } = ruleOf(topic)
  return fixed === undefined && chosen !== undefined ? chosen : usual
}
