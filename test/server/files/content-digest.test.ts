import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import { digestField, parseContentDigest } from '../../../server/files/content-digest.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/files/content-digest')

const hex = createHash('sha256').update('x').digest('hex')
const field = digestField(hex)
const read = (header: string | undefined): string | undefined => {
  const bytes = parseContentDigest(header)
  return bytes && Buffer.from(bytes).toString('hex')
}

test('the SHA-256 is found among other digests', () => {
  for (const header of [field, ` ${field} `, `md5=:AAAA:, ${field}`, `${field},sha-512=:AAAA:`])
    assert.is(read(header), hex, header)
})

test('without a SHA-256 there is none', () => {
  for (const header of [undefined, '', 'sha-512=:AAAA:', 'id-sha-256=:AAAA:', 'nonsense', ',,'])
    assert.is(read(header), undefined)
})

test('a SHA-256 that is none is refused', () => {
  for (const header of ['sha-256=', 'sha-256=::', 'sha-256=:AAAA:', `sha-256=${hex}`, 'sha-256=?1', field.slice(0, -1)])
    assert.throws(
      () => parseContentDigest(header),
      (error: unknown) => error instanceof HubError && error.code === 'bad-request' && error.field === 'content-digest',
      header
    )
})

test.run()
