/** Answers longer than this many characters are sent while they are made. */
const STREAM_ABOVE = 262_144
/** So many characters leave at once then, or more. */
const CHUNK = 16_384

export interface PiecesInit {
  readonly headers: Record<string, string>
  readonly encode: (text: string) => Uint8Array
  /** What to do when an answer that has begun to leave cannot go on: without its end it is none. */
  readonly cut: (error: unknown) => void
}

const encoder = new TextEncoder()

export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text)

/**
 * An answer that is made piece by piece, with status 200. A long one leaves while it is made, as fast as it is taken; before the first of it leaves, what `pieces` throws is thrown here.
 */
export async function answerInPieces(pieces: AsyncGenerator<string, void, void>, init: PiecesInit): Promise<Response> {
  const { headers, encode } = init
  let text = ''
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) {
      const body = encode(text)
      return new Response(body as Uint8Array<ArrayBuffer>, { headers: { ...headers, 'content-length': String(body.length) } })
    }
    text += value
    if (text.length > STREAM_ABOVE) return new Response(streamOf(text, pieces, init), { headers })
  }
}

function streamOf(
  begun: string,
  pieces: AsyncGenerator<string, void, void>,
  { encode, cut }: PiecesInit
): ReadableStream<Uint8Array> {
  let isGone = false
  return new ReadableStream<Uint8Array>({
    start: controller => controller.enqueue(encode(begun)),
    async pull(controller) {
      try {
        let text = ''
        let isDone = false
        while (!isDone && text.length < CHUNK) {
          const { done, value } = await pieces.next()
          isDone = done === true
          text += value ?? ''
        }
        if (isGone) return
        if (text !== '') controller.enqueue(encode(text))
        if (isDone) controller.close()
      } catch (error) {
        cut(error)
        if (!isGone) controller.close()
      }
    },
    cancel() {
      isGone = true
      void pieces.return()
    }
  })
}
