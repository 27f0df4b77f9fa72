import { decodeFrame, encodeFrame, FRAMES } from '../../../protocol/index.ts'
import type { HubConnection } from '../../../server/core/ports.ts'
import { over, type Fault } from './fault.ts'

const isChanges = (bytes: Uint8Array): boolean => bytes[1] === FRAMES.changes.type

/** @param own is called once for each run, and what it gives for each connection */
const faulty = (
  name: string,
  breaks: Fault['breaks'],
  own: () => (connection: HubConnection) => Partial<HubConnection>
): Fault => ({
  name,
  breaks,
  plant() {
    const make = own()
    return { ports: { connection: connection => over(connection, make(connection)) } }
  }
})

/** What may go wrong where the hub meets its connections. */
export const CONNECTION_FAULTS: readonly Fault[] = [
  faulty('it skips a run of changes', 'one order', () => {
    let count = 0
    return connection => ({
      send(bytes) {
        if (!isChanges(bytes) || ++count % 10 !== 0) connection.send(bytes)
      }
    })
  }),
  faulty('it sends a frame twice', 'one order', () => {
    let count = 0
    return connection => ({
      send(bytes) {
        connection.send(bytes)
        if (isChanges(bytes) && ++count % 10 === 0) connection.send(bytes)
      }
    })
  }),
  faulty('it sends a change of another account', 'isolation', () => {
    let last: Uint8Array | undefined
    let count = 0
    return connection => ({
      send(bytes) {
        connection.send(last !== undefined && isChanges(bytes) && ++count % 10 === 0 ? last : bytes)
        if (isChanges(bytes)) last = bytes
      }
    })
  }),
  faulty('it leaves something out of a snapshot', 'catch-up', () => connection => ({
    send(bytes) {
      const frame = bytes[1] === FRAMES.snapshot.type ? decodeFrame(bytes, 'hub') : undefined
      if (frame?.kind !== 'snapshot') connection.send(bytes)
      else connection.send(encodeFrame('snapshot', { ...frame, entries: frame.entries.slice(0, -1) }))
    }
  })),
  faulty('it queues without end for who does not read', 'bounded', () => () => ({ bufferedBytes: 0 })),
  faulty('it does not notice that a connection is over', 'bounded', () => connection => ({
    listen: events =>
      connection.listen({ onFrame: bytes => events.onFrame(bytes), onDrain: () => events.onDrain(), onClose() {} })
  })),
  faulty('it takes a cursor of another epoch', 'catch-up', () => {
    let epoch = ''
    return connection => ({
      send(bytes) {
        if (bytes[1] === FRAMES.welcome.type) epoch = (decodeFrame(bytes, 'hub') as { epoch: string }).epoch
        connection.send(bytes)
      },
      listen: events =>
        connection.listen({
          onFrame(bytes) {
            const frame = bytes[1] === FRAMES.hello.type ? decodeFrame(bytes, 'client') : undefined
            events.onFrame(
              frame?.kind === 'hello' && frame.epoch === 'another' ? encodeFrame('hello', { ...frame, epoch }) : bytes
            )
          },
          onDrain: () => events.onDrain(),
          onClose: reason => events.onClose(reason)
        })
    })
  })
]
