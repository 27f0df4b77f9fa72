import type { Account } from '../../core/account.ts'
import { refusalOfDevice } from '../../core/policy.ts'
import type { Logger } from '../../core/ports.ts'
import { MAX_DEVICES } from './actions/hub.ts'
import { familyOf } from './family.ts'
import type { DeviceTokens } from './tokens.ts'

/** How much a device needs to hear of a change: not at all, when somebody looks at it, or at once. */
export type Urgency = 0 | 1 | 2

/** A client of socket.io, as far as it is needed here. */
export interface EventSocket {
  /** Set once it has shown a token that is good. */
  known(): void
  readonly isConnected: boolean
  emit(name: string, ...values: unknown[]): void
  /** Ends it at once. */
  cut(): void
}

export interface SocketListener {
  onEvent(name: string, values: readonly unknown[], answer: ((...values: unknown[]) => void) | undefined): void
  onClose(): void
}

/** Of one account at once. Each is told of the others. As many as a family has devices, so that when there is no room one device has several. */
const MAX_SOCKETS = MAX_DEVICES
/** Of one device: those that it has left behind, and that which it came with last. */
const MAX_SOCKETS_PER_DEVICE = 8
/** That have not shown a good token. One more, and the oldest goes: they would take every connection that the hub has. */
const MAX_STRANGERS = 1_000

interface Room {
  readonly sockets: Map<EventSocket, string>
  /** As it was last told. */
  connected: string
}

/**
 * The live sockets of families: hints that there is something to pull. Nothing rests on them, so nothing is kept for who is not there.
 */
export class HouseholdSockets {
  readonly #tokens: DeviceTokens
  readonly #logger: Logger
  readonly #rooms = new Map<string, Room>()
  /** The oldest first. */
  readonly #strangers = new Set<EventSocket>()

  constructor(tokens: DeviceTokens, logger: Logger) {
    this.#tokens = tokens
    this.#logger = logger
  }

  /** Takes a new client, of someone not yet known. */
  accept(socket: EventSocket): SocketListener {
    this.#addStranger(socket)
    let logins = 0
    let leave = (): void => undefined
    const login = async (token: string, login: number): Promise<void> => {
      const caller = await this.#tokens.find(token)
      if (caller === undefined || login !== logins || !socket.isConnected) return
      socket.known()
      this.#strangers.delete(socket)
      leave = this.#join(caller.account, caller.device, socket)
    }
    return {
      onEvent: (name, [token], answer) => {
        if (name !== 'devicelogin' || typeof token !== 'string') return
        leave()
        leave = () => undefined
        // Before it is known whether the token is any good: that is not for who asks here.
        answer?.()
        login(token, ++logins).catch((error: unknown) =>
          this.#logger.error({ err: error }, 'a socket of a TimeLimit client could not be signed in')
        )
      },
      onClose: () => {
        logins += 1
        this.#strangers.delete(socket)
        leave()
      }
    }
  }

  /**
   * Tells devices of an account that there is something to pull, and which of them are connected, should that show differently now.
   * @param general to all that are connected
   * @param targets to single devices, where that is more
   * @param except the device that it comes from
   */
  notify(account: Account, general: Urgency, targets: ReadonlyMap<string, Urgency> = new Map(), except = ''): void {
    const room = this.#rooms.get(account.id)
    if (room === undefined) return
    for (const [socket, device] of room.sockets) {
      if (refusalOfDevice(account.views, device) !== undefined) continue
      const urgency = device === except ? 0 : Math.max(general, targets.get(device) ?? 0)
      if (urgency > 0) socket.emit('should sync', { isImportant: urgency === 2 })
    }
    this.#tellConnected(account, room)
  }

  /**
   * A device is of its family no more: it hears nothing further, and the others that it is not connected.
   * @param isTold it is to look at once, which says so to it
   */
  drop(account: Account, device: string, { isTold = false } = {}): void {
    const room = this.#rooms.get(account.id)
    if (room === undefined) return
    for (const [socket, known] of room.sockets) {
      if (known !== device) continue
      if (isTold) socket.emit('should sync', { isImportant: true })
      this.#leave(account, room, socket)
    }
  }

  /** Asks a device to sign its user out. */
  signOut(account: string, device: string): void {
    for (const [socket, known] of this.#rooms.get(account)?.sockets ?? []) if (known === device) socket.emit('sign out')
  }

  #addStranger(socket: EventSocket): void {
    this.#strangers.add(socket)
    if (this.#strangers.size <= MAX_STRANGERS) return
    const [oldest] = this.#strangers
    this.#strangers.delete(oldest!)
    oldest!.cut()
  }

  #join(account: Account, device: string, socket: EventSocket): () => void {
    const room = this.#rooms.get(account.id) ?? { sockets: new Map<EventSocket, string>(), connected: '[]' }
    this.#rooms.set(account.id, room)
    room.sockets.set(socket, device)
    const surplus = surplusOf(room, device)
    if (surplus !== undefined) {
      room.sockets.delete(surplus)
      surplus.cut()
    }
    this.#tellConnected(account, room, socket)
    return () => this.#leave(account, room, socket)
  }

  /** Does nothing for a socket that has left: its room may be gone, and another in its place. */
  #leave(account: Account, room: Room, socket: EventSocket): void {
    if (!room.sockets.delete(socket)) return
    if (room.sockets.size === 0) this.#rooms.delete(account.id)
    else this.#tellConnected(account, room)
  }

  /** @param newcomer is told in any case, unless there is none to tell of */
  #tellConnected(account: Account, room: Room, newcomer?: EventSocket): void {
    const devices = [...new Set(room.sockets.values())].filter(device => isShown(account, device)).sort()
    const connected = JSON.stringify(devices)
    const isNew = connected !== room.connected
    room.connected = connected
    for (const socket of room.sockets.keys())
      if (isNew ? socket !== newcomer || devices.length > 0 : socket === newcomer && devices.length > 0)
        socket.emit('connected devices', devices)
  }
}

/** The socket that goes because there is one more of this device: its own oldest when it has too many, or the oldest of the device that has most when there is no room. */
function surplusOf({ sockets }: Room, newcomer: string): EventSocket | undefined {
  const counts = new Map<string, number>()
  for (const device of sockets.values()) counts.set(device, (counts.get(device) ?? 0) + 1)
  const hasTooMany = counts.get(newcomer)! > MAX_SOCKETS_PER_DEVICE
  if (!hasTooMany && sockets.size <= MAX_SOCKETS) return undefined
  const [most] = hasTooMany ? [newcomer] : [...counts].reduce((most, other) => (other[1] > most[1] ? other : most))
  for (const [socket, device] of sockets) if (device === most) return socket
  return undefined
}

/** Whether others are told that a device is connected. */
const isShown = ({ views }: Account, device: string): boolean =>
  refusalOfDevice(views, device) === undefined && familyOf(views).get('device', device)?.device.showDeviceConnected === true
