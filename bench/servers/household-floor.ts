import { open } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { config, ready } from './answer.ts'

/**
 * Bare node:http for what a TimeLimit client sends: it unpacks and reads a body, and says what the client likes to hear. What is pushed is first written
 * to a file and flushed, together with whatever else came meanwhile.
 */
const { folder } = config as { folder: string }
const file = await open(join(folder, 'pushes'), 'a')

let waiting: { readonly bytes: Buffer; readonly done: () => void }[] = []
let isWriting = false

async function write(): Promise<void> {
  if (isWriting) return
  isWriting = true
  while (waiting.length > 0) {
    const taken = waiting
    waiting = []
    await file.appendFile(Buffer.concat(taken.map(({ bytes }) => bytes)))
    await file.datasync()
    for (const { done } of taken) done()
  }
  isWriting = false
}

async function bodyOf(request: IncomingMessage): Promise<{ actions?: { encodedAction: string }[] }> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return JSON.parse(gunzipSync(Buffer.concat(parts)).toString()) as { actions?: { encodedAction: string }[] }
}

const server = createServer((request, response) => {
  const answer = (text: string): void => void response.setHeader('content-type', 'application/json').end(text)
  void bodyOf(request).then(({ actions }) => {
    if (actions === undefined) return answer('{"fullVersion":1,"apiLevel":9,"pings":[]}')
    const bytes = Buffer.from(actions.map(({ encodedAction }) => JSON.stringify(JSON.parse(encodedAction))).join('\n'))
    waiting.push({ bytes, done: () => answer('{"shouldDoFullSync":false}') })
    return void write()
  })
})
server.listen(0, '127.0.0.1', () => ready({ port: (server.address() as AddressInfo).port }))
