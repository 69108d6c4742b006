// What each partner's pool has allocated (pool_sums): the sum over its living customers of what each takes of it. Triggers
// add the difference in the transaction that makes it, so a limit or a project costs the same however many customers there are.

const counted = "(SELECT id FROM resources WHERE key = 'projects')"

type Was = { limit?: string; ofProjects?: string; projects?: string }

/**
 * What an account takes of a pool: its own limit or, if that is more, what it has allocated to its projects or uses itself.
 * With `was`, what it took before: its limit then, and how much more there is now of the others.
 */
const taken = (account: string, resource: string, { limit, ofProjects = '0', projects = '0' }: Was = {}) => `max(
  coalesce(${limit ?? `(SELECT amount FROM limits WHERE account_id = ${account} AND level = 'account' AND resource_id = ${resource})`}, 0),
  coalesce((SELECT sum(amount) FROM limits WHERE account_id = ${account} AND level = 'project' AND resource_id = ${resource}), 0) - ${ofProjects},
  CASE WHEN ${resource} = ${counted}
    THEN (SELECT count(*) FROM projects WHERE account_id = ${account} AND deleted_at IS NULL) - ${projects} ELSE 0 END)`

const added = 'ON CONFLICT (partner_id, resource_id) DO UPDATE SET amount = amount + excluded.amount'

/** Adds what an account of a partner takes more than it did. */
const difference = (account: string, resource: string, was: Was) => `
  INSERT INTO pool_sums (partner_id, resource_id, amount)
  SELECT partner_id, ${resource}, ${taken(account, resource)} - ${taken(account, resource, was)} FROM accounts
    WHERE id = ${account} AND partner_id IS NOT NULL AND deleted_at IS NULL
  ${added};`

/** What an account took before a limit of each level was changed. */
const wasBefore: Record<string, (before: string, now: string) => Was> = {
  account: (before) => ({ limit: before }),
  project: (before, now) => ({ ofProjects: `(coalesce(${now}, 0) - coalesce(${before}, 0))` }),
}

const limitTriggers = Object.entries(wasBefore).map(([level, was]) => {
  const of = (row: 'old' | 'new', before: string, now: string) =>
    difference(`${row}.account_id`, `${row}.resource_id`, was(before, now))
  return `
CREATE TRIGGER pool_sums_${level}_limit_set AFTER INSERT ON limits WHEN new.level = '${level}'
BEGIN ${of('new', 'NULL', 'new.amount')} END;
CREATE TRIGGER pool_sums_${level}_limit_changed AFTER UPDATE OF amount ON limits WHEN new.level = '${level}' AND new.amount IS NOT old.amount
BEGIN ${of('new', 'old.amount', 'new.amount')} END;
CREATE TRIGGER pool_sums_${level}_limit_gone AFTER DELETE ON limits WHEN old.level = '${level}'
BEGIN ${of('old', 'old.amount', 'NULL')} END;`
})

/** Adds, or takes away, all that an account takes. */
const whole = (row: 'old' | 'new', sign: '+' | '-') => `
  INSERT INTO pool_sums (partner_id, resource_id, amount)
  SELECT ${row}.partner_id, resources.id, ${sign} ${taken('new.id', 'resources.id')} FROM resources
    WHERE ${row}.partner_id IS NOT NULL AND ${row}.deleted_at IS NULL
  ${added};`

export const poolTriggers = `${limitTriggers.join('')}
CREATE TRIGGER pool_sums_project_made AFTER INSERT ON projects WHEN new.deleted_at IS NULL
BEGIN ${difference('new.account_id', counted, { projects: '1' })} END;
CREATE TRIGGER pool_sums_project_moved AFTER UPDATE OF deleted_at ON projects WHEN (new.deleted_at IS NULL) <> (old.deleted_at IS NULL)
BEGIN ${difference('new.account_id', counted, { projects: '((new.deleted_at IS NULL) - (old.deleted_at IS NULL))' })} END;
CREATE TRIGGER pool_sums_account_moved AFTER UPDATE OF partner_id, deleted_at ON accounts
WHEN new.partner_id IS NOT old.partner_id OR (new.deleted_at IS NULL) <> (old.deleted_at IS NULL)
BEGIN ${whole('old', '-')} ${whole('new', '+')} END;
CREATE TRIGGER pool_sums_resource_gone AFTER DELETE ON resources
BEGIN DELETE FROM pool_sums WHERE resource_id = old.id; END;
`

/** What each pool has allocated, added up anew, as `partner_id`, `resource_id` and `amount`: only what is not nothing. */
export const poolSumsAnew = `
SELECT accounts.partner_id, takes.resource_id, sum(takes.n) AS amount FROM (
  SELECT account_id, resource_id, max(n) AS n FROM (
    SELECT account_id, resource_id, amount AS n FROM limits WHERE level = 'account' AND amount IS NOT NULL
    UNION ALL
    SELECT account_id, resource_id, sum(amount) FROM limits WHERE level = 'project' AND amount IS NOT NULL GROUP BY account_id, resource_id
    UNION ALL
    SELECT account_id, ${counted}, count(*) FROM projects WHERE deleted_at IS NULL GROUP BY account_id
  ) GROUP BY account_id, resource_id
) AS takes JOIN accounts ON accounts.id = takes.account_id
WHERE accounts.partner_id IS NOT NULL AND accounts.deleted_at IS NULL AND takes.n > 0
GROUP BY accounts.partner_id, takes.resource_id`

/** Of one partner (`@partner`): each resource, what the pool is kept to have allocated, and what adding up anew gives. */
export const poolsCompared = `
SELECT resources.key AS resource,
  coalesce((SELECT amount FROM pool_sums WHERE partner_id = @partner AND resource_id = resources.id), 0) AS noted,
  (SELECT coalesce(sum(${taken('accounts.id', 'resources.id')}), 0) FROM accounts
    WHERE partner_id = @partner AND deleted_at IS NULL) AS counted
FROM resources ORDER BY resources.id`
