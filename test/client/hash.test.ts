import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { Sha256 } from '../../client/hash.ts'
import { suite } from '../util/suite.ts'

const test = suite('client/hash')

test("any bytes, in any pieces, have the platform's SHA-256", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 }), pieces => {
      const own = new Sha256()
      const known = createHash('sha256')
      for (const piece of pieces) {
        own.update(piece)
        known.update(piece)
      }
      assert.is(own.digest(), known.digest('hex'))
    })
  )
})

test('every length around the end of a block has its SHA-256', () => {
  for (let length = 0; length < 200; length++) {
    const own = new Sha256()
    own.update(new Uint8Array(length).fill(length))
    assert.is(own.digest(), createHash('sha256').update(new Uint8Array(length).fill(length)).digest('hex'))
  }
})

test.run()
