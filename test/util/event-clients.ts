import { createRequire } from 'node:module'
import { io } from 'socket.io-client'
import type { TestContext } from './suite.ts'

/** What tests use of a client of socket.io, whichever it is. */
export interface EventClient {
  readonly connected: boolean
  on(name: string, listener: (...values: unknown[]) => void): unknown
  emit(name: string, ...values: unknown[]): unknown
  close(): unknown
}

type Open = (
  url: string,
  options: { transports: string[]; forceNew: boolean; reconnection: boolean; multiplex: boolean }
) => EventClient

/** Of socket.io 2, whose Engine.IO is the third. It brings no types. */
const ioOf2 = createRequire(import.meta.url)('socket.io-client-2') as Open

/** The client libraries as they are published, over each of their transports. */
export const EVENT_CLIENTS = ['4 by websocket', '4 by polling', '2 by websocket', '2 by polling'] as const

/** A client that connects, and what it hears: `[event, …values]`, in order. It is closed when the test ends. */
export function eventClient(
  { defer }: TestContext,
  url: string,
  kind: (typeof EVENT_CLIENTS)[number]
): { socket: EventClient; next: (name: string) => Promise<unknown[]>; heard: unknown[][] } {
  const [version, , transport] = kind.split(' ') as [string, string, string]
  const open = version === '4' ? (io as unknown as Open) : ioOf2
  const socket = open(url, { transports: [transport], forceNew: true, reconnection: false, multiplex: false })
  defer(() => socket.close())
  const heard: unknown[][] = []
  const unread: unknown[][] = []
  let wake = (): void => undefined
  for (const name of ['connect', 'disconnect', 'should sync', 'sign out', 'connected devices'])
    socket.on(name, (...values) => {
      heard.push([name, ...values])
      unread.push([name, ...values])
      wake()
    })
  return {
    socket,
    heard,
    /** Waits for the next event of this name, passing by what came before it. */
    async next(name) {
      for (;;) {
        for (let event = unread.shift(); event !== undefined; event = unread.shift()) if (event[0] === name) return event.slice(1)
        await new Promise<void>(resolve => (wake = resolve))
      }
    }
  }
}

/** Signs a device in, and waits for the acknowledgement. @returns its arguments */
export const deviceLogin = (socket: EventClient, token: unknown): Promise<unknown[]> =>
  new Promise(resolve => socket.emit('devicelogin', token, (...values: unknown[]) => resolve(values)))
