import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { config, ready } from './answer.ts'

/**
 * Bare node:http that keeps one file: a PUT streams it to the disk, hashes it on the way, flushes it and puts it in the place of the last; a GET streams it
 * back, hashed at `/hashed` and as it is at `/plain`.
 */
const { folder } = config as { folder: string }
const path = join(folder, 'file')
/** A file of its own, as for anyone who must never show half of one. Writing over the last would give its memory back first, and take the same again. */
const arriving = join(folder, 'arriving')

const hashing = (): Transform & { sha256: () => string } => {
  const hash = createHash('sha256')
  const through = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      done(undefined, chunk)
    }
  })
  return Object.assign(through, { sha256: () => hash.digest('hex') })
}

async function keep(request: IncomingMessage): Promise<string> {
  const through = hashing()
  await pipeline(request, through, createWriteStream(arriving))
  const handle = await open(arriving, 'r+')
  await handle.datasync()
  await handle.close()
  await rename(arriving, path)
  return through.sha256()
}

const server = createServer((request, response) => {
  if (request.method === 'PUT') void keep(request).then(sha256 => response.end(sha256))
  else if (request.url === '/plain') void pipeline(createReadStream(path), response)
  else void pipeline(createReadStream(path), hashing(), response)
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => ready({ port: (server.address() as AddressInfo).port }))
