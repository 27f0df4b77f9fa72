/**
 * A content as the body of an HTTP answer: read only as fast as it is taken, and closed when whoever takes it goes away.
 * @param failed told when the content cannot be read on. What was sent then cannot be taken back: the connection is to be cut
 */
export function contentStream(source: AsyncIterable<Uint8Array>, failed: (error: unknown) => void): ReadableStream<Uint8Array> {
  const parts = source[Symbol.asyncIterator]()
  let isGone = false
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await parts.next()
          // Whoever went away while it was read takes nothing more.
          if (isGone) return
          if (done === true) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          failed(error)
        }
      },
      async cancel() {
        isGone = true
        await parts.return?.()
      }
    },
    // Nothing is read before it is asked for.
    { highWaterMark: 0 }
  )
}
