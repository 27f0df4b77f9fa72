import { createRequire } from 'node:module'

/** Hocuspocus with its own SQLite extension on a file, all else as it comes. */
const require = createRequire(new URL('../peers/package.json', import.meta.url))
const { Server } = require('@hocuspocus/server')
const { SQLite } = require('@hocuspocus/extension-sqlite')

const { file } = JSON.parse(process.argv[2])
const server = new Server({
  port: 0,
  address: '127.0.0.1',
  quiet: true,
  stopOnSignals: false,
  extensions: [new SQLite({ database: file })]
})
await server.listen()

process.on('message', () => void answer())

async function answer() {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  process.send({ residentKib: process.memoryUsage.rss() / 1024 })
}

process.once('disconnect', () => process.exit())
process.send({ port: server.address.port })
