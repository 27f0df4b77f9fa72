import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
import { decodeFrame, encodeFrame, SUBPROTOCOL, type FrameFields, type HubFrame } from '../../protocol/index.ts'
import { registerDevice } from '../../server/auth/devices.ts'
import type { Account } from '../../server/core/account.ts'
import { serveHub, type ServingHub } from '../../server/hub.ts'
import { loadConfig } from '../../server/options.ts'
import { recordingLogger } from './core-hub.ts'
import type { TestContext } from './suite.ts'
import { temporaryFolder } from './folder.ts'

export interface TestServingHub extends ServingHub {
  readonly dataFolder: string
  readonly logger: ReturnType<typeof recordingLogger>
}

/** A whole hub in this process: real LMDB, real sockets, a data folder of its own. It is closed when the test ends. */
export async function servingHub({ defer }: TestContext, flags: Record<string, string> = {}): Promise<TestServingHub> {
  const dataFolder = temporaryFolder({ defer })
  const logger = recordingLogger()
  const hub = await serveHub(loadConfig({}, { dataFolder, port: '0', ...flags }), logger)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= hub.close())
  defer(close)
  return { ...hub, close, dataFolder, logger }
}

/** Registers a device of an account, past pairing. */
export const register = (account: Account, name: string, readOnly = false): Promise<{ device: string; token: string }> =>
  registerDevice(account, { name, app: 'test', readOnly }, count => randomBytes(count))

/** A `hello`, ready to send. */
export const helloFrame = (token: string, more: Partial<FrameFields<'hello'>> = {}): Uint8Array =>
  encodeFrame('hello', { version: 1, token, client: 'tab', epoch: '', cursor: 0, agent: 'test', ...more })

/** What came of one conversation on a websocket of its own. */
export interface Conversation {
  readonly frames: readonly HubFrame[]
  /** The hub's; undefined when this end was the one to close. */
  readonly closeCode: number | undefined
}

/** Sends these messages as soon as the socket is open, and listens until `isEnough` of a frame, or until the hub closes. */
export function converse(
  url: string,
  messages: readonly (Uint8Array | string)[],
  isEnough: (frame: HubFrame) => boolean = () => false
): Promise<Conversation> {
  return new Promise(resolve => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, SUBPROTOCOL)
    const frames: HubFrame[] = []
    let isDone = false
    const done = (closeCode: number | undefined): void => {
      isDone = true
      resolve({ frames, closeCode })
    }
    socket.on('error', () => undefined)
    socket.on('open', () => {
      for (const message of messages) socket.send(message)
    })
    socket.on('message', (data: Buffer) => {
      if (isDone) return
      const frame = decodeFrame(data, 'hub')
      frames.push(frame)
      if (!isEnough(frame)) return
      done(undefined)
      socket.terminate()
    })
    socket.on('close', code => done(code))
  })
}
