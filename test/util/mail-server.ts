import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from './suite.ts'

export interface MailServer {
  /** As `--smtp-url` takes it. */
  readonly url: string
  /** Resolves with the next letter: whom it is for, and all that came after DATA. */
  next(): Promise<{ to: string; text: string }>
}

/** A mail server that takes every letter and keeps it. It ends with the test. */
export async function mailServer({ defer }: TestContext): Promise<MailServer> {
  const letters: { to: string; text: string }[] = []
  let arrived = (): void => undefined
  const serve = (socket: Socket): void => {
    let unread = ''
    let to = ''
    let isLetter = false
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    const take = (text: string): void => {
      letters.push({ to, text })
      isLetter = false
      say('250 kept')
      arrived()
    }
    socket.on('error', () => undefined)
    socket.on('data', chunk => {
      unread += chunk.toString()
      for (;;) {
        const end = unread.indexOf(isLetter ? '\r\n.\r\n' : '\r\n')
        if (end < 0) return
        const text = unread.slice(0, end)
        unread = unread.slice(end + (isLetter ? 5 : 2))
        if (isLetter) take(text)
        else if (text.startsWith('DATA')) say('354 go on')
        else say(text.startsWith('QUIT') ? '221 bye' : '250 fine')
        isLetter ||= false
        if (text.startsWith('DATA')) isLetter = true
        to = /^RCPT TO:<(.*)>/.exec(text)?.[1] ?? to
      }
    })
    say('220 test')
  }
  const server = createServer(serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => server.close())
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async next() {
      while (letters.length === 0) await new Promise<void>(resolve => (arrived = resolve))
      return letters.shift()!
    }
  }
}
