import * as assert from 'uvu/assert'
import { mergeText } from '../../../server/dialects/epub/merge-text.ts'
import { Random } from '../../util/random.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/epub/merge-text')

test('what two wrote at different places is both there, and what either took away is not', () => {
  assert.is(mergeText('the fox', 'the quick fox', 'the fox jumps'), 'the quick fox jumps')
  assert.is(mergeText('the quick fox', 'the fox', 'the quick fox jumps'), 'the fox jumps')
  assert.is(mergeText('abc', 'XabcY', 'UabcV'), 'XUabcYV')
  assert.is(mergeText('abc', '', 'abc def'), ' def')
  assert.is(mergeText('', 'mine', 'theirs'), 'minetheirs')
})

test('what only one changed is as that one has it, and the same change of both is done once', () => {
  assert.is(mergeText('a', 'b', 'a'), 'b')
  assert.is(mergeText('a', 'a', 'b'), 'b')
  assert.is(mergeText('teh fox', 'the fox runs', 'the fox'), 'the fox runs')
})

test('characters of two units stay whole', () => {
  assert.is(mergeText('\u{1f600}', '\u{1f601}', '\u{1f600}\u{1f602}'), '\u{1f601}\u{1f602}')
})

test('of any two texts that were written on, everything written is there once, and nothing that was taken away', () => {
  const random = new Random(1)
  let next = 0
  const fresh = (): string => String.fromCodePoint(0x4e00 + (next++ % 20_000))
  const edited = (text: string): string => {
    const characters = Array.from(text).filter(() => random.chance(0.9))
    for (let count = random.below(5); count > 0; count--) characters.splice(random.below(characters.length + 1), 0, fresh())
    return characters.join('')
  }
  for (let round = 0; round < 2_000; round++) {
    const base = Array.from({ length: random.below(30) }, fresh).join('')
    const [mine, theirs] = [edited(base), edited(base)]
    const wanted = [...new Set(base + mine + theirs)].filter(
      character => !base.includes(character) || (mine.includes(character) && theirs.includes(character))
    )
    const merged = mergeText(base, mine, theirs)
    assert.equal(Array.from(merged).sort(), wanted.sort(), JSON.stringify([base, mine, theirs, merged]))
  }
})

test('texts that differ in everything are merged as a whole', () => {
  const text = (seed: number): string => {
    const random = new Random(seed)
    return Array.from({ length: 60_000 }, () => String.fromCharCode(97 + random.below(26))).join('')
  }
  const [base, mine, theirs] = [text(1), text(2), text(3)]
  const merged = mergeText(base, mine, theirs)
  assert.ok(merged.includes(mine.slice(100, 50_000)) && merged.includes(theirs.slice(100, 50_000)))
})

test.run()
