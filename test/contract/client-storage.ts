import type { ClientStorage } from '../../client/storage.ts'

/** Where a contract's storage comes from. Every fact opens names of its own. */
export interface StoragePlace {
  readonly open: (name: string) => Promise<ClientStorage>
  /** False where nothing outlives the storage. */
  readonly isLasting: boolean
}

/** One thing that every storage keeps to. Throws when it does not. */
export interface StorageFact {
  readonly fact: string
  readonly check: (place: StoragePlace) => Promise<void>
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (found: readonly (readonly [string, Uint8Array])[]): string =>
  found.map(([key, value]) => `${key}=${new TextDecoder().decode(value)}`).join(' ')

/** Without an assertion library, because these facts are checked in browsers too. */
function same(found: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)]
  if (left !== right) throw new Error(`expected ${right}, found ${left}`)
}

export const STORAGE_FACTS: readonly StorageFact[] = [
  {
    fact: 'what was written is loaded, and what was removed is not',
    async check({ open }) {
      const storage = await open('basic')
      await storage.write([
        ['a', bytes('1')],
        ['b', bytes('2')]
      ])
      await storage.write([
        ['a', bytes('3')],
        ['b', undefined],
        ['never', undefined]
      ])
      same(textOf(await storage.load('')), 'a=3')
      await storage.close()
    }
  },
  {
    fact: 'a prefix finds its keys in order, and no neighbours',
    async check({ open }) {
      const storage = await open('prefix')
      const keys = ['book\n2', 'book', 'book\n10', 'book\n1', 'book2\n1', 'boo', 'book\n\uffff', 'book\n\ud83d\ude00', 'c']
      await storage.write(keys.map(key => [key, bytes('x')] as const))
      const found = (await storage.load('book\n')).map(([key]) => key)
      same(found, ['book\n1', 'book\n10', 'book\n2', 'book\n\ud83d\ude00', 'book\n\uffff'])
      same((await storage.load('')).length, keys.length)
      same(await storage.load('nothing'), [])
      await storage.close()
    }
  },
  {
    fact: 'what was written before it is closed is there, however soon it is closed',
    async check({ open, isLasting }) {
      const storage = await open('closing')
      const written = [storage.write([['a', bytes('1')]]), storage.write([['b', bytes('2')]])]
      await storage.close()
      await Promise.all(written)
      if (!isLasting) return
      const again = await open('closing')
      same(textOf(await again.load('')), 'a=1 b=2')
      await again.close()
    }
  },
  {
    fact: 'the changes of one write take effect in their order',
    async check({ open }) {
      const storage = await open('order')
      await storage.write([
        ['a', bytes('1')],
        ['a', undefined],
        ['b', bytes('1')],
        ['b', bytes('2')],
        ['c', undefined],
        ['c', bytes('3')]
      ])
      same(textOf(await storage.load('')), 'b=2 c=3')
      await storage.close()
    }
  },
  {
    fact: 'writes that race take effect in the order of their calls',
    async check({ open }) {
      const storage = await open('race')
      await Promise.all(Array.from({ length: 50 }, (_, index) => storage.write([['a', bytes(String(index))]])))
      same(textOf(await storage.load('a')), 'a=49')
      await storage.close()
    }
  },
  {
    fact: 'no bytes, many bytes and every byte come back as they were',
    async check({ open }) {
      const storage = await open('bytes')
      const large = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251)
      const part = Uint8Array.from({ length: 256 }, (_, index) => index).subarray(10, 20)
      await storage.write([
        ['empty', new Uint8Array()],
        ['large', large],
        ['part', part]
      ])
      const found = new Map(await storage.load(''))
      same([found.get('empty')?.length, found.get('large')?.length], [0, large.length])
      same(
        found.get('large')!.every((byte, index) => byte === large[index]),
        true
      )
      same(Array.from(found.get('part')!), Array.from(part))
      await storage.close()
    }
  },
  {
    fact: 'bytes that are part of a larger buffer are kept without the rest of it',
    async check({ open }) {
      const storage = await open('alone')
      await storage.write([['part', new Uint8Array(98_304).fill(7).subarray(1_000, 1_064)]])
      const [[, part] = []] = await storage.load('')
      same([part?.length, part?.buffer.byteLength, part?.[63]], [64, 64, 7])
      await storage.close()
    }
  },
  {
    fact: 'an empty write resolves',
    async check({ open }) {
      const storage = await open('empty')
      await storage.write([])
      same(await storage.load(''), [])
      await storage.close()
    }
  },
  {
    fact: 'what was written is there when it is opened again',
    async check({ open, isLasting }) {
      if (!isLasting) return
      const storage = await open('again')
      await storage.write([
        ['a', bytes('1')],
        ['b', bytes('2')]
      ])
      await storage.write([['b', undefined]])
      await storage.close()
      const again = await open('again')
      same(textOf(await again.load('')), 'a=1')
      await again.close()
    }
  }
]
