import * as assert from 'uvu/assert'
import { hasAtMostValues } from '../../../server/transports/json-bounds.ts'
import { suite } from '../../util/suite.ts'

const test = suite('transports/json-bounds')

test('values are counted at every depth, and what is written within a text is none', () => {
  const texts: [text: string, values: number][] = [
    ['["[,{"]', 2],
    ['["\\"[,{\\\\"]', 2],
    ['[1,2]', 3],
    ['{"a":{"b":[1]},"c,[":2}', 5],
    ['["\\\\",1]', 3]
  ]
  for (const [text, values] of texts)
    assert.equal([hasAtMostValues(text, values), hasAtMostValues(text, values - 1)], [true, false], text)
})

test('members are counted by object, whatever is within it or around it, and what is written within a text is none', () => {
  const texts: [text: string, members: number][] = [
    ['{"a":1,"b":2}', 2],
    ['{"a":1,"a":2}', 2],
    ['[{"a":1},{"b":2},{"c:":":"}]', 1],
    ['{"a":{"b":{},"c":[{"d":1}],"e":3},"f":4}', 3],
    ['{"a":{"b":1},"c":2,"d":3}', 3],
    ['{"\\":":1,"b":2}', 2],
    ['}}{"a":1,"b":2', 2]
  ]
  for (const [text, members] of texts)
    assert.equal([hasAtMostValues(text, 100, members), hasAtMostValues(text, 100, members - 1)], [true, false], text)
})

test.run()
