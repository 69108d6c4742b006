import type { Config } from '../../config.ts'
import { type Finding, ok, warning } from './finding.ts'

const loopback = ['localhost', '127.0.0.1', '[::1]']

/** Settings that are right each, and unwise together. */
export function examineSettings(config: Config): Finding[] {
  const { https, publicUrl, trustProxy, smtp, supportEmail, twoFactor, backupEveryHours } = config
  const findings: Finding[] = []
  if (!https && !loopback.includes(new URL(publicUrl).hostname))
    findings.push(
      warning(
        `PUBLIC_URL ${publicUrl} is plain http: passwords cross the network readable`,
        'put a reverse proxy with https in front and set PUBLIC_URL to it',
      ),
    )
  if (https && trustProxy.length === 0)
    findings.push(warning('TRUST_PROXY is empty: behind https nobody can log in', 'set it to the proxy’s address'))
  if (!smtp)
    findings.push(
      warning('SMTP_URL is not set: e-mails are kept, and Support can read them', 'set it to a mail server'),
    )
  if (!supportEmail)
    findings.push(
      warning(
        'SUPPORT_EMAIL is not set: people find no address of Support, and there is no security.txt',
        'set it to one',
      ),
    )
  if (twoFactor === 'optional')
    findings.push(
      warning('TWO_FACTOR is optional: Support may log in by password alone', 'set it to support or partners'),
    )
  if (backupEveryHours === 0)
    findings.push(
      warning(
        'BACKUP_EVERY_HOURS is 0: the panel makes no backups',
        'set it to 24, or see that another program makes them',
      ),
    )
  return [ok('configuration: every setting can be read'), ...findings]
}
