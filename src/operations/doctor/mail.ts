import type { Config } from '../../config.ts'
import { newMessageId } from '../../mail/outbox.ts'
import { mailServer } from '../../mail/server.ts'
import { type Finding, ok, problem } from './finding.ts'

/** Whether the mail server answers and knows us, and with an address, whether it takes a letter to it. */
export async function examineMail(
  { smtp, mailFrom, supportEmail, panelName, publicUrl }: Config,
  address: string | undefined,
): Promise<Finding[]> {
  if (!smtp) return address ? [problem(`mail: no e-mail goes to ${address}, since SMTP_URL is not set`, 'set it')] : []
  const server = mailServer(smtp, { publicUrl })
  try {
    await server.verify()
    if (!address) return [ok('mail: the server answers and accepts our login')]
    await server.sendMail({
      from: mailFrom,
      ...(supportEmail ? { replyTo: supportEmail } : {}),
      messageId: newMessageId(publicUrl),
      to: { name: '', address },
      subject: `${panelName}: an e-mail to try the mail server`,
      text: `This e-mail was sent by “doctor --send” of ${publicUrl}. It asks for nothing.\n`,
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    return [ok(`mail: the server took an e-mail to ${address}; see that it arrives, and not among the spam`)]
  } catch (error) {
    // nodemailer’s messages hold the server’s answer, never our password.
    const said = (error as Error).message.replaceAll(/\s+/g, ' ').slice(0, 300)
    return [problem(`mail: ${said}`, 'look at SMTP_URL and MAIL_FROM, and whether a firewall lets us through')]
  } finally {
    server.close()
  }
}
