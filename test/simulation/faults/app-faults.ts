import { DeviceDisk } from '../world/device-storage.ts'
import type { ClientStorage } from '../../../client/index.ts'
import { patched } from '../world/patched.ts'
import { over, type Fault } from './fault.ts'

const forgetful = (name: string, breaks: Fault['breaks'], own: (storage: ClientStorage) => Partial<ClientStorage>): Fault => ({
  name,
  breaks,
  plant: () => ({
    patch: () =>
      patched(DeviceDisk.prototype, 'open', open => {
        return function (this: DeviceDisk, life) {
          const storage = open.call(this, life)
          return over(storage, own(storage))
        }
      })
  })
})

/** What may go wrong in an app. */
export const APP_FAULTS: readonly Fault[] = [
  forgetful('its outbox forgets an action', 'nothing vanishes', storage => ({
    async load(prefix) {
      const entries = await storage.load(prefix)
      return prefix.startsWith('outbox\naction') ? entries.slice(1) : entries
    }
  })),
  forgetful('its mirror keeps its cursor and forgets a book', 'convergence', storage => ({
    write: changes => storage.write(changes.filter(([key]) => !key.startsWith('mirror\nbook')))
  }))
]
