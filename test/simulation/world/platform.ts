import type { Random } from '../../util/random.ts'

/*
 * MUST be imported before Yjs, which takes hold of the platform's random numbers when it is loaded: its client ids are a seed's too.
 */
if ('__ $YJS$ __' in globalThis) throw new Error('world/platform.ts must be imported before all that imports Yjs')

const platform = globalThis.crypto
const trulyRandom = platform.getRandomValues.bind(platform)
let chance: Random | undefined

function fill<T extends ArrayBufferView | null>(array: T): T {
  if (chance === undefined || array === null) return trulyRandom(array as never)
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  for (let index = 0; index < bytes.length; index++) bytes[index] = chance.below(256)
  return array
}
Object.defineProperty(platform, 'getRandomValues', { configurable: true, writable: true, value: fill })

const FORBIDDEN = [
  [Date, 'now'],
  [Math, 'random'],
  [performance, 'now'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate']
] as const

/**
 * Runs `task` in a world without the machine's clock, timers and chance: whoever reaches for them fails, and whoever asks for random bytes gets those
 * of `random`. One at a time.
 */
export async function inSeededWorld<T>(random: Random, task: () => Promise<T>): Promise<T> {
  const own = FORBIDDEN.map(([holder, name]) => Object.getOwnPropertyDescriptor(holder, name))
  for (const [holder, name] of FORBIDDEN)
    Object.defineProperty(holder, name, { configurable: true, writable: true, value: refused(name) })
  chance = random
  try {
    return await task()
  } finally {
    chance = undefined
    for (const [index, [holder, name]] of FORBIDDEN.entries()) {
      if (own[index] === undefined) delete (holder as unknown as Record<string, unknown>)[name]
      else Object.defineProperty(holder, name, own[index])
    }
  }
}

const refused = (name: string) => (): never => {
  throw new Error(`${name} of the machine was used in a simulation; a run would not repeat itself`)
}
