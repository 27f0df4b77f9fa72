import * as Y from 'yjs'
import {
  HubError,
  LIMITS,
  PROTOCOL_VERSION,
  decodeFrame,
  encodeFrame,
  type ClientFrame,
  type Connection,
  type ErrorCode,
  type Frame,
  type FrameFields,
  type FrameKind,
  type Plain,
  type WireAction,
  type WireChange
} from '../../protocol/index.ts'
import { pair } from '../util/pair.ts'

type Answer = ['accepted', cursor: number] | ['refused', code: ErrorCode]

interface Seat {
  readonly connection: Connection
  device: string
  client: string
}

/** A hub of one account and few words: it keeps a log, answers actions once, and does what a test scripts. Its devices are its tokens. */
export class FakeHub {
  epoch = 'epoch-1'
  account = 'account-1'
  log: WireChange[] = []
  /** Every frame that came, in order. */
  readonly received: ClientFrame[] = []
  /** Says which actions are refused, and for what. */
  refuses: (action: WireAction) => ErrorCode | undefined = () => undefined
  /** While false, actions are taken but neither answered nor told: the network ate it. */
  isAnswering = true
  /** While false, changes are not told; answers are. */
  isTelling = true
  /** While true, pushes are lost on the way. */
  isDeaf = false
  /** While false, nobody gets in: connections are taken and stay silent. */
  isWelcoming = true
  /** How often somebody connected. */
  dials = 0
  documentPartBytes = 100_000
  /** How often the hub lets go of a document's reading before its second part. */
  letsGo = 0
  readonly #seats = new Set<Seat>()
  readonly #answers = new Map<string, Map<number, Answer>>()

  /** The client's end of a new connection. */
  readonly dial = (): Connection => {
    const [client, hub] = pair()
    this.accept(hub)
    return client
  }

  accept(connection: Connection): void {
    this.dials += 1
    const seat: Seat = { connection, device: '', client: '' }
    connection.listen({
      onFrame: bytes => {
        const frame = decodeFrame(bytes, 'client')
        this.received.push(frame)
        this.#handle(seat, frame)
      },
      onDrain() {},
      onClose: () => void this.#seats.delete(seat)
    })
  }

  /** Every action that was pushed, in order, repeats included. */
  get pushed(): WireAction[] {
    return this.received.flatMap(frame => (frame.kind === 'push' ? frame.actions : []))
  }

  all<K extends ClientFrame['kind']>(kind: K): Frame<K>[] {
    return this.received.filter((frame): frame is Frame<K> & ClientFrame => frame.kind === kind)
  }

  /** Sends a frame to everyone. */
  say<K extends FrameKind>(kind: K, fields: FrameFields<K>): void {
    for (const { connection } of this.#seats) connection.send(encodeFrame(kind, fields))
  }

  /** Ends every connection, after a `bye` if a code is given. */
  cut(code?: ErrorCode, retryAfterMs?: number): void {
    for (const { connection } of this.#seats) {
      if (code !== undefined) connection.send(encodeFrame('bye', { code, message: code, ...(retryAfterMs && { retryAfterMs }) }))
      connection.close(1012, '')
    }
    this.#seats.clear()
  }

  /** Another device's change. */
  tell(kind: string, key: string, body: Plain, device = 'other'): void {
    this.#append(device, `${device}-client`, 0, 1_700_000_000_000, kind, key, body)
  }

  /** A backup is put back: only the first changes are left, of another epoch, and no answers. */
  restore(changes: number): void {
    this.cut()
    this.epoch += '+'
    this.log = this.log.slice(0, changes)
    this.#answers.clear()
  }

  /** The hub's document of a book. */
  document(book: string): Y.Doc {
    const doc = new Y.Doc()
    for (const [, , , , , , kind, key, body] of this.log)
      if (kind === 'annotation.update' && key === book) Y.applyUpdate(doc, body as Uint8Array)
    return doc
  }

  #handle(seat: Seat, frame: ClientFrame): void {
    if (frame.kind === 'hello') this.#hello(seat, frame)
    else if (frame.kind === 'push') this.#push(seat, frame)
    else if (frame.kind === 'ping' && this.isAnswering)
      seat.connection.send(encodeFrame('pong', { nonce: frame.nonce, timeMs: 0 }))
    else if (frame.kind === 'read') this.#read(seat, frame)
  }

