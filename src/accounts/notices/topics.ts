import type { Topic } from '../../records/topics.ts'

/** The kinds of notices, and by which of the reader’s choices each goes. */
export const noticeTopics = {
  helped: 'help',
  joined: 'help',
  limits: 'limits',
  suspension: 'accounts',
  deletion: 'accounts',
  removal: 'access',
  role: 'access',
  security: 'access',
} as const satisfies Record<string, Topic>
