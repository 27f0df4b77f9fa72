import type { Logger } from './core/ports.ts'
import { Households, type HouseholdParts } from './dialects/timelimit/households.ts'
import { createMailer, type SendMail } from './mailer.ts'
import type { Config } from './options.ts'

/** The families of a hub, whose codes of sign-in go out by its mail server or, when it has none, into its log. */
export const openFamilies = (config: Config, parts: Omit<HouseholdParts, 'sendCode'>): Households =>
  new Households({ ...parts, sendCode: createSendCode(config, parts.logger) })

/** Whether whoever reads an address may make a family: without a mail server the operator decides, who alone sees the codes. */
export const mayUseMail =
  ({ smtpUrl, familyMails }: Pick<Config, 'smtpUrl' | 'familyMails'>) =>
  (mail: string): boolean =>
    smtpUrl === '' || familyMails.some(item => item === '*' || item === mail || (item.startsWith('@') && mail.endsWith(item)))

function createSendCode({ smtpUrl, mailFrom }: Config, logger: Logger): HouseholdParts['sendCode'] {
  const sendMail: SendMail | undefined = smtpUrl === '' ? undefined : createMailer(smtpUrl, mailFrom)
  return ({ mail, code }) => {
    if (sendMail === undefined) return logger.info({ mail }, `the code with which ${mail} signs in to TimeLimit: ${code}`)
    const text = `Type this code where TimeLimit asks for it:\n\n${code}\n\nIt is good for an hour. If you did not ask for it, do nothing.\n`
    sendMail({ to: mail, subject: 'Your code for TimeLimit', text }).then(
      () => logger.info({ mail }, 'a code of sign-in was sent'),
      (error: unknown) =>
        logger.error({ err: error, mail }, 'a code of sign-in could not be sent; `lectern household code` shows it')
    )
  }
}
