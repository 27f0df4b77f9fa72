import { HocuspocusProvider } from '@hocuspocus/provider'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import type { DeviceUpdates } from './annotation-updates.ts'
import type { OpenWire, Wire } from './carrier-device.ts'

/** Where a provider finds a document. */
export interface DocumentAddress {
  readonly url: string
  readonly name: string
  readonly token: string
}

/** Every `y-websocket` provider listens for the end of the process. */
process.setMaxListeners(0)

/** A document that a `y-websocket` provider keeps, without awareness. @param edits what the account's pusher does to it */
export const yWebsocket =
  ({ url, name, token }: DocumentAddress, edits: DeviceUpdates): OpenWire =>
  onArrived =>
    new Promise(resolve => {
      const doc = new Y.Doc()
      const provider = new WebsocketProvider(url, name, doc, {
        connect: false,
        params: { token },
        WebSocketPolyfill: WebSocket as never,
        disableBc: true
      })
      provider.awareness.setLocalState(null)
      let isClosing = false
      provider.on('connection-close', () => {
        if (!isClosing) throw new Error(`the server closed ${url}`)
      })
      const close = (): void => {
        isClosing = true
        provider.destroy()
        doc.destroy()
      }
      provider.on('sync', () => resolve(wire(doc, edits, onArrived, close)))
      provider.connect()
    })

/** The same by a provider of Hocuspocus. */
export const hocuspocus =
  ({ url, name, token }: DocumentAddress, edits: DeviceUpdates): OpenWire =>
  onArrived =>
    new Promise(resolve => {
      const doc = new Y.Doc()
      let isClosing = false
      const fail = (): void => {
        if (!isClosing) throw new Error(`the server closed ${url}, or refused the document`)
      }
      const provider = new HocuspocusProvider({
        url,
        name,
        token,
        document: doc,
        awareness: null,
        WebSocketPolyfill: WebSocket,
        onClose: fail,
        onAuthenticationFailed: fail
      } as never)
      const close = (): void => {
        isClosing = true
        provider.destroy()
        doc.destroy()
      }
      provider.on('synced', () => resolve(wire(doc, edits, onArrived, close)))
    })

/** Each update that was made before is applied to the document as an edit of its own, which the provider sends. What came is told by the pusher's clock. */
function wire(
  doc: Y.Doc,
  { yjsClient, updates, ends }: DeviceUpdates,
  onArrived: (count: number) => void,
  close: () => void
): Wire {
  let received = 0
  doc.on('update', () => {
    const clock = Y.getState(doc.store, yjsClient)
    const before = received
    while ((ends[received] ?? Infinity) <= clock) received += 1
    onArrived(received - before)
  })
  return {
    push(first, count) {
      for (let number = first; number < first + count; number++) {
        const update = updates[number - 1]
        if (update === undefined) throw new Error(`the ${updates.length} prepared updates of a device are used up`)
        Y.applyUpdate(doc, update)
      }
    },
    close
  }
}
