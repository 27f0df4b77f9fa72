import { randomBytes } from 'node:crypto'
import { Households } from '../../server/dialects/timelimit/households.ts'
import { DeviceKeys } from '../../server/dialects/timelimit/device-keys.ts'
import { systemClock } from '../../server/clock.ts'
import { serveHub } from '../../server/hub.ts'
import { loadConfig } from '../../server/options.ts'
import { config, ready } from './answer.ts'

/** Lectern, as `npm start` runs it, with families and their devices. It logs errors only. */
const { folder, families, devices } = config as { folder: string; families: number; devices: number }
const ignore = (): void => undefined

const logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: (fields: object, message: string): void => console.error(message, fields)
}

const hub = await serveHub(loadConfig({}, { dataFolder: folder, port: '0' }), logger)
const households = new Households({
  hub: hub.hub,
  store: hub.store,
  directory: hub.directory,
  clock: systemClock,
  logger,
  randomBytes,
  keys: await DeviceKeys.open(hub.store, randomBytes),
  sendCode: ignore
})

const password = {
  hash: `$2a$12$${'a'.repeat(53)}`,
  secondHash: `$2a$12$${'b'.repeat(53)}`,
  secondSalt: `$2a$12$${'c'.repeat(22)}`
}
/** Of each family the parent's device first, whose id is told too. */
const tokens: string[][] = []
const parentDevices: string[] = []
for (let family = 0; family < families; family++) {
  const parent = { mail: `parent-${family}@example.org`, name: 'Parent', timeZone: 'Europe/Berlin', password }
  const first = await households.create(parent, { name: 'parent device', model: 'bench' })
  const own = [first.token]
  for (let index = 1; index < devices; index++) {
    const deviceId = `dev${String(family).padStart(2, '0')}${index}`
    own.push((await households.join(first.account, { deviceId, name: 'device', model: 'bench' })).token)
  }
  tokens.push(own)
  parentDevices.push(first.device)
}
ready({ port: Number(new URL(hub.url).port), tokens, parentDevices, secondHash: password.secondHash })
