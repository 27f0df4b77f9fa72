import { get } from 'node:http'
import type { OpenWire } from './carrier-device.ts'
import { HubDevice, type HubAddress } from './hub-device.ts'
import { positionPushes } from './position-pushes.ts'
import { WireSocket } from './wire-socket.ts'

/** A device that listens to server-sent events, and parses them as an `EventSource` and its page would. */
export const listenToEvents =
  (url: string): OpenWire =>
  onArrived =>
    new Promise(resolve => {
      let isClosing = false
      const fail = (): void => {
        if (!isClosing) throw new Error(`the server ended the events of ${url}`)
      }
      const request = get(url, response => {
        if (response.statusCode !== 200) throw new Error(`${url} was answered with ${response.statusCode}`)
        const close = (): void => {
          isClosing = true
          request.destroy()
        }
        const push = (): void => {
          throw new Error('events go one way')
        }
        let rest = ''
        let isLive = false
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          const events = (rest + text).split('\n\n')
          rest = events.pop()!
          for (const event of events) {
            const { name, data } = parse(event)
            if (name === 'changes' && isLive) onArrived((JSON.parse(data) as unknown[]).length)
            else if (name === 'live') {
              isLive = true
              resolve({ push, close })
            }
          }
        })
        response.on('close', fail)
      })
      request.on('error', fail)
    })

/** The device that pushes page turns by WebSocket, to Lectern. */
export const pushToHub =
  (address: HubAddress, window: number): OpenWire =>
  async () => {
    const device = await HubDevice.open(address, positionPushes(0, window), () => undefined)
    return { push: (_first, count) => device.push(count), close: () => device.close() }
  }

/** The same to a server that answers nothing. */
export const pushToRelay =
  (port: number, window: number): OpenWire =>
  async () => {
    const messages = positionPushes(0, window)
    const socket = await WireSocket.open({ port, path: '/' }, () => undefined)
    return { push: (first, count) => socket.write(messages(first, count)), close: () => socket.close() }
  }

function parse(event: string): { name: string; data: string } {
  let [name, data] = ['', '']
  for (const line of event.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7)
    else if (line.startsWith('data: ')) data = line.slice(6)
  }
  return { name, data }
}
