import { randomBytes } from 'node:crypto'
import { registerDevice } from '../../server/auth/devices.ts'
import { serveHub } from '../../server/hub.ts'
import { loadConfig } from '../../server/options.ts'
import { config, ready } from './answer.ts'
import { TurnWatch } from './turn-watch.ts'

/** Lectern, as `npm start` runs it, with accounts and devices to sign in as. It logs errors only. */
const { folder, accounts, devices } = config as { folder: string; accounts: number; devices: number }
const complain = (fields: object, message: string): void => console.error(message, fields)
const ignore = (): void => undefined

const hub = await serveHub(loadConfig({}, { dataFolder: folder, port: '0' }), {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: complain
})

const tokens = await Promise.all(
  Array.from({ length: accounts }, async (_, index) => {
    const { id } = await hub.directory.add(`reader-${index}`)
    const account = await hub.hub.ensureAccount(id)
    const own: string[] = []
    for (let device = 0; device < devices; device++) {
      const { token } = await registerDevice(account, { name: `device ${device}`, app: 'bench' }, count => randomBytes(count))
      own.push(token)
    }
    return own
  })
)
ready(
  { port: Number(new URL(hub.url).port), path: '/live', tokens },
  {
    async compact({ index }: { index: number }) {
      const { id } = hub.directory.list()[index]!
      const watch = new TurnWatch()
      const { floor } = await hub.hub.compact(id)
      return { ...watch.end(), floor }
    },
    async watch({ ms }: { ms: number }) {
      const watch = new TurnWatch()
      await new Promise(resolve => setTimeout(resolve, ms))
      return watch.end()
    },
    async close() {
      await hub.close()
      return {}
    }
  }
)
