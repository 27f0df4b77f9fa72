import { createTransport } from 'nodemailer'

/** A letter of plain text. */
export interface Letter {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** Gives a letter to the mail server. Resolves once that has taken it; rejects when it does not. */
export type SendMail = (letter: Letter) => Promise<void>

const WITHIN_MS = 30_000

/** Sends letters by the mail server at `url`, such as `smtps://name:password@mail.example`, from the address `from`. */
export function createMailer(url: string, from: string): SendMail {
  const transport = createTransport({
    url,
    connectionTimeout: WITHIN_MS,
    greetingTimeout: WITHIN_MS,
    socketTimeout: WITHIN_MS,
    // Nothing of a letter names a file or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true
  })
  return async ({ to, subject, text }) => {
    await transport.sendMail({ from, to: { name: '', address: to }, subject, text })
  }
}
