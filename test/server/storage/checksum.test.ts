import * as assert from 'uvu/assert'
import { crc32, crc32Table } from '../../../server/storage/checksum.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/storage/checksum')

test('both ways to a checksum give the one that the standard tells', () => {
  const bytes = Buffer.from('123456789')
  for (const checksum of [crc32, crc32Table]) {
    assert.is(checksum(bytes), 0xcbf43926)
    assert.is(checksum(bytes.subarray(4), checksum(bytes.subarray(0, 4))), 0xcbf43926)
    assert.is(checksum(new Uint8Array(0)), 0)
  }
})

test.run()
