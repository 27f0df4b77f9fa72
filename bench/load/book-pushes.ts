import { encodeFrame } from '../../protocol/index.ts'
import type { Messages } from './device.ts'
import { maskedMessage } from './wire-socket.ts'

/** Pushes of one book each, as an import of a library makes them. @param window how many pushes may be in flight */
export const bookPushes = (window: number): Messages => {
  return (first, count) => Buffer.concat(Array.from({ length: count }, (_, index) => bookPush(first + index, window)))
}

const bookPush = (number: number, window: number): Buffer =>
  maskedMessage(
    encodeFrame('push', {
      confirmed: Math.max(0, number - window),
      actions: [
        [
          number,
          Date.now(),
          'book.put',
          `book-${number}`,
          {
            title: `The History of Book ${number}`,
            authors: ['A. N. Author'],
            language: 'en',
            series: `Series ${number % 100}`,
            seriesIndex: number % 7,
            description: 'What it is about, in some words. '.repeat(8),
            subjects: ['Fiction', 'History'],
            tags: ['to read']
          }
        ]
      ]
    })
  )