  #hello(seat: Seat, { token, client, epoch, cursor }: Frame<'hello'>): void {
    if (!this.isWelcoming) return
    seat.device = token
    seat.client = client
    const { connection } = seat
    const { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs } = LIMITS
    const welcome: FrameFields<'welcome'> = {
      version: PROTOCOL_VERSION,
      account: this.account,
      device: token,
      epoch: this.epoch,
      head: this.log.length,
      lastNumber: Math.max(0, ...this.#answersOf(seat).keys()),
      timeMs: 0,
      limits: { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs }
    }
    connection.send(encodeFrame('welcome', welcome))
    const canContinue = cursor <= this.log.length && (epoch === this.epoch || (epoch === '' && cursor === 0))
    if (!canContinue) connection.send(encodeFrame('resync', { code: 'cursor-unknown', epoch: this.epoch, cursor: 0 }))
    const changes = this.log.slice(canContinue ? cursor : 0)
    if (changes.length > 0) connection.send(encodeFrame('changes', { changes }))
    this.#seats.add(seat)
  }

  #push(seat: Seat, { confirmed, actions }: Frame<'push'>): void {
    if (this.isDeaf) return
    for (const number of this.#answersOf(seat).keys())
      if (number <= confirmed) this.#answersOf(seat).set(number, ['refused', 'already-done'])
    const accepted: [number, number][] = []
    const refused: [number, string, string, string][] = []
    const answers = this.#answersOf(seat)
    for (const action of actions) {
      const answer = answers.get(action[0]) ?? this.#decide(seat, action)
      answers.set(action[0], answer)
      if (answer[0] === 'accepted') accepted.push([action[0], answer[1]])
      else refused.push([action[0], answer[1], answer[1], 'body'])
    }
    if (this.isAnswering) seat.connection.send(encodeFrame('acked', { accepted, refused }))
  }

  #decide({ device, client }: Seat, action: WireAction): Answer {
    const [number, atMs, kind, key, body] = action
    const code = this.refuses(action) ?? (kind === 'annotation.update' ? this.#gap(key, body as Uint8Array) : undefined)
    if (code !== undefined) return ['refused', code]
    this.#append(device, client, number, atMs, kind, key, body)
    return ['accepted', this.log.length]
  }

  #gap(book: string, update: Uint8Array): ErrorCode | undefined {
    const doc = this.document(book)
    Y.applyUpdate(doc, update)
    return doc.store.pendingStructs === null && doc.store.pendingDs === null ? undefined : 'update-gap'
  }

  #append(device: string, client: string, number: number, atMs: number, kind: string, key: string, body: Plain): void {
    const change: WireChange = [this.log.length + 1, (this.log.length + 1) * 1_000, device, client, number, atMs, kind, key, body]
    this.log.push(change)
    if (this.isAnswering && this.isTelling) this.say('changes', { changes: [change] })
  }

  #read(seat: Seat, { id, view, key, after }: Frame<'read'>): void {
    if (view !== 'document') {
      const error = new HubError('not-found')
      seat.connection.send(encodeFrame('failed', { id, code: error.code, message: error.message, field: '' }))
      return
    }
    if (after !== '' && this.letsGo > 0) {
      this.letsGo -= 1
      seat.connection.send(encodeFrame('failed', { id, code: 'bad-request', message: 'begin again', field: 'after' }))
      return
    }
    const bytes = Y.encodeStateAsUpdate(this.document(key))
    const start = Number(after)
    const end = start + this.documentPartBytes
    const next = end < bytes.length ? String(end) : ''
    seat.connection.send(encodeFrame('view', { id, cursor: this.log.length, value: bytes.slice(start, end), next }))
  }

  #answersOf({ device, client }: Seat): Map<number, Answer> {
    const name = `${device} ${client}`
    const answers = this.#answers.get(name) ?? new Map<number, Answer>()
    this.#answers.set(name, answers)
    return answers
  }
}
