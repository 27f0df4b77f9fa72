import type { RandomBytes } from '../../core/ports.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Bytes from here on would make some letters likelier than others. */
const FAIR_BELOW = 256 - (256 % ALPHABET.length)
const CONSONANTS = 'bdfghjklmnprstvz'
const VOWELS = 'aiou'

/** Letters and digits: ids have 6, tokens 32. */
export function randomWord(randomBytes: RandomBytes, length: number): string {
  let word = ''
  while (word.length < length)
    for (const byte of randomBytes(length))
      if (byte < FAIR_BELOW && word.length < length) word += ALPHABET[byte % ALPHABET.length]
  return word
}

/** Words that can be read aloud and typed, of 16 bits each, such as `lusab babad`. @see https://arxiv.org/html/0901.4016 */
export const spokenWords = (randomBytes: RandomBytes, count: number): string =>
  Array.from({ length: count }, () => {
    const [high, low] = randomBytes(2)
    const bits = (high! << 8) | low!
    const consonant = (shift: number): string => CONSONANTS[(bits >> shift) & 15]!
    const vowel = (shift: number): string => VOWELS[(bits >> shift) & 3]!
    return consonant(12) + vowel(10) + consonant(6) + vowel(4) + consonant(0)
  }).join(' ')

/** Words as they were made, from what somebody typed: case and blanks do not matter. */
export const typedWords = (text: string): string => text.trim().toLowerCase().split(/\s+/).join(' ')
