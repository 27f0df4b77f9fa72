import { HocuspocusProvider } from '@hocuspocus/provider'
import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import type { Connection } from '../../protocol/index.ts'
import { connectNode } from '../../client/node.ts'
import { SocketIoConnection } from '../../client/socket-io-connection.ts'

/** A device that has a book's annotation document open, over whatever carrier. */
export interface OpenDocument {
  readonly doc: Y.Doc
  /** Tries to connect now, rather than when it would. */
  hurry(): void
  close(): Promise<void> | void
}

type Open = (url: string, token: string, book: string) => Promise<OpenDocument>

const COME_BACK_MS = 100

async function openWithSdk(options: Parameters<typeof connectNode>[0], book: string): Promise<OpenDocument> {
  const client = await connectNode(options)
  const notes = await client.annotations(book)
  return { doc: notes.doc, hurry: () => client.retry(), close: () => client.close() }
}

/** The SDK over socket.io alone, by these transports. */
const socketIoDial =
  (url: string, transports: readonly string[]): (() => Connection) =>
  () =>
    new SocketIoConnection(url, '/live/socket.io', (address, options) => io(address, { ...options, transports: [...transports] }))

/** Each way into a hub by which a document can be edited, with the client package that people use for it. */
export const CARRIERS = {
  ws: (url, token, book) => openWithSdk({ url, token }, book),
  'socket.io': (url, token, book) => openWithSdk({ url, token, dial: socketIoDial(url, ['polling', 'websocket']) }, book),
  async 'y-websocket'(url, token, book) {
    const doc = new Y.Doc()
    const provider = new WebsocketProvider(`${url.replace('http', 'ws')}/yjs`, `book/${book}`, doc, {
      params: { token },
      WebSocketPolyfill: WebSocket as never,
      disableBc: true,
      maxBackoffTime: COME_BACK_MS
    })
    return {
      doc,
      hurry: () => undefined,
      close() {
        provider.destroy()
        doc.destroy()
      }
    }
  },
  async hocuspocus(url, token, book) {
    const doc = new Y.Doc()
    const provider = new HocuspocusProvider({
      url: `${url.replace('http', 'ws')}/hocuspocus`,
      name: `book/${book}`,
      document: doc,
      token,
      WebSocketPolyfill: WebSocket,
      delay: COME_BACK_MS,
      minDelay: COME_BACK_MS,
      factor: 1
    } as never)
    return {
      doc,
      hurry: () => undefined,
      close() {
        provider.destroy()
        doc.destroy()
      }
    }
  },
  polling: (url, token, book) => openWithSdk({ url, token, dial: socketIoDial(url, ['polling']) }, book)
} satisfies Readonly<Record<string, Open>>

export type CarrierName = keyof typeof CARRIERS
