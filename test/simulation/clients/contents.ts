import type { Plain } from '../../../protocol/index.ts'
import type { Random } from '../../util/random.ts'

/** What an action says. */
export type Content = readonly [kind: string, key: string, body: Plain]

const WORDS = ['call', 'me', 'ishmael', 'some', 'years', 'ago', 'never', 'mind', 'how', 'long']

/** Every account's keys begin with its name, so that what has strayed is known at sight. */
export const bookOf = (random: Random, account: string): string => `${account}:b${random.below(3)}`
export const annotationOf = (random: Random): string => `a${random.below(4)}`

export function textOf(random: Random): string {
  const count = random.chance(0.1) ? 60 : 1 + random.below(6)
  return Array.from({ length: count }, () => random.pick(WORDS)).join(' ')
}

/** Something that an app without Yjs may ask for; now and then what the hub must refuse. */
export function contentOf(random: Random, account: string): Content {
  const book = bookOf(random, account)
  const id = annotationOf(random)
  switch (random.below(15)) {
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
      return fileOf(random, account)
    case 0:
    case 1:
      return ['setting.put', `${account}:s${random.below(3)}`, { value: random.chance(0.1) ? null : textOf(random) }]
    case 2:
      return ['book.put', book, { title: textOf(random), ...(random.chance(0.5) && { rating: random.below(6) }) }]
    case 3:
      return ['book.put', book, { tags: [textOf(random)], identifiers: { [`isbn:${random.below(3)}`]: 'me' } }]
    case 4:
      return [random.chance(0.5) ? 'book.remove' : 'book.restore', book, {}]
    case 5:
    case 6:
      return ['position.set', book, { progression: random.below(1_000) / 1_000, chapter: textOf(random) }]
    case 7:
    case 8:
      return ['annotation.put', book, { id, note: textOf(random), color: random.pick(['red', 'blue']) }]
    default:
      return [random.chance(0.5) ? 'annotation.remove' : 'annotation.restore', book, { id }]
  }
}

/** What every account holds from the beginning. */
export const FILE_CONTENTS = ['a', 'b'].map(digit => ({ sha256: digit.repeat(64), sizeBytes: 1 }))

/** Something about a file; often from someone who knows the file as it is not. */
function fileOf(random: Random, account: string): Content {
  const path = (): string => `${account}/${random.pick(['f', 'g', 'shelf/f'])}`
  const content = random.pick(FILE_CONTENTS)
  const base = random.pick(FILE_CONTENTS).sha256
  switch (random.below(9)) {
    case 0:
      return ['file.remove', path(), { base }]
    case 1:
    case 2:
      return ['file.move', path(), { to: path(), base }]
    case 3:
      return ['file.restore', path(), {}]
    case 4:
    case 5:
      return ['conflict.resolve', String(1 + random.below(40)), { keep: random.pick(['server', 'client', 'both']) }]
    default:
      return ['file.put', path(), { ...content, ...(random.chance(0.6) && { base }) }]
  }
}

/** Something that no hub may take. */
export function malformedOf(random: Random, account: string): Content {
  const book = bookOf(random, account)
  const noise = Uint8Array.from({ length: random.below(30) }, () => random.below(256))
  return random.pick<Content>([
    ['nonsense', book, {}],
    ['position.set', book, { progression: 7 }],
    ['book.put', book, { unheard: 'of' }],
    ['annotation.update', book, noise],
    ['annotation.update', book, Uint8Array.of(1, 1, 5, 9, 0x84, 5, 3, 1, 97, 0)],
    ['setting.put', '', { value: 1 }],
    ['file.put', `${account}/f`, { sha256: 'd'.repeat(64), sizeBytes: 1 }],
    ['file.put', `${account}/../f`, { ...FILE_CONTENTS[0]! }],
    ['content.put', 'd'.repeat(64), { sizeBytes: 1 }]
  ])
}
