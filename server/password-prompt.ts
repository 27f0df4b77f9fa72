import type { ReadStream } from 'node:tty'
import { HubError } from '../protocol/index.ts'
import { newPassword } from './operations.ts'

/**
 * A new password from the person at the terminal, who does not see it, or the first line of what is piped in.
 * @throws HubError `bad-request` when it is left empty, or is one that no account may have
 */
export async function askPassword(input: ReadStream, output: NodeJS.WritableStream, question: string): Promise<string> {
  const password = await readPassword(input, output, question)
  if (password === '') throw new HubError('bad-request', 'no password was given; type one, or pipe it in')
  if (newPassword.fault(password) !== undefined) throw new HubError('bad-request', 'a password has 8 to 256 characters')
  return password
}

async function readPassword(input: ReadStream, output: NodeJS.WritableStream, question: string): Promise<string> {
  if (!input.isTTY) {
    const chunks: Buffer[] = []
    for await (const chunk of input as AsyncIterable<Buffer>) chunks.push(chunk)
    return textOf(Buffer.concat(chunks)).split(/\r?\n/)[0]!
  }
  output.write(question)
  input.setRawMode(true)
  try {
    return await readHidden(input)
  } finally {
    input.setRawMode(false)
    input.pause()
    output.write('\n')
  }
}

/** Read leniently, all that is not UTF-8 would be one and the same sign, and easily guessed. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new HubError('bad-request', 'the password is not in UTF-8; type it, or pipe it in so')
  }
}

const ENTER = new Set(['\r', '\n', '\u0004'])
const INTERRUPT = '\u0003'
const ERASE = new Set(['\u007f', '\b'])

function readHidden(input: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = ''
    const onData = (chunk: Buffer): void => {
      for (const character of chunk.toString()) {
        if (character === INTERRUPT) return end(() => reject(new Error('interrupted')))
        if (ENTER.has(character)) return end(() => resolve(typed))
        typed = ERASE.has(character) ? typed.slice(0, -1) : typed + character
      }
    }
    const end = (settle: () => void): void => {
      input.off('data', onData)
      settle()
    }
    input.on('data', onData)
    input.resume()
  })
}
