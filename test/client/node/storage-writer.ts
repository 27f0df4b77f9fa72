import { FileStorage } from '../../../client/node/storage-file.ts'

// Writes for as long as it lives, and says a number only when the write with it has resolved.
const storage = await FileStorage.open(process.argv[2]!, { minGarbageBytes: 100_000 })
const found = new Map(await storage.load(''))
const padding = new Uint8Array(5_000)

for (let number = [...found.keys()].filter(key => key.startsWith('n')).length; ; number++) {
  const bytes = Buffer.concat([Buffer.from(String(number).padStart(12, '0')), padding])
  await storage.write([
    ['left', bytes],
    [`n${number}`, new Uint8Array()],
    ['right', bytes]
  ])
  process.stdout.write(`${number}\n`)
}
