import * as assert from 'uvu/assert'
import { identifierKey, normaliseIsbn } from '../../../server/files/identifiers.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/files/identifiers')

test('an ISBN is its thirteen digits, however it is written', () => {
  for (const text of [
    '9780306406157',
    '978-0-306-40615-7',
    '978 0 306 40615 7',
    '978–0–306–40615–7',
    '0306406152',
    '0-306-40615-2'
  ])
    assert.is(normaliseIsbn(text), '9780306406157', text)
  assert.is(normaliseIsbn('080442957X'), '9780804429573')
  assert.is(normaliseIsbn('080442957x'), '9780804429573')
})

test('an ISBN with a wrong check digit, or of another length, is none', () => {
  for (const text of [
    '',
    '9780306406158',
    '0306406153',
    '978030640615',
    '97803064061577',
    '1230306406157',
    'X306406152',
    '9780306406157 (pbk.)'
  ])
    assert.is(normaliseIsbn(text), undefined, text)
})

test('an identifier is kept under its type', () => {
  for (const [value, scheme, key] of [
    ['urn:isbn:9780306406157', '', 'isbn:9780306406157'],
    ['URN:ISBN:0-306-40615-2', '', 'isbn:9780306406157'],
    ['ISBN 978-0-306-40615-7', '', 'isbn:9780306406157'],
    ['isbn:0306406152', '', 'isbn:9780306406157'],
    ['0306406152', 'ISBN', 'isbn:9780306406157'],
    ['9780306406157', '15', 'isbn:9780306406157'],
    ['9780306406157', '', 'isbn:9780306406157'],
    ['0306406152', '', 'epub:0306406152'],
    ['9780306406158', 'ISBN', 'epub:9780306406158'],
    ['urn:uuid:6BA7B810-9DAD-11D1-80B4-00C04FD430C8', '', 'uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
    ['6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'uuid', 'uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
    ['urn:uuid:not-one', '', 'epub:urn:uuid:not-one'],
    ['https://example.org/Book?id=1', '', 'url:https://example.org/Book?id=1'],
    ['  B000FC1PJI ', 'MOBI-ASIN', 'epub:B000FC1PJI'],
    ['__proto__', '', 'epub:__proto__']
  ] as const)
    assert.is(identifierKey(value, scheme), key, value)
})

test('an identifier that is empty or too long to be a key is left out', () => {
  assert.is(identifierKey('  ', ''), undefined)
  assert.is(identifierKey('x'.repeat(123), ''), `epub:${'x'.repeat(123)}`)
  assert.is(identifierKey('x'.repeat(124), ''), undefined)
  assert.is(identifierKey('é'.repeat(62), ''), undefined)
})

test.run()
